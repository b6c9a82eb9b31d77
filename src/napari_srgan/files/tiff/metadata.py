"""TIFF's tags on what a picture is: read into the record, and written for tifffile."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import IO, TYPE_CHECKING, TypeAlias, cast

from napari_srgan.files import exif, iptc
from napari_srgan.files.exif import CAMERA, PLACE, Directory, Tag, laid_out, read_directory
from napari_srgan.files.georeference import GEO_TAGS
from napari_srgan.files.metadata import Metadata, from_exif

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage, TiffTag

# Number, type, count, values, once in a file: as tifffile takes a tag.
ExtraTag: TypeAlias = tuple[int, int, int, bytes, bool]

_PROFILE, _XMP, _IPTC, _PHOTOSHOP = 34675, 700, 33723, 34377
# Tags on the picture and on how it came to be: TIFF 6.0, Exif, and Windows' own.
_DESCRIPTIVE = frozenset(
    {269, 271, 272, 285, 305, 306, 315, 316, 318, 319, 33432, 40091, 40092, 40093, 40094, 40095}
)
_RESOLUTION = frozenset({exif.X_RESOLUTION, exif.Y_RESOLUTION, exif.RESOLUTION_UNIT})
_MOST_BYTES = 2**26  # of all that is read here
_YCBCR = (529, 530, 531, 532)
_IFD8 = 18  # BigTIFF's type of a link to a directory


def tiff_metadata(tif: TiffFile, page: TiffPage, *, with_density: bool) -> Metadata:
    """Read what a page's tags say of its picture.

    Parameters
    ----------
    tif : tifffile.TiffFile
        The open file.
    page : tifffile.TiffPage
        The page.
    with_density : bool
        Whether its resolution is one for printers, and not the size of what is pictured.
    """
    wanted = _DESCRIPTIVE | {exif.ORIENTATION} | (_RESOLUTION if with_density else frozenset())
    tags = _tags(tif, page, wanted)
    known = from_exif(Directory(tif.byteorder, tags, _inner(tif, page)))
    others = _tags(tif, page, frozenset({_PROFILE, _XMP, _IPTC, _PHOTOSHOP}))
    data = {number: tag.data for number, tag in others.items()}
    records = data.get(_IPTC) or iptc.among_resources(data.get(_PHOTOSHOP, b""))
    return replace(
        known,
        profile=data.get(_PROFILE),
        xmp=data.get(_XMP),
        iptc=records,
        geo=Directory(tif.byteorder, _tags(tif, page, GEO_TAGS)),
        description=_description(tif, page),
    )


def _tags(tif: TiffFile, page: TiffPage, numbers: frozenset[int]) -> dict[int, Tag]:
    found = {}
    for tag in page.tags:
        if tag.code in numbers and (data := _values(tif, tag)) is not None:
            found[tag.code] = Tag(int(tag.dtype), data)
    return found


def _values(tif: TiffFile, tag: TiffTag) -> bytes | None:
    """Return a tag's values as they are stored; None if they are not there."""
    size = exif.bytes_of(int(tag.dtype), tag.count)
    if not 0 < size <= _MOST_BYTES:
        return None
    tif.filehandle.seek(tag.valueoffset)
    data = bytes(tif.filehandle.read(size))
    return data if len(data) == size else None


def _inner(tif: TiffFile, page: TiffPage) -> dict[int, Directory]:
    found = {}
    for number in (CAMERA, PLACE):
        tag = page.tags.get(number)
        raw = None if tag is None else _values_of_lead(tif, tag)
        if raw is not None:
            place = int.from_bytes(raw, "little" if tif.byteorder == "<" else "big")
            try:
                found[number] = read_directory(
                    cast(IO[bytes], tif.filehandle),
                    place,
                    tif.byteorder,
                    _MOST_BYTES,
                    big=tif.is_bigtiff,
                )
            except (ValueError, OverflowError, OSError):
                continue
    return found


