"""TIFF files that keep the bit depth, the axes and the size of a pixel."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from napari_srgan.files.picture import Picture
from napari_srgan.files.tiff.metadata import append_directories, extra_tags
from napari_srgan.files.tiff.pixel_sizes import dots_per_centimeter
from napari_srgan.files.units import OME_SYMBOLS

_OME_TYPES = frozenset(
    {"bool", "int8", "int16", "int32", "uint8", "uint16", "uint32", "float32", "float64"}
)

# What classic TIFF's 32-bit offsets reach, less room for the tags.
_CLASSIC_BYTES = 2**32 - 2**25


def write_tiff(file: IO[bytes], picture: Picture) -> None:
    """Write a picture as TIFF, uncompressed, as BigTIFF where it must be.

    The pixel size and the names of the axes are kept as OME metadata, which napari's plugins, Fiji
    and Bio-Formats read, if the axes are called t, z, c, y, x; for the types that OME lacks
    (64-bit integers, float16) as tifffile's description of the array, by the same names. The
    height and width of a pixel are in any case kept as a resolution too. The picture's description
    is OME's Description of the image, or an entry of tifffile's; profile, EXIF, XMP, IPTC and
    GeoTIFF's tags are kept as tags. Counts of fewer bits than their type has stay such.

    Parameters
    ----------
    file : binary file
        Where to write; open for reading as well, and seekable.
    picture : Picture
        Any bool, integer or float picture; a lazy one is computed plane by plane.

    Raises
    ------
    ValueError
        If a step is in a unit that OME has no symbol for.
    """
    import tifffile

    data, known = picture.data, picture.metadata
    axes = _axes(picture)
    has_news = picture.pixel_scale is not None or picture.ndim > 2
    metadata = {} if axes is None else _metadata(picture, axes)
    if known.description is not None:
        metadata["Description"] = known.description
    big = math.prod(data.shape) * data.dtype.itemsize > _CLASSIC_BYTES
    tifffile.imwrite(
        file,
        data if isinstance(data, np.ndarray) else _planes(data, rgb=picture.rgb),
        shape=data.shape,
        dtype=data.dtype,
        byteorder="<",
        bigtiff=big,
        bitspersample=_bits(picture),
        ome=axes is not None and has_news and data.dtype.name in _OME_TYPES,
        metadata=metadata,
        photometric="rgb" if picture.rgb else "minisblack",
        planarconfig="contig" if picture.rgb else None,
        extrasamples=["unassalpha"] if picture.rgb and data.shape[-1] == 4 else None,
        **_resolution(picture),
        iccprofile=known.profile,
        software=False,
        extratags=extra_tags(known),
    )
    append_directories(file, known, big=big)


def _bits(picture: Picture) -> int | None:
    """Return how many bits a sample is written with, if fewer than its type's."""
    data, bits = picture.data, picture.bits
    if bits is None or not isinstance(data, np.ndarray) or int(data.max()) >= 2**bits:
        return None
    return bits


def _planes(data: Any, *, rgb: bool) -> Iterator[npt.NDArray[Any]]:
    for index in np.ndindex(*data.shape[: data.ndim - 2 - rgb]):
        yield np.asarray(data[index])


def _axes(picture: Picture) -> str | None:
    """Name the axes by OME's letters, or None if they are not known by such."""
    labels = picture.axis_labels or (("y", "x") if picture.ndim == 2 else ())
    axes = "".join(labels).upper()
    is_complete = len(axes) == picture.ndim == len(set(axes)) and axes.endswith("YX")
    return axes if is_complete and set(axes) <= set("TZCYX") else None


def _metadata(picture: Picture, axes: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {"axes": f"{axes}S" if picture.rgb else axes}
    for axis, step, unit in zip(axes, picture.pixel_scale or (), picture.units or (), strict=False):
        if unit not in OME_SYMBOLS:
            known = ", ".join(OME_SYMBOLS)
            raise ValueError(f"Cannot write a pixel size in {unit!r}; the units are {known}.")
        if axis != "C" and unit != "pixel":
            key = "TimeIncrement" if axis == "T" else f"PhysicalSize{axis}"
            metadata |= {key: step, f"{key}Unit": OME_SYMBOLS[unit]}
    return metadata


def _resolution(picture: Picture) -> dict[str, Any]:
    """Give tifffile's arguments on the pixels in a unit of length: by their size, or for print."""
    steps = zip((picture.pixel_scale or ())[-2:], (picture.units or ())[-2:], strict=True)
    sizes = [dots for step, unit in steps if (dots := dots_per_centimeter(step, unit)) is not None]
    if len(sizes) == 2:
        down, across = sizes
        unit = "centimeter"
    elif (density := picture.metadata.density) is not None:
        # In centimetres it would be the size of what is pictured.
        across, down = density.per("inch") or (density.across, density.down)
        unit = "inch" if density.unit else "none"
    else:
        return {}
    if not all(1e-4 < dots < 2**31 for dots in (across, down)):
        return {}
    return {"resolution": (across, down), "resolutionunit": unit}
