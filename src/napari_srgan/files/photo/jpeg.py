"""JPEG's segments: is the file whole, what do they say of the picture, and how are they written."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import IO, TypeAlias

from napari_srgan.files import iptc
from napari_srgan.files.exif import read_block
from napari_srgan.files.metadata import COMMENT, Density, Metadata, density_of, from_exif

Segments: TypeAlias = Sequence[tuple[int, bytes]]

_SCAN, _APP0, _APP1, _APP2, _APP13, _COMMENT = 0xDA, 0xE0, 0xE1, 0xE2, 0xED, 0xFE
_EXIF, _XMP, _ICC = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0"
_XMP_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
_PHOTOSHOP = b"Photoshop 3.0\0"
_FRAMES = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
_UNITS = {1: "inch", 2: "centimeter"}  # JFIF 1.02
_MOST_BYTES = 65_533  # of a segment
# CIPA DC-007, Multi-Picture Format: images that make sense together only.
_ENTRIES = 0xB002
_OF_ONE_SCENE = range(0x020001, 0x030000)


def read_segments(file: IO[bytes], start: int = 0) -> Segments:
    """Read the segments of a JPEG that starts at a place of a file, up to its first scan.

    They have their length before them, so that a thumbnail's are not taken for the image's own.

    Raises
    ------
    ValueError
        If the file ends before that, or they are damaged.
    """
    file.seek(start + 2)
    found: list[tuple[int, bytes]] = []
    while not found or found[-1][0] != _SCAN:
        head = file.read(2)
        while head[1:] == b"\xff":  # any number of fill bytes
            head = b"\xff" + file.read(1)
        size = file.read(2)
        if len(head) < 2 or head[0] != 0xFF or len(size) < 2:
            raise ValueError("the file ends, or is damaged, before the image begins")
        length = int.from_bytes(size, "big") - 2
        data = file.read(max(0, length))
        if length < 0 or len(data) < length:
            raise ValueError("the file ends, or is damaged, before the image begins")
        found.append((head[1], data))
    return found


def bare(file: IO[bytes], segments: Segments, start: int) -> bytes:
    """Return the file with what pixels are made of alone: Pillow reads, and warns of, the rest.

    Parameters
    ----------
    file : binary file
        The file.
    segments : sequence
        Those up to its first scan.
    start : int
        Where the first scan's data begin.
    """
    kept = [part for part in segments if part[0] not in (_APP1, _APP2, _APP13, _COMMENT)]
    file.seek(start)
    return b"\xff\xd8" + _written(kept) + file.read()


def _written(segments: Segments) -> bytes:
    return b"".join(
        struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data for marker, data in segments
    )


def check_end(file: IO[bytes]) -> None:
    """Look for the end-of-image marker, without which the rest of the picture comes out grey.

    After the start of the scan, where the file has to be, it cannot occur in the coded data.

    Raises
    ------
    ValueError
        If there is none.
    """
    if b"\xff\xd9" not in file.read():
        raise ValueError("the file ends before the image does")


def jpeg_metadata(segments: Segments) -> tuple[Metadata, list[str]]:
    """Return what segments say of a picture, and in words what of it could not be read."""
    known, notes, comments = Metadata(), [], []
    density: Density | None = None
    profile: dict[int, bytes] = {}
    for marker, data in segments:
        if marker == _APP0 and data.startswith(b"JFIF\0") and len(data) >= 12:
            unit, across, down = struct.unpack(">BHH", data[7:12])
            density = density_of(across, down, _UNITS.get(unit, ""))
        elif marker == _APP1 and data.startswith(_EXIF):
            try:
                found = from_exif(read_block(data))
            except ValueError:
                notes.append("has EXIF that cannot be read, which is left out")
            else:
                known = replace(
                    known,
                    exif=found.exif,
                    density=found.density,
                    description=found.description,
                )
        elif marker == _APP1 and data.startswith(_XMP):
            known = replace(known, xmp=data.removeprefix(_XMP))
        elif marker == _APP1 and data.startswith(_XMP_EXTENSION):
            notes.append("has XMP in several segments, of which the first is kept")
        elif marker == _APP2 and data.startswith(_ICC) and len(data) > 14:
            profile[data[12]] = data[14:]
        elif marker == _APP13 and data.startswith(_PHOTOSHOP):
            known = replace(known, iptc=iptc.among_resources(data.removeprefix(_PHOTOSHOP)))
        elif marker == _COMMENT:
            comments.append(_decoded(data.rstrip(b"\0")))
    if profile:
        known = replace(known, profile=b"".join(profile[i] for i in sorted(profile)))
    if comments:
        known = replace(known, texts=((COMMENT, "\n".join(comments)),))
    # JFIF's own place for it counts, unless it states a ratio only.
    if density is not None and (density.unit or known.density is None):
        known = replace(known, density=density)
    return known, list(dict.fromkeys(notes))


def further_images(file: IO[bytes], segments: Segments) -> tuple[int, int]:
    """Return how many images equal to the first follow in a file, and how many others.

    Equal ones are of the same scene or of the same size; the others are previews, maps of depth or
    of brightness.

    Raises
    ------
    ValueError
        If the list of them is damaged.
    """
    index = next((d[4:] for m, d in segments if m == _APP2 and d.startswith(b"MPF\0")), b"")
    if not index:
        return 0, 0
    try:
        directory = read_block(index)
    except ValueError:
        return 0, 0
    entries = directory.tags.get(_ENTRIES)
    file.seek(0)
    start = file.read().find(b"MPF\0") + 4
    equal = others = 0
    for kind, place in _listed_images(entries.data if entries else b"", directory.order):
        if kind in _OF_ONE_SCENE or _size_at(file, start + place) == _size_in(segments):
            equal += 1
        else:
            others += 1
    return equal, others


def _listed_images(entries: bytes, order: str) -> Iterator[tuple[int, int]]:
    """Yield what images but the first are, and where, from the start of their list."""
    for at in range(16, len(entries) - 15, 16):
        attributes, _size, place = struct.unpack(f"{order}III", entries[at : at + 12])
        yield attributes & 0xFFFFFF, place


def _size_at(file: IO[bytes], place: int) -> bytes:
    file.seek(place)
    try:
        return _size_in(read_segments(file, place))
    except ValueError:
        return b""


def _size_in(segments: Segments) -> bytes:
    """Return height and width as a frame's header holds them."""
    frames = (data for marker, data in segments if marker in _FRAMES)
    return next(frames, b"")[1:5]


