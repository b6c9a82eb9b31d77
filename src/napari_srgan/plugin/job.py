"""The torch side of background work, without Qt: find devices, estimate a run, upscale."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Generator
from dataclasses import dataclass, replace
from threading import Event
from typing import Any

import numpy as np

from napari_srgan.inference import devices
from napari_srgan.inference.devices import (
    choose_devices,
    cuda_hint,
    describe_device,
    device_choices,
    precision_name,
)
from napari_srgan.inference.images import Array, Layout
from napari_srgan.inference.planning import cut, seconds_per_pixel
from napari_srgan.inference.run import iter_upscale_array, set_up
from napari_srgan.inference.runner import Runner
from napari_srgan.inference.settings import Progress, iter_recorded
from napari_srgan.inference.values.ranges import (
    ChannelRanges,
    ValueRange,
    iter_extents,
    range_of,
)
from napari_srgan.inference.values.rules import Normalize, is_fixed, rule_for
from napari_srgan.plugin.messages import (
    Choices,
    Devices,
    Done,
    Failed,
    Invented,
    Source,
    Stopped,
    iter_until,
)
from napari_srgan.plugin.texts import too_large_text
from napari_srgan.pyramid import levels_of
from napari_srgan.store.checkpoint import Model
from napari_srgan.store.load import faithful_counterpart, load_model
from napari_srgan.trust.assess import iter_invented_array
from napari_srgan.trust.invention import Invention

log = logging.getLogger(__name__)

_TRIED = Source(np.broadcast_to(np.uint8(0), (4096, 4096)), False, None)


def runner_for(model: Model, choices: Choices, colour: bool, dtype: np.dtype[Any]) -> Runner:
    """Return what upscales images of a dtype.

    Raises
    ------
    ValueError
        If the device, the precision or the model does not suit.
    """
    pixel = Layout((), 1, 1, 3 if colour else 0, np.dtype(dtype))
    return set_up(pixel, model, choices.settings)


@dataclass(frozen=True)
class Needs:
    """What a run needs, worked out without running anything.

    Attributes
    ----------
    runner : Runner
        Of the run.
    tile : int or str
        As set.
    """

    runner: Runner
    tile: int | str

    @property
    def scale(self) -> int:
        """Upscaling factor."""
        return self.runner.network.scale

    def free_memory(self) -> int:
        """Return how many bytes of the computer's memory are free."""
        return devices.free_memory(devices.choose_device("cpu"))

    def memory(self, source: Source) -> int:
        """Return about how many bytes of the computer's memory an image takes."""
        layout = source.layout
        copied = 0 if isinstance(source.pixels, np.ndarray) else _size(layout, 1)
        on_cpu = self.runner.device.type == "cpu"  # a card has memory of its own
        work = cut(self.tile, layout, self.runner).memory(layout) if on_cpu else 0
        return copied + _size(layout, self.scale) + work

    def pixels(self, source: Source) -> int:
        """Return how many pixels the network is given."""
        return cut(self.tile, source.layout, self.runner).pixels(source.layout)


@dataclass(frozen=True)
class Trial:
    """What a run needs and how fast it is here.

    Attributes
    ----------
    needs : Needs
        Of the run.
    seconds_per_pixel : float
        Of one device.
    devices : int
        Among which the work is divided; they are taken to be alike.
    """

    needs: Needs
    seconds_per_pixel: float
    devices: int = 1

    def seconds(self, source: Source) -> float:
        """Return about how long an image takes."""
        return self.seconds_per_pixel * self.needs.pixels(source) / self.devices


def try_out(choices: Choices, colour: bool, dtype: np.dtype[Any]) -> Trial | Failed:
    """Load a model and measure it on a small window."""
    try:
        model = load_model(choices.model, scale=choices.scale, cache=choices.cache)
        runner = runner_for(model, choices, colour, dtype)
        needs = Needs(runner, choices.settings.tile)
        needs.pixels(_TRIED)  # reads the network, once, away from the window's thread
        count = len(devices.choose_devices(choices.settings.device))
        return Trial(needs, seconds_per_pixel(runner), count)
    except Exception as error:
        log.exception("the trial run failed")
        return Failed.because(error)


def refuse_too_large(source: Source, needs: Needs) -> None:
    """Refuse a run that would not fit: a computer that runs out of memory ends napari itself.

    Raises
    ------
    MemoryError
        If more is needed than is free.
    """
    memory, free = needs.memory(source), needs.free_memory()
    if memory > free:
        raise MemoryError(too_large_text(memory, free, planes=source.layout.planes > 1))


