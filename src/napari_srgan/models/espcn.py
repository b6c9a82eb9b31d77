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
_MIDDLE = 0.45  # of photographs' luminance
# The norm of a kernel of contrast by which the values that it makes of photographs deviate by 0.8
# (measured, median over kernels), and tanh of them by about 0.6: no longer a straight line.
_CONTRAST_NORM, _DEVIATION = 9.2, 0.6
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
        """Initialise so that tanh is used beyond where it is a straight line.

        (Not in the paper.) Contrasts within a kernel's reach are about a tenth of the range. Of
        those, kernels as torch starts them make values of some hundredths, where tanh is linear,
        and none of Adam, Muon and Gauss-Newton steps lead from there to where it is not. Here most
        of the first kernels are of contrasts, with sums of zero, and large; a few carry the image
        itself, and the next ones carry on.
        """
        first, second, third = self.conv1, self.conv2, self.conv3
        carriers = max(1, min(first.out_channels, second.out_channels) // 4)
        bell = torch.exp(-((torch.arange(5) - 2.0) ** 2) / 4)
        contrasts = torch.randn_like(first.weight) * bell[:, None] * bell
        contrasts -= contrasts.mean((2, 3), keepdim=True)
        contrasts *= _CONTRAST_NORM / contrasts.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        first.weight.copy_(contrasts)
        nn.init.normal_(second.weight, std=1 / (_DEVIATION * math.sqrt(second.weight[0].numel())))
        nn.init.normal_(third.weight, std=0.01)
        for conv in (first, second, third):
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
        for n in range(carriers):
            nn.init.zeros_(first.weight[n])
            first.weight[n, 0, 2, 2] = 1.0
            second.weight[n] *= 0.1
            second.weight[n, n, 1, 1] = 1.0
        third.weight[:, :carriers, 1, 1] += 1 / carriers
        first.bias[:carriers] = -_MIDDLE  # type: ignore[index]
        nn.init.constant_(third.bias, _MIDDLE)  # type: ignore[arg-type]

    def luminance(self, low: Tensor, large: Tensor) -> Tensor:  # noqa: ARG002
        """Return the luminance of the result, for that of the image."""
        y = torch.tanh(self.conv2(torch.tanh(self.conv1(low))))
        out: Tensor = self.shuffle(self.conv3(y))
        return out
