"""Boxes of pixels of a layer: what a viewer shows of it, what a shape encloses, whole planes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_srgan.plugin.layers import pixels_at
from napari_srgan.plugin.slices import plane_index, shown_otherwise, to_layer_units

if TYPE_CHECKING:
    import napari.layers
    from napari.components import ViewerModel
    from numpy.typing import NDArray

MOST_PIXELS = 2**20  # that the lens shows at a time
LONGEST = 2048  # of a side: ×4 it is as long as textures may be on any card

Stretch = tuple[int, int]


class NothingSeenError(ValueError):
    """There are no pixels where they were looked for; the message says why, and what to do."""


@dataclass(frozen=True)
class Region:
    """A box of the pixels of one level of a layer.

    Attributes
    ----------
    start, stop : tuple of int
        First pixel, and the one after the last, along all axes but that of colours.
    level : int
        Of a multiscale layer, the one whose pixels are counted.
    """

    start: tuple[int, ...]
    stop: tuple[int, ...]
    level: int = 0

    @property
    def rows(self) -> Stretch:
        """Along the last axis but one."""
        return self.start[-2], self.stop[-2]

    @property
    def columns(self) -> Stretch:
        """Along the last axis."""
        return self.start[-1], self.stop[-1]

    @property
    def shape(self) -> tuple[int, ...]:
        """Pixels along each axis."""
        return tuple(b - a for a, b in zip(self.start, self.stop, strict=True))

    @property
    def pixels(self) -> int:
        """How many there are."""
        return math.prod(self.shape)

    @property
    def slices(self) -> tuple[slice, ...]:
        """What takes the box out of the level's array."""
        return tuple(slice(a, b) for a, b in zip(self.start, self.stop, strict=True))

    def planes(self) -> Iterator[tuple[int, ...]]:
        """Yield the index of each plane, last axis fastest."""
        yield from product(*(range(a, b) for a, b in zip(self.start[:-2], self.stop[:-2])))  # noqa: B905

    def contains(self, other: Region) -> bool:
        """Whether another box lies in this one."""
        return (
            self.level == other.level
            and len(self.start) == len(other.start)
            and all(a <= b for a, b in zip(self.start, other.start, strict=True))
            and all(a >= b for a, b in zip(self.stop, other.stop, strict=True))
        )

    def middle(self, most: int = MOST_PIXELS, longest: int = LONGEST) -> Region:
        """Return as much of its middle, in the same proportions, as has at most so many pixels."""
        height, width = self.shape[-2:]
        share = min(1.0, math.sqrt(most / (height * width)))
        sides = [
            (a, b, min(longest, max(1, int(share * (b - a))))) for a, b in (self.rows, self.columns)
        ]
        inner = [((a + b - length) // 2, length) for a, b, length in sides]
        start = (*self.start[:-2], *(a for a, _ in inner))
        return replace(self, start=start, stop=(*self.stop[:-2], *(a + n for a, n in inner)))


def region_in_view(viewer: ViewerModel, layer: napari.layers.Image) -> Region:
    """Return what a viewer's canvas shows of a layer: a box of one plane of the level it shows.

    Raises
    ------
    NothingSeenError
        If it shows none of its planes, or other planes than are upscaled.
    """
    if viewer.dims.ndisplay == 3:
        raise NothingSeenError("The lens works on planes: switch the screen to 2D.")
    if reason := shown_otherwise(layer, viewer.dims):
        raise NothingSeenError(reason)
    corners = _in_layer(viewer, layer, _canvas_corners(viewer))
    level = layer.data_level if layer.multiscale else 0
    plane = plane_index(layer, viewer.dims.point, level, viewer.layers.units)
    return _around(layer, corners, plane, level)


def region_of_shape(
    viewer: ViewerModel, layer: napari.layers.Image, vertices: NDArray[np.float64]
) -> Region:
    """Return the pixels of a layer, of its finest level and shown plane, that a shape encloses.

    Parameters
    ----------
    viewer : ViewerModel
        Which shows the layer.
    layer : napari.layers.Image
        The layer.
    vertices : ndarray
        Of the shape, in the viewer's world: ``(n, viewer.dims.ndim)``.

    Raises
    ------
    NothingSeenError
        If there are none.
    """
    plane = plane_index(layer, viewer.dims.point, 0, viewer.layers.units)
    return _around(layer, _in_layer(viewer, layer, vertices), plane, 0)


def whole_plane(viewer: ViewerModel, layer: napari.layers.Image) -> Region:
    """Return all pixels of the plane of a layer's finest level that a viewer shows."""
    plane = plane_index(layer, viewer.dims.point, 0, viewer.layers.units)
    size = pixels_at(layer).shape[layer.ndim - 2 : layer.ndim]
    return Region((*plane, 0, 0), (*(i + 1 for i in plane), *size))


def along(region: Region, axis: int, first: int, last: int) -> Region:
    """Return a box that has the planes from one to another, along a leading axis, instead."""
    start, stop = list(region.start), list(region.stop)
    start[axis], stop[axis] = first, last + 1
    return replace(region, start=tuple(start), stop=tuple(stop))


def _canvas_corners(viewer: ViewerModel) -> NDArray[np.float64]:
    """Return the corners of what the canvas shows, in the viewer's world."""
    displayed = list(viewer.dims.displayed)
    camera = viewer.scene.camera
    half = np.asarray(viewer.canvas.viewbox_size(viewer.layers), float) / (2 * camera.zoom)
    middle = np.asarray(camera.center[-2:], float)
    corners = np.tile(np.asarray(viewer.dims.point, float), (4, 1))
    for corner, signs in zip(corners, product((-1, 1), repeat=2), strict=True):
        corner[displayed] = middle + half * signs
    return corners


def _in_layer(
    viewer: ViewerModel, layer: napari.layers.Image, points: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return points of the viewer's world in pixels of a layer's finest level."""
    own = to_layer_units(layer, points[:, -layer.ndim :], viewer.layers.units)
    return np.array([layer.world_to_data(point) for point in own])


def _around(
    layer: napari.layers.Image,
    corners: NDArray[np.float64],
    plane: Sequence[int],
    level: int,
) -> Region:
    """Return the box, of a plane of a level, of all pixels that some corners' box touches."""
    shape: tuple[Any, ...] = pixels_at(layer, level).shape
    factors = np.asarray(layer.downsample_factors[level]) if level else np.ones(layer.ndim)
    start, stop = [*plane], [i + 1 for i in plane]
    for axis in (layer.ndim - 2, layer.ndim - 1):
        # From centres to edges: pixel i reaches from i to i + 1.
        edges = (corners[:, axis] + 0.5) / factors[axis]
        first = max(0, math.floor(edges.min() + _SLACK))
        last = min(shape[axis], math.ceil(edges.max() - _SLACK))
        if first >= last:
            raise NothingSeenError(f"None of {layer.name} is there.")
        start.append(first)
        stop.append(last)
    return Region(tuple(start), tuple(stop), level)


_SLACK = 1e-3  # of a pixel: shapes that were drawn on its edge, in float32, do not take it in
