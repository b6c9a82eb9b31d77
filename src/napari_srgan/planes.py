"""One plane of an image and its place in the result: read as the network takes it, written back."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_srgan.images import (
    Array,
    Layout,
    ValueRange,
    dtype_range,
    fill_transparent,
    from_unit,
    to_unit,
)
from napari_srgan.tiling import Span

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
    """

    def __init__(
        self, pixels: Array, out: Any, layout: Layout, values: ValueRange, scale: int
    ) -> None:
        self.layout, self.scale = layout, scale
        self._out, self._values = out, values
        opaque = layout.channels != 4
        self._colours = pixels if opaque else fill_transparent(pixels)
        self._alpha = None if opaque else pixels[..., 3]

    def read(self, rows: tuple[int, int], columns: tuple[int, int]) -> NDArray[np.float32]:
        """Return pixels as float32 ``(channels, rows, columns)``."""
        return to_unit(self._colours[slice(*rows), slice(*columns)], self._values)

    def write(
        self, high: NDArray[np.float32], rows: tuple[int, int], columns: tuple[int, int]
    ) -> None:
        """Write upscaled values ``(channels, rows, columns)``, from [0, 1], to where they belong.

        Rows and columns are the result's.
        """
        pixels = from_unit(high, self._values, self.layout.dtype)
        target = slice(*rows), slice(*columns)
        if self._alpha is None:
            self._out[target] = pixels
        else:
            alpha = self._alpha_of(self._alpha, rows, columns)
            self._out[target] = np.concatenate([pixels, alpha[..., np.newaxis]], axis=-1)

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
    values = ValueRange(low, high, low, high)
    # In float32 the weights would add up to 1, and opaque stay opaque, for some scales only.
    unit = torch.from_numpy(to_unit(alpha, values))[None].double()
    smooth = torch.nn.functional.interpolate(unit, scale_factor=scale, mode="bicubic")[0]
    return from_unit(smooth.float().numpy(), values, alpha.dtype)


def scaled(span: Span, scale: int) -> tuple[int, int]:
    """Return where the result of a span lies."""
    return scale * span.write[0], scale * span.write[1]
