"""RRDBNet, the generator of ESRGAN (Wang et al. 2018, arXiv:1809.00219v2, §3.1, Fig. 3 and 4)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_srgan.models.edsr import convolution
from napari_srgan.models.generator import Generator, check_sizes
from napari_srgan.models.layers.choices import enlarged
from napari_srgan.models.layers.residual import Residual
from napari_srgan.models.layers.shapes import Shapes
from napari_srgan.models.layers.unshuffle import cropped, unshuffled

BLOCKS = 23  # §4.1: "23 RRDB blocks"
FEATURES = 64
GROWTH = 32  # maps that each convolution of a dense block adds; not in the paper: its code's
SLOPE = 0.2  # of leaky rectifiers
RESIDUAL_SCALING = 0.2  # §3.1, "residual scaling"
DENSE = 5  # convolutions of a dense block (Fig. 4)


def _leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, SLOPE)


class DenseBlock(nn.Module):
    """Five convolutions, each of all values before it; the input is added to the scaled last.

    Maps ``(n, features, h, w)`` to the same shape.
    """

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        for n in range(DENSE):
            outputs = growth if n < DENSE - 1 else features
            self.add_module(f"conv{n + 1}", convolution(features + n * growth, outputs))

    def forward(self, x: Tensor) -> Tensor:
        *first, last = self.children()
        values = [x]
        for conv in first:
            values.append(_leaky(conv(torch.cat(values, 1))))
        out: Tensor = last(torch.cat(values, 1)) * RESIDUAL_SCALING + x
        return out


class RRDB(Residual):
    """Residual in residual dense block: three dense blocks, scaled, and the input added.

    Maps ``(n, features, h, w)`` to the same shape, as each of the blocks does, which are of one
    kind: :class:`DenseBlock`, or another that is made of the same two sizes.
    """

    def __init__(
        self, features: int, growth: int, kind: Callable[[int, int], nn.Module] = DenseBlock
    ) -> None:
        super().__init__()
        self.dense1, self.dense2, self.dense3 = (kind(features, growth) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.dense3(self.dense2(self.dense1(x))) * RESIDUAL_SCALING + x
        return out


class RRDBNet(Generator):
    """Residual in residual dense blocks, and enlargement by repeated pixels and convolutions.

    Maps ``(n, channels, h, w)`` in [0, 1] to ``(n, channels, scale·h, scale·w)`` in [0, 1] for any
    ``h, w ≥ 1``. With the defaults it is ESRGAN's generator, 16 697 987 parameters.

    Parameters
    ----------
    blocks, features, growth : int
        Blocks; feature maps; maps that a convolution of a dense block adds.
    channels : int
        Channels of the image, in and out.
    scale : int
        Upscaling factor; times ``unshuffle`` a power of 2.
    unshuffle : int
        Side of the squares of pixels that are put into channels first, as Real-ESRGAN does for
        scales below 4 (Wang et al. 2021, arXiv:2107.10833v2, §3.3). What an image is short of whole
        squares is reflected.

    Raises
    ------
    ValueError
        If a size is not positive or there is no such scale.
    """

    family = "rrdb"

    def __init__(
        self,
        *,
        blocks: int = BLOCKS,
        features: int = FEATURES,
        growth: int = GROWTH,
        channels: int = 3,
        scale: int = 4,
        unshuffle: int = 1,
    ) -> None:
        super().__init__()
        check_sizes(blocks, features, channels, scale)
        if min(growth, unshuffle) < 1:
            raise ValueError(f"growth and unshuffle must be 1 or more; got {growth}, {unshuffle}.")
        doublings = (scale * unshuffle).bit_length() - 1
        if scale * unshuffle != 2**doublings:
            raise ValueError(f"scale · unshuffle must be a power of 2; got {scale} · {unshuffle}.")
        self.scale, self.channels, self.unshuffle = scale, channels, unshuffle
        self.growth = growth
        self.head = convolution(channels * unshuffle**2, features)
        self.body = nn.Sequential(*(RRDB(features, growth) for _ in range(blocks)))
        self.trunk = convolution(features, features)
        self.upsample = nn.ModuleList(convolution(features, features) for _ in range(doublings))
        self.hr = convolution(features, features)
        self.last = convolution(features, channels)

    @classmethod
    def sizes_of(cls, state: Mapping[str, Tensor]) -> dict[str, Any] | None:
        """Return the sizes that tensors of this family's names have, or None."""
        shapes = Shapes(state)
        if not shapes.has("body.0.dense1"):
            return None
        features, inputs, _ = shapes.convolution("head")
        channels, _, _ = shapes.convolution("last")
        unshuffle = max(1, math.isqrt(inputs // max(1, channels)))
        doublings = shapes.count("upsample")
        if 2**doublings < unshuffle:
            raise ValueError(
                f"it enlarges by 2^{doublings} what it makes {unshuffle} times smaller"
            )
        return {
            "blocks": shapes.count("body"),
            "features": features,
            "growth": shapes.convolution("body.0.dense1.conv1")[0],
            "channels": channels,
            "scale": 2**doublings // unshuffle,
            "unshuffle": unshuffle,
        }

    def sizes(self) -> dict[str, Any]:
        """Return the constructor's arguments that give a network like this one."""
        return {
            "blocks": len(self.body),
            "features": self.head.out_channels,
            "growth": self.growth,
            "channels": self.channels,
            "scale": self.scale,
            "unshuffle": self.unshuffle,
        }

    def forward(self, x: Tensor) -> Tensor:
        """Upscale images in [0, 1]; the output is, too, but for overshoot."""
        y = self.head(x if self.unshuffle == 1 else unshuffled(x, self.unshuffle))
        y = y + self.trunk(self.body(y))
        for conv in self.upsample:
            y = _leaky(conv(enlarged(y, 2, "nearest")))
        y = self.last(_leaky(self.hr(y)))
        return y if self.unshuffle == 1 else cropped(y, x, self.scale)
