"""One file or a folder of them to a `Picture`, by what the bytes are and not by the suffix."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_srgan.files.photo.decode import photo_header, photo_pixels
from napari_srgan.files.picture import IMAGE_SUFFIXES, Header, Picture, UnreadableImage
from napari_srgan.files.tiff.reading import tiff_header, tiff_pixels
from napari_srgan.wording import listed

_logger = logging.getLogger(__name__)

_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}


def read_picture(path: str | Path) -> Picture:
    """Read an image file whole: PNG, JPEG, TIFF, BMP or WebP, whatever its suffix.

    The bit depth is the file's own. Palettes and transparent colours become RGB or RGBA, grey with
    alpha becomes RGBA, ink becomes RGB, and an orientation is applied. Equal pages, and the frames
    of an animation, are a stack; of a file whose images are not equal none is read. What is not as
    a person would expect is logged.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    Picture
        Its pixels as a numpy array, with the pixel size and axis names that a TIFF file states.

    Raises
    ------
    UnreadableImage
        If the file is no image, is damaged or cut short, claims a size that cannot be true, or
        holds what cannot be shown as intensities or colours, or images that are not equal.
    OSError
        If the file is missing, is a folder, or may not be read.
    """
    path = Path(path)
    header = read_header(path)
    _tell({path: header})
    return _picture(_expected(path, header), header)


def read_header(path: str | Path) -> Header:
    """Read what an image file says of its pixels and of itself, decoding nothing.

    Raises
    ------
    UnreadableImage, OSError
        As `read_picture` does, but for damage of the pixels.
    """
    path = Path(path)
    kind = _kind(path)
    return tiff_header(path) if kind == "TIFF" else photo_header(path, kind)


def _tell(headers: Mapping[Path, Header]) -> None:
    """Log what is not as a person would expect, once of all files of which it holds."""
    told: set[str] = set()
    for path, header in headers.items():
        for note in header.notes:
            if note not in told:
                _logger.warning("%s %s.", path, note)
                told.add(note)


def read_folder(folder: str | Path) -> Picture:
    """Read a folder of equal images as a stack, in natural order (2 before 10).

    Parameters
    ----------
    folder : str or Path
        The folder; what is in folders below it, and files of other kinds, are left out.

    Returns
    -------
    Picture
        As `read_stack` gives.

    Raises
    ------
    FileNotFoundError
        If there is no image in the folder.
    ValueError, UnreadableImage
        As `read_stack` does.
    """
    return read_stack(images_in(Path(folder)))


def images_in(folder: Path) -> list[Path]:
    """List a folder's image files, by their names, in natural order.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or no image in it.
    """
    paths = [path for path in folder.iterdir() if is_image_path(path) and path.is_file()]
    if not paths:
        kinds = ", ".join(IMAGE_SUFFIXES)
        raise FileNotFoundError(f"There is no image in {folder}: expected files named {kinds}.")
    return sorted(paths, key=lambda path: natural_key(path.name))


def left_out_of(folder: Path) -> str:
    """Say what in a folder is not read as an image of it; empty where there is nothing to say."""
    others = [path for path in folder.iterdir() if not path.name.startswith(".")]
    folders = sorted(path.name for path in others if path.is_dir())
    files = sorted(path.name for path in others if path.is_file() and not is_image_path(path))
    astray = sorted(path.name for path in others if not path.is_file() and not path.is_dir())
    words = []
    for names, one, many in (
        (folders, "folder in it is not entered", "folders in it are not entered"),
        (files, "file of another kind is left out", "files of other kinds are left out"),
        (astray, "name in it leads to no file", "names in it lead to no files"),
    ):
        if names:
            words.append(f"{len(names)} {one if len(names) == 1 else many} ({listed(names)})")
    return f"{', and '.join(words)}." if words else ""


def read_stack(paths: Sequence[str | Path]) -> Picture:
    """Read equal images as a stack, in the order given.

    Sizes are compared by the files' headers. Several files are decoded later, one by one, as
    their planes are asked for.

    Parameters
    ----------
    paths : sequence of str or Path
        The files, at least one.

    Returns
    -------
    Picture
        `(n, ..., h, w)` or `(n, ..., h, w, 3|4)`: a dask array with a chunk for each file, or
        a numpy array if there is one file. The pixel size is kept if the files agree on it.

    Raises
    ------
    ValueError
        If the images differ in size, type or colour; the message names the first that does.
    UnreadableImage
        If a file's header is damaged; when a plane is asked for, if its file is.
    """
    files = [Path(path) for path in paths]
    if not files:
        raise ValueError("A stack needs at least one image file; got none.")
    headers = [read_header(path) for path in files]
    _tell(dict(zip(files, headers, strict=True)))
    first = headers[0]
    for path, header in zip(files, headers, strict=True):
        if (header.shape, header.dtype, header.rgb) != (first.shape, first.dtype, first.rgb):
            raise ValueError(
                f"{path} is {header}, but {files[0].name} is {first}: a stack needs equal images."
            )
    scale, units = first.pixel_scale, first.units
    if any((header.pixel_scale, header.units) != (scale, units) for header in headers):
        scale = units = None
    return Picture(
        _stacked(files, first),
        first.rgb,
        None if scale is None else (1.0, *scale),
        None if units is None else ("pixel", *units),
    )


def natural_key(name: str) -> tuple[list[str | int], str]:
    """Return what names are sorted by so that numbers in them count as such: 2 before 10."""
    parts = re.split(r"(\d+)", name.casefold())
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name


def is_image_path(path: Path) -> bool:
    """Tell by its name whether a path is an image file; hidden files are none."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def _stacked(paths: Sequence[Path], header: Header) -> Any:
    if len(paths) == 1:
        return _expected(paths[0], header)[np.newaxis]
    import dask.array as da
    from dask.delayed import delayed

    plane = delayed(_expected, pure=True)
    return da.stack(
        [
            da.from_delayed(plane(path, header), shape=header.shape, dtype=header.dtype)
            for path in paths
        ]
    )


