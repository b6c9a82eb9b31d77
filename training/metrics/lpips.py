"""LPIPS v0.1, a learned perceptual distance, computed from its networks' published weights."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from napari_srgan.models.perceptual.alexnet import AlexNetFeatures
from napari_srgan.models.perceptual.vgg import VGG16Features
from napari_srgan.resampling import Pixels
from napari_srgan.store.cache import cache_folder
from napari_srgan.training.optimise.vgg import (
    PUBLISHED,
    find_published,
    find_trunk,
    read_safetensors,
    read_trunk,
)

log = logging.getLogger(__name__)

Distance = Callable[[Pixels, Pixels], float]
Net = Literal["alex", "vgg"]

NETS: tuple[Net, ...] = ("alex", "vgg")
TRUNKS: dict[Net, str] = {"alex": "AlexNet", "vgg": "VGG16"}
HOW_TO_GET = (
    "`python -m napari_srgan.training fetch alexnet vgg16` gets them from torchvision (800 MB), "
    "or name what you have: --perceptual-weights FOLDER"
)

_HEADS = "lpips_heads.safetensors"  # from `lpips` 0.1.4, whose licence lies beside it
_NO_ZERO = 1e-10  # what LPIPS adds to the length of a feature vector


class LPIPS(nn.Module):
    """How unlike two images look to a network: ``(n, 3, h, w)`` in [0, 1] to distances ``(n,)``.

    At each pixel of each of five stages the feature vectors are brought to length 1; the squares of
    their differences are weighed by channel, with weights fitted to what people said, and summed.

    Parameters
    ----------
    features : nn.Module
        AlexNet or VGG16, whose ``stages`` gives five feature maps. It is frozen.
    heads : sequence of Tensor
        The weights, ``(1, channels, 1, 1)`` for each stage.

    References
    ----------
    Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric",
    arXiv:1801.03924, eq. 1.
    """

    def __init__(self, features: AlexNetFeatures | VGG16Features, heads: Sequence[Tensor]) -> None:
        super().__init__()
        self.features = features.eval().requires_grad_(False)
        for stage, head in enumerate(heads):
            self.register_buffer(f"head{stage}", head)

    def forward(self, upscaled: Tensor, reference: Tensor) -> Tensor:
        """Return the distance of each image to its reference."""
        pairs = zip(self.features.stages(upscaled), self.features.stages(reference), strict=True)
        distance = upscaled.new_zeros(len(upscaled))
        for stage, (found, wanted) in enumerate(pairs):
            difference = (_unit(found) - _unit(wanted)).square()
            weighed = nn.functional.conv2d(difference, self.get_buffer(f"head{stage}"))
            distance = distance + weighed.mean(dim=(1, 2, 3))
        return distance


def _unit(features: Tensor) -> Tensor:
    return features / (features.square().sum(dim=1, keepdim=True).sqrt() + _NO_ZERO)


@dataclass(frozen=True)
class LoadedLPIPS:
    """LPIPS on the CPU, and the file that its network's weights are from."""

    network: LPIPS
    path: Path


def load_lpips(net: Net, weights: Path | None = None, *, fetch: bool = False) -> LoadedLPIPS:
    """Return LPIPS with one of its networks.

    Parameters
    ----------
    net : {"alex", "vgg"}
        AlexNet, which judges best, or VGG16, which is the better loss.
    weights : Path, optional
        A file of the network's weights, or a folder that has one among others. Without it,
        torchvision's file is taken from the cache, or from torch's.
    fetch : bool
        Whether it may be downloaded.

    Raises
    ------
    OSError
        If the weights are not there.
    ValueError
        If a file is not this network's.
    """
    name = TRUNKS[net]
    if weights is not None:
        path = find_trunk(weights, name)
    elif fetch:
        path = find_published(published=PUBLISHED[name], progress=True)
    else:
        path = _cached(name)
    with torch.random.fork_rng(devices=[]):
        features = AlexNetFeatures() if net == "alex" else VGG16Features(5, 3)
    features.load_state_dict(read_trunk(path, features))
    return LoadedLPIPS(LPIPS(features, _heads_of(net)), path)


def _cached(name: str) -> Path:
    """Return torchvision's file from the folder of this package's downloads, or of torch's."""
    published = PUBLISHED[name]
    folders = (cache_folder(), Path(torch.hub.get_dir()) / "checkpoints")
    for folder in folders:
        if (path := folder / published.name).is_file():
            return path
    raise FileNotFoundError(f"{published.name} is not in {' nor in '.join(map(str, folders))}.")


def _heads_of(net: Net) -> list[Tensor]:
    with as_file(files("napari_srgan.training.metrics") / _HEADS) as path:
        heads = read_safetensors(path)
    return [heads[f"{net}.{stage}"] for stage in range(5)]


def find_distances(weights: Path | None = None) -> dict[str, Distance]:
    """Return ``lpips_alex`` and ``lpips_vgg`` of two images, as far as their weights are there.

    What is not there is named in the log, with how to get it. The images are ``(h, w)`` or
    ``(h, w, 3)``, uint8.

    Parameters
    ----------
    weights : Path, optional
        As for :func:`load_lpips`; a file serves the network that it is of.

    Raises
    ------
    OSError
        If weights are named and serve neither network.
    """
    found: dict[str, Distance] = {}
    reasons = []
    for net in NETS:
        try:
            found[f"lpips_{net}"] = _of_pixels(load_lpips(net, weights).network)
        except FileNotFoundError as error:
            reasons.append(str(error))
        except ValueError as error:
            if weights is None or weights.is_dir():
                raise
            reasons.append(str(error))
    if weights is not None and not found:
        raise FileNotFoundError(" ".join(reasons))
    for reason in reasons:
        log.info("No LPIPS of this network: %s %s.", reason, HOW_TO_GET)
    return found


def _of_pixels(network: LPIPS) -> Distance:
    def distance(upscaled: Pixels, reference: Pixels) -> float:
        with torch.inference_mode():
            return float(network(_as_input(upscaled), _as_input(reference)))

    return distance


def _as_input(image: Pixels) -> Tensor:
    """Return an image as LPIPS takes it: ``(1, 3, h, w)``, 0 to 1."""
    pixels = torch.from_numpy(image.copy()).to(torch.float32) / 255
    planes = pixels.expand(3, *image.shape) if image.ndim == 2 else pixels.permute(2, 0, 1)
    return planes[None]
