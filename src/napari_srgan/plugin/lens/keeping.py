"""What of a layer is to become a lasting result, and the layer that it becomes."""

from __future__ import annotations

from collections.abc import Generator
from threading import Event
from typing import TYPE_CHECKING

import napari.layers
import numpy as np

from napari_srgan.inference.settings import Progress
from napari_srgan.plugin.layers import upscaled_layer
from napari_srgan.plugin.lens.messages import Look, Picture
from napari_srgan.plugin.lens.regions import NothingSeenError, Region, region_of_shape
from napari_srgan.plugin.messages import Failed, Stopped
from napari_srgan.plugin.slices import to_layer_units
from napari_srgan.plugin.worker import not_loaded

if TYPE_CHECKING:
    from napari.components import ViewerModel


def region_of_shapes(viewer: ViewerModel, layer: napari.layers.Image) -> Region:
    """Return what the selected shape, or else the last one, encloses of a layer's shown plane.

    It is that of the Shapes layer that is selected, or else of the topmost that holds any.

    Raises
    ------
    NothingSeenError
        If there is no shape, or none of the layer's pixels in it.
    """
    drawn = [each for each in viewer.layers if isinstance(each, napari.layers.Shapes) and each.data]
    if not drawn:
        raise NothingSeenError("There is no shape: draw a rectangle in a Shapes layer.")
    active = viewer.layers.selection.active
    shapes = active if active in drawn else drawn[-1]
    number = max(shapes.selected_data, default=len(shapes.data) - 1)
    corners = np.array([shapes.data_to_world(vertex) for vertex in shapes.data[number]])
    in_own_units = to_layer_units(shapes, np.ones(shapes.ndim), viewer.layers.units)
    vertices = np.tile(np.asarray(viewer.dims.point, float), (len(corners), 1))
    vertices[:, -shapes.ndim :] = corners / in_own_units
    return region_of_shape(viewer, layer, vertices)


def iter_kept(look: Look, stop: Event) -> Generator[Progress, None, Picture | Failed | Stopped]:
    """Upscale a region for good, yielding progress; torch is imported here, in the thread."""
    try:
        from napari_srgan.plugin.lens import work
    except (ImportError, OSError) as error:
        return not_loaded(error)
    return (yield from work.iter_kept(look, stop))


def kept_layer(stands_for: napari.layers.Image, picture: Picture) -> napari.layers.Image:
    """Return a layer of an upscaled region, in its place.

    Parameters
    ----------
    stands_for : napari.layers.Image
        For the level that it is a region of.
    picture : Picture
        The region.
    """
    region = picture.region
    where = {"start": region.start, "stop": region.stop, "level": region.level}
    made_by = {**picture.made_by, "region": where}
    return upscaled_layer(stands_for, picture.pixels, picture.scale, made_by, region.start)
