"""One plane of an image and its place in the result: pixels read, normalised and written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_srgan.inference.images import Array, Layout, ValueRange, dtype_range, fill_transparent
from napari_srgan.inference.tiling import Span

_ALPHA_HALO = 3  # input pixels that bicubic interpolation reaches over, and one to spare


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


class Plane:
    """Columns of a plane ``(h, w[, c])`` of pixels, and the part of the result that is theirs.

    It is read and written as if there were no other columns than those it reads.

    Parameters
    ----------
    pixels : ndarray
        As ``layout`` says; all finite.
    out : array
        ``(scale·h, scale·w[, c])``, of the same dtype; anything that takes slices.
    layout : Layout
        Of the image.
    values : ValueRange
        What the network sees as 0 and as 1.
    scale : int
        Upscaling factor.
    columns : Span
        Those that are written, and those that they depend on, which are read.

    Attributes
    ----------
    layout : Layout
        Of what is read.
    units : Units
        What the pixels are to the network.
    """

    def __init__(
        self,
        pixels: Array,
        out: Any,
        layout: Layout,
        values: ValueRange,
        scale: int,
        columns: Span,
    ) -> None:
        self.layout, self.scale = replace(layout, width=columns.read_length), scale
        self.units = Units(values, layout.dtype)
        self._out, self._columns = out, columns
        opaque = layout.channels != 4
        self._colours = pixels if opaque else fill_transparent(pixels)
        self._alpha = None if opaque else pixels[..., 3]

    def read(self, rows: tuple[int, int], columns: tuple[int, int]) -> Array:
        """Return the colours, or grey values, of a window: ``(rows, columns[, 3])``."""
        left, _ = self._columns.read
        return self._colours[slice(*rows), left + columns[0] : left + columns[1]]

    def write(self, high: Array, rows: tuple[int, int], columns: tuple[int, int]) -> None:
        """Write upscaled colours, or grey values, to where they belong, with their alpha.

        Rows and columns are the result's; those that are not to be written are left out.
        """
        left, _ = self._columns.read
        start, stop = (self.scale * left + column for column in columns)
        first, last = scaled(self._columns, self.scale)
        first, last = max(start, first), min(stop, last)
        if first >= last:
            return
        kept = high[:, first - start : last - start]
        if self._alpha is not None:
            alpha = self._alpha_of(self._alpha, rows, (first, last))
            kept = np.concatenate([kept, alpha[..., np.newaxis]], axis=-1)
        self._out[slice(*rows), first:last] = kept

    def _alpha_of(self, alpha: Array, rows: tuple[int, int], columns: tuple[int, int]) -> Array:
        """Return upscaled alpha, of these rows and columns of the result."""
        window, crop = zip(
            *(
                _seen(high, size, self.scale)
                for high, size in zip((rows, columns), alpha.shape, strict=True)
            ),
            strict=True,
        )
        return upscaled_alpha(alpha[window], self.scale)[crop]


def _seen(high: tuple[int, int], size: int, scale: int) -> tuple[slice, slice]:
    """Return what of the input a stretch of the result depends on, and where it lies in that."""
    start = max(0, high[0] // scale - _ALPHA_HALO)
    stop = min(size, -(-high[1] // scale) + _ALPHA_HALO)
    return slice(start, stop), slice(high[0] - scale * start, high[1] - scale * start)


def upscaled_alpha(alpha: Array, scale: int) -> Array:
    """Return alpha ``(h, w)`` as ``(scale·h, scale·w)``, by bicubic interpolation.

    Coverage has no texture to reconstruct, and what is opaque stays exactly so.
    """
    low, high = dtype_range(alpha.dtype)
    units = Units(ValueRange(low, high, low, high), alpha.dtype)
    # In float32 the weights would add up to 1, and opaque stay opaque, for some scales only.
    unit = units.to_unit(as_tensor(alpha)).double()
    smooth = torch.nn.functional.interpolate(unit, scale_factor=scale, mode="bicubic")
    return units.from_unit(smooth.float()).numpy().astype(alpha.dtype, copy=False)


def scaled(span: Span, scale: int) -> tuple[int, int]:
    """Return where the result of a span lies."""
    return scale * span.write[0], scale * span.write[1]
