"""The torch side of a queue: one item after the other, held up while it is paused."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from threading import Event
from typing import TypeAlias, TypeVar

from napari_srgan.batch import iter_task
from napari_srgan.files import read_picture
from napari_srgan.inference.images import Array, Layout, layout_of
from napari_srgan.inference.settings import Progress
from napari_srgan.inference.values.extent import PlaneExtent
from napari_srgan.inference.values.ranges import (
    ChannelRanges,
    ValueRange,
    iter_extents,
    range_of,
)
from napari_srgan.inference.values.rules import is_fixed, rule_for
from napari_srgan.plugin import job
from napari_srgan.plugin.messages import Done, Failed, Stopped, iter_until
from napari_srgan.plugin.queue.items import FileWork, Item, LayerWork
from napari_srgan.plugin.texts import time_text
from napari_srgan.store.load import load_model

Shared: TypeAlias = "ValueRange | ChannelRanges | None"
Step = TypeVar("Step")
Outcome = TypeVar("Outcome")

_PATIENCE = 0.1  # seconds between two looks at whether a paused item was cancelled


def iter_held(
    steps: Generator[Step, None, Outcome], going: Event, stop: Event
) -> Generator[Step, None, Outcome]:
    """Pass on the steps of some work; while ``going`` is not set, none is begun."""
    while True:
        while not going.wait(_PATIENCE) and not stop.is_set():
            pass
        try:
            step = next(steps)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
        yield step


def iter_item(
    item: Item, shared: Shared, going: Event, stop: Event
) -> Generator[Progress, None, Done | str | Failed | Stopped]:
    """Upscale an item, yielding progress: the result of a layer; of a file, what was written."""
    if isinstance(item.work, LayerWork):
        steps = job.iter_job(item.work.source, item.choices, stop, shared)
        return (yield from iter_held(steps, going, stop))
    assert isinstance(item.work, FileWork)
    written = iter_until(stop, _iter_file(item.work, item, shared), "a file was not upscaled")
    return (yield from iter_held(written, going, stop))


def _iter_file(work: FileWork, item: Item, shared: Shared) -> Generator[Progress, None, str]:
    began, choices = time.perf_counter(), item.choices
    model = load_model(choices.model, scale=choices.scale, cache=choices.cache)
    yield from iter_task(
        work.task, model, normalize=choices.normalize, settings=choices.settings, values=shared
    )
    return f"{work.task.target} in {time_text(time.perf_counter() - began)}"


def iter_shared_values(
    items: Sequence[Item], going: Event, stop: Event
) -> Generator[Progress, None, Shared | Failed | Stopped]:
    """Return black and white for all items together, yielding progress; each channel its own.

    None where the dtype alone says what they are. It is a failure if dtypes, or the number of
    channels, differ.
    """
    steps = iter_until(stop, _iter_shared(items), "the shared value range was not found")
    return (yield from iter_held(steps, going, stop))


def _iter_shared(items: Sequence[Item]) -> Generator[Progress, None, Shared]:
    normalize = items[0].choices.normalize
    first: Layout | None = None
    found: list[list[PlaneExtent]] = []
    for number, item in enumerate(items):
        pixels, layout = _pixels_of(item)
        if first is None:
            first = layout
            found = [[] for _ in range(layout.channel_axis_length)]
        _check_alike(first, layout, item)
        rule = rule_for(layout.dtype, normalize)
        if is_fixed(rule):
            continue
        for channel, extent in iter_extents(pixels, layout, rule):
            found[channel].append(extent)
            yield Progress(number, len(items), "", "")
    if first is None or not any(found):
        return None
    rule = rule_for(first.dtype, normalize)
    ranges = tuple(range_of(parts, first.dtype, rule) for parts in found)
    return ranges[0] if len(ranges) == 1 else ChannelRanges(ranges)


def _pixels_of(item: Item) -> tuple[Array, Layout]:
    if isinstance(item.work, LayerWork):
        return item.work.source.pixels, item.work.source.whole
    assert isinstance(item.work, FileWork)
    picture = read_picture(item.work.task.source)
    layout = layout_of(picture.data.shape, picture.data.dtype, picture.rgb, picture.channel_axis)
    return picture.data, layout


def _check_alike(first: Layout, layout: Layout, item: Item) -> None:
    if layout.dtype != first.dtype:
        raise ValueError(
            f"One value range for all takes one dtype; {item.name} is {layout.dtype}, the first "
            f"is {first.dtype}."
        )
    if layout.channel_axis_length != first.channel_axis_length:
        raise ValueError(
            f"One value range for all takes equally many channels; {item.name} has "
            f"{layout.channel_axis_length}, the first has {first.channel_axis_length}."
        )
