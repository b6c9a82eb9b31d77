"""Layers and OME-Zarr: what a layer is in a store, and a store as a layer."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_srgan.files.provenance import KEY
from napari_srgan.files.units import OME_SYMBOLS, unit_named
from napari_srgan.ngff.image import NgffImage
from napari_srgan.ngff.stored import open_image
from napari_srgan.ngff.writing import write_image
from napari_srgan.plugin.io.pictures import LayerData
from napari_srgan.plugin.io.writer import axis_names

log = logging.getLogger(__name__)

_ORDER = "tczyx"  # of axes, as the format wants them
_KINDS = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}
_COLOURS = ("FF0000", "00FF00", "0000FF")


def write_ome_zarr(path: str, data: Any, attributes: Mapping[str, Any]) -> list[str]:
    """Write an image layer as a new OME-Zarr store: levels, place, units, and what made it.

    Lazy pixels are computed a part at a time. A layer without levels gets coarser ones.

    Parameters
    ----------
    path : str
        Of the store, ``.zarr``.
    data : array or sequence of array
        As napari gives it: ``(…, h, w)`` or ``(…, h, w, 3|4)``, levels where it is multiscale.
    attributes : mapping
        The layer's state.

    Returns
    -------
    list of str
        The store's path.

    Raises
    ------
    ValueError
        If the layer has axes that the format has no place for.
    OSError
        If something is there, or nothing can be written.
    """
    levels = list(data) if attributes.get("multiscale") else [data]
    images = [image_of(level, attributes) for level in levels]
    record = attributes.get("metadata", {}).get(KEY)
    write_image(Path(path), images[0], [image.array for image in images], record)
    return [str(Path(path))]


def image_of(pixels: Any, attributes: Mapping[str, Any]) -> NgffImage:
    """Return a layer's pixels with the metadata that OME-Zarr has for them.

    Axes come in the order that the format wants. Rotation and shear have no place in it, which is
    logged as a warning.

    Parameters
    ----------
    pixels : array
        A level of the layer.
    attributes : mapping
        The layer's state.

    Raises
    ------
    ValueError
        If there are more axes than the format has.
    """
    rgb = bool(attributes.get("rgb"))
    ndim = pixels.ndim - rgb
    names, order = axis_order(attributes, ndim)
    scale, translation = _placed(attributes)
    if order != sorted(order):
        pixels = _transposed(pixels, [*order, *range(ndim, pixels.ndim)])
    units = attributes.get("units") or ("pixel",) * ndim
    axes = [_axis(names[axis], units[axis]) for axis in order]
    scale, translation = [scale[axis] for axis in order], [translation[axis] for axis in order]
    colour_axis = None
    if rgb:
        colour_axis = sum(axis["type"] == "time" for axis in axes)
        axes.insert(colour_axis, _axis("c", "pixel"))
        scale.insert(colour_axis, 1.0)
        translation.insert(colour_axis, 0.0)
    name = str(attributes.get("name", "image"))
    transforms = [
        {"type": "scale", "scale": scale},
        {"type": "translation", "translation": translation},
    ]
    datasets = [{"path": "0", "coordinateTransformations": transforms}]
    multiscale = {"name": name, "axes": axes, "datasets": datasets}
    ome = {"omero": _channels(pixels.shape[-1], pixels.dtype)} if rgb else {}
    return NgffImage(name, pixels, 3, multiscale, ome, colour_axis=colour_axis)


def axis_order(attributes: Mapping[str, Any], ndim: int) -> tuple[tuple[str, ...], list[int]]:
    """Return the format's names of a layer's axes, and the axes in the order that it wants.

    Raises
    ------
    ValueError
        If there are more axes than the format has.
    """
    rgb = bool(attributes.get("rgb"))
    names = axis_names(attributes.get("axis_labels"), ndim, taken="c" if rgb else "")
    if not set(names) <= set(_ORDER):
        raise ValueError(
            f"OME-Zarr holds images of the axes t, c, z, y and x; this layer has {ndim} axes"
            f"{' and colours' if rgb else ''}. Save a part of it."
        )
    return names, sorted(range(ndim), key=lambda axis: _ORDER.index(names[axis]))


def read_ome_zarr(path: str | Path) -> LayerData:
    """Read an OME-Zarr image as a lazy layer of all its levels, in its place.

    Raises
    ------
    OSError, ImportError
        As :func:`napari_srgan.ngff.stored.open_image` does.
    """
    store = Path(path)
    image = open_image(store)
    rgb = _is_rgb(image)
    names = [str(axis["name"]) for axis in image.axes]
    kept = [axis for axis, name in enumerate(names) if not (rgb and name == "c")]
    levels = levels_of_store(store, image, rgb=rgb)
    options: dict[str, Any] = {
        "name": store.name.removesuffix(".zarr").removesuffix(".ome"),
        "rgb": rgb,
        "multiscale": len(levels) > 1,
        "scale": [image.scale[axis] for axis in kept],
        "translate": [image.translation[axis] for axis in kept],
        "axis_labels": [names[axis] for axis in kept],
        "units": [unit_named(str(image.axes[axis].get("unit", ""))) or "pixel" for axis in kept],
    }
    if image.record:
        options["metadata"] = {KEY: dict(image.record)}
    return (levels if len(levels) > 1 else levels[0], options, "image")


def levels_of_store(store: Path, image: NgffImage, *, rgb: bool) -> list[Any]:
    """Return the levels of an image in a store, lazy; colours are the last axis."""
    import dask.array as da
    import zarr

    group = zarr.open_group(store, mode="r")
    levels = [da.from_zarr(group[each["path"]]) for each in image.multiscale["datasets"]]
    if rgb:
        axis = [axis["name"] for axis in image.axes].index("c")
        levels = [da.moveaxis(level, axis, -1) for level in levels]
    return levels


def _placed(attributes: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    """Return the scale and the translation of a layer in the world."""
    from napari.utils.transforms import Affine

    own = Affine(
        **{key: attributes[key] for key in ("scale", "translate", "rotate", "shear")
           if attributes.get(key) is not None}
    )  # fmt: skip
    matrix = own.affine_matrix
    if attributes.get("affine") is not None:
        matrix = np.asarray(attributes["affine"]) @ matrix
    linear = matrix[:-1, :-1]
    scale = np.diag(linear)
    if not np.allclose(linear, np.diag(scale), atol=1e-9 * np.abs(linear).max()):
        log.warning("OME-Zarr holds no rotation or shear: %s lies upright.", attributes.get("name"))
        scale = np.linalg.norm(linear, axis=0)
    return scale.tolist(), matrix[:-1, -1].tolist()


def _transposed(pixels: Any, order: Sequence[int]) -> Any:
    if isinstance(pixels, np.ndarray) or hasattr(pixels, "dask"):
        return pixels.transpose(order)
    import dask.array as da

    return da.from_array(pixels, name=False).transpose(order)


def _axis(name: str, unit: object) -> dict[str, str]:
    known = unit_named(str(unit)) or "pixel"
    has_unit = known in OME_SYMBOLS and known != "pixel"
    return {"name": name, "type": _KINDS[name], **({"unit": known} if has_unit else {})}


def _channels(count: int, dtype: np.dtype[Any]) -> dict[str, Any]:
    """Return what says that channels are red, green and blue."""
    white = np.iinfo(dtype).max if dtype.kind in "ui" else 1
    window = {"start": 0, "end": white, "min": 0, "max": white}
    colours = zip((*_COLOURS, "FFFFFF"), ("red", "green", "blue", "alpha"), strict=True)
    return {
        "channels": [
            {"color": colour, "label": label, "window": window, "active": label != "alpha"}
            for colour, label in [*colours][:count]
        ]
    }


def _is_rgb(image: NgffImage) -> bool:
    """Tell whether an image says that its channels are red, green and blue, and perhaps alpha."""
    axis = image.channel_axis
    channels = image.ome.get("omero", {}).get("channels", ())
    colours = tuple(str(channel.get("color", "")).upper() for channel in channels)
    labels = [channel.get("label") for channel in channels[3:]]
    alike = colours[:3] == _COLOURS and labels in ([], ["alpha"])
    return alike and axis is not None and image.array.shape[axis] == len(colours)
