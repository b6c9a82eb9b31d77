"""DRCN, a deeply recursive network (Kim et al. 2016, arXiv:1511.04491v2, §3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_srgan.models.edsr import convolution
from napari_srgan.models.generator import check_sizes
from napari_srgan.models.layers.luminance import LuminanceGenerator
from napari_srgan.models.layers.options import KEY, encoded_options, options_of
from napari_srgan.models.layers.shapes import Shapes

RECURSIONS = 16  # §4.2
FEATURES = 256  # §4.2

_OPTIONS = {"channels": 3, "scale": 4}


class DRCN(LuminanceGenerator):
    """One convolution applied again and again to features of the enlarged luminance.

    Maps ``(n, channels, h, w)`` in [0, 1] to ``(n, channels, scale·h, scale·w)`` in [0, 1] for any
    ``h, w ≥ 1``. Every recursion gives a prediction; the result is their weighted sum.

    Parameters
    ----------
    recursions, features : int
        How often it is applied; feature maps of every hidden layer.
    channels, scale : int
        Of the image, 1 or 3; upscaling factor.

    Raises
    ------
    ValueError
        If a size is not positive.
    """

    family = "drcn"

    def __init__(
        self,
        *,
        recursions: int = RECURSIONS,
        features: int = FEATURES,
        channels: int = 3,
        scale: int = 4,
    ) -> None:
        super().__init__(channels, scale)
        check_sizes(recursions, features, channels, scale)
        options = {"channels": channels, "scale": scale}
        self.register_buffer(KEY, encoded_options(self.family, options))
        self.embed1, self.embed2 = convolution(1, features), convolution(features, features)
        self.recursion = convolution(features, features)
        self.reconstruct1 = convolution(features, features)
        self.reconstruct2 = convolution(features, 1)
        self.shares = nn.Parameter(torch.full((recursions,), 1 / recursions))

    @classmethod
    def sizes_of(cls, state: Mapping[str, Tensor]) -> dict[str, Any] | None:
        """Return the sizes that tensors of this family's names have, or None."""
        options = options_of(state, cls.family, _OPTIONS)
        if options is None:
            return None
        shapes = Shapes(state)
        features, _, _ = shapes.convolution("embed1")
        return {"recursions": shapes.numbers("shares") or 1, "features": features, **options}

    def sizes(self) -> dict[str, Any]:
        """Return the constructor's arguments that give a network like this one."""
        return {
            "recursions": len(self.shares),
            "features": self.embed1.out_channels,
            "channels": self.channels,
            "scale": self.scale,
        }

    def predictions(self, large: Tensor) -> list[Tensor]:
        """Return what each recursion predicts of the enlarged luminance ``(n, 1, h, w)``.

        All of them are held to the truth in training (§3.2, recursive supervision).
        """
        h = torch.relu(self.embed2(torch.relu(self.embed1(large))))
        found = []
        for _ in range(len(self.shares)):
            h = torch.relu(self.recursion(h))
            found.append(self.reconstruct2(torch.relu(self.reconstruct1(h))) + large)
        return found

    def luminance(self, low: Tensor, large: Tensor) -> Tensor:  # noqa: ARG002
        """Return the luminance of the result, for that of the enlarged image."""
        return self._weighted(self.predictions(large))

    def _weighted(self, predictions: list[Tensor]) -> Tensor:
        first, *others = predictions
        result = first * self.shares[0]
        for n, prediction in enumerate(others, 1):
            result = result + prediction * self.shares[n]
        return result

    def with_recursions(self, x: Tensor) -> list[Tensor]:
        """Return the upscaled images, then those that each recursion alone predicts."""
        large = self.enlarged(x)
        bicubic = F.conv2d(large, self.luma)
        predictions = self.predictions(bicubic)
        made = (self._weighted(predictions), *predictions)
        return [self.coloured(luminance, large, bicubic) for luminance in made]
