"""The size of a pixel as TIFF files tell it: OME, ImageJ, or a resolution in dots per length."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from napari_srgan.files.units import METERS, unit_named

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

# Axis letter (as in "TZCYX") to the step along it and the step's unit.
Steps: TypeAlias = dict[str, tuple[float, str]]

# TIFF 6.0, section 8, ResolutionUnit. Dots per inch are for printers: a photograph says 72 or 300
# whatever it shows, so that only a resolution in centimetres is taken for the size of a pixel.
_CENTIMETERS = 3


def tiff_steps(tif: TiffFile, page: TiffPage) -> tuple[Steps, list[str]]:
    """Gather the steps that a TIFF file states; axes it says nothing of are left out.

    Parameters
    ----------
    tif : tifffile.TiffFile
        The open file.
    page : tifffile.TiffPage
        The page whose resolution tags count.

    Returns
    -------
    tuple
        The steps, and in words what of them could not be understood.
    """
    notes: list[str] = []
    if tif.is_ome:
        return _ome_steps(tif.ome_metadata or "", notes), notes
    if page.description.lstrip().startswith("<?xml"):  # one file of an OME set, read alone
        return _ome_steps(page.description, notes), notes
    if tif.is_imagej:
        return _imagej_steps(tif.imagej_metadata or {}, page, notes), notes
    shaped = json.loads(page.shaped_description) if page.shaped_description else {}
    stated = _named_steps(shaped, notes)
    if stated or page.tags.valueof(296, 0) != _CENTIMETERS:
        return stated, notes
    dots = _resolution(page).items()
    return {axis: (1e4 / count, "micrometer") for axis, count in dots}, notes


def dots_per_centimeter(step: float, unit: str) -> float | None:
    """Convert a pixel's side to a resolution; None if its unit is not one of length."""
    return 0.01 / (step * METERS[unit]) if unit in METERS else None


def _resolution(page: TiffPage) -> dict[str, float]:
    """Read the pixels per unit of length across and down, where they are stated."""
    stated = {}
    for axis, tag in (("X", 282), ("Y", 283)):
        numerator, denominator = page.tags.valueof(tag, (0, 0))
        if numerator > 0 and denominator > 0:
            stated[axis] = numerator / denominator
    return stated


def _imagej_steps(metadata: Mapping[str, Any], page: TiffPage, notes: list[str]) -> Steps:
    steps: Steps = {}
    # ImageJ keeps the units of y, z and t apart where they differ from that of x.
    unit = str(metadata.get("unit", ""))
    units = {axis: _unit(metadata.get(f"{axis.lower()}unit", unit), notes) for axis in "XYZ"}
    for axis, dots in _resolution(page).items():
        if units[axis] != "pixel":
            steps[axis] = (1 / dots, units[axis])
    if units["Z"] != "pixel" and _is_step(metadata.get("spacing")):
        steps["Z"] = (float(metadata["spacing"]), units["Z"])
    if _is_step(metadata.get("finterval")):
        steps["T"] = (float(metadata["finterval"]), _unit(metadata.get("tunit", "s"), notes))
    elif _is_step(metadata.get("fps")):
        steps["T"] = (1 / float(metadata["fps"]), "second")
    return steps


def _ome_steps(xml: str, notes: list[str]) -> Steps:
    from tifffile import xml2dict

    image = xml2dict(xml).get("OME", {}).get("Image", {})
    first = image[0] if isinstance(image, (list, tuple)) else image
    return _named_steps(first.get("Pixels", {}), notes)


def _named_steps(properties: Mapping[str, Any], notes: list[str]) -> Steps:
    """Read steps by OME's names: in OME's XML, or in the JSON that tifffile describes arrays by."""
    steps: Steps = {}
    for axis, key, default in (
        ("X", "PhysicalSizeX", "µm"),
        ("Y", "PhysicalSizeY", "µm"),
        ("Z", "PhysicalSizeZ", "µm"),
        ("T", "TimeIncrement", "s"),
    ):
        if _is_step(properties.get(key)):
            unit = _unit(properties.get(f"{key}Unit", default), notes)
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


def _unit(stated: object, notes: list[str]) -> str:
    name = unit_named(str(stated))
    if name is None:
        known = f"has sizes in {str(stated)[:40]!r}, a unit that is not known here"
        note = f"{known}; they are kept without it"
        notes.extend(() if note in notes else (note,))
        return "pixel"
    return name
