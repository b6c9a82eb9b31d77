"""The residual-in-residual generator of Guo and Zhou's report on SRGAN (2022, §5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from napari_srgan.models.edsr import convolution
from napari_srgan.models.generator import Generator, check_sizes
from napari_srgan.models.layers.shapes import Shapes
from napari_srgan.models.rrdb import RESIDUAL_SCALING, RRDB

BLOCKS = 4  # §5, the summary: rrd_block … rrd_block_3
FEATURES = 64
GROWTH = 32  # of the norms' 128 maps in a dense block; see RIRSRResNet


class _Layer(nn.Sequential):
    """Convolution, batch norm, PReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(convolution(inputs, outputs), nn.BatchNorm2d(outputs), nn.PReLU(outputs))


class _DenseBlock(nn.Module):
    """Three layers, each of the two values before it; the input is added to the scaled last."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.conv1 = _Layer(features, growth)
        self.conv2 = _Layer(features + growth, growth)
        self.conv3 = _Layer(2 * growth, features)

    def forward(self, x: Tensor) -> Tensor:
        first = self.conv1(x)
        second = self.conv2(torch.cat([x, first], 1))
        out: Tensor = self.conv3(torch.cat([first, second], 1)) * RESIDUAL_SCALING + x
        return out


class RIRSRResNet(Generator):
    """Residual-in-residual blocks with batch norms, then pixel shuffles.

    Maps ``(n, channels, h, w)`` in [0, 1] to ``(n, channels, scale·h, scale·w)`` in [-1, 1] for any
    ``h, w ≥ 1``.

    The report prints the layers' names and outputs and how many parameters there are in all, not
    what a block is made of. With the defaults all that it prints is met: 42 convolutions, 36 norms
    with 3 072 running statistics, 1 341 571 trained parameters. Kernels, and which values a
    convolution of a dense block sees, are inferred from these sums.

    Parameters
    ----------
    blocks, features, growth : int
        Blocks; feature maps; maps that the first two convolutions of a dense block add.
    channels : int
        Channels of the image, in and out.
    scale : int
        Upscaling factor, a power of 2.

    Raises
    ------
    ValueError
        If a size is not positive or there is no such scale.
    """

    family = "rir-srresnet"
    value_range = (-1.0, 1.0)

    def __init__(
        self,
        *,
        blocks: int = BLOCKS,
        features: int = FEATURES,
        growth: int = GROWTH,
        channels: int = 3,
        scale: int = 4,
    ) -> None:
        super().__init__()
        check_sizes(blocks, features, channels, scale)
        if growth < 1:
            raise ValueError(f"growth must be 1 or more; got {growth}.")
        doublings = scale.bit_length() - 1
        if scale != 2**doublings:
            raise ValueError(f"scale must be a power of 2; got {scale}.")
        self.scale, self.channels, self.growth = scale, channels, growth
        self.head = nn.Sequential(convolution(channels, features), nn.PReLU(features))
        self.second = convolution(features, features)
        self.blocks = nn.Sequential(*(RRDB(features, growth, _DenseBlock) for _ in range(blocks)))
        self.upsample = nn.ModuleList(
            nn.Sequential(convolution(features, 4 * features), nn.PixelShuffle(2))
            for _ in range(doublings)
        )
        self.mixed = convolution(features, features, 1)
        self.last = convolution(features, channels)

    @classmethod
    def sizes_of(cls, state: Mapping[str, Tensor]) -> dict[str, Any] | None:
        """Return the sizes that tensors of this family's names have, or None."""
        shapes = Shapes(state)
        if not shapes.has("blocks.0.dense1"):
            return None
        features, channels, _ = shapes.convolution("head.0")
        return {
            "blocks": shapes.count("blocks"),
            "features": features,
            "growth": shapes.convolution("blocks.0.dense1.conv1.0")[0],
            "channels": channels,
            "scale": 2 ** shapes.count("upsample"),
        }

    def sizes(self) -> dict[str, Any]:
        """Return the constructor's arguments that give a network like this one."""
        return {
            "blocks": len(self.blocks),
            "features": self.second.out_channels,
            "growth": self.growth,
            "channels": self.channels,
            "scale": self.scale,
        }

    def forward(self, x: Tensor) -> Tensor:
        """Upscale images in [0, 1]; the output is in [-1, 1]."""
        y = self.blocks(self.second(self.head(x)))
        for stage in self.upsample:
            y = stage(y)
        return torch.tanh(self.last(self.mixed(y)))
