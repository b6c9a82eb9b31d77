"""LPIPS v0.1, a learned perceptual distance, computed from its networks' published weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path
from typing import Literal

from torch import Tensor, nn

from napari_srgan.models.perceptual.alexnet import AlexNetFeatures
from napari_srgan.models.perceptual.vgg import VGG16Features, VGGFeatures
from napari_srgan.training.metrics.trunks import load_trunk
from napari_srgan.training.optimise.vgg import read_safetensors

Net = Literal["alex", "vgg"]

NETS: tuple[Net, ...] = ("alex", "vgg")
TRUNKS: dict[Net, str] = {"alex": "AlexNet", "vgg": "VGG16"}

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

    def __init__(self, features: AlexNetFeatures | VGGFeatures, heads: Sequence[Tensor]) -> None:
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
            weighed = difference.mean(dim=(2, 3)) @ self.get_buffer(f"head{stage}").flatten()
            distance = distance + weighed
        return distance


def _unit(features: Tensor) -> Tensor:
    features = features.float()  # they may have been computed in 16 bits
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
    make: Callable[[], AlexNetFeatures | VGGFeatures] = (
        AlexNetFeatures if net == "alex" else partial(VGG16Features, 5, 3)
    )
    features, path = load_trunk(TRUNKS[net], make, weights, fetch=fetch)
    return LoadedLPIPS(LPIPS(features, heads_of(net)), path)


def heads_of(net: Net) -> list[Tensor]:
    """Return the weights of a network's channels, ``(1, channels, 1, 1)`` for each stage."""
    with as_file(files("napari_srgan.training.metrics") / _HEADS) as path:
        heads = read_safetensors(path)
    return [heads[f"{net}.{stage}"] for stage in range(5)]
