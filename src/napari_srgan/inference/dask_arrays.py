"""Dask arrays: upscaled lazily, window by window, with the same result as all at once."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
from dask.delayed import delayed

from napari_srgan.graph.network import InferenceNetwork
from napari_srgan.inference.devices import choose_devices, choose_precision, precision_name
from napari_srgan.inference.images import (
    Array,
    Layout,
    check_not_masked,
    layout_of,
)
from napari_srgan.inference.run import filled, iter_window, set_up
from napari_srgan.inference.settings import Settings, provenance
from napari_srgan.inference.tiling import Tile, tiles
from napari_srgan.inference.values.extent import plane_extent
from napari_srgan.inference.values.ranges import ValueRange, fixed_range, range_for, range_of_planes
from napari_srgan.inference.values.rules import Normalize, Rule, is_fixed, rule_for
from napari_srgan.store.checkpoint import Model
from napari_srgan.store.reference import ModelReference, referred

logger = logging.getLogger(__name__)

WINDOW = 1024  # input pixels that a chunk of the result comes from at most, along each axis

# dask starts a task for every processor, but one network at a time already uses them all, and
# takes the memory that was free when its tile size was chosen.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class _Window:
    """Upscales a window of a plane, of which a chunk of the result is kept."""

    settings: Settings
    tile: Tile

    def __call__(self, window: Array, values: ValueRange, model: Model | ModelReference) -> Array:
        check_not_masked(window)  # of chunks that the array did not say are masked
        if isinstance(model, ModelReference):
            model = model.load()
        pixels = np.asarray(window)
        rows, columns = self.tile.rows, self.tile.columns
        shape = (model.scale * rows.length, model.scale * columns.length, *pixels.shape[2:])
        high = np.empty(shape, pixels.dtype)
        with _one_at_a_time:
            for _ in iter_window(pixels, self.tile, values, model, self.settings, high):
                pass
        return high


@dataclass(frozen=True)
class _Filled:
    """Fills what is not finite, and hidden colours, from neighbours that a window may not have."""

    settings: Settings
    colour: bool

    def __call__(self, plane: Array) -> Array:
        check_not_masked(plane)
        plane = np.asarray(plane)
        layout = layout_of(plane.shape, plane.dtype, self.colour)
        return filled(plane, layout, self.settings.nan)


def upscale_lazily(
    image: da.Array,
    model: Model,
    *,
    rgb: bool | None = None,
    normalize: Normalize = "auto",
    channel_axis: int | None = None,
    settings: Settings,
) -> da.Array:
    """Return the upscaled array as a dask array, of which nothing has been computed.

    Each chunk of the result is one plane, or a part of it where planes are large. Parameters and
    errors are those of :func:`napari_srgan.upscale`; those that depend on pixel values are raised
    when a chunk is computed.

    Raises
    ------
    ValueError
        If the array's shape is not known.
    """
    if any(math.isnan(size) for size in image.shape):
        raise ValueError(
            f"The array's shape {image.shape} is not known yet: call its compute_chunk_sizes()."
        )
    check_not_masked(image)
    layout = layout_of(image.shape, image.dtype, rgb, channel_axis)
    # Now rather than when a chunk is computed, for its errors.
    network = set_up(layout, model, settings).network
    ranges = _lazy_ranges(image, layout, normalize)
    shared = delayed(referred(model), pure=True, traverse=False)
    windows = [_Window(settings, tile) for tile in _windows(layout, network)]
    planes = [
        _lazy_plane(
            _whole_if_filled(image[index], layout, settings),
            windows,
            range_for(ranges, layout, index),
            shared,
            model.scale,
        )
        for index in layout.indices()
    ]
    result: da.Array = da.stack(planes).reshape(layout.shape(model.scale))
    if not layout.dtype.isnative:  # joining chunks made it so
        result = da.map_blocks(np.asarray, result, layout.dtype, dtype=layout.dtype)
    return result


def planned_provenance(
    model: Model, normalize: Normalize, settings: Settings, dtype: np.dtype[Any]
) -> dict[str, Any]:
    """Return the provenance of a lazy result as it will be, if no device runs out of memory."""
    device, *_ = choose_devices(settings.device)
    precision = precision_name(choose_precision(settings.precision, device, dtype))
    return provenance(model, normalize, settings, device=str(device), precision=precision)


def _windows(layout: Layout, network: InferenceNetwork) -> Iterator[Tile]:
    """Yield what chunks of the result are computed from; whole planes where a pixel sees all."""
    halo = network.radius
    edge = max(layout.height, layout.width) if halo is None else WINDOW
    yield from tiles(layout.height, layout.width, edge, halo or 0, network.step)


@dataclass(frozen=True)
class _SharedRange:
    """Finds the value range of a lazy array, once in a process for all chunks and computations."""

    image: da.Array
    layout: Layout
    rule: Rule
    channel: int

    def __call__(self) -> ValueRange:
        with _finding:
            key = self.image.name, self.layout, self.rule, self.channel
            if key not in _found:
                if len(_found) >= _MOST_FOUND:
                    del _found[next(iter(_found))]
                _found[key] = self._find()
            return _found[key]

    def _find(self) -> ValueRange:
        parts = [
            delayed(plane_extent)(self.image[index], self.layout, self.rule)
            for index in self.layout.indices()
            if self.layout.channel_of(index) == self.channel
        ]
        # By threads in a cluster's worker too, which would wait for itself if it asked for more.
        known = delayed(parts).compute(scheduler="threads")
        found = range_of_planes(known, self.layout, self.rule)
        if found.warning:
            logger.warning("%s", found.warning)
        return found


_MOST_FOUND = 64  # value ranges of arrays that are kept
_found: dict[tuple[str, Layout, Rule, int], ValueRange] = {}
_finding = threading.Lock()


def _lazy_ranges(image: da.Array, layout: Layout, normalize: Normalize) -> list[Any]:
    """Return the value range of each channel, delayed ones where they depend on the pixels."""
    rule = rule_for(layout.dtype, normalize)
    if is_fixed(rule):
        return [fixed_range(layout.dtype, rule)]
    # Not part of the graph: each computation would read the whole array for it once more.
    return [
        delayed(_SharedRange(image, layout, rule, channel), pure=True, traverse=False)()
        for channel in range(layout.channel_axis_length)
    ]


def _whole_if_filled(plane: da.Array, layout: Layout, settings: Settings) -> da.Array:
    """Return a plane, as one chunk that is filled when computed if it may need to be."""
    if layout.channels != 4 and (layout.dtype.kind != "f" or settings.nan != "fill"):
        return plane
    filled = delayed(_Filled(settings, layout.channels > 0), pure=True)(plane)
    result: da.Array = da.from_delayed(filled, plane.shape, plane.dtype)
    return result


def _lazy_plane(
    plane: da.Array, windows: list[_Window], values: Any, model: Any, scale: int
) -> da.Array:
    """Return one plane, upscaled when asked for, in a chunk for each window."""
    strips: dict[tuple[int, int], list[da.Array]] = {}
    for window in windows:
        rows, columns = window.tile.rows, window.tile.columns
        pixels = plane[rows.read_slice, columns.read_slice]
        high = delayed(window, pure=True)(pixels, values, model)
        shape = (scale * rows.length, scale * columns.length, *plane.shape[2:])
        strips.setdefault(rows.write, []).append(da.from_delayed(high, shape, plane.dtype))
    joined = [da.concatenate(strip, axis=1) for strip in strips.values()]
    result: da.Array = da.concatenate(joined, axis=0)
    return result
