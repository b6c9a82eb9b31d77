"""Run a generator over an image of any size: exact, and cancelled within a tile or a band."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Iterator
from typing import Any

import numpy as np

from napari_srgan.graph.refine import Refinement
from napari_srgan.inference.devices import (
    choose_devices,
    choose_precision,
    precision_name,
    release_memory,
)
from napari_srgan.inference.engine import Engine
from napari_srgan.inference.images import (
    Array,
    Layout,
    check_not_masked,
    count_not_finite,
    fill_not_finite,
    fill_transparent,
    layout_of,
)
from napari_srgan.inference.multi_device import iter_spread
from napari_srgan.inference.planes import Normalization, Plane, Target
from napari_srgan.inference.planning import Tiles, check_tile
from napari_srgan.inference.runner import Runner, runner_for
from napari_srgan.inference.settings import NotFinite, Progress, Settings, finish
from napari_srgan.inference.tiling import Tile
from napari_srgan.inference.values.ranges import (
    ChannelRanges,
    ValueRange,
    range_for,
    value_ranges,
)
from napari_srgan.inference.values.rules import Normalize, parse_normalize
from napari_srgan.inference.verify import first_use_note
from napari_srgan.store.cache import cache_folder
from napari_srgan.store.checkpoint import Model

log = logging.getLogger(__name__)


def set_up(
    layout: Layout,
    model: Model,
    settings: Settings,
    *,
    spread: bool = False,
) -> Runner:
    """Return what runs a model on images of this layout, on the first of its devices.

    Nothing is placed on the device yet. Errors are those of :func:`napari_srgan.upscale` that do
    not depend on the pixels. Whether the spread of an ensemble is wanted too, ``spread`` says.
    """
    device, *_ = choose_devices(settings.device)
    precision = choose_precision(settings.precision, device, layout.dtype)
    check_tile(settings.tile)
    refinement = Refinement(
        ensemble=settings.quality == "ensemble",
        spread=spread,
        consistent=settings.consistent,
    )
    runner = runner_for(
        model,
        colour=layout.channels > 0,
        device=device,
        precision=precision,
        refinement=refinement,
    )
    if settings.tile != "auto":
        Tiles.of(settings.tile, runner)  # for its errors
    return runner


def upscale_array(
    image: Array,
    model: Model,
    *,
    rgb: bool | None = None,
    normalize: Normalize | ValueRange | ChannelRanges = "auto",
    channel_axis: int | None = None,
    settings: Settings,
    out: Any = None,
) -> Any:
    """Upscale an array; see :func:`iter_upscale_array`."""
    return finish(
        iter_upscale_array(
            image,
            model,
            rgb=rgb,
            normalize=normalize,
            channel_axis=channel_axis,
            settings=settings,
            out=out,
        )
    )


def upscale_array_with_spread(
    image: Array, model: Model, *, rgb: bool | None = None, settings: Settings
) -> tuple[Any, Array]:
    """Upscale an array, and return the standard deviation over eight orientations with it."""
    layout = layout_of(image.shape, image.dtype, rgb)
    spread = np.empty(layout.shape(model.scale)[: len(layout.leading) + 2], np.float32)
    steps = iter_upscale_array(image, model, rgb=rgb, settings=settings, spread=spread)
    return finish(steps), spread


def iter_upscale_array(
    image: Array,
    model: Model,
    *,
    rgb: bool | None = None,
    normalize: Normalize | ValueRange | ChannelRanges = "auto",
    channel_axis: int | None = None,
    settings: Settings,
    out: Any = None,
    spread: Any = None,
) -> Generator[Progress, None, Any]:
    """Upscale an array, yielding progress after every band or tile and returning the result.

    Parameters and errors are those of :func:`napari_srgan.upscale`; ``normalize`` may also be what
    was worked out before, and ``spread`` an array ``(…, scale·h, scale·w)`` to fill with
    the standard deviation over an ensemble, in the image's units. Errors that do not depend on the
    pixels are raised at the call, before the first step. Closing the generator stops the work and
    frees its memory.
    """
    check_not_masked(image)
    layout = layout_of(image.shape, image.dtype, rgb, channel_axis)
    if not isinstance(normalize, (ValueRange, ChannelRanges)):
        parse_normalize(normalize)
    runner = set_up(layout, model, settings, spread=spread is not None)
    # Before the pixels are looked at, which takes long where the result is too large for memory.
    out = result_array(out, layout, model.scale)
    targets = Target(out), None if spread is None else Target(spread)
    return _iter_upscale(image, model, layout, runner, normalize, settings, targets)


def _iter_upscale(
    image: Array,
    model: Model,
    layout: Layout,
    runner: Runner,
    normalize: Normalize | ValueRange | ChannelRanges,
    settings: Settings,
    targets: tuple[Target, Target | None],
) -> Generator[Progress, None, Any]:
    fill = must_fill(image, layout, settings.nan)
    ranges = value_ranges(image, layout, normalize)
    precision = precision_name(runner.precision)
    if note := _whole_image_note(model, runner):
        yield Progress(0, layout.pixels, str(runner.device), precision, note)
    for channel, values in enumerate(ranges):
        for note in _range_notes(values, channel if len(ranges) > 1 else None):
            yield Progress(0, layout.pixels, str(runner.device), precision, note)
    if settings.consistent:  # what reduces to the brightest pixel may be brighter
        ranges = tuple(values.widened(layout.dtype) for values in ranges)
    target, spread = targets
    planes = (
        Plane.of(
            fill_not_finite(image[index]) if fill else image[index],
            layout, range_for(ranges, layout, index), model.scale, target, index, spread,
        )
        for index in layout.indices()
    )  # fmt: skip
    yield from iter_planes(planes, model, layout, runner, settings)
    return target.whole


def _whole_image_note(model: Model, runner: Runner) -> str:
    """Return what the user should know of a model that needs the whole image at once."""
    if runner.network.radius is not None:
        return ""
    note = (
        f"{model.name} computes each image as a whole, which takes more memory than rows or tiles: "
        f"{runner.network.why_not_rows}"
    )
    log.warning(note)
    return note


def _range_notes(values: ValueRange, channel: int | None) -> Iterator[str]:
    """Yield what the user should know of black and white, and of values beyond them."""
    of = "" if channel is None else f" of channel {channel}"
    if values.sets_apart:
        yield (
            f"Black and white{of} are {values.low:g} and {values.high:g}. The image reaches from "
            f"{values.minimum:g} to {values.maximum:g}: what lies far beyond is interpolated "
            "linearly."
        )
    if values.warning:
        log.warning("%s", values.warning)
        yield values.warning if channel is None else f"Channel {channel}: {values.warning}"


def iter_planes(
    planes: Iterable[Plane], model: Model, layout: Layout, runner: Runner, settings: Settings
) -> Iterator[Progress]:
    """Upscale planes of a layout, each on the first device that is free, yielding progress.

    Parameters
    ----------
    planes : iterable of Plane
        As many as the layout has; each is made when a device is free for it.
    model : Model
        Whose self-test is run at its first use on a device.
    layout : Layout
        Of the image.
    runner : Runner
        As :func:`set_up` returns it.
    settings : Settings
        As for that.
    """
    devices = choose_devices(settings.device)[: layout.planes]
    runners = [runner, *(runner.on(device) for device in devices[1:])]
    engines = [Engine(each, layout, settings.tile) for each in runners]
    total, done = layout.pixels, 0
    try:
        for device in devices:
            if note := first_use_note(model, device, runner.precision, cache_folder()):
                yield Progress(0, total, str(device), precision_name(runner.precision), note)
        for step in iter_spread(planes, [engine.iter_plane for engine in engines]):
            done += step.pixels
            precision = precision_name(step.precision)
            yield Progress(done, total, str(step.device), precision, step.note)
    finally:
        for device in devices:
            release_memory(device)


def iter_window(
    pixels: Array, tile: Tile, values: ValueRange, model: Model, settings: Settings, high: Array
) -> Iterator[Progress]:
    """Upscale a window of a plane, of which a part is kept, yielding progress.

    Parameters
    ----------
    pixels : ndarray
        What ``tile`` reads: ``(h, w)`` or ``(h, w, 3|4)``, :func:`filled`.
    tile : Tile
        Where the window lies, and what of it is kept.
    values : ValueRange
        Of the whole image.
    model, settings
        Which upscale it.
    high : ndarray
        Filled with the result: that of the part that is kept.
    """
    alpha = pixels[..., 3] if pixels.ndim == 3 and pixels.shape[2] == 4 else None
    colours = pixels if alpha is None else pixels[..., :3]
    layout = layout_of(colours.shape, colours.dtype, pixels.ndim == 3)
    values = values.widened(layout.dtype) if settings.consistent else values
    keep = tile.rows.crop_slice(), tile.columns.crop_slice()
    normalization = Normalization(values, layout.dtype)
    plane = Plane(colours, alpha, normalization, model.scale, Target(high), keep=keep)
    must_fill(colours, layout, settings.nan)  # for its error
    runner = set_up(layout, model, settings)
    yield from iter_planes([plane], model, layout, runner, settings)


def result_array(out: Any, layout: Layout, scale: int) -> Any:
    """Return the array to fill: a new one, or the one given if it suits.

    Raises
    ------
    ValueError
        If it has another shape or dtype than the result.
    """
    shape = layout.shape(scale)
    if out is None:
        return np.empty(shape, layout.dtype)
    if tuple(out.shape) != shape or out.dtype != layout.dtype:
        raise ValueError(
            f"The result is {layout.dtype} of shape {shape}; out is {out.dtype} of shape "
            f"{tuple(out.shape)}."
        )
    return out


def must_fill(image: Array, layout: Layout, nan: NotFinite) -> bool:
    """Return whether values must be filled, after refusing those that must not be there.

    Raises
    ------
    ValueError
        If the image has NaN or infinite values and ``nan`` is not ``fill``; it counts them.
    """
    missing, infinite = count_not_finite(image, layout)
    if (missing or infinite) and nan == "error":
        raise ValueError(
            f"The image has {missing} NaN and {infinite} infinite values. "
            "Replace them, or say nan='fill' to fill them from their nearest finite neighbour."
        )
    return bool(missing or infinite)


def filled(plane: Array, layout: Layout, nan: NotFinite) -> Array:
    """Return a plane with values that are not finite, and colours under alpha 0, filled.

    Each becomes the nearest one that is finite and visible. Errors are those of :func:`must_fill`.
    """
    if must_fill(plane, layout, nan):
        plane = fill_not_finite(plane)
    if layout.channels == 4:
        plane = np.concatenate([fill_transparent(plane), plane[..., 3:]], axis=-1)
    return plane
