"""OME-Zarr to OME-Zarr: an image of any size, upscaled window by window into a pyramid."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from napari_srgan.files.provenance import KEY
from napari_srgan.inference.devices import precision_name
from napari_srgan.inference.images import Array, Layout, fill_not_finite, layout_of
from napari_srgan.inference.run import iter_window, must_fill, set_up
from napari_srgan.inference.settings import Progress, Settings, chained, iter_recorded
from napari_srgan.inference.tiling import Span, Tile
from napari_srgan.inference.values.ranges import ValueRange, range_for, value_ranges
from napari_srgan.inference.values.rules import Normalize
from napari_srgan.ngff.levels import WINDOW, Level, attributes_of, levels_for
from napari_srgan.ngff.making import Making, hidden_folder, made_whole
from napari_srgan.ngff.stored import StoredImage, open_image
from napari_srgan.pyramid import Coarser, halved, stretches
from napari_srgan.store.checkpoint import Model

_logger = logging.getLogger(__name__)


def check_target(source: Path, target: Path, *, overwrite: bool) -> None:
    """Refuse a place where a store cannot be, or where something would be lost.

    Raises
    ------
    OSError
        If the folder is missing, or something is there that may not be replaced.
    ValueError
        If it is the source, lies within it, or is not called ``.zarr``.
    """
    place, origin = target.resolve(), source.resolve()
    if target.suffix != ".zarr":
        raise ValueError(f"An OME-Zarr image becomes one: name the output .ome.zarr, not {target}.")
    if place == origin or origin in place.parents or place in origin.parents:
        raise ValueError(f"{target} is the input, or lies within it. Name another output.")
    if not place.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {place.parent} to write {target.name} into.")
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target} exists. Use --overwrite to replace it.")


def iter_upscale_store(
    source: Path, target: Path, model: Model, *, normalize: Normalize, settings: Settings
) -> Generator[Progress, None, None]:
    """Upscale an OME-Zarr image into a pyramid, yielding progress.

    The target appears when it is whole. What was done before an interruption, even a kill, is kept
    beside it, hidden, and is not done again; the result is the same to the bit. Memory is that for
    a window of 1024 × 1024 pixels, and for one plane of the input where the value range depends on
    its pixels. Channels have a value range each. Labels are left where they are.

    Raises
    ------
    OSError
        If the source cannot be read, or the target not written.
    ValueError, TypeError, MemoryError
        As :func:`napari_srgan.upscale` does.
    """
    image = open_image(source)
    layout = layout_of(image.array.shape, image.array.dtype, False, image.channel_axis)
    set_up(layout, model, settings)  # for its errors
    levels = levels_for(layout.height, layout.width, model.scale)
    with made_whole(target, _job(image, model, normalize, settings)) as making:
        if "arrays" not in making.done:
            _create(making, image, levels)
            making.mark("arrays")
        work = _iter_windows(making, image, layout, levels, model, normalize, settings)
        _, made_by = yield from iter_recorded(work, model, normalize, settings)
        _make_coarser(making, layout, levels)
        if (source / "labels").is_dir():
            _logger.warning(
                "The labels of %s stay there: those of the result would need as many levels as it.",
                source,
            )
        record = chained({**made_by, "source": source.name}, image.record)
        _group(making).attrs.put(attributes_of(image, levels, record, KEY))


def _job(
    image: StoredImage, model: Model, normalize: Normalize, settings: Settings
) -> dict[str, Any]:
    """Return what tells one job from another."""
    return {
        "source": str(image.path.resolve()),
        "array": [list(image.array.shape), str(image.array.dtype), image.zarr_format],
        "model": [str(model.name), model.sha256],
        "normalize": list(normalize) if isinstance(normalize, tuple) else normalize,
        "settings": asdict(settings),
        "window": WINDOW,
    }


def _group(making: Making) -> Any:
    import zarr

    return zarr.open_group(making.store, mode="r+")


def _create(making: Making, image: StoredImage, levels: list[Level]) -> None:
    """Create the arrays of all levels, empty; they are no image until the group says so."""
    import zarr

    create: Any = zarr.create_group
    group = create(making.store, overwrite=True, zarr_format=image.zarr_format)
    leading = image.array.shape[:-2]
    names = {"dimension_names": [axis["name"] for axis in image.axes]}
    for level in levels:
        shapes = level.storage(image.zarr_format)
        group.create_array(
            level.path,
            shape=(*leading, *level.sides),
            dtype=image.array.dtype,
            chunk_key_encoding={"name": "default" if image.zarr_format == 3 else "v2",
                                "separator": "/"},
            **{key: (*(1,) * len(leading), *sides) for key, sides in shapes.items()},
            **(names if image.zarr_format == 3 else {}),
        )  # fmt: skip


def _iter_windows(
    making: Making,
    image: StoredImage,
    layout: Layout,
    levels: list[Level],
    model: Model,
    normalize: Normalize,
    settings: Settings,
) -> Generator[Progress, None, None]:
    """Upscale what is not done yet of every plane, window by window."""
    runner = set_up(layout, model, settings)
    where = str(runner.device), precision_name(runner.precision)
    ranges = value_ranges(image.array, layout, normalize)
    arrays = [_group(making)[level.path] for level in levels if level.factor]
    done = 0
    for index in layout.indices():
        plane = _Plane(image, layout, index, settings)
        values = range_for(ranges, layout, index)
        for tile in _windows(layout, model, settings):
            key = f"{index} {tile.rows.write} {tile.columns.write}"
            if key not in making.done:
                high = _empty(tile, layout, model.scale)
                for progress in _iter_one(plane, tile, values, model, settings, done, high):
                    where = progress.device, progress.precision
                    yield progress
                _write(arrays, high, plane.kept(tile), index, tile, model.scale)
                making.mark(key)
            done += tile.pixels
            yield Progress(done, layout.pixels, *where)


class _Plane:
    """One plane of a stored image, read in part; as a whole if values may have to be filled."""

    def __init__(
        self, image: StoredImage, layout: Layout, index: tuple[int, ...], settings: Settings
    ) -> None:
        self._image, self.layout, self._index = image, layout, index
        self._filled: Array | None = None
        if layout.dtype.kind == "f" and settings.nan == "fill":
            whole = image.array[index]
            one = replace(layout, leading=(), channel_axis=None)
            if must_fill(whole, one, settings.nan):
                self._filled = fill_not_finite(whole)

    def read(self, rows: slice, columns: slice) -> Array:
        """Return a window of the pixels, as the network is to see them."""
        if self._filled is not None:
            return self._filled[rows, columns]
        return np.asarray(self._image.array[(*self._index, rows, columns)])

    def kept(self, tile: Tile) -> Array:
        """Return the input's pixels where a window is written."""
        return self.read(slice(*tile.rows.write), slice(*tile.columns.write))


