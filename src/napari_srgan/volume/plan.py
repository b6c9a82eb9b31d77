"""How an image is upscaled into the arrays of a store: its windows, which nothing else changes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_srgan.inference.images import Array, Layout, fill_not_finite, layout_of
from napari_srgan.inference.run import set_up
from napari_srgan.inference.settings import Settings
from napari_srgan.inference.tiling import Span, Tile
from napari_srgan.inference.values.blocks import Blocks, plane_of
from napari_srgan.inference.values.ranges import ValueRange, range_for
from napari_srgan.ngff.image import NgffImage
from napari_srgan.ngff.levels import WINDOW, Level, levels_for
from napari_srgan.pyramid import stretches
from napari_srgan.store.checkpoint import Model


@dataclass(frozen=True)
class Part:
    """A window of one plane.

    Attributes
    ----------
    index : tuple of int
        Of the plane, along the axes before it.
    tile : Tile
        Where the window lies, and what it is computed from.
    """

    index: tuple[int, ...]
    tile: Tile

    @property
    def key(self) -> str:
        """What tells it from all other windows."""
        return f"{self.index} {self.tile.rows.write} {self.tile.columns.write}"


@dataclass(frozen=True)
class Plan:
    """What is upscaled, how, and into which arrays.

    Attributes
    ----------
    image : NgffImage
        What is upscaled.
    layout : Layout
        Of its array.
    levels : tuple of Level
        Of the result.
    ranges : tuple of ValueRange
        Black and white, of each channel or of all.
    model, settings
        Which upscale it.
    radius : int or None
        Pixels on each side that a result depends on; None where it depends on all.
    step : int
        Windows begin at multiples of it.
    """

    image: NgffImage
    layout: Layout
    levels: tuple[Level, ...]
    ranges: tuple[ValueRange, ...]
    model: Model
    settings: Settings
    radius: int | None
    step: int

    def parts(self) -> Iterator[Part]:
        """Yield all windows, plane by plane; they are the same ones whatever is done."""
        tiles = list(self._tiles())
        for index in self.layout.indices():
            yield from (Part(index, tile) for tile in tiles)

    def range_of(self, part: Part) -> ValueRange:
        """Return black and white of a window's plane."""
        return range_for(self.ranges, self.layout, part.index)

    def _tiles(self) -> Iterator[Tile]:
        height, width = self.layout.height, self.layout.width
        edge = max(height, width) if self.radius is None else WINDOW
        halo = -(-(self.radius or 0) // self.step) * self.step

        def spans(size: int) -> list[Span]:
            return [
                Span((max(0, a - halo), min(size, b + halo)), (a, b))
                for a, b in stretches(size, edge)
            ]

        columns = spans(width)
        for rows in spans(height):
            yield from (Tile(rows, each, height, width, halo, self.step) for each in columns)


def layout_for(image: NgffImage) -> Layout:
    """Return how an image's array is read."""
    shape, dtype = image.array.shape, image.array.dtype
    return layout_of(shape, dtype, image.colour_axis is not None, image.channel_axis)


def plan_of(
    image: NgffImage, model: Model, ranges: tuple[ValueRange, ...], settings: Settings
) -> Plan:
    """Return the plan for an image, whose black and white are known."""
    layout = layout_for(image)
    network = set_up(layout, model, settings).network
    levels = tuple(levels_for(layout.height, layout.width, model.scale))
    return Plan(image, layout, levels, ranges, model, settings, network.radius, network.step)


class Pixels:
    """The pixels of an image, read window by window as the network is to see them.

    Where values that are not finite are to be filled, a plane that has some is read as a whole.
    """

    def __init__(self, image: NgffImage, layout: Layout, *, fill: bool) -> None:
        self._array, self._fill = image.array, fill and layout.dtype.kind == "f"
        self._filled: tuple[tuple[int, ...], Array | None] | None = None

    def read(self, index: tuple[int, ...], rows: Span, columns: Span) -> Array:
        """Return what spans of a plane read."""
        window = rows.read_slice, columns.read_slice
        filled = self._filled_plane(index) if self._fill else None
        if filled is not None:
            return filled[window]
        return np.asarray(self._array[(*index, *window)])

    def _filled_plane(self, index: tuple[int, ...]) -> Array | None:
        if self._filled is None or self._filled[0] != index:
            plane = plane_of(self._array, index)
            whole = all(bool(np.isfinite(block).all()) for block in Blocks(plane))
            self._filled = index, None if whole else fill_not_finite(np.asarray(plane[:, :]))
        return self._filled[1]


def digest_of(pixels: Array) -> str:
    """Return what tells pixels from others, as a few letters."""
    return hashlib.blake2b(np.ascontiguousarray(pixels).data, digest_size=12).hexdigest()


def job_of(plan: Plan, source: Path | None) -> dict[str, Any]:
    """Return what tells one job from another, in values of JSON.

    The pixels are no part of it: each window that is done has the digest of those it was made of.
    """
    image, settings = plan.image, plan.settings
    return {
        "journal": 2,
        "source": str(source.resolve()) if source else image.name,
        "array": [list(image.array.shape), str(image.array.dtype), image.zarr_format],
        "described": [image.multiscale, image.ome],
        "model": [str(plan.model.name), plan.model.sha256, plan.model.scale],
        "ranges": [[each.low, each.high, each.floor, each.ceiling] for each in plan.ranges],
        "settings": [settings.device, settings.precision, settings.tile, settings.nan,
                     settings.quality, settings.consistent],
        "window": WINDOW,
    }  # fmt: skip
