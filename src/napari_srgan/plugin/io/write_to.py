"""Results too large for memory: written right into an OME-Zarr store, and shown from there."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_srgan.inference.settings import Progress
from napari_srgan.inference.values.ranges import ValueRange
from napari_srgan.ngff.image import NgffImage
from napari_srgan.ngff.stored import open_image
from napari_srgan.plugin.io.stores import axis_order, image_of, levels_of_store
from napari_srgan.plugin.job import iter_shared_range, runner_for
from napari_srgan.plugin.messages import Choices, Done, Failed, Source, Stopped, iter_until
from napari_srgan.store.load import load_model
from napari_srgan.volume.upscale import check_target, iter_upscale_image

if TYPE_CHECKING:
    import napari.layers


def iter_write(
    source: Source, stands_for: napari.layers.Image, choices: Choices, target: Path, stop: Event
) -> Generator[Progress, None, Done | Failed | Stopped]:
    """Upscale into a store, yielding progress, and return its levels, lazy.

    What was written when ``stop`` is set stays, hidden, and is gone on with by the same again.

    Parameters
    ----------
    source : Source
        What is upscaled.
    stands_for : napari.layers.Image
        Where it lies, as :func:`napari_srgan.plugin.layers.standing_for` gives it.
    choices : Choices
        How.
    target : Path
        The store that there will be.
    stop : Event
        Ends the work after a tile.
    """
    began = time.perf_counter()
    outcome = yield from iter_until(
        stop, _iter_store(source, stands_for, choices, target), "writing the result failed"
    )
    if isinstance(outcome, Stopped):
        return Stopped(f"Cancelled: what was written is kept. Write to {target.name} to go on.")
    if isinstance(outcome, Failed):
        return outcome
    levels, made_by = outcome
    computed = replace(choices, compute="now")
    seconds = time.perf_counter() - began
    return Done(levels, made_by["scale"], source, computed, made_by, seconds, target)


def _iter_store(
    source: Source, stands_for: napari.layers.Image, choices: Choices, target: Path
) -> Generator[Progress, None, tuple[list[Any], dict[str, Any]]]:
    check_target(target.with_suffix(""), target, overwrite=False)
    model = load_model(choices.model, scale=choices.scale, cache=choices.cache)
    runner = runner_for(model, choices, source.rgb, source.layout.dtype)
    found = yield from iter_shared_range(source, choices.normalize, runner)
    values = found if isinstance(found, ValueRange) else None
    image, order = _described(source, stands_for)
    record = yield from iter_upscale_image(
        image, target, model,
        normalize=choices.normalize, settings=choices.settings, values=values,
    )  # fmt: skip
    levels = levels_of_store(target, open_image(target), rgb=source.rgb)
    back = [*np.argsort(order), *range(len(order), levels[0].ndim)]
    return [level.transpose(back) for level in levels], record


def _described(source: Source, stands_for: napari.layers.Image) -> tuple[NgffImage, list[int]]:
    """Return the pixels as OME-Zarr describes them, and in which order it has the layer's axes."""
    attributes = dict(stands_for.as_layer_data_tuple()[1])
    if source.plane is not None:
        start = np.zeros(stands_for.ndim)
        start[: len(source.plane)] = source.plane
        attributes["translate"] = stands_for.affine.inverse(
            np.asarray(stands_for.data_to_world(start))
        )
    _names, order = axis_order(attributes, stands_for.ndim)
    return image_of(source.unread(), attributes), order
