"""PNG, JPEG, BMP and WebP: one image a file, decoded whole."""

from __future__ import annotations

import logging
import zlib
from pathlib import Path
from struct import unpack
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import BmpImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin
from PIL.ImageFile import ImageFile

from napari_srgan.files.picture import (
    Header,
    UnreadableImage,
    damage_named,
    is_turned,
    refuse_false_claim,
    upright,
)

# These formats are decoded in one piece; larger pictures are kept in TIFF.
MOST_PIXELS = 2**30
# Deflate cannot do better; the other formats reach it on blank images only.
HIGHEST_RATIO = 1032

_ORIENTATION_TAG = 0x0112

# Not Image.open: its limit on pixels is global, and lower than the photographs of today's cameras.
_OPENERS: dict[str, type[ImageFile]] = {
    "BMP": BmpImagePlugin.BmpImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
}

_CHANNELS = {"1": 1, "L": 1, "RGB": 3, "RGBA": 4}

_logger = logging.getLogger(__name__)


def photo_header(path: Path, kind: str) -> Header:
    """Read the header of a PNG, JPEG, BMP or WebP file; `kind` is its format's name.

    Raises
    ------
    UnreadableImage
        If the header is damaged, or claims more pixels than can be true or than are decoded.
    """
    with damage_named(path, kind), path.open("rb") as file:
        image = _OPENERS[kind](file)
        header = _header(image, kind, file)
        _refuse_giant(path, image.size)
        refuse_false_claim(path, header, HIGHEST_RATIO)
        return header


def photo_pixels(path: Path, kind: str) -> npt.NDArray[Any]:
    """Decode a PNG, JPEG, BMP or WebP file whole, upright, palette and transparency applied.

    Raises
    ------
    UnreadableImage
        If anything of it is missing or damaged.
    """
    with damage_named(path, kind), path.open("rb") as file:
        if kind == "PNG":
            _check_png(file.read())
        if kind == "JPEG":
            _check_jpeg(file.read())
        file.seek(0)
        image = _OPENERS[kind](file)
        header = _header(image, kind, file)
        if getattr(image, "is_animated", False):
            _logger.warning("%s is an animation; only its first frame is read.", path)
        if image.mode == "CMYK":
            _logger.warning("%s is CMYK; it is turned to RGB without a colour profile.", path)
        deep = header.dtype == np.uint16
        data = _deep_png(file) if deep else np.array(image.convert(_mode(image)))
        return upright(data, _orientation(image), rgb=header.rgb)


def _header(image: ImageFile, kind: str, file: IO[bytes]) -> Header:
    deep = kind == "PNG" and _png_depth(file) == 16
    # Pillow calls 16-bit greys "I;16" (or "I", by its age), and 16-bit colours by their 8-bit name.
    grey = deep and image.mode.startswith("I") and "transparency" not in image.info
    mode = "L" if grey else _mode(image)
    dtype = np.uint16 if deep else np.bool_ if mode == "1" else np.uint8
    width, height = image.size
    if is_turned(_orientation(image)):
        width, height = height, width
    channels = _CHANNELS[mode]
    shape = (height, width) if channels == 1 else (height, width, channels)
    return Header(shape, np.dtype(dtype), rgb=channels > 1, profile=_profile(image, channels))


def _profile(image: ImageFile, channels: int) -> bytes | None:
    """Return the ICC profile, if it is one of the colours that the image is given in."""
    profile = image.info.get("icc_profile")
    of_grey = image.mode in ("1", "L", "LA", "I", "I;16", "I;16B")
    if not isinstance(profile, bytes) or image.mode == "CMYK" or (of_grey and channels > 1):
        return None
    return profile


def _orientation(image: ImageFile) -> int:
    # Asked for what is not in its header, Pillow decodes a whole PNG to look behind the pixels.
    return image.getexif().get(_ORIENTATION_TAG, 1) if "exif" in image.info else 1


def _mode(image: ImageFile) -> str:
    """Name the Pillow mode that holds the image as grey or as plain colours."""
    if "A" in image.mode or "transparency" in image.info:
        return "RGBA"
    if image.mode in ("1", "L"):
        return image.mode
    if image.mode in ("RGB", "P", "CMYK"):
        return "RGB"
    raise ValueError(f"colours stored as {image.mode} are not supported")


def _refuse_giant(path: Path, size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MOST_PIXELS:
        raise UnreadableImage(
            f"{path} claims {width} × {height} pixels, more than the {MOST_PIXELS:,} that are "
            "decoded in one piece; a picture of that size is kept in TIFF."
        )


def _png_depth(file: IO[bytes]) -> int:
    """Read the bits a sample from a PNG's first chunk, leaving the file where it was."""
    position = file.tell()
    file.seek(24)
    (depth,) = file.read(1)
    file.seek(position)
    return int(depth)


def _deep_png(file: IO[bytes]) -> npt.NDArray[np.uint16]:
    """Decode a PNG of 16 bits a sample, which Pillow would cut to 8 bits where it is coloured."""
    import imagecodecs

    file.seek(0)
    data: npt.NDArray[np.uint16] = imagecodecs.png_decode(file.read())
    if data.ndim == 3 and data.shape[-1] == 2:
        data = data[..., [0, 0, 0, 1]]
    return data


def _check_png(data: bytes) -> None:
    """Walk a PNG's chunks: all must be there, and those that make the image undamaged.

    Pillow trusts the checksums of the pixel data, so a flipped bit would pass as picture.
    """
    position, name = 8, b""
    while name != b"IEND":
        if position + 12 > len(data):
            raise ValueError("the file ends before the image does")
        length, name = unpack(">I4s", data[position : position + 8])
        end = position + 8 + length
        is_critical = name[:1].isupper()
        checksum = data[end : end + 4]
        if is_critical and checksum != zlib.crc32(data[position + 4 : end]).to_bytes(4, "big"):
            raise ValueError(f"its {name.decode('ascii', 'replace')} chunk is damaged")
        position = end + 4


def _check_jpeg(data: bytes) -> None:
    """Look for the end-of-image marker, without which the rest of the picture comes out grey.

    Segments have their length before them, so that a thumbnail's markers are not taken for the
    image's own; after the start of the scan a marker cannot occur in the coded data.
    """
    position, marker = 2, 0
    while marker != 0xDA:
        if position + 4 > len(data) or data[position] != 0xFF:
            raise ValueError("the file ends, or is damaged, before the image begins")
        marker = data[position + 1]
        (length,) = unpack(">H", data[position + 2 : position + 4])
        # A marker may be preceded by any number of fill bytes.
        position += 1 if marker == 0xFF else 2 + length
    if data.find(b"\xff\xd9", position) < 0:
        raise ValueError("the file ends before the image does")
