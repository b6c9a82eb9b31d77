"""One window of an image: read, upscaled, and written into every level as fine as the input."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from napari_srgan.inference.images import Array
from napari_srgan.inference.run import iter_window
from napari_srgan.inference.settings import Progress
from napari_srgan.ngff.arrays import Arrays
from napari_srgan.pyramid import halved
from napari_srgan.volume.plan import Part, Pixels, Plan, digest_of


def iter_part(
    plan: Plan, pixels: Pixels, arrays: Arrays, part: Part, known: str = ""
) -> Generator[Progress, None, str]:
    """Do a window, yielding progress within it, and return the digest of what it was made of.

    Nothing is done where that is the digest which is ``known``: the window was done, and what it
    depends on has not changed.
    """
    tile, scale = part.tile, plan.model.scale
    low = pixels.read(part.index, tile.rows, tile.columns)
    digest = digest_of(low)
    if digest == known:
        return digest
    shape = scale * tile.rows.length, scale * tile.columns.length, *low.shape[2:]
    high = np.empty(shape, plan.layout.dtype)
    yield from iter_window(low, tile, plan.range_of(part), plan.model, plan.settings, high)
    kept = low[tile.rows.crop_slice(), tile.columns.crop_slice()]
    _write(plan, arrays, part, high, kept)
    return digest


def _write(plan: Plan, arrays: Arrays, part: Part, high: Array, low: Array) -> None:
    """Write a window into every level that is as fine as the input or finer."""
    pixels, factor = high, plan.model.scale
    for level in plan.levels:
        if not level.factor:
            continue
        while factor > level.factor > 1:
            pixels, factor = halved(pixels, 0), factor // 2
        rows, columns = (
            slice(*(level.factor * edge for edge in span.write))
            for span in (part.tile.rows, part.tile.columns)
        )
        arrays.write(level, part.index, rows, columns, low if level.factor == 1 else pixels)
