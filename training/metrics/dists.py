"""DISTS, a learned distance of structure and of texture, computed from published weights."""

from __future__ import annotations

from functools import partial
from importlib.resources import as_file, files
from pathlib import Path

import torch
from torch import Tensor, nn

from napari_srgan.models.perceptual.vgg import VGG16Features
from napari_srgan.training.metrics.trunks import load_trunk
from napari_srgan.training.optimise.vgg import read_safetensors

TRUNK = "VGG16"

_WEIGHTS = "dists_weights.safetensors"  # from `DISTS_pytorch` 0.1, whose licence lies beside it
_STABLE = 1e-6  # c1 and c2 of eq. 5, for features in which nothing is
_NO_ZERO = 1e-12  # below the root of a pooling, for its gradient
_HANN = (0.5, 1.0, 0.5)  # across the window that a pooling averages over


class DISTS(nn.Module):
    """How unlike two images look: ``(n, 3, h, w)`` in [0, 1] to distances ``(n,)``.

    The images themselves and five stages of VGG16 are compared channel by channel, over the whole
    image: their means, which tell of texture, and their correlation, which tells of structure. Both
    are weighed by what people said. Texture may thus be elsewhere than in the reference. VGG16's
    poolings take the root of the mean square in place of the largest value, which moves with the
    image.

    Parameters
    ----------
    features : VGG16Features
        All its five stages. It is frozen.
    alpha, beta : Tensor
        Weights of texture and of structure, ``(channels,)``, for the image's channels and then each
        stage's; together they are made to sum to 1.

    References
    ----------
    Ding et al., "Image Quality Assessment: Unifying Structure and Texture Similarity",
    arXiv:2004.07728, eqs. 2, 5 and 6.
    """

    alpha: Tensor
    beta: Tensor

    def __init__(self, features: VGG16Features, alpha: Tensor, beta: Tensor) -> None:
        super().__init__()
        self.features = features.eval().requires_grad_(False)
        total = alpha.sum() + beta.sum()
        self.register_buffer("alpha", alpha / total)
        self.register_buffer("beta", beta / total)

    def forward(self, upscaled: Tensor, reference: Tensor) -> Tensor:
        """Return the distance of each image to its reference."""
        pairs = zip(self._stages(upscaled), self._stages(reference), strict=True)
        alike = [_alike(found, wanted) for found, wanted in pairs]
        texture, structure = (torch.cat(part, dim=1) for part in zip(*alike, strict=True))
        return 1 - (self.alpha * texture + self.beta * structure).sum(dim=1)

    def _stages(self, x: Tensor) -> list[Tensor]:
        vgg = self.features
        out, found = (x - vgg.mean) / vgg.std, [x]
        for layer in vgg.features:
            if isinstance(layer, nn.MaxPool2d):
                found.append(out)
                out = _pooled(out)
            else:
                out = layer(out)
        return [*found, out]


def _pooled(x: Tensor) -> Tensor:
    """Return the root of the mean square in windows of 3 × 3, every second pixel (eq. 2)."""
    hann = torch.tensor(_HANN, dtype=x.dtype, device=x.device)
    window = torch.outer(hann, hann) / hann.sum() ** 2
    kernel = window.expand(x.shape[1], 1, *window.shape)
    mean = nn.functional.conv2d(x.square(), kernel, stride=2, padding=1, groups=x.shape[1])
    return (mean + _NO_ZERO).sqrt()


def _alike(found: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Return how like the texture and the structure of each channel are, ``(n, c)`` (eq. 5)."""
    means = [features.mean(dim=(2, 3), keepdim=True) for features in (found, wanted)]
    one, other = found - means[0], wanted - means[1]
    covariance = (one * other).mean(dim=(2, 3))
    variances = one.square().mean(dim=(2, 3)) + other.square().mean(dim=(2, 3))
    a, b = (mean[:, :, 0, 0] for mean in means)
    texture = (2 * a * b + _STABLE) / (a.square() + b.square() + _STABLE)
    return texture, (2 * covariance + _STABLE) / (variances + _STABLE)


def load_dists(weights: Path | None = None, *, fetch: bool = False) -> DISTS:
    """Return DISTS on the CPU.

    Parameters
    ----------
    weights : Path, optional
        A file of VGG16's weights, or a folder that has one among others. Without it, torchvision's
        file is taken from the cache, or from torch's.
    fetch : bool
        Whether it may be downloaded.

    Raises
    ------
    OSError
        If the weights are not there.
    ValueError
        If a file is not this network's.
    """
    features, _path = load_trunk(TRUNK, partial(VGG16Features, 5, 3), weights, fetch=fetch)
    with as_file(files("napari_srgan.training.metrics") / _WEIGHTS) as own:
        read = read_safetensors(own)
    return DISTS(features, read["alpha"].flatten(), read["beta"].flatten())
