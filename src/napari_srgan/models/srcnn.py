"""SRCNN (Dong et al. 2015, arXiv:1501.00092v3, §3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from napari_srgan.models.generator import check_sizes
from napari_srgan.models.layers.luminance import LuminanceGenerator
from napari_srgan.models.layers.options import KEY, encoded_options, options_of
from napari_srgan.models.layers.shapes import Shapes

FEATURES, MAPPED = 64, 32  # §4.1: n1, n2
KERNELS = (9, 5, 5)  # §4.3.2: the best of 9-1-5, 9-3-5 and 9-5-5

_OPTIONS = {"channels": 3, "scale": 4}


class SRCNN(LuminanceGenerator):
    """Three convolutions over the bicubically enlarged luminance, with ReLU between them.

    Maps ``(n, channels, h, w)`` in [0, 1] to ``(n, channels, scale·h, scale·w)`` in [0, 1] for any
    ``h, w ≥ 1``.

    Parameters
    ----------
    features, mapped : int
        Feature maps after the first and after the second convolution.
    first, second, third : int
        Sides of their kernels, odd.
    channels, scale : int
        Of the image, 1 or 3; upscaling factor.

    Raises
    ------
    ValueError
        If a size is not positive, or a kernel's side is even.
    """

    family = "srcnn"

    def __init__(
        self,
        *,
        features: int = FEATURES,
        mapped: int = MAPPED,
        first: int = KERNELS[0],
        second: int = KERNELS[1],
        third: int = KERNELS[2],
        channels: int = 3,
        scale: int = 4,
    ) -> None:
        super().__init__(channels, scale)
        check_sizes(mapped, features, channels, scale)
        if any(side % 2 == 0 for side in (first, second, third)):
            raise ValueError(f"kernels have odd sides; got {first}, {second} and {third}.")
        options = {"channels": channels, "scale": scale}
        self.register_buffer(KEY, encoded_options(self.family, options))
        self.conv1 = nn.Conv2d(1, features, first, padding=first // 2)
        self.conv2 = nn.Conv2d(features, mapped, second, padding=second // 2)
        self.conv3 = nn.Conv2d(mapped, 1, third, padding=third // 2)

    @classmethod
    def sizes_of(cls, state: Mapping[str, Tensor]) -> dict[str, Any] | None:
        """Return the sizes that tensors of this family's names have, or None."""
        options = options_of(state, cls.family, _OPTIONS)
        if options is None:
            return None
        (features, _, first), (mapped, _, second), (_, _, third) = (
            Shapes(state).convolution(f"conv{n}") for n in (1, 2, 3)
        )
        sizes = {"features": features, "mapped": mapped}
        return {**sizes, "first": first, "second": second, "third": third, **options}

    def sizes(self) -> dict[str, Any]:
        """Return the constructor's arguments that give a network like this one."""
        return {
            "features": self.conv1.out_channels,
            "mapped": self.conv2.out_channels,
            "first": self.conv1.kernel_size[0],
            "second": self.conv2.kernel_size[0],
            "third": self.conv3.kernel_size[0],
            "channels": self.channels,
            "scale": self.scale,
        }

    def luminance(self, low: Tensor, large: Tensor) -> Tensor:  # noqa: ARG002
        """Return the luminance of the result, for that of the enlarged image."""
        y = torch.relu(self.conv2(torch.relu(self.conv1(large))))
        out: Tensor = self.conv3(y)
        return out


@torch.no_grad()
def start_as_bicubic(network: SRCNN) -> None:
    """Initialise a network so that, untrained, it nearly gives the bicubically enlarged image.

    The luminance travels through the first feature maps by centre taps; the last convolution has a
    tenth of its random weights beside. (Not in the paper, which starts at random and takes 10⁸
    crops.)
    """
    for conv, others in ((network.conv1, 0.0), (network.conv2, 0.0), (network.conv3, 0.1)):
        conv.weight[0] *= others
        conv.weight[:, 0] *= 0 if conv is network.conv3 else 1
        centre = conv.kernel_size[0] // 2
        conv.weight[0, 0, centre, centre] = 1
        if conv.bias is not None:
            conv.bias[0] = 0
