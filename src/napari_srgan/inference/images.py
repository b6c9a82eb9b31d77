"""What an array holds: its layout, and pixels that are not values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

COLOUR_CHANNELS = (3, 4)  # RGB and RGBA
# An axis that is at most so long, and so many times shorter than both before it, is no width.
_MOST_CHANNELS, _MUCH_LONGER = 16, 4


@dataclass(frozen=True)
class Layout:
    """How an array is read: independent planes of grey, RGB or RGBA pixels.

    Attributes
    ----------
    leading : tuple of int
        Axes before the plane, such as time and depth.
    height, width : int
        Of a plane, in pixels.
    channels : int
        0 for grey planes without a channel axis, 3 for RGB, 4 for RGBA.
    dtype : numpy.dtype
        Of the array, and of the result.
    channel_axis : int or None
        Which of the leading axes holds channels, each of which has a value range of its own.
    """

    leading: tuple[int, ...]
    height: int
    width: int
    channels: int
    dtype: np.dtype[Any]
    channel_axis: int | None = None

    def channel_of(self, index: tuple[int, ...]) -> int:
        """Return the channel of a plane; 0 where there are none."""
        return 0 if self.channel_axis is None else index[self.channel_axis]

    @property
    def channel_axis_length(self) -> int:
        """Number of channels that have a value range of their own; 1 where there are none."""
        return 1 if self.channel_axis is None else self.leading[self.channel_axis]

    @property
    def planes(self) -> int:
        """Number of planes."""
        return math.prod(self.leading)

    @property
    def pixels(self) -> int:
        """Number of pixels of all planes."""
        return self.planes * self.height * self.width

    def shape(self, scale: int = 1) -> tuple[int, ...]:
        """Return the array's shape, or that of the array upscaled by ``scale``."""
        channels = (self.channels,) if self.channels else ()
        return (*self.leading, scale * self.height, scale * self.width, *channels)

    def indices(self) -> Iterator[tuple[int, ...]]:
        """Yield the index of every plane, last axis fastest."""
        yield from np.ndindex(*self.leading)


def layout_of(
    shape: tuple[int, ...], dtype: Any, rgb: bool | None = None, channel_axis: int | None = None
) -> Layout:
    """Return how an array of this shape and dtype is read.

    Parameters
    ----------
    shape : tuple of int
        ``(…, h, w)`` or ``(…, h, w, 3|4)``.
    dtype : dtype-like
        A boolean, integer or floating type.
    rgb : bool, optional
        Whether the last axis holds colours. Left out, an axis of 3 or 4 after two others does, and
        one that looks like other channels (:func:`ends_in_channels`) is refused.
    channel_axis : int, optional
        Of the array, one of those before the plane; negative ones count from the end.

    Raises
    ------
    TypeError
        If the dtype is none of those.
    ValueError
        If there are fewer than two axes, an axis is empty, the colour axis is not 3 or 4 long, or
        there is no such channel axis.
    """
    dtype = np.dtype(dtype)
    if dtype.kind not in "buif" or dtype.itemsize > 8:
        raise TypeError(
            f"Expected booleans, integers or floats of up to 64 bits; got {dtype}. Convert first."
        )
    if rgb is None:
        rgb = len(shape) >= 3 and shape[-1] in COLOUR_CHANNELS
        if ends_in_channels(shape):
            raise ValueError(
                f"Expected 2-D, RGB or RGBA planes; got shape {shape}, whose last axis is "
                f"{shape[-1]} long. If it holds channels, move it to the front and say "
                "channel_axis=0; say rgb=False if it is the width."
            )
    if rgb and (len(shape) < 3 or shape[-1] not in COLOUR_CHANNELS):
        raise ValueError(f"rgb=True expects shape (…, h, w, 3) or (…, h, w, 4); got {shape}.")
    if len(shape) < 2:
        raise ValueError(f"Expected an image of two axes or more; got shape {shape}.")
    if 0 in shape:
        raise ValueError(f"The image is empty: its shape is {shape}.")
    channels = shape[-1] if rgb else 0
    *leading, height, width = shape[:-1] if rgb else shape
    return Layout(
        tuple(leading), height, width, channels, dtype, _channel_axis(channel_axis, shape, leading)
    )


def check_not_masked(image: Any) -> None:
    """Refuse an array, lazy or not, in which some pixels are masked.

    Raises
    ------
    TypeError
        If it is such an array: what is under a mask is no value, and would be upscaled as one.
    """
    if isinstance(getattr(image, "_meta", image), np.ma.MaskedArray):  # dask's say what they hold
        raise TypeError(
            "Masked pixels have no value. Give them one first: image.filled(value), or "
            "dask.array.ma.filled(image, value)."
        )


def ends_in_channels(shape: tuple[int, ...]) -> bool:
    """Return whether the last axis, without being colours, is too short to be an image's width."""
    if len(shape) < 3 or shape[-1] in COLOUR_CHANNELS:
        return False
    last = shape[-1]
    return last <= 2 or (last <= _MOST_CHANNELS and min(shape[-3:-1]) >= _MUCH_LONGER * last)


def _channel_axis(axis: int | None, shape: tuple[int, ...], leading: Sequence[int]) -> int | None:
    if axis is None:
        return None
    place = axis + len(shape) if axis < 0 else axis
    if not 0 <= place < len(leading):
        raise ValueError(
            f"channel_axis={axis} is not one of the {len(leading)} axes before the plane; "
            f"got shape {shape}."
        )
    return place


def count_not_finite(image: Array, layout: Layout) -> tuple[int, int]:
    """Return how many values are NaN and how many are infinite, plane by plane in little memory."""
    if layout.dtype.kind != "f":
        return 0, 0
    nan = infinite = 0
    for index in layout.indices():
        plane = image[index]
        nan += int(np.count_nonzero(np.isnan(plane)))
        infinite += int(np.count_nonzero(np.isinf(plane)))
    return nan, infinite


def fill_from_nearest(pixels: Array, valid: NDArray[np.bool_]) -> Array:
    """Return pixels ``(h, w[, c])``, each that is not valid replaced by the nearest that is.

    Where nothing is valid, everything becomes 0.
    """
    if valid.all():
        return pixels
    if not valid.any():
        return np.zeros_like(pixels)
    from scipy.ndimage import distance_transform_edt

    rows, columns = distance_transform_edt(~valid, return_distances=False, return_indices=True)
    filled: Array = pixels[rows, columns]
    return filled


def fill_not_finite(plane: Array) -> Array:
    """Return a plane with each NaN or infinite pixel replaced by the nearest finite one."""
    pixels = plane[..., np.newaxis] if plane.ndim == 2 else plane
    return fill_from_nearest(plane, np.all(np.isfinite(pixels), axis=-1))


def fill_transparent(plane: Array) -> Array:
    """Return RGBA ``(h, w, 4)`` as RGB, hidden colours replaced by the nearest visible one.

    What lies under alpha 0 is often black. A network that sees it draws dark halos along the
    border of what is visible.
    """
    return fill_from_nearest(plane[..., :3], plane[..., 3] > 0)
