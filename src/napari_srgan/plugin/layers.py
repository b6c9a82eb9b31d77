"""napari's image layers: what is taken from one, and how its upscaled copy stays in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_srgan.inference.settings import chained
from napari_srgan.plugin.messages import Source
from napari_srgan.pyramid import levels_of
from napari_srgan.wording import printable

if TYPE_CHECKING:
    import napari.layers
    from numpy.typing import NDArray

    from napari_srgan.trust.assess import Assessment

METADATA_KEY = "napari-srgan"
_LONGEST_NAME = 40  # letters of a model's, in that of a layer

# Appearance and description that hold for the upscaled image as they are.
_CARRIED = (
    "attenuation",
    "axis_labels",
    "blending",
    "colormap",
    "contrast_limits",
    "custom_interpolation_kernel_2d",
    "depiction",
    "gamma",
    "interpolation2d",
    "interpolation3d",
    "iso_threshold",
    "opacity",
    "projection_mode",
    "rendering",
    "rgb",
    "units",
)


def unwrapped(layer: Any) -> Any:
    """Return a layer itself: plugins are given layers in wrappers, a new one each time."""
    return getattr(layer, "__wrapped__", layer)


def pixels_at(layer: napari.layers.Image, level: int = 0) -> Any:
    """Return a layer's pixels, those of a level of a multiscale one; dask arrays stay lazy.

    Raises
    ------
    ValueError
        If the layer has no such level.
    """
    count = len(layer.data) if layer.multiscale else 1
    if not 0 <= level < count:
        raise ValueError(f"The layer {layer.name!r} has {count} levels, from 0; got level {level}.")
    return layer.data[level] if layer.multiscale else layer.data


def coarser_than(layer: napari.layers.Image, level: int = 0) -> tuple[Any, ...] | None:
    """Return the levels of a layer that are coarser than one; None if it is no multiscale one."""
    return tuple(layer.data[level + 1 :]) if layer.multiscale else None


def source_of(
    layer: napari.layers.Image, level: int = 0, plane: tuple[int, ...] | None = None
) -> Source:
    """Return the pixels of a level of a layer, of all planes or one, and its coarser levels."""
    pixels, coarser = pixels_at(layer, level), coarser_than(layer, level)
    return Source(pixels, bool(layer.rgb), plane, channel_axis_of(layer), coarser)


def leveled(layer: napari.layers.Image, high: Any, level: int = 0) -> Any:
    """Return what an upscaled level of a layer is shown by: itself, or levels where it is large."""
    low = pixels_at(layer, level)
    return levels_of(high, low, layer.ndim - 2, coarser_than(layer, level))


def level_choices(layer: napari.layers.Image | None) -> list[tuple[str, int]]:
    """Return what of a layer can be upscaled, labelled by its size: the finest level first."""
    if layer is None or not layer.multiscale:
        return [("finest", 0)]
    sides = [level.shape[layer.ndim - 2 : layer.ndim] for level in layer.data]
    return [(f"{n}: {width} × {height}", n) for n, (height, width) in enumerate(sides)]


def standing_for(layer: napari.layers.Image, level: int = 0) -> napari.layers.Image:
    """Return a layer of one pixel that lies and looks as a level of a layer does at this moment.

    What comes of work that takes long belongs there, whatever becomes of the layer meanwhile.
    """
    from napari.layers import Image

    state = layer.as_layer_data_tuple()[1]
    pixels = pixels_at(layer, level)
    pixel = np.zeros((1,) * layer.ndim + pixels.shape[layer.ndim :], pixels.dtype)
    ratio = 1 / np.asarray(layer.downsample_factors[level]) if level else np.ones(layer.ndim)
    nowhere = np.zeros(layer.ndim)
    own = {"multiscale": False, "metadata": dict(state["metadata"])}
    placed = _geometry(layer, ratio, nowhere), _moved_planes(state, ratio, nowhere)
    copy = Image(pixel, **{**state, **own, **placed[0], **placed[1]})
    if not layer.rgb:
        copy.contrast_limits_range = layer.contrast_limits_range
    return copy


CHANNEL_LABELS = ("c", "ch", "channel", "channels")  # what readers call an axis of channels


def channel_axis_of(layer: napari.layers.Image) -> int | None:
    """Return the axis of a layer's pixels that its labels say holds channels; None without."""
    leading = layer.axis_labels[: layer.ndim - 2]
    found = [axis for axis, label in enumerate(leading) if str(label).lower() in CHANNEL_LABELS]
    return found[0] if found else None


