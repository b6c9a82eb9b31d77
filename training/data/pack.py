"""Packed images: decoded pixels in two flat files, mapped into memory, and what lies where."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import laplace

from napari_srgan.training.data.decoding import Samples
from napari_srgan.training.data.sources import LeftOut

LOW, HIGH, INDEX = "low.bin", "high.bin", "index.json"

_NAMED = 10  # files that a summary lists


@dataclass(frozen=True)
class Entry:
    """One image of a pack: where its values begin, and its low-resolution size."""

    name: str
    low_height: int
    low_width: int
    low_offset: int
    high_offset: int


@dataclass(frozen=True)
class Pack:
    """Images and their reductions; pickled as the names of its files where it has such.

    Attributes
    ----------
    high, low : ndarray
        Flat uint8 or uint16; image after image, rows of pixels, channels last.
    entries : tuple of Entry
        What lies where.
    scale : int
        High-resolution pixels to a low-resolution one, along each axis.
    digest : str
        sha256 that stands for the files and for how they were packed.
    channels : int
        Values to a pixel.
    left_out : tuple of LeftOut
        Files that could not be used.
    remade : tuple of LeftOut
        Low-resolution files that could not be used, whose images were made anew.
    """

    high: Samples
    low: Samples
    entries: tuple[Entry, ...]
    scale: int
    digest: str
    channels: int = 3
    left_out: tuple[LeftOut, ...] = ()
    remade: tuple[LeftOut, ...] = ()

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger[Any]]:
        """uint8 or uint16."""
        return self.high.dtype

    @property
    def white(self) -> int:
        """The largest value of the depth, 255 or 65535."""
        return int(np.iinfo(self.dtype).max)

    @property
    def nbytes(self) -> int:
        """The size of all pixels, whether the entries name them or not."""
        return self.high.nbytes + self.low.nbytes

    def pair(self, index: int) -> tuple[Samples, Samples]:
        """Return image ``index``: low ``(h, w, c)`` and high ``(scale·h, scale·w, c)``, views."""
        entry = self.entries[index]
        h, w, s, c = entry.low_height, entry.low_width, self.scale, self.channels
        low = self.low[entry.low_offset : entry.low_offset + h * w * c]
        high = self.high[entry.high_offset : entry.high_offset + s * s * h * w * c]
        return low.reshape(h, w, c), high.reshape(s * h, s * w, c)

    def texture(self, index: int, y: int, x: int, side: int) -> float:
        """Return how much texture is in a square of a low-resolution image.

        It is the mean absolute Laplacian of what the channels have on average, in levels.

        Parameters
        ----------
        index : int
            Which image.
        y, x, side : int
            First corner and side of the square, in low-resolution pixels.
        """
        square = self.pair(index)[0][y : y + side, x : x + side]
        return float(texture_of(square).mean())

    def without(self, held_back: Iterable[int]) -> Pack:
        """Return the same pack with some images left out."""
        out = set(held_back)
        kept = tuple(entry for i, entry in enumerate(self.entries) if i not in out)
        return replace(self, entries=kept)

    def summary(self) -> str:
        """Return in a few lines how many images there are and which files were not used."""
        size = f"{self.nbytes / 2**20:,.0f} MiB"
        depth = f"{8 * self.dtype.itemsize} bits, {self.channels} channel(s)"
        lines = [f"{len(self.entries)} images, {depth}, {size}"]
        lines += _listed(f"{len(self.left_out)} files left out", self.left_out)
        lines += _listed(f"{len(self.remade)} low images made anew", self.remade)
        return "\n".join(lines)

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields, with files in place of the pixels that are mapped from them."""
        mapped = {name: _by_file(getattr(self, name)) for name in ("high", "low")}
        return {**self.__dict__, **mapped}

    def __setstate__(self, state: dict[str, Any]) -> None:
        opened = {
            name: value.open() if isinstance(value, _File) else value
            for name, value in state.items()
        }
        self.__dict__.update(opened)


@dataclass(frozen=True)
class _File:
    path: str
    dtype: str

    def open(self) -> Samples:
        return np.memmap(self.path, dtype=self.dtype, mode="r")


def _by_file(values: Samples) -> Samples | _File:
    if isinstance(values, np.memmap) and values.filename is not None:
        return _File(str(values.filename), values.dtype.str)
    return values


@dataclass(frozen=True)
class Index:
    """What a pack's folder says of its two files; written last."""

    dtype: str
    scale: int
    channels: int
    digest: str
    low_bytes: int
    high_bytes: int
    entries: tuple[Entry, ...]
    left_out: tuple[LeftOut, ...]
    remade: tuple[LeftOut, ...]

    def to_json(self) -> str:
        """Return the text of the index file."""
        lists = {name: [astuple(v) for v in getattr(self, name)] for name in _LISTS}
        return json.dumps({**self.__dict__, **lists})

    @classmethod
    def from_json(cls, text: str) -> Index:
        """Return what :meth:`to_json` wrote; `ValueError` or `TypeError` for other texts."""
        values = json.loads(text)
        if not isinstance(values, dict) or not _LISTS.keys() <= values.keys():
            raise ValueError("not the index of a pack")
        lists = {name: tuple(kind(*v) for v in values[name]) for name, kind in _LISTS.items()}
        return cls(**{**values, **lists})


_LISTS: dict[str, type[Entry | LeftOut]] = {
    "entries": Entry,
    "left_out": LeftOut,
    "remade": LeftOut,
}


def load_pack(folder: Path) -> Pack | None:
    """Return the pack in a folder, or None where there is none, or half of one."""
    try:
        index = Index.from_json((folder / INDEX).read_text(encoding="utf-8"))
        sizes = (folder / LOW).stat().st_size, (folder / HIGH).stat().st_size
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return None
    if sizes != (index.low_bytes, index.high_bytes):
        return None
    return Pack(
        high=_File(str(folder / HIGH), index.dtype).open(),
        low=_File(str(folder / LOW), index.dtype).open(),
        entries=index.entries,
        scale=index.scale,
        digest=index.digest,
        channels=index.channels,
        left_out=index.left_out,
        remade=index.remade,
    )


def texture_of(low: Samples) -> NDArray[Any]:
    """Return for each pixel of an image ``(h, w, c)`` how far it is from what is around it."""
    return np.abs(laplace(low.mean(axis=2)))


def _listed(title: str, files: tuple[LeftOut, ...]) -> list[str]:
    if not files:
        return []
    more = len(files) - _NAMED
    named = [f"  {file.name}: {file.reason}" for file in files[:_NAMED]]
    return [f"{title}:", *named, *([f"  … and {more} more"] if more > 0 else [])]
