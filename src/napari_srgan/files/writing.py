"""A `Picture` to a file: the same bit depth and pixel size, or an error before anything is lost."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from napari_srgan.files.atomic import written_whole
from napari_srgan.files.metadata import Density, Metadata
from napari_srgan.files.photo import bmp, jpeg, png_metadata
from napari_srgan.files.picture import IMAGE_SUFFIXES, Picture
from napari_srgan.files.tiff.pixel_sizes import dots_per_centimeter
from napari_srgan.files.tiff.writing import write_tiff

JPEG_QUALITY = 95

_logger = logging.getLogger(__name__)

_CHANNELS = {1: "grey", 3: "RGB", 4: "RGBA"}


def check_can_be_written(path: Path, picture: Picture, scale: int = 1) -> None:
    """Refuse a picture, `scale` times as large, that the format of `path` cannot hold.

    Raises
    ------
    ValueError
        As `write_picture` does, before there is anything to lose.
    """
    check_suffix(path)
    _format_for(path.suffix, picture, scale)


def check_suffix(path: Path) -> None:
    """Refuse a file name whose suffix is that of no format that is written.

    Raises
    ------
    ValueError
        If it is none.
    """
    if path.suffix.lower() not in _NAMES:
        kinds = ", ".join(IMAGE_SUFFIXES)
        raise ValueError(
            f"No image format is named {path.suffix!r} ({path}): expected one of {kinds}."
        )


def is_named_as_image(path: Path) -> bool:
    """Tell whether a name is that of an image file, if only of a kind that is not written."""
    return path.suffix.lower() in (*_NAMES, *_NOT_WRITTEN)


def write_picture(path: str | Path, picture: Picture) -> None:
    """Write a picture in the format that the suffix of `path` names.

    The pixels are kept to the bit, except in JPEG (quality 95, colours at full resolution).
    In TIFF the size of a pixel is kept as OME metadata and as a resolution; see `write_tiff`.
    What the picture's metadata say is kept by each format's own means; what a format has no place
    for is named in a warning. Elsewhere than in TIFF, a pixel's size becomes a density.

    Parameters
    ----------
    path : str or Path
        The file to write; one that is there is replaced, but not before the new one is complete.
        Of a link, the file that it leads to.
    picture : Picture
        One plane, or for TIFF any number of leading axes.

    Raises
    ------
    ValueError
        If the format cannot hold the picture; the message names the formats that can.
    OSError
        If the folder is missing or the file cannot be written; what was there before stays.
    """
    given = Path(path)
    check_suffix(given)
    target = resolved(given)
    name, file_format = _format_for(given.suffix, picture)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {target.parent} to write {target.name} into.")
    whole = replace(picture, metadata=picture.metadata.of_size(*picture.size))
    with written_whole(target) as partial, partial.open("x+b") as file:
        lost = file_format.write(file, whole)
    if lost:
        _logger.warning("%s: %s cannot hold the picture's %s.", given, name, _listed(lost))


def resolved(path: Path) -> Path:
    """Return the file that a path leads to.

    Raises
    ------
    OSError
        If it is a link that leads back to itself.
    """
    try:
        return path.resolve()
    except RuntimeError as error:  # Python before 3.13
        raise OSError(f"{path} is a link that leads back to itself.") from error


def _listed(words: Sequence[str]) -> str:
    return " and ".join(", ".join(words).rsplit(", ", 1))


@dataclass(frozen=True)
class _Format:
    """How a file format is written, and what it holds: pairs of dtype and channels.

    Writing gives in words what it does not hold of the picture's metadata.
    """

    write: Callable[[IO[bytes], Picture], Sequence[str]]
    holds: frozenset[tuple[str, int]]
    longest_side: int = 2**31 - 1
    has_stacks: bool = False

    def holds_kind(self, picture: Picture) -> bool:
        """Tell whether pictures of this type, colour and number of axes fit."""
        fits = (picture.data.dtype.name, _channels(picture)) in self.holds
        return fits and (self.has_stacks or picture.ndim == 2)


def _format_for(suffix: str, picture: Picture, scale: int = 1) -> tuple[str, _Format]:
    """Return the name and the format for a suffix, or say why there is none for this picture."""
    name = _NAMES[suffix.lower()]
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
    return name, file_format


def _describe(picture: Picture) -> str:
    kind = f"{picture.data.dtype} {_CHANNELS[_channels(picture)]}"
    return f"{kind} images" if picture.ndim == 2 else f"a stack of {kind} {picture.data.shape}"


def _channels(picture: Picture) -> int:
    return int(picture.data.shape[-1]) if picture.rgb else 1


def _write_png(file: IO[bytes], picture: Picture) -> list[str]:
    data, known = picture.data, _with_density(picture)
    if data.dtype == np.uint16:  # of which Pillow has no colours
        import imagecodecs

        encoded = bytes(imagecodecs.png_encode(np.ascontiguousarray(_spread(data, picture.bits))))
    else:
        encoded = _encoded(data, "PNG")
    file.writelines(png_metadata.with_metadata(encoded, known))
    return list(known.lost(*_OF_ALL, "iptc", "colour_chunks", "texts"))


def _spread(data: npt.NDArray[np.uint16], bits: int | None) -> npt.NDArray[np.uint16]:
    """Return counts of fewer bits as those of 16, as PNG asks, so that the largest one is white."""
    if bits is None or int(data.max()) >= 2**bits:
        return data
    made: npt.NDArray[np.uint16] = np.rint(data * (65535 / (2**bits - 1))).astype(np.uint16)
    return made


def _write_jpeg(file: IO[bytes], picture: Picture) -> list[str]:
    known = _with_density(picture)
    encoded = _encoded(picture.data, "JPEG", quality=JPEG_QUALITY, subsampling="4:4:4")
    whole, too_large = jpeg.with_metadata(encoded, known)
    file.write(whole)
    return [*known.lost(*_OF_ALL, "iptc", "tags", "comment"), *too_large]


def _write_webp(file: IO[bytes], picture: Picture) -> list[str]:
    known = _with_density(picture)
    known, notes = known.given_as(from_ink=False, coloured=True)  # there is no grey WebP
    # Without `exact`, colours under full transparency are dropped.
    encoded = _encoded(
        picture.data,
        "WEBP",
        lossless=True,
        exact=True,
        icc_profile=known.profile or b"",
        exif=known.exif_block(with_density=True),
        xmp=known.xmp or b"",
    )
    file.write(encoded)
    return [*known.lost(*_OF_ALL, "tags"), *(["profile of grey"] if notes else [])]


def _write_bmp(file: IO[bytes], picture: Picture) -> list[str]:
    known = _with_density(picture)
    file.write(bmp.with_density(_encoded(picture.data, "BMP"), known.density))
    return list(known.lost("density"))


def _write_tiff(file: IO[bytes], picture: Picture) -> list[str]:
    write_tiff(file, picture)
    return list(picture.metadata.lost(*_OF_ALL, "iptc", "geo", "tags"))


# What every format but BMP holds.
_OF_ALL = ("profile", "density", "exif", "xmp", "description")


def _with_density(picture: Picture) -> Metadata:
    """Return a picture's metadata, its density known by the size of a pixel where that is known."""
    known, steps, units = picture.metadata, picture.pixel_scale, picture.units
    if known.density is not None or steps is None or units is None:
        return known
    down, across = map(dots_per_centimeter, steps[-2:], units[-2:])
    if down is None or across is None:
        return known
    return replace(known, density=Density(across, down, "centimeter"))


def _encoded(data: npt.NDArray[Any], pillow_name: str, **options: Any) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(data)).save(file, pillow_name, **options)
    return file.getvalue()


def _kinds(dtypes: str, *channels: int) -> frozenset[tuple[str, int]]:
    return frozenset((dtype, count) for dtype in dtypes.split() for count in channels)


_FORMATS = {
    "PNG": _Format(_write_png, _kinds("uint8 uint16", 1, 3, 4) | _kinds("bool", 1)),
    "JPEG": _Format(_write_jpeg, _kinds("uint8", 1, 3), longest_side=65_500),
    "TIFF": _Format(
        _write_tiff,
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
    ".jfif": "JPEG",
    ".jpe": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".webp": "WebP",
}

# Names that a person may well give an image, and that nothing is written under.
_NOT_WRITTEN = (
    ".avif", ".exr", ".gif", ".heic", ".heif", ".ico", ".jp2", ".jxl", ".npy", ".pdf", ".psd",
    ".svg",
)  # fmt: skip
