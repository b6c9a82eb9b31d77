"""Planes of arrays, read a block at a time: what is known of one takes memory for a block alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

BLOCK = 2048  # pixels along an edge: a whole number of the chunks that stores mostly have


class StoredPlane:
    """A plane of an array on disk, of which only what is asked for is read.

    Parameters
    ----------
    array : zarr.Array or alike
        What gives slices of itself as arrays.
    index : tuple of int
        Of the plane, along the axes before it.
    """

    def __init__(self, array: Any, index: tuple[int, ...]) -> None:
        self._array, self._index = array, index
        self.shape, self.dtype = tuple(array.shape[len(index) :]), array.dtype

    def __getitem__(self, part: tuple[slice, ...]) -> Array:
        return np.asarray(self._array[(*self._index, *part)])


def plane_of(image: Any, index: tuple[int, ...]) -> Any:
    """Return a plane of an array; of one on disk, what reads it in part.

    A dask array's is left as it is: each of its blocks would have its chunks computed once more.
    """
    on_disk = hasattr(image, "chunks") and not hasattr(image, "dask")
    return StoredPlane(image, index) if on_disk else image[index]


@dataclass(frozen=True)
class Blocks:
    """The values of a plane, without alpha, block by block.

    Attributes
    ----------
    plane : ndarray or StoredPlane
        ``(h, w)`` or ``(h, w, 3|4)``.
    """

    plane: Any

    @property
    def size(self) -> int:
        """Number of values."""
        height, width, *colours = self.plane.shape
        return int(height * width * (min(3, *colours) if colours else 1))

    def __iter__(self) -> Iterator[Array]:
        for rows, columns in self._parts():
            yield self._read(rows, columns)

    def sampled(self, step: int) -> Array:
        """Return what a regular grid has of all values, in no particular order."""
        return np.concatenate(
            [
                self._read(rows, columns)[-rows.start % step :: step, -columns.start % step :: step]
                .reshape(-1)
                for rows, columns in self._parts()
            ]
        )  # fmt: skip

    def with_border(self, width: int) -> Iterator[tuple[Array, tuple[slice, slice]]]:
        """Yield each block with what surrounds it, and where in that it lies."""
        for part in self._parts():
            wide, inner = zip(
                *(_widened(span, side, width)
                  for span, side in zip(part, self.plane.shape, strict=False)),
                strict=True,
            )  # fmt: skip
            yield self._read(*wide), inner

    def _parts(self) -> Iterator[tuple[slice, slice]]:
        height, width = self.plane.shape[:2]
        yield from product(_spans(height), _spans(width))

    def _read(self, rows: slice, columns: slice) -> Array:
        block = np.asarray(self.plane[rows, columns])
        return block[..., :3] if block.ndim == 3 else block


def _spans(size: int) -> list[slice]:
    return [slice(start, min(size, start + BLOCK)) for start in range(0, size, BLOCK)]


def _widened(span: slice, side: int, width: int) -> tuple[slice, slice]:
    """Return a span with a border, where there is one, and where in that it lies."""
    begin, end = max(0, span.start - width), min(side, span.stop + width)
    return slice(begin, end), slice(span.start - begin, span.stop - begin)
