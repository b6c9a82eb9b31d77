"""BMP's header: resolution and, from its fifth version on, a colour profile."""

from __future__ import annotations

import struct
from typing import IO

from napari_srgan.files.metadata import Density, Metadata, density_of

_FILE_HEADER = 14
_RESOLUTION = 38  # where it stands, in pixels a metre; MSDN, BITMAPINFOHEADER
_VERSION_5, _EMBEDDED = 124, b"DEBM"  # PROFILE_EMBEDDED, little-endian


def bmp_metadata(file: IO[bytes]) -> tuple[Metadata, list[str]]:
    """Read what a BMP file says of its picture, and in words if it holds more than it says."""
    file.seek(0)
    head = file.read(_FILE_HEADER + _VERSION_5)
    (size,) = struct.unpack("<I", head[14:18].ljust(4, b"\0"))
    if size < 40 or len(head) < _FILE_HEADER + 40:
        return Metadata(), []
    across, down = struct.unpack("<ii", head[_RESOLUTION : _RESOLUTION + 8])
    profile = _profile(file, head, size)
    known = Metadata(profile=profile, density=density_of(across, down, "meter"))
    return known, [] if profile else _surplus(file, head)


def _surplus(file: IO[bytes], head: bytes) -> list[str]:
    """Say if there are more rows than the header counts; of compressed ones nobody can tell."""
    (start,) = struct.unpack("<I", head[10:14])
    width, height, _planes, bits, compression = struct.unpack("<iiHHI", head[18:34])
    row = -(-width * bits // 32) * 4
    rows = (file.seek(0, 2) - start) // row if row > 0 else 0
    if compression != 0 or rows <= abs(height):
        return []
    return [f"holds {rows} rows of pixels where its header says {abs(height)}"]


def _profile(file: IO[bytes], head: bytes, size: int) -> bytes | None:
    if size < _VERSION_5 or head[70:74] != _EMBEDDED:
        return None
    offset, length = struct.unpack("<II", head[126:134])
    file.seek(_FILE_HEADER + offset)
    data = file.read(length)
    return data if len(data) == length > 0 else None


def with_density(encoded: bytes, density: Density | None) -> bytes:
    """Return an encoded BMP that states its resolution, if that is one of length."""
    counts = density.per("meter") if density else None
    if counts is None or not all(0.5 <= count < 2**31 for count in counts):
        return encoded
    stated = struct.pack("<ii", *(round(count) for count in counts))
    return encoded[:_RESOLUTION] + stated + encoded[_RESOLUTION + 8 :]
