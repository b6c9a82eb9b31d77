"""MDSR, EDSR for several scales at once (Lim et al. 2017, arXiv:1707.02921v1, §3.4 and Fig. 5)."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from napari_srgan.models.edsr import (
    STAGES,
    ScaledResidualBlock,
    convolution,
    mean_of,
    upsample_stages,
)
from napari_srgan.models.generator import Generator, check_sizes
from napari_srgan.models.layers.options import KEY, encoded_options, options_of
from napari_srgan.models.layers.shapes import Shapes

BLOCKS = 16  # §3.4: the baseline's B
FEATURES = 64  # §3.4: the baseline's F
PRE_BLOCKS, PRE_KERNEL = 2, 5  # §3.4: "two residual blocks with 5 × 5 kernels"

_OPTIONS = {"scale": 4}


class MDSR(Generator):
    """EDSR with blocks of its own for each scale before and after those that all scales share.

    Maps ``(n, channels, h, w)`` in [0, 1] to ``(n, channels, scale·h, scale·w)`` in [0, 1] for any
    ``h, w ≥ 1``. With the defaults it is the paper's baseline.

    Parameters
    ----------
    blocks : int
        Residual blocks that all scales share, 1 or more.
    features : int
        Feature maps of every hidden layer.
    channels : int
        Channels of the image, in and out.
    scale : int
        Upscaling factor of this network; :meth:`at_scale` gives it for the others.
    all_scales : str
        Those that it has weights for, each 2, 3 or 4: ``"2 3 4"``.

    Raises
    ------
    ValueError
        If a size is not positive or a scale is not one of those above.
    """

    family = "mdsr"
    mean: Tensor

    def __init__(
        self,
        *,
        blocks: int = BLOCKS,
        features: int = FEATURES,
        channels: int = 3,
        scale: int = 4,
        all_scales: str = "2 3 4",
    ) -> None:
        super().__init__()
        self._scales = tuple(int(each) for each in all_scales.split() if each.isdecimal())
        for each in (*self._scales, scale):
            check_sizes(blocks, features, channels, each, STAGES)
        if scale not in self._scales:
            raise ValueError(f"scale must be one of {self._scales}; got {scale}.")
        self.scale, self.channels = scale, channels
        self.register_buffer("mean", mean_of(channels))
        self._keep_scale()
        self.head = convolution(channels, features)
        self.before = nn.ModuleList(
            nn.Sequential(*(ScaledResidualBlock(features, PRE_KERNEL) for _ in range(PRE_BLOCKS)))
            for _ in self._scales
        )
        self.blocks = nn.Sequential(*(ScaledResidualBlock(features) for _ in range(blocks)))
        self.trunk = convolution(features, features)
        self.upsample = nn.ModuleList(upsample_stages(features, each) for each in self._scales)
        self.last = convolution(features, channels)
        self._at: dict[int, MDSR] = {scale: self}

    def _keep_scale(self) -> None:
        self.register_buffer(KEY, encoded_options(self.family, {"scale": self.scale}))

    @property
    def scales(self) -> tuple[int, ...]:
        """All upscaling factors that the weights are for."""
        return self._scales

    def at_scale(self, scale: int) -> MDSR:
        """Return the network that enlarges by one of its scales, with the same weights."""
        if scale not in self._scales:
            has = ", ".join(map(str, self._scales))
            raise ValueError(f"it enlarges by {has}, not by {scale}")
        if scale not in self._at:
            other = copy.copy(self)  # modules and their parameters are shared
            other._buffers = dict(self._buffers)
            other.scale = scale
            other._keep_scale()
            self._at[scale] = other
        return self._at[scale]

    @classmethod
    def sizes_of(cls, state: Mapping[str, Tensor]) -> dict[str, Any] | None:
        """Return the sizes that tensors of this family's names have, or None."""
        options = options_of(state, cls.family, _OPTIONS)
        if options is None:
            return None
        shapes = Shapes(state)
        features, channels, _ = shapes.convolution("head")
        scales = [_scale_of(shapes, f"upsample.{n}") for n in range(shapes.count("upsample"))]
        return {
            "blocks": shapes.count("blocks"),
            "features": features,
            "channels": channels,
            "scale": options["scale"],
            "all_scales": " ".join(map(str, scales)),
        }

    def sizes(self) -> dict[str, Any]:
        """Return the constructor's arguments that give a network like this one."""
        return {
            "blocks": len(self.blocks),
            "features": self.head.out_channels,
            "channels": self.channels,
            "scale": self.scale,
            "all_scales": " ".join(map(str, self._scales)),
        }

    def forward(self, x: Tensor) -> Tensor:
        """Upscale images in [0, 1]; the output is, too, but for overshoot."""
        branch = self._scales.index(self.scale)
        x = self.before[branch](self.head(x - self.mean))
        x = self.trunk(self.blocks(x)) + x
        out: Tensor = self.last(self.upsample[branch](x)) + self.mean
        return out


def _scale_of(shapes: Shapes, branch: str) -> int:
    """Return the factor by which a branch enlarges."""
    stages = [shapes.convolution(f"{branch}.{n}.0") for n in range(shapes.count(branch))]
    return math.prod(math.isqrt(outputs // inputs) for outputs, inputs, _ in stages)
