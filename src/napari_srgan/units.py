"""Pixels as the network's unit range and exactly back, computed where the network is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_srgan.images import Array, ValueRange


@dataclass(frozen=True)
class Units:
    """What an image's values are to the network.

    Attributes
    ----------
    values : ValueRange
        What the network sees as 0 and as 1, and the bounds of a result.
    dtype : numpy.dtype
        Of the image and of the result.
    """

    values: ValueRange
    dtype: np.dtype[Any]

    def to_unit(self, pixels: Tensor) -> Tensor:
        """Return grey ``(h, w)`` or colour ``(h, w, c)`` pixels as float32 ``(1, c, h, w)``.

        ``values.low`` becomes 0 and ``values.high`` 1; what lies outside stays outside, and becomes
        infinite beyond float32. The pixels are not written to.
        """
        planes = pixels[None] if pixels.ndim == 2 else pixels.movedim(-1, 0)
        unit = planes[None].to(self._exact(), copy=True)
        unit -= self.values.low
        unit /= self.values.width
        return unit.to(torch.float32)

    def from_unit(self, unit: Tensor) -> Tensor:
        """Return floats ``(1, c, h, w)`` as new pixels, ``(h, w)`` if c is 1, else ``(h, w, c)``.

        The inverse of :meth:`to_unit`, bounded by the range's limits, and rounded (not truncated)
        where the dtype is an integer's. Multi-byte pixels are in the machine's byte order.
        """
        pixels = unit[0].to(self._exact(), copy=True)
        pixels *= self.values.width
        pixels += self.values.low
        pixels.clamp_(self.values.minimum, self.values.maximum)
        if self.dtype.kind in "ui":
            pixels.round_()
        elif self.dtype.kind == "b":
            pixels = pixels >= 0.5
        pixels = pixels.to(_torch_type(self.dtype))
        return pixels[0] if len(pixels) == 1 else pixels.movedim(0, -1).contiguous()

    def _exact(self) -> torch.dtype:
        """Return the float type in which all values of the dtype, and the range's own, survive."""
        largest = max(abs(self.values.low), abs(self.values.high))
        small = self.dtype.itemsize <= 2 and largest <= 2**16
        return torch.float32 if small else torch.float64


def as_tensor(pixels: Array) -> Tensor:
    """Return a copy of an array, of any strides and byte order."""
    return torch.from_numpy(np.array(pixels, pixels.dtype.newbyteorder("="), order="C"))


def _torch_type(dtype: np.dtype[Any]) -> torch.dtype:
    return torch.from_numpy(np.empty(0, dtype.newbyteorder("="))).dtype
