"""What napari saves with this plugin as a file: image layers that keep the size of a pixel."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_srgan.files import Metadata, Picture, write_picture
from napari_srgan.files.provenance import KEY, described
from napari_srgan.files.units import OME_SYMBOLS, unit_named

_NAMES = {"t": "t", "time": "t", "z": "z", "c": "c", "channel": "c"}


def write_tiff(path: str, data: Any, attributes: Mapping[str, Any]) -> list[str]:
    """Write an image layer with its pixel size, units and axes, and with what made it.

    Parameters
    ----------
    path : str
        The file, ``.tif`` or ``.tiff``.
    data : array
        As napari gives it: ``(…, h, w)`` or ``(…, h, w, 3|4)``, levels where it is multiscale.
    attributes : mapping
        The layer's state.

    Returns
    -------
    list of str
        The file's path.

    Raises
    ------
    ValueError, OSError
        As :func:`napari_srgan.files.write_picture` does.
    """
    write_picture(path, picture_of(data, attributes))
    return [str(Path(path))]


def write_png(path: str, data: Any, attributes: Mapping[str, Any]) -> list[str]:
    """Write an image layer of one plane as PNG, in all its bits; as :func:`write_tiff` does."""
    write_picture(path, picture_of(data, attributes))
    return [str(Path(path))]


def picture_of(data: Any, attributes: Mapping[str, Any]) -> Picture:
    """Return a layer's finest pixels as a picture; what is not told in lengths stays in pixels."""
    pixels = data[0] if attributes.get("multiscale") else data
    rgb = bool(attributes.get("rgb"))
    record = attributes.get("metadata", {}).get(KEY)
    ndim = pixels.ndim - rgb
    labels = axis_names(attributes.get("axis_labels"), ndim)
    return Picture(
        pixels,
        rgb,
        pixel_scale=tuple(np.abs(attributes["scale"]).tolist()),
        units=tuple(_unit(unit) for unit in attributes["units"]),
        axis_labels=labels,
        metadata=Metadata(description=described(None, record) if record else None),
    )


def _unit(unit: object) -> str:
    name = unit_named(str(unit))
    return name if name in OME_SYMBOLS else "pixel"


def axis_names(labels: Any, ndim: int, taken: str = "") -> tuple[str, ...]:
    """Return OME's names of a layer's axes; one without, or with a taken one, is told by its place.

    Parameters
    ----------
    labels : sequence of str or None
        The layer's.
    ndim : int
        Number of its axes.
    taken : str
        Names that are not to be given.
    """
    names = [""] * (ndim - 2) + ["y", "x"]
    for place, label in enumerate((labels or ())[: ndim - 2]):
        name = _NAMES.get(str(label).lower(), "")
        names[place] = "" if name in (*names, *taken) else name
    free = [name for name in ("z", "t", "c") if name not in (*names, *taken)]
    for place in reversed(range(ndim - 2)):
        names[place] = names[place] or (free.pop(0) if free else f"axis {place}")
    return tuple(names)
