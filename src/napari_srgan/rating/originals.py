"""Originals of a session: found in folders as the benchmarks lay them out, read and cropped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_srgan.files import read_picture
from napari_srgan.files.reading import images_in, is_image_path

_HIGH_MARK, _LOW_MARK = "_HR", "_LR"

Pixels = NDArray[Any]


def find_originals(folder: Path) -> list[tuple[str, Path]]:
    """Return data set and path of each original below a folder, in natural order.

    They are the images in the folder, of the data set of its name; or, where it has none, those in
    each of its folders. Where names end in ``_HR``, only those are originals: beside them stand
    low images, and often the results of other methods.

    Raises
    ------
    OSError
        If there is no image.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")
    if not _holds_images(folder):
        inner = sorted(sub for sub in folder.iterdir() if sub.is_dir() and _holds_images(sub))
        if inner:
            return [(sub.name, path) for sub in inner for path in _originals_in(sub)]
    name = folder.resolve().name
    return [(name, path) for path in _originals_in(folder)]


def _holds_images(folder: Path) -> bool:
    return any(is_image_path(path) and path.is_file() for path in folder.iterdir())


def _originals_in(folder: Path) -> list[Path]:
    paths = images_in(folder)
    marked = [path for path in paths if path.stem.endswith(_HIGH_MARK)]
    return marked or [path for path in paths if not path.stem.endswith(_LOW_MARK)]


def read_original(path: Path, scale: int) -> Pixels:
    """Return an image, ``(h, w)`` or ``(h, w, 3)``, cropped to sides that are multiples of a scale.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is no single image of 8 or 16 bits, grey or RGB, or is smaller than ``scale``.
    """
    picture = read_picture(path)
    data = picture.data
    if picture.ndim != 2:
        raise ValueError(f"{path.name} is a stack: rate its planes as files of their own.")
    if data.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"{path.name} is {data.dtype}: convert it to 8 or 16 bits, unsigned.")
    if picture.rgb and data.shape[2] == 4:
        if (data[..., 3] != np.iinfo(data.dtype).max).any():
            raise ValueError(f"{path.name} is transparent in places: give it a background.")
        data = data[..., :3]
    h, w = (side - side % scale for side in data.shape[:2])
    if not h * w:
        raise ValueError(f"{path.name} has fewer than {scale} × {scale} pixels.")
    return np.ascontiguousarray(data[:h, :w])
