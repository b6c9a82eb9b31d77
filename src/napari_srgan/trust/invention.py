"""How much of a result's visible detail is invented, and where most of it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

VISIBLE = 0.02  # of the range from black to white: some 5 levels of 255
BLOCK = 64  # pixels of the result: edge of the blocks of which one is named


@dataclass(frozen=True)
class Invention:
    """What of a result's visible detail is not in its image.

    Detail is what differs from bicubic interpolation of the image, invented what differs from a
    faithful network's result; both are visible from a fiftieth of the range from black to white.

    Attributes
    ----------
    share : float
        Of the pixels with visible detail, those where it is invented, 0 to 1.
    densest : tuple of slice or None
        Index of the block of 64 × 64 pixels that has most of it; None where there is none.
    part_of_densest : float
        Of all invented pixels, those in a sixteenth of the blocks, the densest, 0 to 1.
    """

    share: float
    densest: tuple[Any, ...] | None
    part_of_densest: float

    def __str__(self) -> str:
        if self.densest is None:
            return "None of the visible detail is invented."
        *leading, rows, columns = self.densest
        plane = f"plane {tuple(leading)}, " if leading else ""
        percent = "under 1" if self.share < 0.01 else f"{100 * self.share:.0f}"
        return (
            f"{percent} % of the visible detail is invented, most of it near {plane}"
            f"row {rows.start + BLOCK // 2}, column {columns.start + BLOCK // 2}; "
            f"{100 * self.part_of_densest:.0f} % of it is in a sixteenth of the picture."
        )


class Census:
    """Counts of visible and of invented pixels, by blocks of planes."""

    def __init__(self) -> None:
        self._blocks: dict[tuple[int, ...], NDArray[np.int64]] = {}
        self._visible = 0

    def count(
        self, index: tuple[int, ...], visible: NDArray[np.bool_], invented: NDArray[np.bool_]
    ) -> None:
        """Count the pixels of a plane."""
        self._visible += int(visible.sum())
        both = visible & invented
        rows, columns = (range(0, size, BLOCK) for size in both.shape)
        by_rows = np.add.reduceat(both.astype(np.int64), rows, axis=0)
        self._blocks[index] = np.add.reduceat(by_rows, columns, axis=1)

    def found(self) -> Invention:
        """Return what was counted."""
        counts = np.sort(np.concatenate([blocks.ravel() for blocks in self._blocks.values()]))
        invented = int(counts.sum())
        if not invented:
            return Invention(0.0, None, 0.0)
        index, blocks = max(self._blocks.items(), key=lambda item: int(item[1].max()))
        row, column = np.unravel_index(int(blocks.argmax()), blocks.shape)
        block = tuple(slice(BLOCK * int(at), BLOCK * (int(at) + 1)) for at in (row, column))
        densest = counts[-math.ceil(len(counts) / 16) :].sum() / invented
        return Invention(invented / self._visible, (*index, *block), float(densest))
