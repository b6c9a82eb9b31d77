"""The residual-in-residual SRResNet of a course report that reproduces SRGAN with Keras.

The report prints the layers' names and shapes, and three sums: 1 344 643 parameters, 1 341 571
of them trained. From these the network is inferred: with kernels of 9 at both ends, of 1 at the end
of each residual block and of 3 elsewhere, and a PReLU of a slope a feature map after each
convolution but those of the ends, all three sums come out. How blocks add up is not printed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from napari_srgan.models.edsr import STAGES, convolution
from napari_srgan.models.generator import Generator, check_sizes
from napari_srgan.models.layers.shapes import Shapes

BLOCKS = 4
FEATURES = 64
SCALE = 4
INNER_BLOCKS = 3  # in each block
OUTER_KERNEL = 9


class InnerBlock(nn.Module):
    """Two normed convolutions with PReLU, a 1 × 1 convolution, and the input added.

    Maps ``(n, features, h, w)`` to the same shape.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = convolution(features, features), nn.BatchNorm2d(features)
        self.act1 = nn.PReLU(features)
        self.conv2, self.norm2 = convolution(features, features), nn.BatchNorm2d(features)
        self.act2 = nn.PReLU(features)
        self.mix = convolution(features, features, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.act1(self.norm1(self.conv1(x)))
        y = self.act2(self.norm2(self.conv2(y)))
        out: Tensor = x + self.mix(y)
        return out


class OuterBlock(nn.Module):
    """Inner blocks in a row, and the input added."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(*(InnerBlock(features) for _ in range(INNER_BLOCKS)))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.inner(x)
        return out


class UpsampleStage(nn.Sequential):
    """Convolution, pixel shuffle, PReLU: ``(n, f, h, w)`` to ``(n, f, factor·h, factor·w)``."""

    def __init__(self, features: int, factor: int) -> None:
        super().__init__()
        self.conv = convolution(features, features * factor**2)
        self.shuffle = nn.PixelShuffle(factor)
        self.act = nn.PReLU(features)


class RIRSRResNet(Generator):
    """SRResNet whose residual blocks are in residual blocks, without one around them all.

    Maps ``(n, channels, h, w)`` in [0, 1] to ``(n, channels, scale·h, scale·w)`` in [-1, 1] for any
    ``h, w ≥ 1``. With the defaults it has the report's 1 341 571 parameters.

    Parameters
    ----------
    blocks : int
        Outer blocks, 1 or more, of three inner ones each.
    features : int
        Feature maps of every hidden layer.
    channels : int
        Channels of the image, in and out.
    scale : int
        Upscaling factor: 2, 3 or 4.

    Raises
    ------
    ValueError
        If a size is not positive or the scale is not one of those above.
    """

    family = "rir-srresnet"
    value_range = (-1.0, 1.0)

    def __init__(
        self,
        *,
        blocks: int = BLOCKS,
        features: int = FEATURES,
        channels: int = 3,
        scale: int = SCALE,
    ) -> None:
        super().__init__()
        check_sizes(blocks, features, channels, scale, STAGES)
        self.scale, self.channels = scale, channels
        self.head = convolution(channels, features, OUTER_KERNEL)
        self.head_act = nn.PReLU(features)
        self.second = convolution(features, features)
        self.second_act = nn.PReLU(features)
        self.outer = nn.Sequential(*(OuterBlock(features) for _ in range(blocks)))
        self.upsample = nn.Sequential(
            *(UpsampleStage(features, factor) for factor in STAGES[scale])
        )
        self.tail = convolution(features, features)
        self.tail_act = nn.PReLU(features)
        self.last = convolution(features, channels, OUTER_KERNEL)

    @classmethod
    def sizes_of(cls, state: Mapping[str, Tensor]) -> dict[str, Any] | None:
        """Return the sizes that tensors of this family's names have, or None."""
        shapes = Shapes(state)
        if not shapes.has("outer") or not shapes.has("second_act"):
            return None
        features, channels, _ = shapes.convolution("head")
        factors = [
            round((shapes.convolution(f"upsample.{n}.conv")[0] / features) ** 0.5)
            for n in range(shapes.count("upsample"))
        ]
        scales = {stages: scale for scale, stages in STAGES.items()}
        if tuple(factors) not in scales:
            raise ValueError(f"a network of this family enlarges by one of {sorted(STAGES)}")
        return {
            "blocks": shapes.count("outer"),
            "features": features,
            "channels": channels,
            "scale": scales[tuple(factors)],
        }

    def sizes(self) -> dict[str, Any]:
        """Return the constructor's arguments that give a network like this one."""
        return {
            "blocks": len(self.outer),
            "features": self.head.out_channels,
            "channels": self.channels,
            "scale": self.scale,
        }

    def forward(self, x: Tensor) -> Tensor:
        """Upscale images in [0, 1]; the output is in [-1, 1]."""
        y = self.head_act(self.head(2 * x - 1))
        y = self.second_act(self.second(y))
        y = self.upsample(self.outer(y))
        return torch.tanh(self.last(self.tail_act(self.tail(y))))
