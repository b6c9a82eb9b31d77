"""GeoTIFF: where on Earth a picture lies, when its pixels become smaller.

References
----------
OGC GeoTIFF Standard 1.1, annexes B and C.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import pack, unpack

from napari_srgan.files.exif import Directory, Tag

_PIXEL_SCALE, _TIE_POINTS, _TRANSFORMATION, _KEYS = 33550, 33922, 34264, 34735
_RASTER_TYPE, _PIXEL_IS_POINT = 1025, 2
_DOUBLE = 12

# Besides those: parameters of the keys, and GDAL's metadata and no-data value.
GEO_TAGS = frozenset(
    {_PIXEL_SCALE, _TIE_POINTS, _TRANSFORMATION, _KEYS, 34736, 34737, 42112, 42113}
)


def upscaled(geo: Directory, scale: int) -> Directory:
    """Return the tags of a picture of which each pixel became `scale` × `scale` of them.

    Coordinates of pixels count from the first one's corner, or from its centre where the keys say
    that a pixel is a point.
    """
    shift = (scale - 1) / 2 if _is_point(geo) else 0.0
    changed = {}
    if numbers := _doubles(geo, _PIXEL_SCALE):
        changed[_PIXEL_SCALE] = [value / scale for value in numbers[:2]] + numbers[2:]
    if numbers := _doubles(geo, _TIE_POINTS):
        changed[_TIE_POINTS] = [
            value * scale + shift if i % 6 < 2 else value for i, value in enumerate(numbers)
        ]
    if len(matrix := _doubles(geo, _TRANSFORMATION)) == 16:
        changed[_TRANSFORMATION] = _of_smaller_pixels(matrix, scale, shift)
    return geo.with_tags({n: _tag(geo, values) for n, values in changed.items()})


def _of_smaller_pixels(matrix: Sequence[float], scale: int, shift: float) -> list[float]:
    """Return a matrix, by rows, that takes the coordinates of smaller pixels."""
    made = list(matrix)
    for row in range(0, 16, 4):
        across, down = matrix[row] / scale, matrix[row + 1] / scale
        made[row : row + 2] = across, down
        made[row + 3] = matrix[row + 3] - (across + down) * shift
    return made


def _is_point(geo: Directory) -> bool:
    keys = geo.numbers(_KEYS)
    entries = [keys[i : i + 4] for i in range(4, len(keys) - 3, 4)]
    return any(entry[0] == _RASTER_TYPE and entry[3] == _PIXEL_IS_POINT for entry in entries)


def _doubles(geo: Directory, number: int) -> list[float]:
    tag = geo.tags.get(number)
    if tag is None or tag.type != _DOUBLE:
        return []
    return list(unpack(f"{geo.order}{tag.count}d", tag.data))


def _tag(geo: Directory, values: Sequence[float]) -> Tag:
    return Tag(_DOUBLE, pack(f"{geo.order}{len(values)}d", *values))
