"""What the widget does away from the window's thread: find devices, and upscale. No Qt here."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from threading import Event
from typing import Any

from napari_srgan._requests import Choices, Devices, Done, Failed, Source, Stopped
from napari_srgan._trials import Needs, refuse_too_large, runner_for
from napari_srgan.devices import choose_devices, cuda_hint, describe_device, device_choices
from napari_srgan.images import Array, Normalize, value_range
from napari_srgan.inference import iter_upscale_array
from napari_srgan.library import load_model
from napari_srgan.settings import Progress

log = logging.getLogger(__name__)


def find_devices() -> Devices | Failed:
    """Return the devices that torch can use here."""
    try:
        names = device_choices()
        descriptions = {
            name: "; ".join(map(describe_device, choose_devices(name))) for name in names
        }
        descriptions["auto"] = descriptions[names[0]]
        choices = ("automatic", "auto"), *((name, name) for name in names)
        return Devices(choices, descriptions, cuda_hint())
    except Exception as error:
        log.exception("the devices could not be listed")
        return Failed.because(error)


def iter_job(
    source: Source, choices: Choices, stop: Event
) -> Generator[Progress, None, Done | Failed | Stopped]:
    """Upscale, yielding progress, and return the result or why there is none.

    It ends by itself after the tile in which ``stop`` is set. A generator that is only abandoned,
    as a worker's ``quit`` does, would keep its memory for as long as napari keeps the worker.
    """
    began = time.perf_counter()
    notes: list[str] = []
    device = ""
    try:
        steps = _iter_steps(source, choices)
        while not stop.is_set():
            try:
                progress = next(steps)
            except StopIteration as end:
                pixels, scale = end.value
                seconds = time.perf_counter() - began
                return Done(pixels, scale, source, choices, device, seconds, tuple(notes))
            device = progress.device
            if progress.note:
                notes.append(progress.note)
            yield progress
    except Exception as error:
        log.exception("upscaling failed")
        return Failed.because(error)
    return Stopped()


def _iter_steps(source: Source, choices: Choices) -> Generator[Progress, None, tuple[Array, int]]:
    """Yield progress and return the upscaled pixels and the factor."""
    model = load_model(choices.model, cache=choices.cache)
    runner = runner_for(model, choices, source.rgb, source.layout.dtype)
    refuse_too_large(source, Needs(runner, choices.settings.tile))
    # A moment to stop at between two things that may take long: loading and reading.
    yield Progress(0, source.layout.pixels, str(runner.device))
    pixels = yield from iter_upscale_array(
        source.read(),
        model,
        rgb=source.rgb,
        normalize=_shared_range(source, choices.normalize),
        settings=choices.settings,
    )
    return pixels, model.scale


def _shared_range(source: Source, normalize: Normalize) -> Any:
    """Return one value range for all planes of an array in memory, so that they stay comparable.

    Of an array on disk only what is upscaled is read.
    """
    if source.plane is None or not source.in_memory:
        return normalize
    return value_range(source.pixels, source.whole, normalize)