def _size(layout: Layout, scale: int) -> int:
    """Return the bytes of an image, or of the upscaled one."""
    return math.prod(layout.shape(scale)) * layout.dtype.itemsize


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
    source: Source,
    choices: Choices,
    stop: Event,
    shared: ValueRange | ChannelRanges | None = None,
) -> Generator[Progress, None, Done | Failed | Stopped]:
    """Upscale, yielding progress, and return the result or why there is none.

    Black and white are those that the image shares with others, where such are given.

    It ends by itself after the tile in which ``stop`` is set. A generator that is only abandoned,
    as a worker's ``quit`` does, would keep its memory for as long as napari keeps the worker.
    """
    began = time.perf_counter()
    outcome = yield from iter_until(stop, _iter_steps(source, choices, shared), "upscaling failed")
    if isinstance(outcome, (Failed, Stopped)):
        return outcome
    pixels, made_by = outcome
    seconds = time.perf_counter() - began
    return Done(pixels, made_by["scale"], source, choices, made_by, seconds)


def iter_invention(
    done: Done, stop: Event
) -> Generator[Progress, None, Invented | Failed | Stopped]:
    """Compare a result with a faithful model's, yielding progress, and return the map.

    It ends as :func:`iter_job` does.
    """
    outcome = yield from iter_until(stop, _iter_invention(done), "the comparison failed")
    if isinstance(outcome, (Failed, Stopped)):
        return outcome
    values, invention = outcome
    return Invented(values, str(invention))


def _iter_steps(
    source: Source, choices: Choices, shared: ValueRange | ChannelRanges | None = None
) -> Generator[Progress, None, tuple[Any, dict[str, Any]]]:
    """Yield progress and return the upscaled pixels, lazy if so chosen, and their provenance."""
    model = load_model(choices.model, scale=choices.scale, cache=choices.cache)
    if choices.is_deferred(source):
        from napari_srgan.plugin.lazy import iter_overview, upscale_when_shown

        if isinstance(shared, ValueRange):
            choices = replace(choices, normalize=(shared.low, shared.high))
        pixels, made_by = upscale_when_shown(source, choices, model)
        coarser = source.unread_coarser()
        levels = levels_of(pixels, source.unread(), len(source.whole.leading), coarser)
        return (yield from iter_overview(levels, source, coarser or ())), made_by
    runner = runner_for(model, choices, source.rgb, source.layout.dtype)
    refuse_too_large(source, Needs(runner, choices.settings.tile))
    # A moment to stop at between two things that may take long: loading and reading.
    precision = precision_name(runner.precision)
    yield Progress(0, source.layout.pixels, str(runner.device), precision)
    values: Normalize | ValueRange | ChannelRanges | None = shared
    if values is None:
        values = yield from iter_shared_range(source, choices.normalize, runner)
    low = source.read()
    steps = iter_upscale_array(
        low,
        model,
        rgb=source.rgb,
        normalize=values,
        channel_axis=source.channel_axis,
        settings=choices.settings,
    )
    pixels, made_by = yield from iter_recorded(steps, model, choices.normalize, choices.settings)
    return levels_of(pixels, low, len(source.whole.leading), source.unread_coarser()), made_by


def _iter_invention(done: Done) -> Generator[Progress, None, tuple[Array, Invention]]:
    """Yield progress and return the map of what of a result is invented, and the same in words."""
    source, choices = done.source, done.choices
    model = load_model(choices.model, scale=choices.scale, cache=choices.cache)
    faithful = faithful_counterpart(model)
    if faithful is None:
        raise ValueError(f"There is no faithful model that enlarges by {model.scale}.")
    runner = runner_for(faithful, choices, source.rgb, source.layout.dtype)
    refuse_too_large(source, Needs(runner, choices.settings.tile))
    values = yield from iter_shared_range(source, choices.normalize, runner)
    return (
        yield from iter_invented_array(
            source.read(),
            done.finest,
            faithful,
            rgb=source.rgb,
            normalize=values,
            channel_axis=source.channel_axis,
            settings=choices.settings,
        )
    )


def iter_shared_range(
    source: Source, normalize: Normalize, runner: Runner
) -> Generator[Progress, None, Normalize | ValueRange]:
    """Return one value range for all planes of a channel, so that they stay comparable.

    Of an array on disk all planes are read for it, one at a time, if the range depends on them.
    """
    whole = source.whole
    rule = rule_for(whole.dtype, normalize)
    if source.plane is None or is_fixed(rule):
        return normalize
    precision, parts = precision_name(runner.precision), []
    own = whole.channel_of(source.plane)
    for _, extent in iter_extents(source.pixels, whole, rule, own):
        parts.append(extent)
        yield Progress(0, source.layout.pixels, str(runner.device), precision)
    return range_of(parts, whole.dtype, rule)
