"""Pyramids: coarser levels of images, which cover the same area to the last pixel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Stretch: TypeAlias = tuple[int, int]

LARGEST_PLANE = 4096  # pixels along an edge: a larger one has levels
SMALLEST_LEVEL = 1024  # of which no coarser one is made
_WIDEST_STEP = 4  # between levels: a viewer reads so many times what it shows, squared
_TAPS = 3  # pixels that one at most twice as long can overlap
_BLOCK = 512  # pixels along an edge that are reduced at a time


@dataclass(frozen=True)
class Means:
    """Means along an axis: ``size`` pixels as ``coarse`` ones of the same length altogether.

    ``coarse`` is at least half of ``size``. Where it is not exactly half, a coarse pixel counts
    parts of those at its ends: viewers take a level to cover what the finest one covers.
    """

    size: int
    coarse: int

    @classmethod
    def halving(cls, size: int) -> Means:
        """Return the means of pairs, of nearly so where the size is odd."""
        return cls(size, -(-size // 2))

    def seen(self, part: Stretch) -> Stretch:
        """Return the pixels that a stretch of coarse ones overlaps."""
        start, stop = part
        return start * self.size // self.coarse, -(-stop * self.size // self.coarse)

    def of(self, values: Array, part: Stretch, axis: int) -> Array:
        """Return a stretch of coarse pixels, from floating-point values of those :meth:`seen`."""
        edges = np.arange(part[0], part[1] + 1) * self.size  # in parts of 1 / coarse
        first = edges[:-1] // self.coarse
        begin = self.seen(part)[0]
        total: Array | None = None
        for tap in range(_TAPS):
            place = (first + tap) * self.coarse
            overlap = np.minimum(edges[1:], place + self.coarse) - np.maximum(edges[:-1], place)
            weights = (overlap.clip(0) / self.size).astype(values.dtype)
            if not weights.any():
                continue
            index = np.minimum(first + tap - begin, values.shape[axis] - 1)
            shape = [1] * values.ndim
            shape[axis] = -1
            tapped = values.take(index, axis) * weights.reshape(shape)
            total = tapped if total is None else total + tapped
        assert total is not None
        return total


@dataclass(frozen=True)
class Coarser:
    """What makes a coarser level, half as high and wide, of planes ``(h, w)`` or ``(h, w, 3|4)``.

    Colours count as much as their alpha lets them be seen.
    """

    rows: Means
    columns: Means

    @classmethod
    def of(cls, height: int, width: int) -> Coarser:
        """Return what halves planes of this size; a side of one pixel stays."""
        return cls(Means.halving(height), Means.halving(width))

    def parts(self, edge: int) -> Iterator[tuple[Stretch, Stretch]]:
        """Yield rows and columns of parts of the coarser plane, row by row."""
        columns = stretches(self.columns.coarse, edge)
        yield from product(stretches(self.rows.coarse, edge), columns)

    def seen(self, rows: Stretch, columns: Stretch) -> tuple[slice, slice]:
        """Return the window of the plane that a part is made of."""
        return slice(*self.rows.seen(rows)), slice(*self.columns.seen(columns))

    def part(self, window: Array, rows: Stretch, columns: Stretch) -> Array:
        """Return a part of the coarser plane, from the pixels that its rows and columns see."""
        dtype = window.dtype
        wide = np.float32 if dtype.itemsize <= 2 else np.float64
        values = np.asarray(window, wide)
        if values.ndim == 3 and values.shape[2] == 4:
            return _as_type(self._weighted(values, rows, columns), dtype)
        return _as_type(self._mean(values, rows, columns), dtype)

    def _mean(self, values: Array, rows: Stretch, columns: Stretch) -> Array:
        return self.columns.of(self.rows.of(values, rows, 0), columns, 1)

    def _weighted(self, values: Array, rows: Stretch, columns: Stretch) -> Array:
        alpha = values[..., 3:].clip(0)
        premultiplied = np.concatenate([values[..., :3] * alpha, values], axis=-1)
        means = self._mean(premultiplied, rows, columns)
        visible, plain, opacity = means[..., :3], means[..., 3:6], means[..., 6:]
        colours = np.where(opacity > 0, visible / np.where(opacity > 0, opacity, 1), plain)
        return np.concatenate([colours, opacity], axis=-1)


def _as_type(values: Array, dtype: np.dtype[Any]) -> Array:
    """Return means as pixels: rounded where they are integers, and within what those can be."""
    if dtype.kind == "b":
        return values >= 0.5
    if dtype.kind in "ui":
        limits = np.iinfo(dtype)
        highest = float(limits.max)
        if int(highest) > limits.max:  # of 64 bits, which floats round up
            highest = float(np.nextafter(highest, 0))
        values = np.rint(values).clip(float(limits.min), highest)
    result: Array = values.astype(dtype.newbyteorder("="))
    return result


def halved(pixels: Any, axis: int) -> Any:
    """Return a level half as high and wide, of the same kind of array: lazy if that is.

    Parameters
    ----------
    pixels : ndarray or dask.array.Array
        ``(…, h, w)`` or ``(…, h, w, 3|4)``.
    axis : int
        Of the rows; that of the columns is the next.

    Returns
    -------
    ndarray or dask.array.Array
        ``⌈h/2⌉`` by ``⌈w/2⌉`` means of equal areas, in the same dtype, integers rounded.
    """
    height, width = pixels.shape[axis : axis + 2]
    means = Coarser.of(height, width)
    if not isinstance(pixels, np.ndarray):
        return _halved_lazily(pixels, axis, means)
    made = np.empty(
        (*pixels.shape[:axis], means.rows.coarse, means.columns.coarse, *pixels.shape[axis + 2 :]),
        pixels.dtype.newbyteorder("="),
    )
    for index in np.ndindex(*pixels.shape[:axis]):
        for rows, columns in means.parts(_BLOCK):
            made[(*index, slice(*rows), slice(*columns))] = means.part(
                pixels[(*index, *means.seen(rows, columns))], rows, columns
            )
    return made


def stretches(size: int, length: int) -> list[Stretch]:
    """Cut an axis into stretches of a length, the last one shorter where it must be."""
    return [(start, min(size, start + length)) for start in range(0, size, length)]


def _halved_lazily(pixels: Any, axis: int, means: Coarser) -> Any:
    """Return the level in blocks, each made of one that begins where it does."""
    import dask.array as da

    chunks: list[Any] = [1 if each < axis else -1 for each in range(pixels.ndim)]
    made: list[Any] = [
        (1,) * length if each < axis else (length,) for each, length in enumerate(pixels.shape)
    ]
    for each, along in ((axis, means.rows), (axis + 1, means.columns)):
        parts = stretches(along.coarse, _BLOCK)
        begins = [*(along.seen(part)[0] for part in parts), along.size]
        chunks[each] = tuple(b - a for a, b in pairwise(begins))
        made[each] = tuple(stop - start for start, stop in parts)
    odd = {axis: (0, means.rows.size % 2), axis + 1: (0, means.columns.size % 2)}
    seen = da.overlap.overlap(pixels.rechunk(tuple(chunks)), odd, "none", allow_rechunk=False)
    meta = np.empty((0,) * pixels.ndim, pixels.dtype.newbyteorder("="))
    return da.map_blocks(_block, seen, means, axis, chunks=tuple(made), meta=meta)


def _block(seen: Array, means: Coarser, leading: int, block_info: Any) -> Array:
    """Reduce a block of one plane, behind as many axes of length 1 as lead to it."""
    rows, columns = block_info[None]["array-location"][leading : leading + 2]
    plane = means.part(seen[(0,) * leading], rows, columns)
    return plane[(np.newaxis,) * leading]


def levels_of(high: Any, low: Any, axis: int, coarser: Sequence[Any] | None = None) -> Any:
    """Return what a layer of an upscaled image is made of: itself, or levels, the finest first.

    There are levels where a plane is longer than 4096 pixels, and where the image has levels. They
    are the result; halves of it, unless it is lazy and a viewer would have to compute it for them;
    the image itself; its own coarser levels, with halves in between where they lie far apart; and
    halves of the last of these, while it is large.

    Parameters
    ----------
    high, low : ndarray or dask.array.Array
        The result, and the image that it was made of.
    axis : int
        Of the rows; that of the columns is the next.
    coarser : sequence of array, optional
        Further levels of the image; None where it is no multiscale one.
    """
    sides = slice(axis, axis + 2)
    if coarser is None and max(high.shape[sides]) <= LARGEST_PLANE:
        return high
    levels = [high]
    factor = high.shape[axis] // low.shape[axis]
    while isinstance(high, np.ndarray) and factor % 2 == 0 and factor > 2:
        levels.append(halved(levels[-1], axis))
        factor //= 2
    levels.append(low)
    for each in coarser or ():
        while max(levels[-1].shape[sides]) > _WIDEST_STEP * max(each.shape[sides]):
            levels.append(halved(levels[-1], axis))
        levels.append(each)
    while max(levels[-1].shape[sides]) > SMALLEST_LEVEL:
        levels.append(halved(levels[-1], axis))
    return levels
