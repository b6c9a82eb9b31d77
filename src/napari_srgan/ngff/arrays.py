"""The arrays of a store's levels, written and read by planes; and coarser ones made of finer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_srgan.ngff.levels import WINDOW, Level, coarser_pairs
from napari_srgan.pyramid import Coarser, Stretch, stretches

Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True)
class Arrays:
    """The arrays of a store's levels, written by planes ``(h, w)`` or ``(h, w, c)``.

    Attributes
    ----------
    group : zarr.Group
        Which has them.
    colour_axis : int or None
        Where the colours of a plane go.
    """

    group: Any
    colour_axis: int | None = None

    def write(
        self, level: Level, index: tuple[int, ...], rows: slice, columns: slice, pixels: Array
    ) -> None:
        """Write a part of a plane."""
        place = self._place(index, rows, columns)
        self.group[level.path][place] = np.moveaxis(pixels, -1, 0) if pixels.ndim == 3 else pixels

    def read(self, level: Level, index: tuple[int, ...], rows: slice, columns: slice) -> Array:
        """Return a part of a plane."""
        pixels = np.asarray(self.group[level.path][self._place(index, rows, columns)])
        return np.moveaxis(pixels, 0, -1) if self.colour_axis is not None else pixels

    def make_coarser(self, levels: Sequence[Level], leading: tuple[int, ...]) -> None:
        """Make the levels that are coarser than the input, each of the one before."""
        for finer, level in coarser_pairs(levels):
            means = Coarser.of(*finer.sides)
            for index in np.ndindex(*leading):
                for rows, columns in means.parts(WINDOW):
                    window = self.read(finer, index, *means.seen(rows, columns))
                    part = means.part(window, rows, columns)
                    self.write(level, index, slice(*rows), slice(*columns), part)

    def copy(self, pixels: Any, level: Level, leading: tuple[int, ...]) -> None:
        """Write all planes of an array ``(…, h, w)`` or ``(…, h, w, c)``, a part at a time."""
        first = len(leading)
        cuts = [_cut(pixels, first + axis) for axis in range(2)]
        for index in np.ndindex(*leading):
            for rows, columns in product(*cuts):
                part = np.asarray(pixels[(*index, slice(*rows), slice(*columns))])
                self.write(level, index, slice(*rows), slice(*columns), part)

    def _place(self, index: tuple[int, ...], rows: slice, columns: slice) -> tuple[Any, ...]:
        place: list[Any] = [*index, rows, columns]
        if self.colour_axis is not None:
            place.insert(self.colour_axis, slice(None))
        return tuple(place)


def _cut(pixels: Any, axis: int) -> list[Stretch]:
    """Return the stretches of an axis that are read at a time: of whole chunks of a lazy array."""
    if not hasattr(pixels, "dask"):
        return stretches(pixels.shape[axis], WINDOW)
    return list(_joined(pixels.chunks[axis]))


def _joined(chunks: Sequence[int]) -> Iterator[Stretch]:
    """Yield stretches of whole chunks, each as long as a window or a chunk."""
    start = stop = 0
    for length in chunks:
        if stop > start and stop + length - start > WINDOW:
            yield start, stop
            start = stop
        stop += length
    yield start, stop
