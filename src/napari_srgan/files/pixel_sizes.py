"""The size of a pixel as TIFF files tell it: OME, ImageJ, or a resolution in dots per length."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

# Axis letter (as in "TZCYX") to the step along it and the step's unit.
Steps: TypeAlias = dict[str, tuple[float, str]]

# pint's names of the units, which napari understands, and OME's symbols for them.
OME_SYMBOLS = {
    "angstrom": "Å",
    "picometer": "pm",
    "nanometer": "nm",
    "micrometer": "µm",
    "millimeter": "mm",
    "centimeter": "cm",
    "meter": "m",
    "inch": "in",
    "millisecond": "ms",
    "second": "s",
    "minute": "min",
    "hour": "h",
    "pixel": "pixel",
}

_OTHER_SPELLINGS = {
    "um": "micrometer",
    "μm": "micrometer",  # with the Greek letter, where OME has the micro sign
    "\\u00b5m": "micrometer",  # as ImageJ escapes it
    "micron": "micrometer",
    "microns": "micrometer",
    "sec": "second",
    "reference frame": "pixel",
    "pixels": "pixel",
    "": "pixel",
}

_UNITS = {symbol: name for name, symbol in OME_SYMBOLS.items()}
_UNITS |= {name: name for name in OME_SYMBOLS} | _OTHER_SPELLINGS

_MICROMETERS = {
    "angstrom": 1e-4,
    "picometer": 1e-6,
    "nanometer": 1e-3,
    "micrometer": 1.0,
    "millimeter": 1e3,
    "centimeter": 1e4,
    "meter": 1e6,
    "inch": 25_400.0,
}

# TIFF 6.0, section 8, ResolutionUnit. Dots per inch are for printers: a photograph says 72 or 300
# whatever it shows, so that only a resolution in centimetres is taken for the size of a pixel.
_CENTIMETERS = 3

_logger = logging.getLogger(__name__)


def tiff_steps(tif: TiffFile, page: TiffPage) -> Steps:
    """Gather the steps that a TIFF file states; axes it says nothing of are left out.

    Parameters
    ----------
    tif : tifffile.TiffFile
        The open file.
    page : tifffile.TiffPage
        The page whose resolution tags count.
    """
    if tif.is_ome:
        return _ome_steps(tif.ome_metadata or "")
    if page.description.lstrip().startswith("<?xml"):  # one file of an OME set, read alone
        return _ome_steps(page.description)
    if tif.is_imagej:
        return _imagej_steps(tif.imagej_metadata or {}, page)
    stated = _named_steps(json.loads(page.shaped_description)) if page.shaped_description else {}
    if stated or page.tags.valueof(296, 0) != _CENTIMETERS:
        return stated
    length = _MICROMETERS["centimeter"]
    return {axis: (length / dots, "micrometer") for axis, dots in _resolution(page).items()}


def dots_per_centimeter(step: float, unit: str) -> float | None:
    """Convert a pixel's side to a resolution, or None if its unit is not one of length."""
    if unit not in _MICROMETERS:
        return None
    return _MICROMETERS["centimeter"] / (step * _MICROMETERS[unit])


def _resolution(page: TiffPage) -> dict[str, float]:
    """Read the pixels per unit of length across and down, where they are stated."""
    stated = {}
    for axis, tag in (("X", 282), ("Y", 283)):
        numerator, denominator = page.tags.valueof(tag, (0, 0))
        if numerator > 0 and denominator > 0:
            stated[axis] = numerator / denominator
    return stated


def _imagej_steps(metadata: Mapping[str, Any], page: TiffPage) -> Steps:
    steps: Steps = {}
    # ImageJ keeps the units of y, z and t apart where they differ from that of x.
    unit = str(metadata.get("unit", ""))
    units = {axis: _unit(str(metadata.get(f"{axis.lower()}unit", unit))) for axis in "XYZ"}
    for axis, dots in _resolution(page).items():
        if units[axis] != "pixel":
            steps[axis] = (1 / dots, units[axis])
    if units["Z"] != "pixel" and _is_step(metadata.get("spacing")):
        steps["Z"] = (float(metadata["spacing"]), units["Z"])
    if _is_step(metadata.get("finterval")):
        steps["T"] = (float(metadata["finterval"]), _unit(str(metadata.get("tunit", "s"))))
    elif _is_step(metadata.get("fps")):
        steps["T"] = (1 / float(metadata["fps"]), "second")
    return steps


def _ome_steps(xml: str) -> Steps:
    from tifffile import xml2dict

    image = xml2dict(xml).get("OME", {}).get("Image", {})
    first = image[0] if isinstance(image, (list, tuple)) else image
    return _named_steps(first.get("Pixels", {}))


def _named_steps(properties: Mapping[str, Any]) -> Steps:
    """Read steps by OME's names: in OME's XML, or in the JSON that tifffile describes arrays by."""
    steps: Steps = {}
    for axis, key, default in (
        ("X", "PhysicalSizeX", "µm"),
        ("Y", "PhysicalSizeY", "µm"),
        ("Z", "PhysicalSizeZ", "µm"),
        ("T", "TimeIncrement", "s"),
    ):
        if _is_step(properties.get(key)):
            unit = _unit(str(properties.get(f"{key}Unit", default)))
            steps[axis] = (float(properties[key]), unit)
    return steps


def _is_step(value: object) -> bool:
    # True is an int, and what a badly written number may be read as.
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
        and value > 0
    )


def _unit(text: str) -> str:
    # Symbols tell millimetres from megametres by their case; spelled out, names do not.
    name = _UNITS.get(text.strip()) or (_UNITS.get(text.strip().lower()) if len(text) > 2 else None)
    if name is None:
        _logger.warning("Unknown unit of length %r; the pixel size is kept without it.", text)
        return "pixel"
    return name
