"""A `Picture` to a file: the same bit depth and pixel size, or an error before anything is lost."""

from __future__ import annotations

import logging
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from napari_srgan.files.atomic import written_whole
from napari_srgan.files.picture import IMAGE_SUFFIXES, Picture
from napari_srgan.files.tiff_writing import write_tiff

JPEG_QUALITY = 95
_DESCRIPTION = "Description"  # a keyword that the PNG specification registers
_EXIF_DESCRIPTION = 0x010E  # ImageDescription
_PNG_HEAD = 8 + 25  # bytes of the signature and of the header, after which texts may stand

_logger = logging.getLogger(__name__)

_CHANNELS = {1: "grey", 3: "RGB", 4: "RGBA"}


def check_can_be_written(path: Path, picture: Picture, scale: int = 1) -> None:
    """Refuse a picture, `scale` times as large, that the format of `path` cannot hold.

    Raises
    ------
    ValueError
        As `write_picture` does, before there is anything to lose.
    """
    _writer(path.resolve().suffix, picture, scale)


def write_picture(path: str | Path, picture: Picture) -> None:
    """Write a picture in the format that the suffix of `path` names.

    The pixels are kept to the bit, except in JPEG (quality 95, colours at full resolution).
    In TIFF the size of a pixel is kept as OME metadata and as a resolution; see `write_tiff`.
    The description is kept as the text "Description" in PNG, as ImageDescription in the EXIF of
    JPEG and WebP, in the metadata of TIFF. An ICC profile is kept as it is. BMP has no place for
    either, which is said where a profile is lost.

    Parameters
    ----------
    path : str or Path
        The file to write; one that is there is replaced, but not before the new one is complete.
    picture : Picture
        One plane, or for TIFF any number of leading axes.

    Raises
    ------
    ValueError
        If the format cannot hold the picture; the message names the formats that can.
    OSError
        If the folder is missing or the file cannot be written; what was there before stays.
    """
    # A link stays a link: the file that it leads to is replaced.
    path = Path(path).resolve()
    write = _writer(path.suffix, picture)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent} to write {path.name} into.")
    with written_whole(path) as partial, partial.open("x+b") as file:
        write(file, picture)


@dataclass(frozen=True)
class _Format:
    """How a file format is written, and what it holds: pairs of dtype and channels."""

    write: Callable[[IO[bytes], Picture], None]
    holds: frozenset[tuple[str, int]]
    longest_side: int = 2**31 - 1
    has_stacks: bool = False

    def holds_kind(self, picture: Picture) -> bool:
        """Tell whether pictures of this type, colour and number of axes fit."""
        fits = (picture.data.dtype.name, _channels(picture)) in self.holds
        return fits and (self.has_stacks or picture.ndim == 2)


def _writer(suffix: str, picture: Picture, scale: int = 1) -> Callable[[IO[bytes], Picture], None]:
    """Find the writer for a suffix, or say why there is none for this picture."""
    name = _NAMES.get(suffix.lower())
    if name is None:
        kinds = ", ".join(IMAGE_SUFFIXES)
        raise ValueError(f"No image format is named {suffix!r}: expected one of {kinds}.")
    if 0 in picture.data.shape:
        raise ValueError(f"A picture of shape {picture.data.shape} has no pixels to write.")
    file_format = _FORMATS[name]
    if not file_format.holds_kind(picture):
        able = [other for other in _FORMATS if _FORMATS[other].holds_kind(picture)]
        others = f"{' and '.join(able)} can" if len(able) < 3 else f"{', '.join(able)} can"
        raise ValueError(
            f"{name} cannot hold {_describe(picture)}; {others if able else 'no format here can'}."
        )
    height, width = (scale * side for side in picture.data.shape[picture.ndim - 2 : picture.ndim])
    if max(height, width) > file_format.longest_side:
        raise ValueError(
            f"{name} cannot hold {width} × {height} pixels, only {file_format.longest_side} a "
            "side; TIFF and PNG can."
        )
    return file_format.write


def _describe(picture: Picture) -> str:
    kind = f"{picture.data.dtype} {_CHANNELS[_channels(picture)]}"
    return f"{kind} images" if picture.ndim == 2 else f"a stack of {kind} {picture.data.shape}"


def _channels(picture: Picture) -> int:
    return int(picture.data.shape[-1]) if picture.rgb else 1


def _write_png(file: IO[bytes], picture: Picture) -> None:
    if picture.data.dtype != np.uint16:
        from PIL.PngImagePlugin import PngInfo

        texts = PngInfo()
        if picture.description is not None:
            texts.add_itxt(_DESCRIPTION, picture.description)
        _save(file, picture, "PNG", pnginfo=texts)
        return
    # Pillow has no 16-bit colours.
    import imagecodecs

    encoded = bytes(imagecodecs.png_encode(np.ascontiguousarray(picture.data)))
    file.write(encoded[:_PNG_HEAD])
    if picture.profile is not None:
        file.write(_png_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(picture.profile)))
    if picture.description is not None:
        # Keyword, not compressed, no language, no translation, UTF-8 text.
        text = _DESCRIPTION.encode() + b"\0\0\0\0\0" + picture.description.encode()
        file.write(_png_chunk(b"iTXt", text))
    file.write(encoded[_PNG_HEAD:])


def _png_chunk(name: bytes, data: bytes) -> bytes:
    check = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)


def _write_jpeg(file: IO[bytes], picture: Picture) -> None:
    options = {"quality": JPEG_QUALITY, "subsampling": "4:4:4"}
    _save(file, picture, "JPEG", **options, **_exif(picture))


def _write_webp(file: IO[bytes], picture: Picture) -> None:
    # Without `exact`, colours under full transparency are dropped.
    _save(file, picture, "WEBP", lossless=True, exact=True, **_exif(picture))


def _exif(picture: Picture) -> dict[str, Any]:
    """Return Pillow's option that keeps a picture's description, if it has one."""
    if picture.description is None:
        return {}
    from PIL.Image import Exif

    exif = Exif()
    exif[_EXIF_DESCRIPTION] = picture.description
    return {"exif": exif}


def _write_bmp(file: IO[bytes], picture: Picture) -> None:
    if picture.profile is not None:
        _logger.warning("BMP cannot hold the picture's colour profile; PNG and TIFF can.")
    _save(file, replace(picture, profile=None), "BMP")


def _save(file: IO[bytes], picture: Picture, pillow_name: str, **options: Any) -> None:
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(picture.data))
    image.save(file, pillow_name, icc_profile=picture.profile, **options)


def _kinds(dtypes: str, *channels: int) -> frozenset[tuple[str, int]]:
    return frozenset((dtype, count) for dtype in dtypes.split() for count in channels)


_FORMATS = {
    "PNG": _Format(_write_png, _kinds("uint8 uint16", 1, 3, 4) | _kinds("bool", 1)),
    "JPEG": _Format(_write_jpeg, _kinds("uint8", 1, 3), longest_side=65_500),
    "TIFF": _Format(
        write_tiff,
        _kinds("uint8 uint16 uint32 uint64 int8 int16 int32 int64", 1, 3, 4)
        | _kinds("float16 float32 float64", 1, 3, 4)
        | _kinds("bool", 1),
        has_stacks=True,
    ),
    "BMP": _Format(_write_bmp, _kinds("uint8", 1, 3) | _kinds("bool", 1)),
    "WebP": _Format(_write_webp, _kinds("uint8", 1, 3, 4), longest_side=16_383),
}

_NAMES = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".webp": "WebP",
}
