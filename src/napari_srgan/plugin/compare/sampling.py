"""A layer's values at the points of a grid in the world, whatever its transform and levels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_srgan.plugin.layers import pixels_at
from napari_srgan.plugin.slices import to_layer_units

if TYPE_CHECKING:
    import napari.layers
    from napari.components import ViewerModel

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """Equally spaced points of two displayed axes of a viewer's world.

    Attributes
    ----------
    origin : ndarray
        The first point, along all axes of the world.
    axes : tuple of int
        Those that run down and to the right.
    step : float
        Between two points.
    shape : tuple of int
        Points down and to the right.
    units : sequence of pint.Unit, optional
        Of the world; None where layers disagree.
    """

    origin: Floats
    axes: tuple[int, int]
    step: float
    shape: tuple[int, int]
    units: Sequence[Any] | None

    def half(self) -> Grid:
        """Return the middle half of it, from left to right."""
        height, width = self.shape
        origin = self.origin.copy()
        origin[self.axes[1]] += self.step * ((width - width // 2) // 2)
        return Grid(origin, self.axes, self.step, (height, max(1, width // 2)), self.units)


def grid_in_view(viewer: ViewerModel, layers: Sequence[napari.layers.Image]) -> Grid | None:
    """Return a point for each pixel of a viewer's canvas where one of some layers may be.

    None where none is in view, or the viewer shows a volume.
    """
    if viewer.dims.ndisplay != 2:
        return None
    down, right = viewer.dims.displayed
    axes, camera = [down, right], viewer.scene.camera
    half = np.asarray(viewer.canvas.viewbox_size(viewer.layers), float) / (2 * camera.zoom)
    middle = np.asarray(camera.center[-2:], float)
    own_axes = [axis - viewer.dims.ndim for axis in axes]  # of layers of fewer axes, the last
    extent = viewer.layers.get_extent(list(layers)).world[:, own_axes]
    margin = _half_a_pixel(viewer, layers)[own_axes]  # extents end at the centres of pixels
    low = np.maximum(middle - half, extent[0] - margin)
    high = np.minimum(middle + half, extent[1] + margin)
    step = 1 / camera.zoom
    shape = np.floor((high - low) / step).astype(int)
    if (shape < 1).any():
        return None
    origin = np.asarray(viewer.dims.point, float).copy()
    origin[axes] = low + step / 2
    return Grid(origin, (down, right), step, (int(shape[0]), int(shape[1])), viewer.layers.units)


def _half_a_pixel(viewer: ViewerModel, layers: Sequence[napari.layers.Image]) -> Floats:
    """Return half the size of the largest pixel along each axis of the world."""
    halves = np.zeros(viewer.dims.ndim)
    for layer in layers:
        own_units = to_layer_units(layer, np.ones(layer.ndim), viewer.layers.units)
        own: Floats = np.abs(layer.extent.step) / 2 / own_units
        halves[-layer.ndim :] = np.maximum(halves[-layer.ndim :], own)
    return halves


@dataclass(frozen=True)
class Samples:
    """What a layer holds at the points of a grid: ``(h, w)`` or ``(h, w, 3|4)``, and where."""

    values: NDArray[Any]
    there: NDArray[np.bool_]


@dataclass(frozen=True)
class _Lines:
    """Where the points of a grid lie among the pixels of a level: an affine function of both."""

    base: Floats
    down: Floats
    right: Floats

    def at(self, axis: int, shape: tuple[int, int]) -> Floats:
        """Return the place of each point along an axis."""
        rows = self.down[axis] * np.arange(shape[0])[:, None]
        columns = self.right[axis] * np.arange(shape[1])[None, :]
        place: Floats = self.base[axis] + rows + columns
        return place


class Sampler:
    """Takes what it needs of a layer at once, to sample it later, in another thread.

    Parameters
    ----------
    layer : napari.layers.Image
        The layer.
    grid : Grid
        Where it is sampled.
    """

    def __init__(self, layer: napari.layers.Image, grid: Grid) -> None:
        ndim = layer.ndim
        ahead = len(grid.origin) - ndim
        self.grid = grid
        self._axes = tuple(axis - ahead for axis in grid.axes)
        self._ndim = ndim
        lines = [self._in_pixels(layer, ahead, steps) for steps in ((0, 0), (1, 0), (0, 1))]
        fine = _Lines(lines[0], lines[1] - lines[0], lines[2] - lines[0])
        level, factors = self._level(layer, fine)
        self.pixels = pixels_at(layer, level)
        self._lines = _Lines(
            (fine.base + 0.5) / factors - 0.5, fine.down / factors, fine.right / factors
        )

    def _in_pixels(self, layer: napari.layers.Image, ahead: int, steps: tuple[int, int]) -> Floats:
        point = self.grid.origin.copy()
        for axis, count in zip(self.grid.axes, steps, strict=True):
            point[axis] += count * self.grid.step
        return np.asarray(
            layer.world_to_data(to_layer_units(layer, point[ahead:], self.grid.units))
        )

    def _level(self, layer: napari.layers.Image, lines: _Lines) -> tuple[int, Floats]:
        """Return the coarsest level that has a pixel for each point, and how much coarser it is."""
        if not layer.multiscale:
            return 0, np.ones(layer.ndim)
        apart = max(self._apart(lines))
        factors = np.asarray(layer.downsample_factors, float)
        fine_enough = [n for n, each in enumerate(factors) if each.max() <= max(1.0, apart)]
        return fine_enough[-1], factors[fine_enough[-1]]

    def _apart(self, lines: _Lines) -> tuple[float, float]:
        """Return how many pixels two points are apart, along both of their axes."""
        first, second = (
            math.hypot(lines.down[axis], lines.right[axis]) if axis >= 0 else 1.0
            for axis in self._axes
        )
        return first, second

    @property
    def shows(self) -> bool:
        """Whether the grid's axes are the layer's, and its plane is one of the layer's."""
        if min(self._axes) < 0:
            return False
        base, sizes = self._lines.base + _TINY, self.pixels.shape
        leading = [axis for axis in range(self._ndim) if axis not in self._axes]
        return all(-0.5 <= base[axis] < sizes[axis] - 0.5 + _TINY for axis in leading)

    def sample(self, *, linear: bool) -> Samples:
        """Return the values at the points of the grid: the nearest, or interpolated."""
        shape = self.grid.shape
        if not self.shows:
            colours = self.pixels.shape[self._ndim :]
            return Samples(np.zeros((*shape, *colours), self.pixels.dtype), np.zeros(shape, bool))
        places = [self._lines.at(axis, shape) for axis in self._axes]
        sizes = [self.pixels.shape[axis] for axis in self._axes]
        inside = [_within(place, size) for place, size in zip(places, sizes, strict=True)]
        there = inside[0] & inside[1]
        parts = [
            _stretch(place, size, apart)
            for place, size, apart in zip(places, sizes, self._apart(self._lines), strict=True)
        ]
        read = self._read(parts)
        take = _interpolated if linear else _nearest
        down, right = (
            (place - part.start) / part.step for place, part in zip(places, parts, strict=True)
        )
        return Samples(take(read, down, right), there)

    def _read(self, box: Sequence[slice]) -> NDArray[Any]:
        """Return a box of the plane, its axes as those of the grid."""
        index: list[Any] = [
            int(np.clip(np.rint(place), 0, size - 1))
            for place, size in zip(self._lines.base, self.pixels.shape, strict=False)
        ]
        for axis, part in zip(self._axes, box, strict=True):
            index[axis] = part
        plane = np.asarray(self.pixels[tuple(index)])
        return plane if self._axes[0] < self._axes[1] else plane.swapaxes(0, 1)


