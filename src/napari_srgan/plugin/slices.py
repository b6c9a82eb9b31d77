"""Which plane of a layer is meant by what a viewer shows, and how that is said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_srgan.plugin.layers import pixels_at

if TYPE_CHECKING:
    import napari.layers
    from numpy.typing import NDArray

_UNNAMED = re.compile(r"-?\d+|axis -?\d+|")  # what napari calls an axis that has no name


def to_layer_units(
    layer: napari.layers.Image, world: NDArray[np.float64], units: Sequence[Any] | None
) -> NDArray[np.float64]:
    """Return points ``(…, layer.ndim)`` of a viewer's world in the units of a layer.

    Parameters
    ----------
    layer : napari.layers.Image
        The layer.
    world : ndarray
        The points.
    units : sequence of pint.Unit, optional
        The world's, such as ``viewer.layers.units``; None where layers disagree, and napari
        takes numbers as they are.
    """
    if units is None or len(units) < layer.ndim:  # the layer has just left the viewer
        return world
    pairs = zip(units[-layer.ndim :], layer.units, strict=True)
    own_units: NDArray[np.float64] = world * np.array([_ratio(*pair) for pair in pairs])
    return own_units


def _ratio(unit: Any, own: Any) -> float:
    """Return how many of its own units a layer has to one of the world's."""
    if unit.dimensionality != own.dimensionality:
        return 1.0
    return float((1.0 * unit).to(own).magnitude)


def plane_index(
    layer: napari.layers.Image,
    world_point: Sequence[float] | NDArray[np.float64],
    level: int = 0,
    units: Sequence[Any] | None = None,
) -> tuple[int, ...]:
    """Return the index, along the leading axes, of the plane at a point of the world.

    Parameters
    ----------
    layer : napari.layers.Image
        The layer.
    world_point : ndarray
        Such as ``viewer.dims.point``; of its axes the layer's are the last ones.
    level : int
        Of a multiscale layer, the one whose plane is meant.
    units : sequence of pint.Unit, optional
        As for :func:`to_layer_units`.
    """
    own = np.asarray(world_point, float)[len(world_point) - layer.ndim :]
    point = np.asarray(layer.world_to_data(to_layer_units(layer, own, units)))
    if level:
        point = point / layer.downsample_factors[level]  # as napari finds what it shows
    leading = pixels_at(layer, level).shape[: layer.ndim - 2]
    return tuple(
        int(np.clip(np.rint(value), 0, size - 1))
        for value, size in zip(point, leading, strict=False)
    )


def plane_name(layer: napari.layers.Image, index: Sequence[int]) -> str:
    """Return how a plane is called: ``t 3, z 12``, or ``3, 12`` where the axes have no names."""
    labels = layer.axis_labels[: len(index)]
    return ", ".join(f"{_name(label)} {i}".strip() for label, i in zip(labels, index, strict=True))


def shown_otherwise(layer: napari.layers.Image, dims: Any) -> str:
    """Return what is to be said where the screen shows other planes than are upscaled.

    Parameters
    ----------
    layer : napari.layers.Image
        The layer.
    dims : napari.components.Dims
        Of the viewer.
    """
    if layer.ndim < 3:
        return ""
    if dims.ndisplay == 3:
        return "The screen shows a volume; planes are upscaled one by one."
    ahead = dims.ndim - layer.ndim
    shown = [axis - ahead for axis in dims.displayed]
    if set(shown) == {layer.ndim - 2, layer.ndim - 1}:
        return ""
    taken = _axes(layer, (layer.ndim - 2, layer.ndim - 1))
    return f"The screen shows {_axes(layer, shown)}; planes along {taken} are upscaled."


def axis_name(layer: napari.layers.Image, axis: int) -> str:
    """Return how an axis of a layer is called; by its number where it has no name."""
    return _name(layer.axis_labels[axis]) or f"axis {axis}"


def _axes(layer: napari.layers.Image, axes: Sequence[int]) -> str:
    labels = [axis_name(layer, axis) if axis >= 0 else "another axis" for axis in axes]
    return " and ".join(labels)


def _name(label: object) -> str:
    return "" if _UNNAMED.fullmatch(str(label)) else str(label)