def _expected(path: Path, header: Header) -> npt.NDArray[Any]:
    """Decode a file, having made sure that it is what its header said: dask takes its word."""
    data = _pixels(path)
    if (data.shape, data.dtype) != (header.shape, header.dtype):
        found = " × ".join(map(str, data.shape))
        raise UnreadableImage(f"{path} says it is {header}, and is {found} {data.dtype}.")
    return data


def _picture(data: npt.NDArray[Any], header: Header) -> Picture:
    return Picture(
        data,
        header.rgb,
        header.pixel_scale,
        header.units,
        header.axis_labels,
        header.metadata,
        header.bits,
    )


def _pixels(path: Path) -> npt.NDArray[Any]:
    kind = _kind(path)
    return tiff_pixels(path) if kind == "TIFF" else photo_pixels(path, kind)


def _kind(path: Path) -> str:
    """Name the format that a file's first bytes are of."""
    refuse_no_file(path)
    with path.open("rb") as file:
        start = file.read(512)
    for signature, kind in _SIGNATURES.items():
        if start.startswith(signature):
            return kind
    if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        return "WebP"
    raise UnreadableImage(f"{path} {_what_else(start)}.")


def refuse_no_file(path: Path) -> None:
    """Refuse what is there, but is no file: a folder, a pipe or a device may never end.

    Raises
    ------
    OSError
        If it is such, or a link that leads nowhere.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, not an image file.")
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is a pipe or a device, not a file.")
    if path.is_symlink() and not path.exists():
        raise FileNotFoundError(f"{path} is a link that leads to no file.")


def _what_else(start: bytes) -> str:
    if not start:
        return "is empty"
    if re.match(rb"\s*(<!doctype html|<html|<head|<\?xml|<!--)", start, re.IGNORECASE):
        return "is a web page or other text with tags, not an image; download it again"
    if start.startswith((b"GIF87a", b"GIF89a")):
        return "is a GIF, whose 256 colours are no picture to upscale; save it as PNG or WebP"
    return "is not a PNG, JPEG, TIFF, BMP or WebP image"