def with_metadata(encoded: bytes, known: Metadata) -> tuple[bytes, list[str]]:
    """Return an encoded JPEG with a record in it, and in words what did not fit.

    A segment holds 65 533 bytes; of what may be larger, only a profile can go on in the next.
    """
    block, too_large = known.exif_block(with_density=not _fits(known.density)), []
    before: list[tuple[int, bytes]] = [(_APP0, _jfif(known.density))]
    for marker, data, word in (
        (_APP1, _EXIF + block if block else b"", "EXIF"),
        (_APP1, _XMP + known.xmp if known.xmp else b"", "XMP"),
        (_APP13, _PHOTOSHOP + iptc.as_resource(known.iptc) if known.iptc else b"", "IPTC records"),
    ):
        if len(data) > _MOST_BYTES:
            too_large.append(word)
        elif data:
            before.append((marker, data))
    before.extend(_profile_parts(known.profile or b""))
    for word, text in known.texts:
        if word == COMMENT:
            before.append((_COMMENT, text.encode("utf-8", "replace")[:_MOST_BYTES]))
    return encoded[:2] + _written(before) + _without_jfif(encoded), too_large


def _without_jfif(encoded: bytes) -> bytes:
    rest = encoded[2:]
    if rest.startswith(b"\xff\xe0"):
        rest = rest[2 + int.from_bytes(rest[2:4], "big") :]
    return rest


def _profile_parts(profile: bytes) -> Iterator[tuple[int, bytes]]:
    room = _MOST_BYTES - len(_ICC) - 2
    parts = [profile[i : i + room] for i in range(0, len(profile), room)]
    for number, part in enumerate(parts, start=1):
        yield _APP2, _ICC + bytes([number, len(parts)]) + part


def _fits(density: Density | None) -> bool:
    """Tell whether JFIF can state a density: whole numbers of 16 bits."""
    if density is None or not density.unit:
        return True
    counts = density.per("centimeter" if density.unit == "centimeter" else "inch") or (0, 0)
    return max(counts) < 2**16 and all(abs(n - round(n)) < 1e-3 * n for n in counts)


def _jfif(density: Density | None) -> bytes:
    unit, across, down = 0, 1, 1
    if density is not None:
        in_unit = "centimeter" if density.unit == "centimeter" else "inch"
        counts = density.per(in_unit) or (density.across, density.down)
        if max(counts) < 2**16 - 0.5 and min(counts) >= 0.5:
            across, down = (round(count) for count in counts)
            unit = {"": 0, "centimeter": 2}.get(density.unit, 1)
    return b"JFIF\0" + struct.pack(">BBBHHBB", 1, 2, unit, across, down, 0, 0)


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
