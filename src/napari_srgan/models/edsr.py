"""EDSR, enhanced deep residual network (Lim et al. 2017, arXiv:1707.02921v1, §3 and Fig. 3)."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from napari_srgan.models.generator import Generator, check_sizes
from napari_srgan.models.layers.residual import Residual

BLOCKS = 16  # §3.2: the baseline's B
FEATURES = 64  # §3.2: the baseline's F
SCALE = 4
MEAN = (0.4488, 0.4371, 0.4040)  # of DIV2K in RGB (§4.1: "subtracting the mean RGB value")

STAGES = {2: (2,), 3: (3,), 4: (2, 2)}  # Fig. 3: pixel-shuffle factors, in order


def convolution(inputs: int, outputs: int, kernel: int = 3) -> nn.Conv2d:
    """Return a convolution that keeps the image's size, with zeros beyond it."""
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)


def mean_of(channels: int) -> Tensor:
    """Return the mean of DIV2K's pixels, ``(1, channels, 1, 1)``."""
    mean = torch.tensor(MEAN) if channels == 3 else torch.full((channels,), sum(MEAN) / 3)
    return mean.view(1, channels, 1, 1)


def upsample_stages(features: int, scale: int) -> nn.Sequential:
    """Return convolutions and pixel shuffles that enlarge by 2, 3 or 4 (Fig. 3)."""
    return nn.Sequential(
        *(
            nn.Sequential(convolution(features, features * factor**2), nn.PixelShuffle(factor))
            for factor in STAGES[scale]
        )
    )


class ScaledResidualBlock(Residual):
    """Convolution, ReLU, convolution, a constant factor, and the input added (Fig. 2c, §3.3).

    Maps ``(n, features, h, w)`` to the same shape.
    """

    def __init__(self, features: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv1 = convolution(features, features, kernel)
        self.act = nn.ReLU()
        self.conv2 = convolution(features, features, kernel)

    def forward(self, x: Tensor, residual_scaling: Tensor | float = 1.0) -> Tensor:
        out: Tensor = x + self.conv2(self.act(self.conv1(x))) * residual_scaling
        return out


class EDSR(Generator):
    """SRResNet without norms, with 3 × 3 kernels and ReLU in the blocks alone.

    Maps ``(n, channels, h, w)`` in [0, 1] to ``(n, channels, scale·h, scale·w)`` in [0, 1] for any
    ``h, w ≥ 1``. With the defaults it is the paper's baseline, 1 517 571 parameters.

    Parameters
    ----------
    blocks : int
        Residual blocks, 1 or more.
    features : int
        Feature maps of every hidden layer.
    channels : int
        Channels of the image, in and out.
    scale : int
        Upscaling factor: 2, 3 or 4.
    residual_scaling : float
        Factor of every residual branch (§3.3: 0.1 where there are 256 features). It is kept with
        the weights.

    Raises
    ------
    ValueError
        If a size is not positive or the scale is not one of those above.

    References
    ----------
    Lim et al., "Enhanced Deep Residual Networks for Single Image Super-Resolution", CVPR Workshops
    2017, arXiv:1707.02921v1.
    """

    family = "edsr"
    mean: Tensor
    residual_scaling: Tensor

    def __init__(
        self,
        *,
        blocks: int = BLOCKS,
        features: int = FEATURES,
        channels: int = 3,
        scale: int = SCALE,
        residual_scaling: float = 1.0,
    ) -> None:
        super().__init__()
        check_sizes(blocks, features, channels, scale, STAGES)
        self.scale, self.channels = scale, channels
        self.register_buffer("mean", mean_of(channels))
        self.register_buffer("residual_scaling", torch.tensor(float(residual_scaling)))
        self.head = convolution(channels, features)
        self.blocks = nn.ModuleList(ScaledResidualBlock(features) for _ in range(blocks))
        self.trunk = convolution(features, features)
        self.upsample = upsample_stages(features, scale)
        self.last = convolution(features, channels)

    @classmethod
    def sizes_of(cls, state: Mapping[str, Tensor]) -> dict[str, int | float | bool] | None:
        """Return the sizes that tensors of this family's names have, or None."""
        head, scaling = state.get("head.weight"), state.get("residual_scaling")
        if head is None or scaling is None or head.ndim != 4 or scaling.numel() != 1:
            return None
        features, channels = head.shape[:2]
        stages = [state[key] for key in state if re.fullmatch(r"upsample\.\d+\.0\.weight", key)]
        factors = {len(stage) // max(1, features) for stage in stages}
        kind = (len(stages), *factors)
        scales = {(len(f), f[0] ** 2): scale for scale, f in STAGES.items()}
        if kind not in scales:
            raise ValueError(f"an EDSR enlarges by one of {sorted(STAGES)}")
        blocks = [key for key in state if re.fullmatch(r"blocks\.\d+\.conv1\.weight", key)]
        return {
            "blocks": len(blocks),
            "features": features,
            "channels": channels,
            "scale": scales[kind],
            "residual_scaling": float(scaling),
        }

    def sizes(self) -> dict[str, int | float | bool]:
        """Return the constructor's arguments that give a network like this one."""
        return {
            "blocks": len(self.blocks),
            "features": self.head.out_channels,
            "channels": self.channels,
            "scale": self.scale,
            "residual_scaling": float(self.residual_scaling),
        }

    def forward(self, x: Tensor) -> Tensor:
        """Upscale images in [0, 1]; the output is, too, but for overshoot."""
        x = self.head(x - self.mean)
        y = x
        for block in self.blocks:
            y = block(y, self.residual_scaling)
        y = self.trunk(y) + x
        out: Tensor = self.last(self.upsample(y)) + self.mean
        return out
