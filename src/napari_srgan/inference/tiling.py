"""How an image is cut into windows whose results are put side by side. Integers only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Span:
    """A stretch of one axis: ``read`` goes into the network, ``write`` is kept of what comes out.

    Both are half-open ranges in input pixels. ``read`` contains ``write`` and, on each side, either
    the whole halo or everything up to the image's border.
    """

    read: tuple[int, int]
    write: tuple[int, int]

    @property
    def read_slice(self) -> slice:
        """The pixels that the network is given."""
        return slice(*self.read)

    def crop_slice(self, scale: int = 1) -> slice:
        """Which part of the network's output is that result."""
        start = self.read[0]
        return slice(scale * (self.write[0] - start), scale * (self.write[1] - start))

    @property
    def length(self) -> int:
        """Pixels written."""
        return self.write[1] - self.write[0]

    @property
    def read_length(self) -> int:
        """Pixels that the network is given."""
        return self.read[1] - self.read[0]

    def halves(self, size: int, halo: int, step: int = 1) -> list[Span]:
        """Return the span as two of half the length, or as itself where it is one step long."""
        start, stop = self.write
        middle = (start + stop) // 2 // step * step
        parts = [(start, middle), (middle, stop)] if middle > start else [(start, stop)]
        return [Span((max(0, a - halo), min(size, b + halo)), (a, b)) for a, b in parts]


@dataclass(frozen=True)
class Tile:
    """Two spans of an image ``(height, width)``, and the halo and step they were cut with."""

    rows: Span
    columns: Span
    height: int
    width: int
    halo: int
    step: int = 1

    @property
    def pixels(self) -> int:
        """Input pixels written."""
        return self.rows.length * self.columns.length

    @property
    def window(self) -> tuple[int, int]:
        """Height and width of what the network is given."""
        return self.rows.read_length, self.columns.read_length

    def quarters(self) -> list[Tile]:
        """Return the tile as up to four smaller ones; itself alone where it is one pixel."""
        return [
            Tile(rows, columns, self.height, self.width, self.halo, self.step)
            for rows in self.rows.halves(self.height, self.halo, self.step)
            for columns in self.columns.halves(self.width, self.halo, self.step)
        ]


def spans(size: int, tile: int, halo: int, step: int = 1) -> list[Span]:
    """Cut an axis into spans that all read equally many pixels, at most ``tile + 2·halo``.

    Reading equal windows keeps the network's algorithms, and so its rounding, the same from tile
    to tile. The spans at the border need a halo on one side only, and write more.

    Parameters
    ----------
    size : int
        Pixels along the axis, 1 or more.
    tile : int
        Pixels that a span inside the image writes at most, 1 or more.
    halo : int
        Pixels that a result depends on, on each side.
    step : int
        Spans begin at multiples of it: pixels that the network computes together stay together.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """
    if size < 1 or tile < 1 or halo < 0:
        raise ValueError(
            f"size and tile must be 1 or more and halo 0 or more; got {size}, {tile} and {halo}."
        )
    if size <= tile + 2 * halo:
        return [Span((0, size), (0, size))]
    if step > 1:
        coarse = spans(-(-size // step), max(1, tile // step), -(-halo // step))
        return [
            Span(
                *((start * step, min(size, stop * step)) for start, stop in (span.read, span.write))
            )
            for span in coarse
        ]
    count = -(-(size - 2 * halo) // tile)
    window = -(-(size + 2 * halo * (count - 1)) // count)
    starts = [round(i * (size - window) / (count - 1)) for i in range(count)]
    edges = [0, *(_seam(a, b, window) for a, b in pairwise(starts)), size]
    return [
        Span((start, start + window), (a, b))
        for start, (a, b) in zip(starts, pairwise(edges), strict=True)
    ]


def _seam(start: int, following: int, window: int) -> int:
    """Return the middle of the overlap of two neighbouring windows."""
    return (following + start + window) // 2


def tiles(height: int, width: int, tile: int, halo: int, step: int = 1) -> Iterator[Tile]:
    """Yield the tiles of an image, row by row; together they write every pixel once.

    See :func:`spans` for the parameters and errors.
    """
    columns = spans(width, tile, halo, step)
    for row in spans(height, tile, halo, step):
        for column in columns:
            yield Tile(row, column, height, width, halo, step)
