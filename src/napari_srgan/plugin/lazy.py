"""Results that are computed when they are looked at."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from typing import Any

import dask.array as da
import numpy as np

from napari_srgan.inference.dask_arrays import planned_provenance, upscale_lazily
from napari_srgan.inference.settings import Progress
from napari_srgan.plugin.messages import Choices, Source
from napari_srgan.pyramid import LARGEST_PLANE, halved
from napari_srgan.store.checkpoint import Model


def upscale_when_shown(
    source: Source, choices: Choices, model: Model
) -> tuple[da.Array, dict[str, Any]]:
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
        high = high[tuple(slice(i, i + 1) for i in source.plane)]
    return high, planned_provenance(model, choices.normalize, settings, layout.dtype)


def iter_overview(
    levels: Any, source: Source, coarser: Sequence[Any]
) -> Generator[Progress, None, Any]:
    """Yield progress and return levels with those computed that a window shows first.

    They are made of the whole plane, for which the window would wait. Of a stack all planes would
    have to be read: there the window waits for the plane that it shows, as it does for the layer's.

    Parameters
    ----------
    levels : array or list of array
        A result that is computed when it is shown, or levels of it, the finest first.
    source : Source
        What it was made of.
    coarser : sequence of array
        Those of the levels that are the source's own, which stay as they are.
    """
    axis = len(source.whole.leading)
    if not isinstance(levels, list) or math.prod(levels[0].shape[:axis]) > 1:
        return levels
    known = [id(level) for level in (*levels[:2], *coarser)]
    ready: list[Any] = []
    for level in levels:
        if id(level) in known or max(level.shape[axis : axis + 2]) > LARGEST_PLANE:
            ready.append(level)
        elif ready and isinstance(ready[-1], np.ndarray):
            ready.append(halved(ready[-1], axis))
        else:
            ready.append((yield from _iter_computed(level, source.layout.pixels)))
    return ready


def _iter_computed(level: da.Array, pixels: int) -> Generator[Progress, None, Any]:
    """Compute an array block by block, between which a job can be stopped."""
    made = np.empty(level.shape, level.dtype)
    for part in da.core.slices_from_chunks(level.chunks):
        yield Progress(0, pixels, "", "")
        made[part] = level[part].compute()
    return made
