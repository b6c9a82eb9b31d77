"""SRVGG, the compact generator of Real-ESRGAN (its releases 0.2.3 and 0.2.5; in no paper)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from napari_srgan.models.generator import Generator, check_sizes
from napari_srgan.models.layers.choices import activation, enlarged
from napari_srgan.models.layers.options import KEY, encoded_options, options_of
from napari_srgan.models.layers.shapes import Shapes

BLOCKS = 16  # of realesr-animevideov3; realesr-general-x4v3 has 32
FEATURES = 64

_OPTIONS = {"activation": "prelu-channel"}


class SRVGG(Generator):
    """A plain chain of convolutions at low resolution, which adds to the image's repeated pixels.

    Maps ``(n, channels, h, w)`` in [0, 1] to ``(n, channels, scale·h, scale·w)`` in [0, 1] for any
    ``h, w ≥ 1``.

    Parameters
    ----------
    blocks : int
        Convolutions between the first and the last.
    features : int
        Feature maps of every hidden layer.
    channels : int
        Channels of the image, in and out.
    scale : int
        Upscaling factor, of one pixel shuffle.
    activation : str
        See :func:`napari_srgan.models.layers.choices.activation`.

    Raises
    ------
    ValueError
        If a size is not positive or there is no such activation.
    """

    family = "srvgg"

    def __init__(
        self,
        *,
        blocks: int = BLOCKS,
        features: int = FEATURES,
        channels: int = 3,
        scale: int = 4,
        activation: str = "prelu-channel",
    ) -> None:
        super().__init__()
        check_sizes(blocks, features, channels, scale)
        self.scale, self.channels, self.activation = scale, channels, activation
        self.register_buffer(KEY, encoded_options(self.family, {"activation": activation}))
        self.body = nn.Sequential(*_chain(channels, features, blocks, scale, activation))
        self.shuffle = nn.PixelShuffle(scale)

    @classmethod
    def sizes_of(cls, state: Mapping[str, Tensor]) -> dict[str, Any] | None:
        """Return the sizes that tensors of this family's names have, or None."""
        options = options_of(state, cls.family, _OPTIONS)
        if options is None:
            return None
        shapes = Shapes(state)
        layers = shapes.count("body")
        features, channels, _ = shapes.convolution("body.0")
        outputs, _, _ = shapes.convolution(f"body.{layers - 1}")
        return {
            "blocks": max(1, layers // 2 - 1),
            "features": features,
            "channels": channels,
            "scale": math.isqrt(outputs // channels),
            "activation": shapes.activation("body.1", options["activation"]),
        }

    def sizes(self) -> dict[str, Any]:
        """Return the constructor's arguments that give a network like this one."""
        first = self.body[0]
        return {
            "blocks": len(self.body) // 2 - 1,
            "features": first.out_channels,
            "channels": self.channels,
            "scale": self.scale,
            "activation": self.activation,
        }

    def forward(self, x: Tensor) -> Tensor:
        """Upscale images in [0, 1]; the output is, too, but for overshoot."""
        out: Tensor = self.shuffle(self.body(x)) + enlarged(x, self.scale, "nearest")
        return out


def _chain(channels: int, features: int, blocks: int, scale: int, kind: str) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for inputs in (channels, *(features for _ in range(blocks))):
        layers += [nn.Conv2d(inputs, features, 3, padding=1), activation(kind, features)]
    return [*layers, nn.Conv2d(features, channels * scale**2, 3, padding=1)]