def upscaled_geometry(
    layer: napari.layers.Image,
    scale: int,
    start: tuple[int, ...] | None = None,
    level: int = 0,
) -> dict[str, Any]:
    """Return the transforms that put the upscaled pixels where the layer's pixels are.

    The outer edges of the two grids coincide: the first small pixel's centre lies
    ``(1/scale − 1)/2`` of a pixel before the first pixel's, along the last two axes.

    Parameters
    ----------
    layer : napari.layers.Image
        The layer that is upscaled.
    scale : int
        Upscaling factor of the last two axes.
    start : tuple of int, optional
        Index of the first plane taken, along the leading axes, or of the first pixel, along all.
        Default: the first.
    level : int
        Of a multiscale layer, the one that is upscaled, whose pixels ``start`` counts.
    """
    return _geometry(layer, *_grid(layer, scale, start, level))


def _grid(
    layer: napari.layers.Image, scale: int, start: tuple[int, ...] | None, level: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return, along each axis, new pixels to one of the layer's, and the first of those taken."""
    ratio, first = np.ones(layer.ndim), np.zeros(layer.ndim)
    ratio[-2:] = scale
    if start is not None:
        first[: len(start)] = start
    coarser = np.asarray(layer.downsample_factors[level]) if level else 1.0
    return ratio / coarser, first * coarser


def _geometry(
    layer: napari.layers.Image, ratio: NDArray[np.float64], first: NDArray[np.float64]
) -> dict[str, Any]:
    """Return the transforms of a grid whose outer edges are those of the pixels from the first."""
    origin = first + (1 / ratio - 1) / 2
    return {
        "scale": np.asarray(layer.scale) / ratio,
        "translate": layer.affine.inverse(np.asarray(layer.data_to_world(origin))),
        "rotate": layer.rotate,
        "shear": layer.shear,
        "affine": layer.affine,
    }


def upscaled_layer(
    layer: napari.layers.Image,
    pixels: Any,
    scale: int,
    provenance: Mapping[str, Any],
    start: tuple[int, ...] | None = None,
    level: int = 0,
) -> napari.layers.Image:
    """Return a new layer of upscaled pixels that looks, and lies in the world, as the layer does.

    Parameters
    ----------
    layer : napari.layers.Image
        The layer that was upscaled.
    pixels : array or list of array
        Upscaled pixels with as many axes as the layer's; levels, the finest first, where the new
        layer is to be multiscale.
    scale : int
        Upscaling factor of the last two axes.
    provenance : mapping
        What made the pixels, kept in the new layer's metadata; if the layer is itself a result,
        with its own as ``input``. What was drawn by one network of the chain stays drawn, and what
        is not known stays unknown.
    start, level
        See :func:`upscaled_geometry`.
    """
    from napari.layers import Image

    made_by = chained(provenance, layer.metadata.get(METADATA_KEY))
    state = layer.as_layer_data_tuple()[1]
    carried = {key: state[key] for key in _CARRIED if key in state}
    upscaled = Image(
        pixels,
        name=_name_of(layer, scale, made_by),
        metadata={**layer.metadata, METADATA_KEY: made_by},
        multiscale=isinstance(pixels, list),
        **carried,
        **upscaled_geometry(layer, scale, start, level),
        **_moved_planes(state, *_grid(layer, scale, start, level)),
    )
    if not layer.rgb:  # not part of a layer's state; without it the slider's range shrinks
        upscaled.contrast_limits_range = layer.contrast_limits_range
    return upscaled


def _name_of(layer: napari.layers.Image, scale: int, made_by: Mapping[str, Any]) -> str:
    model = made_by.get("model")
    return f"{layer.name} ×{scale}" + (f", {printable(model, _LONGEST_NAME)}" if model else "")


def map_layer(
    layer: napari.layers.Image,
    values: Any,
    what: str,
    scale: int = 1,
    colormap: str = "inferno",
    start: tuple[int, ...] | None = None,
) -> napari.layers.Image:
    """Return a layer of values that are known of a layer's pixels, where those lie.

    Parameters
    ----------
    layer : napari.layers.Image
        What they are of.
    values : ndarray
        With as many axes as the layer has.
    what : str
        Put after the layer's name.
    scale : int
        Values to a pixel, along each of the last two axes.
    colormap : str
        napari's name of one.
    start : tuple of int, optional
        See :func:`upscaled_geometry`.
    """
    from napari.layers import Image

    return Image(
        values,
        name=f"{layer.name}, {what}",
        rgb=values.ndim > layer.ndim,
        colormap=None if values.ndim > layer.ndim else colormap,
        multiscale=False,
        units=layer.units,
        axis_labels=layer.axis_labels,
        **upscaled_geometry(layer, scale, start),
    )


def invented_layer(
    layer: napari.layers.Image, values: Any, scale: int, start: tuple[int, ...] | None = None
) -> napari.layers.Image:
    """Return a layer that marks, over a result, what of it is invented.

    Parameters
    ----------
    layer : napari.layers.Image
        What was upscaled.
    values : ndarray
        ``(…, scale·h, scale·w)``, 0 where nothing is.
    scale, start
        As for :func:`upscaled_layer`.
    """
    drawn = map_layer(layer, values, f"×{scale}, invented", scale, "magenta", start)
    drawn.blending = "additive"  # what is under it stays to be seen
    return drawn


def assessed_layers(
    layer: napari.layers.Image,
    assessment: Assessment,
    scale: int,
    provenance: Mapping[str, Any],
) -> Assessment:
    """Return an assessment of a layer's pixels with a layer in place of each array."""
    invented = assessment.invented
    return replace(
        assessment,
        upscaled=upscaled_layer(layer, assessment.upscaled, scale, provenance),
        uncertainty=map_layer(layer, assessment.uncertainty, f"×{scale}, uncertainty", scale),
        residual=map_layer(layer, assessment.residual, "not explained", colormap="PiYG"),
        invented=None if invented is None else invented_layer(layer, invented, scale),
    )


def _moved_planes(
    state: Mapping[str, Any], ratio: NDArray[np.float64], first: NDArray[np.float64]
) -> dict[str, Any]:
    """Return the slicing plane and the clipping planes of a layer where they cut the same pixels.

    They are of the last three axes, in pixels; a normal goes with the inverse of what a position
    goes with, and a thickness with the normal's length.
    """
    ahead = 3 - min(3, len(ratio))
    factor = np.append(np.ones(ahead), ratio[-3:])
    offset = (factor - 1) / 2 - factor * np.append(np.zeros(ahead), first[-3:])

    def moved(plane: Mapping[str, Any]) -> dict[str, Any]:
        normal = np.asarray(plane["normal"]) / factor
        length = float(np.linalg.norm(normal))
        other = {key: plane[key] for key in plane.keys() - {"normal", "position"}}
        if "thickness" in other:
            other["thickness"] /= length
        position = np.asarray(plane["position"]) * factor + offset
        return {"position": tuple(position), "normal": tuple(normal / length), **other}

    clipping = "experimental_clipping_planes"
    return {"plane": moved(state["plane"]), clipping: [moved(plane) for plane in state[clipping]]}
