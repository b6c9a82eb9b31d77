"""Results that are computed when they are looked at, with levels where planes are large."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np

from napari_srgan.inference.dask_arrays import planned_provenance, upscale_lazily
from napari_srgan.inference.images import Layout
from napari_srgan.plugin.messages import Choices, Source
from napari_srgan.store.checkpoint import Model

LARGEST_PLANE = 4096  # pixels along an edge: of a larger one only the part on screen is computed
_SMALLEST_LEVEL = 1024


def upscale_when_shown(
    source: Source, choices: Choices, model: Model
) -> tuple[da.Array | list[da.Array], dict[str, Any]]:
    """Return a result of which nothing is computed yet, and its provenance as it will be."""
    pixels, layout, settings = source.pixels, source.whole, choices.settings
    if not isinstance(pixels, da.Array):
        chunks = (1,) * len(layout.leading) + layout.shape()[len(layout.leading) :]
        pixels = da.from_array(pixels, chunks, name=False)  # a name would take reading all of it
    high = upscale_lazily(
        pixels,
        model,
        rgb=source.rgb,
        normalize=choices.normalize,
        channel_axis=source.channel_axis,
        settings=settings,
    )
    if source.plane is not None:
        one = tuple(slice(i, i + 1) for i in source.plane)
        pixels, high = pixels[one], high[one]
    made_by = planned_provenance(model, choices.normalize, settings, layout.dtype)
    return levels_of(high, pixels, layout), made_by


def levels_of(high: da.Array, low: da.Array, layout: Layout) -> da.Array | list[da.Array]:
    """Return what of a lazy result a layer is made of: itself, or levels where planes are large.

    napari computes the whole plane of a layer that has no levels. The coarser levels are the image
    itself and what it is reduced to by means of 2 × 2 pixels.

    Parameters
    ----------
    high : dask.array.Array
        The result.
    low : dask.array.Array
        What it was made of.
    layout : Layout
        Of an array of which ``low`` is some planes.
    """
    rows, columns = len(layout.leading), len(layout.leading) + 1
    if max(high.shape[rows], high.shape[columns]) <= LARGEST_PLANE:
        return high
    level = low
    levels = [high, level]
    while max(level.shape[rows], level.shape[columns]) > _SMALLEST_LEVEL:
        level = _halved(level, rows, columns)
        levels.append(level)
    return levels


def _halved(level: da.Array, rows: int, columns: int) -> da.Array:
    halved: da.Array = da.coarsen(np.mean, level, {rows: 2, columns: 2}, trim_excess=True)
    if level.dtype.kind in "ui":
        halved = halved.round()
    reduced: da.Array = halved.astype(level.dtype)
    return reduced
