"""Results that are computed when they are looked at."""

from __future__ import annotations

from typing import Any

import dask.array as da

from napari_srgan.inference.dask_arrays import planned_provenance, upscale_lazily
from napari_srgan.plugin.messages import Choices, Source
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
