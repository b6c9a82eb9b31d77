"""One plane of an image and its place in the result: read window by window, and written."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from napari_srgan.images import Array, Layout, ValueRange, dtype_range, fill_transparent
from napari_srgan.tiling import Span
from napari_srgan.units import Units, as_tensor

_ALPHA_HALO = 3  # input pixels that bicubic interpolation reaches over, and one to spare


class Plane:
    """A plane ``(h, w[, c])`` of pixels and the part of the result that is made of it.

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

    Attributes
    ----------
    units : Units
        What the pixels are to the network.
    """

    def __init__(
        self, pixels: Array, out: Any, layout: Layout, values: ValueRange, scale: int
    ) -> None:
        self.layout, self.scale = layout, scale
        self.units = Units(values, layout.dtype)
        self._out = out
        opaque = layout.channels != 4
        self._colours = pixels if opaque else fill_transparent(pixels)
        self._alpha = None if opaque else pixels[..., 3]

    def read(self, rows: tuple[int, int], columns: tuple[int, int]) -> Array:
        """Return the colours, or grey values, of a window: ``(rows, columns[, 3])``."""
        return self._colours[slice(*rows), slice(*columns)]

    def write(self, high: Array, rows: tuple[int, int], columns: tuple[int, int]) -> None:
        """Write upscaled colours, or grey values, to where they belong, with their alpha.

        Rows and columns are the result's.
        """
        target = slice(*rows), slice(*columns)
        if self._alpha is None:
            self._out[target] = high
        else:
            alpha = self._alpha_of(self._alpha, rows, columns)
            self._out[target] = np.concatenate([high, alpha[..., np.newaxis]], axis=-1)

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
