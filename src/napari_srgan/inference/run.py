"""Run a generator over an image of any size: exact, and cancelled within a tile or a band."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Lock
from typing import Any

import numpy as np
import torch

from napari_srgan.inference.devices import (
    choose_devices,
    choose_precision,
    release_memory,
)
from napari_srgan.inference.engine import Ladder, NoMemoryForBandsError, iter_streamed, iter_tiled
from napari_srgan.inference.images import (
    Array,
    Layout,
    Normalize,
    ValueRange,
    count_not_finite,
    fill_not_finite,
    layout_of,
    parse_normalize,
    value_range,
)
from napari_srgan.inference.multi_device import iter_spread
from napari_srgan.inference.planes import Plane
from napari_srgan.inference.planning import Bands, Tiles, check_tile, halo_of
from napari_srgan.inference.runner import Runner, inference_network
from napari_srgan.inference.settings import NotFinite, Progress, Settings, finish
from napari_srgan.inference.tiling import Span, spans
from napari_srgan.inference.verify import first_use_note
from napari_srgan.store.cache import cache_folder
from napari_srgan.store.checkpoint import Model

log = logging.getLogger(__name__)


def set_up(layout: Layout, model: Model, settings: Settings) -> Runner:
    """Return what runs a model on images of this layout, on the first of its devices.

    Nothing is placed on the device yet. Errors are those of :func:`napari_srgan.upscale` that do
    not depend on the pixels.
    """
    network = inference_network(model, colour=layout.channels > 0)
    device, *_ = choose_devices(settings.device)
    precision = choose_precision(settings.precision, device, layout.dtype)
    check_tile(settings.tile)
    return Runner(network, device, precision)


def upscale_array(
    image: Array,
    model: Model,
    *,
    rgb: bool | None = None,
    normalize: Normalize | ValueRange = "auto",
    settings: Settings,
    out: Any = None,
) -> Any:
    """Upscale an array; see :func:`iter_upscale_array`."""
    return finish(
        iter_upscale_array(image, model, rgb=rgb, normalize=normalize, settings=settings, out=out)
    )


def iter_upscale_array(
    image: Array,
    model: Model,
    *,
    rgb: bool | None = None,
    normalize: Normalize | ValueRange = "auto",
    settings: Settings,
    out: Any = None,
) -> Generator[Progress, None, Any]:
    """Upscale an array, yielding progress after every band or tile and returning the result.

    Parameters and errors are those of :func:`napari_srgan.upscale`; ``normalize`` may also be a
    range that was worked out before. Errors that do not depend on the pixels are raised at the
    call, before the first step. Closing the generator stops the work and frees its memory.
    """
    layout = layout_of(image.shape, image.dtype, rgb)
    if not isinstance(normalize, ValueRange):
        parse_normalize(normalize)
    runner = set_up(layout, model, settings)
    # Before the pixels are looked at, which takes long where the result is too large for memory.
    out = _result(out, layout, model.scale)
    return _iter_upscale(image, model, layout, runner, normalize, settings, out)


def _iter_upscale(
    image: Array,
    model: Model,
    layout: Layout,
    runner: Runner,
    normalize: Normalize | ValueRange,
    settings: Settings,
    out: Any,
) -> Generator[Progress, None, Any]:
    fill = must_fill(image, layout, settings.nan)
    if not isinstance(normalize, ValueRange):
        normalize = value_range(image, layout, normalize)
    devices = choose_devices(settings.device)
    parts = _parts(layout, len(devices), halo_of(runner.network))
    widest = replace(layout, width=max(part.read_length for part in parts))
    runners = [runner, *(runner.elsewhere(device) for device in devices[1:])]
    ladders = [_ladder(each, widest, settings.tile) for each in runners]
    total = layout.planes * layout.height * sum(part.read_length for part in parts)
    done = 0
    run = _Run(image, out, layout, normalize, model.scale, fill)
    jobs = itertools.product(layout.indices(), parts)
    workers = [partial(run.iter_part, ladder=ladder) for ladder in ladders]
    try:
        for device in devices:
            if note := first_use_note(model, device, runner.precision, cache_folder()):
                yield Progress(0, total, str(device), note)
        for pixels, device, note in iter_spread(jobs, workers):
            done += pixels
            yield Progress(done, total, str(device), note)
    finally:
        for device in devices:
            release_memory(device)
    return out


@dataclass(frozen=True)
class _Run:
    """What is done to every plane of an image."""

    image: Array
    out: Any
    layout: Layout
    values: ValueRange
    scale: int
    fill: bool
    writing: Lock = field(default_factory=Lock)

    def iter_part(
        self, part: tuple[tuple[int, ...], Span], ladder: Ladder
    ) -> Iterator[tuple[int, torch.device, str]]:
        """Upscale columns of a plane, yielding pixels done, where, and what one should know."""
        index, columns = part
        pixels = fill_not_finite(self.image[index]) if self.fill else self.image[index]
        target = _Part(self.out, index, self.writing)
        plane = Plane(pixels, target, self.layout, self.values, self.scale, columns)
        for done, note in _iter_plane(plane, ladder):
            yield done, ladder.runner.device, note


def _parts(layout: Layout, count: int, halo: int) -> list[Span]:
    """Return the columns that planes are cut into for so many devices to have work, if worth it."""
    parts = min(math.ceil(count / layout.planes), max(1, layout.width // (8 * halo)))
    return spans(layout.width, math.ceil(layout.width / parts), halo)


def _ladder(runner: Runner, layout: Layout, tile: int | str) -> Ladder:
    bands = Bands.of(layout, runner) if tile == "auto" else None
    return Ladder(runner, Tiles.of(tile, runner), bands)


def _iter_plane(plane: Plane, ladder: Ladder) -> Iterator[tuple[int, str]]:
    """Upscale a plane, yielding input pixels done and what the user should know."""
    done = 0
    if ladder.bands is not None:
        try:
            for pixels in iter_streamed(plane, ladder.runner, ladder.bands):
                done += pixels
                yield pixels, ""
        except NoMemoryForBandsError as error:
            log.info("no memory for a band: %s", error)
        else:
            return
        # Not before the error is gone, which holds on to the stream's memory.
        yield -done, ladder.leave_bands()  # the plane begins again
    yield from iter_tiled(plane, ladder)


def _result(out: Any, layout: Layout, scale: int) -> Any:
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


@dataclass(frozen=True)
class _Part:
    """A plane of an array that need not be NumPy's, whose own slices may be copies."""

    whole: Any
    index: tuple[int, ...]
    writing: Lock  # planes may share a chunk of a file

    def __setitem__(self, place: tuple[slice, slice], pixels: Array) -> None:
        with self.writing:
            self.whole[(*self.index, *place)] = pixels


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
