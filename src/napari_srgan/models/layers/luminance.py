"""Networks of luminance alone: colours are enlarged by bicubic interpolation."""

from __future__ import annotations

from abc import abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_srgan.models.generator import Generator
from napari_srgan.models.layers.choices import enlarged

LUMA = (0.299, 0.587, 0.114)  # of R, G and B in Y (ITU-R BT.601)


class LuminanceGenerator(Generator):
    """A generator whose network makes luminance of luminance, ``(n, 1, h, w)``.

    What its luminance has beyond that of the bicubically enlarged image is added to all channels of
    this: the same as its Y with the enlarged Cb and Cr.

    Parameters
    ----------
    channels, scale : int
        Of the image, 1 or 3; upscaling factor.

    Raises
    ------
    ValueError
        If there are other channels.
    """

    luma: Tensor
    ones: Tensor

    def __init__(self, channels: int, scale: int) -> None:
        super().__init__()
        if channels not in (1, 3):
            raise ValueError(f"images with luminance have 1 or 3 channels; got {channels}.")
        self.channels, self.scale = channels, scale
        # On the CPU, whatever device networks are made on: no file brings these.
        weights = torch.tensor(LUMA if channels == 3 else (1.0,), dtype=torch.float32, device="cpu")
        self.register_buffer("luma", weights.view(1, channels, 1, 1), persistent=False)
        ones = torch.ones(channels, 1, 1, 1, dtype=torch.float32, device="cpu")
        self.register_buffer("ones", ones, persistent=False)

    @abstractmethod
    def luminance(self, low: Tensor, large: Tensor) -> Tensor:
        """Return the luminance of the result, for that of the image and of the enlarged image."""

    def forward(self, x: Tensor) -> Tensor:
        """Upscale images in [0, 1]; the output is, too, but for overshoot."""
        large = self.enlarged(x)
        bicubic = F.conv2d(large, self.luma)
        return self.coloured(self.luminance(F.conv2d(x, self.luma), bicubic), large, bicubic)

    def enlarged(self, x: Tensor) -> Tensor:
        """Return the bicubically enlarged image."""
        return enlarged(x, self.scale, "bicubic")

    def coloured(self, luminance: Tensor, large: Tensor, bicubic: Tensor) -> Tensor:
        """Return the image that has this luminance, given the enlarged one and its luminance."""
        return large + F.conv2d(luminance - bicubic, self.ones)
