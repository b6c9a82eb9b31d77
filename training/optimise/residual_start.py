"""EDSR and MDSR begun as interpolation, where their papers begin at random."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_srgan.models.edsr import EDSR, ScaledResidualBlock
from napari_srgan.models.mdsr import MDSR
from napari_srgan.models.srresnet import pass_through

_SILENCE = 0.1  # of the random weights that lie beside what interpolates


@torch.no_grad()
def start_as_bilinear(network: EDSR | MDSR) -> None:
    """Initialise a network so that, untrained, it nearly gives the bilinearly enlarged image.

    The image travels through the first ``channels`` feature maps by centre taps. What residual
    blocks and the trunk add to it is reduced to a tenth, the stages of enlargement interpolate
    these maps, and the last convolution reads them. All other weights keep their random start. (Not
    in the papers.)

    Raises
    ------
    ValueError
        If the network has fewer features than channels.
    """
    channels, features = network.channels, network.head.out_channels
    if features < channels:
        raise ValueError(
            "The interpolation start needs at least as many features as channels; got "
            f"{features} features, {channels} channels."
        )
    for module in network.modules():
        if isinstance(module, ScaledResidualBlock):
            _reduce(module.conv2)
    _reduce(network.trunk)
    _reduce(network.last)
    for convolution in (network.head, network.last):
        for c in range(channels):
            pass_through(convolution, output=c, source=c)
    for module in network.upsample.modules():
        if isinstance(module, nn.Sequential) and isinstance(module[-1], nn.PixelShuffle):
            _interpolate(module[0], channels, module[-1].upscale_factor)


def _reduce(convolution: nn.Conv2d) -> None:
    convolution.weight *= _SILENCE
    if convolution.bias is not None:
        convolution.bias *= _SILENCE


def _interpolate(convolution: nn.Module, channels: int, factor: int) -> None:
    """Let the sub-pixels of the first maps interpolate those of the input."""
    assert isinstance(convolution, nn.Conv2d)
    outputs = channels * factor**2
    convolution.weight[:outputs] = 0
    if convolution.bias is not None:
        convolution.bias[:outputs] = 0
    taps = bilinear_taps(factor)
    kernels = torch.einsum("iy,jx->ijyx", taps, taps).flatten(0, 1)
    for c in range(channels):
        convolution.weight[c * factor**2 : (c + 1) * factor**2, c] = kernels


def bilinear_taps(scale: int) -> Tensor:
    """Return what sub-pixels take of the pixels before, at and after theirs, ``(scale, 3)``."""
    offset = (torch.arange(scale) + 0.5) / scale - 0.5
    return torch.stack([(-offset).clamp_min(0), 1 - offset.abs(), offset.clamp_min(0)], 1)