_TINY = 1e-6  # of a pixel


def _within(place: Floats, size: int) -> NDArray[np.bool_]:
    return (place >= -0.5) & (place < size - 0.5)


def _stretch(place: Floats, size: int, apart: float) -> slice:
    """Return which pixels along an axis are read for some points: no more than there are points."""
    low = int(np.clip(math.floor(place.min()) - 1, 0, size - 1))
    high = int(np.clip(math.ceil(place.max()) + 2, low + 1, size))
    return slice(low, high, max(1, math.floor(apart)))


def _nearest(pixels: NDArray[Any], down: Floats, right: Floats) -> NDArray[Any]:
    rows = np.clip(np.rint(down), 0, pixels.shape[0] - 1).astype(np.intp)
    columns = np.clip(np.rint(right), 0, pixels.shape[1] - 1).astype(np.intp)
    found: NDArray[Any] = pixels[rows, columns]
    return found


def _interpolated(pixels: NDArray[Any], down: Floats, right: Floats) -> NDArray[Any]:
    """Return values between the four pixels around each point; at the border the nearest."""
    down, right = down.clip(0, pixels.shape[0] - 1), right.clip(0, pixels.shape[1] - 1)
    top, left = np.floor(down).astype(np.intp), np.floor(right).astype(np.intp)
    below = np.minimum(top + 1, pixels.shape[0] - 1)
    beside = np.minimum(left + 1, pixels.shape[1] - 1)
    y, x = down - top, right - left
    if pixels.ndim == 3:
        y, x = y[..., None], x[..., None]
    wide = pixels.astype(np.float64)
    upper = wide[top, left] * (1 - x) + wide[top, beside] * x
    lower = wide[below, left] * (1 - x) + wide[below, beside] * x
    found: NDArray[Any] = upper * (1 - y) + lower * y
    return found
