"""Data sets to measure on: images, each with its low-resolution partner or one made from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from napari_srgan.resampling import SCALE, Pixels, shrink
from napari_srgan.wording import listed

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})

_HIGH, _LOW = "_HR", "_LR"
_READ_AS = {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB"}  # Pillow's modes
_NAMED = 5  # files an error message lists


@dataclass(frozen=True)
class Pair:
    """An image of a data set; without ``low_path``, the low image is made from the high one."""

    name: str
    high_path: Path
    low_path: Path | None


def find_data_sets(folder: Path) -> dict[str, list[Pair]]:
    """Return the data sets of ``folder`` by name: itself if it has images, else its sub-folders.

    Raises
    ------
    OSError
        If there is no such folder, or no image in it, or a low image is missing.
    ValueError
        If two images of a data set have one name.
    """
    if _images(folder):
        return {folder.resolve().name: find_pairs(folder)}
    holders = [sub for sub in sorted(folder.iterdir()) if sub.is_dir() and _images(sub)]
    if not holders:
        raise _no_images(folder)
    return {sub.name: find_pairs(sub) for sub in holders}


def find_pairs(folder: Path) -> list[Pair]:
    """Return the images of ``folder``, sorted by name.

    Where names end in ``_HR`` and ``_LR`` (``a_HR.png``, ``a_LR.png``) these are the pairs, and
    other images are left aside, for such folders often hold the results of other methods. Where
    none does, each image is a high one.

    Raises
    ------
    OSError
        If there is no such folder, or no image in it, or one of a pair is missing.
    ValueError
        If two images have one name.
    """
    paths = _by_stem(_images(folder))
    if not paths:
        raise _no_images(folder)
    highs = {stem.removesuffix(_HIGH): p for stem, p in paths.items() if stem.endswith(_HIGH)}
    lows = {stem.removesuffix(_LOW): p for stem, p in paths.items() if stem.endswith(_LOW)}
    if not highs and not lows:
        return [Pair(stem, path, None) for stem, path in paths.items()]
    if alone := sorted(highs.keys() ^ lows.keys()):
        named = listed([(highs | lows)[name].name for name in alone], _NAMED)
        raise FileNotFoundError(
            f"Without a partner in {folder}: {named} ({len(alone)} in all). Every *{_HIGH} "
            f"needs its *{_LOW}; to have low images made, take {_HIGH} off the names."
        )
    return [Pair(name, path, lows[name]) for name, path in highs.items()]


def without_partners(data_sets: Mapping[str, Sequence[Pair]]) -> dict[str, list[Pair]]:
    """Return data sets whose low images are all made from the high ones, for any scale."""
    return {
        name: [replace(pair, low_path=None) for pair in pairs] for name, pairs in data_sets.items()
    }


def read_pair(pair: Pair, *, scale: int = SCALE) -> tuple[Pixels, Pixels]:
    """Return the low and the high image of a pair, ``(h, w)`` or ``(h, w, 3)``, uint8.

    Without a low image the high one is cropped, at the right and the bottom, to sides that are
    multiples of ``scale``, and shrunk.

    Raises
    ------
    OSError
        If a file cannot be read.
    ValueError
        If an image is neither 8-bit greyscale nor RGB, or the two do not belong together.
    """
    high = _read(pair.high_path)
    if pair.low_path is None:
        h, w = (side - side % scale for side in high.shape[:2])
        return shrink(high[:h, :w], scale), high[:h, :w]
    low = _read(pair.low_path)
    expected = (scale * low.shape[0], scale * low.shape[1], *low.shape[2:])
    if high.shape != expected:
        raise ValueError(
            f"{pair.high_path.name} has shape {high.shape}, {pair.low_path.name} has {low.shape}. "
            f"At ×{scale} the former would be {expected}: take images of one kind and that scale."
        )
    return low, high


def _images(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def _no_images(folder: Path) -> FileNotFoundError:
    return FileNotFoundError(f"No images ({', '.join(sorted(SUFFIXES))}) in {folder}.")


def _by_stem(paths: Iterable[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in paths:
        other = found.setdefault(path.stem, path)
        if other != path:
            raise ValueError(
                f"{other.name} and {path.name} in {path.parent} have one name. Rename either."
            )
    return found


def _read(path: Path) -> Pixels:
    try:
        with Image.open(path) as picture:
            mode = picture.mode
            if mode in _READ_AS:
                return np.asarray(picture.convert(_READ_AS[mode]))
    except UnidentifiedImageError as error:
        raise OSError(f"{path} is not an image.") from error
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise OSError(f"{path} cannot be read: {error}") from error
    raise ValueError(f"{path.name} is neither 8-bit greyscale nor RGB but {mode!r}. Convert it.")
