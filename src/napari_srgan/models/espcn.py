"""ESPCN, sub-pixel convolution (Shi et al. 2016, arXiv:1609.05158v2, §3)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from napari_srgan.models.generator import check_sizes
from napari_srgan.models.layers.luminance import LuminanceGenerator
from napari_srgan.models.layers.options import KEY, encoded_options, options_of
from napari_srgan.models.layers.shapes import Shapes

FEATURES, MAPPED = 64, 32  # §3.3.1: (f1, n1) = (5, 64), (f2, n2) = (3, 32), f3 = 3
_TANH_GAIN = 5 / 3  # torch.nn.init.calculate_gain("tanh")
_MIDDLE = 0.45  # of photographs' luminance
_OPTIONS = {"channels": 3}


class ESPCN(LuminanceGenerator):
    """Three convolutions over the luminance, with tanh between them, and a pixel shuffle.

    Maps ``(n, channels, h, w)`` in [0, 1] to ``(n, channels, scale·h, scale·w)`` in [0, 1] for any
    ``h, w ≥ 1``.

    Parameters
    ----------
    features, mapped : int
        Feature maps after the first and after the second convolution.
    channels, scale : int
        Of the image, 1 or 3; upscaling factor.

    Raises
    ------
    ValueError
        If a size is not positive.
    """

    family = "espcn"

    def __init__(
        self,
        *,
        features: int = FEATURES,
        mapped: int = MAPPED,
        channels: int = 3,
        scale: int = 4,
    ) -> None:
        super().__init__(channels, scale)
        check_sizes(mapped, features, channels, scale)
        self.register_buffer(KEY, encoded_options(self.family, {"channels": channels}))
        self.conv1 = nn.Conv2d(1, features, 5, padding=2)
        self.conv2 = nn.Conv2d(features, mapped, 3, padding=1)
        self.conv3 = nn.Conv2d(mapped, scale**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(scale)
        self._start()

    @classmethod
    def sizes_of(cls, state: Mapping[str, Tensor]) -> dict[str, Any] | None:
        """Return the sizes that tensors of this family's names have, or None."""
        options = options_of(state, cls.family, _OPTIONS)
        if options is None:
            return None
        (features, *_), (mapped, *_), (sub_pixels, *_) = (
            Shapes(state).convolution(f"conv{n}") for n in (1, 2, 3)
        )
        scale = math.isqrt(sub_pixels)
        return {"features": features, "mapped": mapped, "scale": scale, **options}

    def sizes(self) -> dict[str, Any]:
        """Return the constructor's arguments that give a network like this one."""
        return {
            "features": self.conv1.out_channels,
            "mapped": self.conv2.out_channels,
            "channels": self.channels,
            "scale": self.scale,
        }

    @torch.no_grad()
    def _start(self) -> None:
        """Initialise the kernels for tanh, and the biases so that middle grey is in its middle.

        (Glorot and Bengio 2010, §4.2.1, with a gain of 5/3 for tanh; the paper has nothing.) As
        torch initialises convolutions, tanh is all but linear here, and training stays near what
        linear interpolation can give.
        """
        for conv, gain in ((self.conv1, _TANH_GAIN), (self.conv2, _TANH_GAIN), (self.conv3, 0.3)):
            nn.init.xavier_uniform_(conv.weight, gain)
            nn.init.constant_(conv.bias, 0)  # type: ignore[arg-type]
        nn.init.constant_(self.conv3.bias, _MIDDLE)  # type: ignore[arg-type]
        self.conv1.bias.copy_(-_MIDDLE * self.conv1.weight.sum((1, 2, 3)))  # type: ignore[union-attr]

    def luminance(self, low: Tensor, large: Tensor) -> Tensor:  # noqa: ARG002
        """Return the luminance of the result, for that of the image."""
        y = torch.tanh(self.conv2(torch.tanh(self.conv1(low))))
        out: Tensor = self.shuffle(self.conv3(y))
        return out