def _windows(layout: Layout, model: Model, settings: Settings) -> Iterator[Tile]:
    """Yield the windows of a plane, the same ones whatever is done: so the result is the same."""
    network = set_up(layout, model, settings).network
    halo, step = network.radius, network.step
    height, width = layout.height, layout.width
    edge = max(height, width) if halo is None else WINDOW
    halo = -(-(halo or 0) // step) * step

    def spans(size: int) -> list[Span]:
        return [
            Span((max(0, a - halo), min(size, b + halo)), (a, b)) for a, b in stretches(size, edge)
        ]

    columns = spans(width)
    for rows in spans(height):
        yield from (Tile(rows, each, height, width, halo, step) for each in columns)


def _iter_one(
    plane: _Plane,
    tile: Tile,
    values: ValueRange,
    model: Model,
    settings: Settings,
    before: int,
    high: Array,
) -> Iterator[Progress]:
    """Fill ``high`` with a window's result, yielding progress of the whole image."""
    pixels = plane.read(tile.rows.read_slice, tile.columns.read_slice)
    part = tile.pixels / pixels.size
    for step in iter_window(pixels, tile, values, model, settings, high):
        yield replace(step, done=before + int(part * step.done), total=plane.layout.pixels)


def _empty(tile: Tile, layout: Layout, scale: int) -> Array:
    return np.empty((scale * tile.rows.length, scale * tile.columns.length), layout.dtype)


def _write(
    arrays: list[Any], high: Array, low: Array, index: tuple[int, ...], tile: Tile, scale: int
) -> None:
    """Write a window into every level that is as fine as the input or finer."""
    level, factor = high, scale
    for array in arrays:
        size = array.shape[-1] // tile.width
        while factor > size > 1:
            level, factor = halved(level, 0), factor // 2
        rows, columns = ((size * a, size * b) for a, b in (tile.rows.write, tile.columns.write))
        array[(*index, slice(*rows), slice(*columns))] = low if size == 1 else level


def _make_coarser(making: Making, layout: Layout, levels: list[Level]) -> None:
    """Make the levels that are coarser than the input, each of the one before."""
    group = _group(making)
    for finer, level in pairwise(levels):
        if level.factor:
            continue
        source, target, means = group[finer.path], group[level.path], Coarser.of(*finer.sides)
        for index in layout.indices():
            for rows, columns in means.parts(WINDOW):
                window = source[(*index, *means.seen(rows, columns))]
                target[(*index, slice(*rows), slice(*columns))] = means.part(window, rows, columns)


def is_unfinished(target: Path) -> bool:
    """Tell whether a job for a target was interrupted, and can be gone on with."""
    return hidden_folder(target).is_dir()
