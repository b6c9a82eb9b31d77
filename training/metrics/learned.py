"""Distances of two images that networks have learned: those whose networks' weights are here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from napari_srgan.resampling import Pixels
from napari_srgan.training.metrics.dists import load_dists
from napari_srgan.training.metrics.lpips import load_lpips

log = logging.getLogger(__name__)

Distance = Callable[[Pixels, Pixels], float]

HOW_TO_GET = (
    "`python -m napari_srgan.training fetch alexnet vgg16` gets them from torchvision (800 MB), "
    "or name what you have: --perceptual-weights FOLDER"
)

_LOADERS: dict[str, Callable[[Path | None], nn.Module]] = {
    "lpips_alex": lambda weights: load_lpips("alex", weights).network,
    "lpips_vgg": lambda weights: load_lpips("vgg", weights).network,
    "dists": load_dists,
}
LEARNED = tuple(_LOADERS)


def find_distances(
    weights: Path | None = None, names: Iterable[str] = LEARNED
) -> dict[str, Distance]:
    """Return learned distances of two images, as far as their weights are there.

    What is not there is named in the log, with how to get it. The images are ``(h, w)`` or
    ``(h, w, 3)``, uint8.

    Parameters
    ----------
    weights : Path, optional
        A file of AlexNet's or VGG16's weights, which serves what looks through that network; or a
        folder with both. Without it, torchvision's files are taken from the cache, or from torch's.
    names : iterable of str
        Which of `LEARNED`.

    Raises
    ------
    OSError
        If weights are named and serve nothing.
    """
    found: dict[str, Distance] = {}
    reasons: dict[str, list[str]] = {}
    for name in names:
        try:
            found[name] = _of_pixels(_LOADERS[name](weights))
        except FileNotFoundError as error:
            reasons.setdefault(str(error), []).append(name)
        except ValueError as error:
            if weights is None or weights.is_dir():
                raise
            reasons.setdefault(str(error), []).append(name)
    if weights is not None and not found:
        raise FileNotFoundError(" ".join(reasons))
    for reason, names in reasons.items():
        log.info("Not measured: %s. %s %s.", ", ".join(names), reason, HOW_TO_GET)
    return found


def _of_pixels(network: nn.Module) -> Distance:
    def distance(upscaled: Pixels, reference: Pixels) -> float:
        with torch.inference_mode():
            return float(network(_as_input(upscaled), _as_input(reference)))

    return distance


def _as_input(image: Pixels) -> Tensor:
    """Return an image as these networks take it: ``(1, 3, h, w)``, 0 to 1."""
    pixels = torch.from_numpy(image.copy()).to(torch.float32) / 255
    planes = pixels.expand(3, *image.shape) if image.ndim == 2 else pixels.permute(2, 0, 1)
    return planes[None]