def _values_of_lead(tif: TiffFile, tag: TiffTag) -> bytes | None:
    """Return where a tag leads, as it is stored; tifffile has read what is there in its place."""
    tif.filehandle.seek(tag.offset + 2)
    order = "little" if tif.byteorder == "<" else "big"
    kind = int.from_bytes(tif.filehandle.read(2), order)  # type: ignore[arg-type]
    size = {4: 4, 13: 4, 16: 8, 18: 8}.get(kind)
    if size is None or (size == 8 and not tif.is_bigtiff):
        return None
    tif.filehandle.seek(tag.offset + (12 if tif.is_bigtiff else 8))
    return bytes(tif.filehandle.read(size))


def _description(tif: TiffFile, page: TiffPage) -> str | None:
    """Return a picture's description, which programs that keep axes there keep within."""
    text = page.description
    if tif.is_imagej:
        return None
    if text.lstrip().startswith("<?xml"):
        from tifffile import xml2dict

        image = xml2dict(text).get("OME", {}).get("Image", {})
        first = image[0] if isinstance(image, (list, tuple)) else image
        stated = first.get("Description")
        return str(stated) if stated else None
    if page.shaped_description:
        stated = json.loads(page.shaped_description).get("Description")
        return str(stated) if stated else None
    return text.strip() or None


_FURTHER_OME = {
    "names of channels": r"<Channel\b[^>]*\bName=",
    "instrument": r"<Instrument\b",
    "annotations": r"<StructuredAnnotations\b",
    "regions": r"<ROI\b",
    "planes' positions": r"<Plane\b",
}


def further_ome(xml: str) -> list[str]:
    """Name what OME's metadata hold besides sizes, axes and a description."""
    return [word for word, pattern in _FURTHER_OME.items() if re.search(pattern, xml)]


def extra_tags(known: Metadata) -> Sequence[ExtraTag]:
    """Return a record as the tags that tifffile has no argument of its own for, little-endian."""
    tags = dict(_written(known).tags) | dict(known.geo.in_order("<").tags)
    if known.xmp is not None:
        tags[_XMP] = Tag(1, known.xmp)
    if known.iptc is not None:
        tags[_IPTC] = Tag(7, known.iptc)
    return [(n, tag.type, tag.count, tag.data, True) for n, tag in sorted(tags.items())]


def append_directories(file: IO[bytes], known: Metadata, *, big: bool) -> None:
    """Append the directories of camera and place to a little-endian TIFF file of ours.

    tifffile leaves out the tags that lead there; so the first page's tags are written again, with
    those among them, and the file's head leads to these.
    """
    inner = _written(known).inner
    if not inner:
        return
    entries, following = _entries_of_first_page(file, big=big)
    link, counter = (8, 8) if big else (4, 2)
    for number, within in inner.items():
        place = _aligned_end(file)
        file.write(laid_out(within, place, big=big))
        kind, one = (_IFD8 if big else exif.LONG), 1
        entries[number] = b"".join(
            value.to_bytes(size, "little")
            for value, size in ((number, 2), (kind, 2), (one, link), (place, link))
        )
    place = _aligned_end(file)
    file.write(len(entries).to_bytes(counter, "little"))
    file.writelines(entries[number] for number in sorted(entries))
    file.write(following)
    file.seek(link)
    file.write(place.to_bytes(link, "little"))


def _entries_of_first_page(file: IO[bytes], *, big: bool) -> tuple[dict[int, bytes], bytes]:
    """Return the first page's tags as they stand in the file, and the link to the next page."""
    link, counter, width = (8, 8, 20) if big else (4, 2, 12)
    file.seek(link)
    file.seek(int.from_bytes(file.read(link), "little"))
    count = int.from_bytes(file.read(counter), "little")
    entries = [file.read(width) for _ in range(count)]
    return {int.from_bytes(entry[:2], "little"): entry for entry in entries}, file.read(link)


def _aligned_end(file: IO[bytes]) -> int:
    end = file.seek(0, os.SEEK_END)
    return end + file.write(bytes(end % 2))


def _written(known: Metadata) -> Directory:
    """Return the tags to write, but those that tifffile writes itself."""
    told_elsewhere = {exif.DESCRIPTION, *exif.STRUCTURE, *_YCBCR}
    return known.described_exif.without(*told_elsewhere).in_order("<")
