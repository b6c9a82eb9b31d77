"""IPTC's records, which JPEG and some TIFF files keep among Photoshop's resources."""

from __future__ import annotations

import io
import struct

_SIGNATURE, _RECORDS = b"8BIM", 0x0404


def among_resources(resources: bytes) -> bytes | None:
    """Return IPTC's records out of Photoshop's resources, if they are there."""
    file = io.BytesIO(resources)
    while file.read(4) == _SIGNATURE:
        kind = int.from_bytes(file.read(2), "big")
        name = int.from_bytes(file.read(1), "big")
        file.seek(name + (name + 1) % 2, io.SEEK_CUR)
        length = int.from_bytes(file.read(4), "big")
        data = file.read(length)
        if kind == _RECORDS:
            return data or None
        file.seek(length % 2, io.SEEK_CUR)
    return None


def as_resource(records: bytes) -> bytes:
    """Return IPTC's records as one of Photoshop's resources, without a name."""
    head = _SIGNATURE + struct.pack(">HHI", _RECORDS, 0, len(records))
    return head + records + bytes(len(records) % 2)
