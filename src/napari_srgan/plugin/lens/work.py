"""The torch side of the lens: a box of a layer's pixels, upscaled as a part of the whole."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import replace
from threading import Event

import numpy as np

from napari_srgan.inference import devices
from napari_srgan.inference.devices import precision_name
from napari_srgan.inference.images import Array, Layout
from napari_srgan.inference.run import filled, iter_window, set_up
from napari_srgan.inference.runner import Runner
from napari_srgan.inference.settings import Progress, finish, iter_mapped, iter_recorded
from napari_srgan.inference.tiling import Span, Tile
from napari_srgan.inference.values.ranges import ValueRange
from napari_srgan.plugin.lens.messages import Look, Picture
from napari_srgan.plugin.lens.ranges import LOOKED_AT, Ranges, Scope
from napari_srgan.plugin.lens.regions import Region
from napari_srgan.plugin.messages import Choices, Failed, Source, Stopped, iter_until
from napari_srgan.plugin.texts import size_text
from napari_srgan.pyramid import levels_of
from napari_srgan.store.checkpoint import Model
from napari_srgan.store.load import load_model

HALO = 12  # pixels around what the lens shows, which would be as wide as all that the network sees


def warm_up(choices: Choices) -> Failed | None:
    """Load a model and run it once, so that the first picture need not wait for that."""
    pixel = np.zeros((1, 1), np.uint8)
    source = Source(pixel, False, None)
    outcome = preview(Look(source, Region((0, 0), (1, 1)), choices, Ranges(source)), Event())
    return outcome if isinstance(outcome, Failed) else None


def preview(look: Look, stop: Event) -> Picture | Failed | Stopped:
    """Upscale what the lens is to show, within moments.

    It is what the whole image would give, but for the pixels near its border: those see a little
    less of what is around them.
    """
    steps = _iter_picture(look, look.ranges.scope(), HALO)
    return finish(iter_until(stop, steps, "the lens failed"))


def iter_kept(look: Look, stop: Event) -> Generator[Progress, None, Picture | Failed | Stopped]:
    """Upscale a box for good, yielding progress: exactly a part of what the whole would give."""
    return (yield from iter_until(stop, _iter_leveled(look), "the part was not upscaled"))


def _iter_leveled(look: Look) -> Generator[Progress, None, Picture]:
    picture = yield from _iter_picture(look, "all", None)
    low = look.source.pixels[look.region.slices]
    levels = levels_of(picture.pixels, low, len(look.source.whole.leading))
    return replace(picture, pixels=levels)


def _iter_picture(look: Look, scope: Scope, halo: int | None) -> Generator[Progress, None, Picture]:
    began = time.perf_counter()
    source, region, choices = look.source, look.region, look.choices
    model = load_model(choices.model, scale=choices.scale, cache=choices.cache)
    runner = set_up(source.whole, model, choices.settings)
    high = _room_for(region, source.whole, model.scale)
    steps = _iter_planes(look, scope, model, runner, halo, high)
    _, made_by = yield from iter_recorded(steps, model, choices.normalize, choices.settings)
    seconds = time.perf_counter() - began
    return Picture(high, region, model.scale, made_by, scope, seconds)


def _room_for(region: Region, whole: Layout, scale: int) -> Array:
    """Return an array for the result.

    Raises
    ------
    MemoryError
        If it does not fit: a computer that runs out of memory ends napari itself.
    """
    *leading, height, width = region.shape
    colours = (whole.channels,) if whole.channels else ()
    shape = (*leading, scale * height, scale * width, *colours)
    size = float(np.prod(shape, dtype=np.float64)) * whole.dtype.itemsize
    free = devices.free_memory(devices.choose_device("cpu"))
    if size > free:
        raise MemoryError(
            f"The result takes {size_text(size)} of memory; only {size_text(free)} are free. "
            "Keep a smaller area, or fewer planes."
        )
    return np.empty(shape, whole.dtype)


def _iter_planes(
    look: Look, scope: Scope, model: Model, runner: Runner, halo: int | None, high: Array
) -> Generator[Progress, None, None]:
    """Upscale the planes of a box one after the other, yielding progress over all of them."""
    source, region, whole = look.source, look.region, look.source.whole
    tile = _tile(region, whole, runner, halo)
    begun = Progress(0, region.pixels, str(runner.device), precision_name(runner.precision))
    size = tile.pixels
    for number, index in enumerate(region.planes()):
        values = yield from _iter_values(look, index, scope, replace(begun, done=number * size))
        window = _window(source, index, tile, whole)
        place = tuple(i - first for i, first in zip(index, region.start, strict=False))
        settings = look.choices.settings
        for step in iter_window(window, tile, values, model, settings, high[place]):
            done = number * size + round(size * step.done / step.total)
            yield replace(step, done=done, total=region.pixels)


def _iter_values(
    look: Look, index: tuple[int, ...], scope: Scope, so_far: Progress
) -> Generator[Progress, None, ValueRange]:
    """Return black and white of a plane, telling how far the work was while they are found."""
    looking = look.ranges.iter_of(index, look.region, scope)
    return (yield from iter_mapped(looking, lambda _: so_far))


def _tile(region: Region, whole: Layout, runner: Runner, halo: int | None) -> Tile:
    """Return what of a plane is read, and what is kept of it: all that is seen, or a halo less."""
    radius = runner.network.radius
    step = runner.network.step
    seen = max(whole.height, whole.width) if radius is None else radius
    halo = seen if halo is None else min(seen, halo)
    halo = -(-halo // step) * step
    rows = _span(region.rows, whole.height, halo, step)
    columns = _span(region.columns, whole.width, halo, step)
    return Tile(rows, columns, whole.height, whole.width, halo, step)


def _span(kept: tuple[int, int], size: int, halo: int, step: int) -> Span:
    """Return a stretch and what is read for it, begun where the network's own steps begin."""
    first = max(0, kept[0] - halo) // step * step
    return Span((first, min(size, -(-(kept[1] + halo) // step) * step)), kept)


def _window(source: Source, index: tuple[int, ...], tile: Tile, whole: Layout) -> Array:
    """Return the pixels that a tile of a plane reads, filled as those of the whole plane are."""
    rows, columns = tile.rows.read_slice, tile.columns.read_slice
    window = np.asarray(source.pixels[(*index, rows, columns)])
    if not _has_holes(window, whole):
        return window
    layout = replace(whole, leading=(), channel_axis=None)
    if whole.height * whole.width <= LOOKED_AT:  # the nearest pixel may lie outside the window
        return filled(np.asarray(source.pixels[index]), layout, "fill")[rows, columns]
    height, width = tile.window
    return filled(window, replace(layout, height=height, width=width), "fill")


def _has_holes(window: Array, whole: Layout) -> bool:
    hidden = whole.channels == 4 and not np.all(window[..., 3])
    return hidden or (whole.dtype.kind == "f" and not np.isfinite(window).all())
