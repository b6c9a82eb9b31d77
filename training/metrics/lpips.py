"""LPIPS, a learned perceptual distance, where its package and its weights are at hand."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from napari_srgan.resampling import Pixels

log = logging.getLogger(__name__)

Distance = Callable[[Pixels, Pixels], float]

_BACKBONE = "alexnet-owt-*.pth"  # as torchvision names its file; lpips brings only the rest


def load_lpips() -> Distance | None:
    """Return LPIPS with AlexNet as a function of two images, or None with a log line that says why.

    Nothing is downloaded: the `lpips` package would fetch AlexNet's weights, 244 MB, on first use,
    so they have to lie in torch's cache already. The images are ``(h, w)`` or ``(h, w, 3)``, uint8.

    References
    ----------
    Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric",
    CVPR 2018.
    """
    missing = [name for name in ("lpips", "torchvision") if find_spec(name) is None]
    if missing:
        log.info("No LPIPS: %s not installed.", " and ".join(missing))
        return None
    import torch

    checkpoints = Path(torch.hub.get_dir()) / "checkpoints"
    if not any(checkpoints.glob(_BACKBONE)):
        log.info("No LPIPS: no AlexNet weights (%s) in %s.", _BACKBONE, checkpoints)
        return None
    network = import_module("lpips").LPIPS(net="alex", verbose=False)

    def distance(upscaled: Pixels, reference: Pixels) -> float:
        with torch.inference_mode():
            return float(network(_to_input(upscaled), _to_input(reference)))

    return distance


def _to_input(image: Pixels) -> object:
    """Return an image as LPIPS takes it: ``(1, 3, h, w)``, -1 to 1."""
    import torch

    pixels = torch.from_numpy(image.copy()).float() / 127.5 - 1
    planes = pixels.expand(3, *image.shape) if image.ndim == 2 else pixels.permute(2, 0, 1)
    return planes[None]
