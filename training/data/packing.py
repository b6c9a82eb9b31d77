"""Decode images once and write them into a pack, a folder that appears whole or not at all."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from io import RawIOBase
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from napari_srgan.resampling import shrink
from napari_srgan.training.data.crops import iter_ahead
from napari_srgan.training.data.decoding import Samples, deepened, read_image
from napari_srgan.training.data.levels import levelled, spread
from napari_srgan.training.data.pack import HIGH, INDEX, LOW, Entry, Index, load_pack
from napari_srgan.training.data.sources import LeftOut, Source
from napari_srgan.wording import listed

_PART = ".part"  # ends the names of folders that are being written
_ABANDONED_SECONDS = 3600  # without a write: whoever wrote is gone
_MOST_THREADS = 8  # decoded images are held in memory, a few to a thread


@contextmanager
def pack_folder(target: Path) -> Iterator[Path]:
    """Give a folder to write a pack into; it becomes ``target`` unless an error is raised.

    Several processes may do so at once: the pack that is whole first stays. Nothing is left of the
    others, nor, after a while, of those whose process was killed.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    with disk_named(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target.parent)
        made = _part_of(target)
        made.mkdir()
    try:
        yield made
        with disk_named(target.parent):
            _install(made, target)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def write_index(folder: Path, index: Index) -> None:
    """Write the index of a pack, which makes it whole."""
    with disk_named(folder.parent), (folder / INDEX).open("w", encoding="utf-8") as file:
        file.write(index.to_json())
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def disk_named(cache: Path) -> Iterator[None]:
    """Say where a pack could not be written and what to do; the error keeps its number."""
    try:
        yield
    except OSError as error:
        cause = (error.strerror or str(error)).lower()
        raise OSError(
            error.errno,
            f"Decoded images cannot be kept in {cache}: {cause}. "
            "Free space there, or name another folder for them",
        ) from error


def _part_of(target: Path) -> Path:
    return target.with_name(f"{target.name}-{uuid4().hex}{_PART}")


def _install(made: Path, target: Path) -> None:
    """Give a finished pack its name, unless one that is whole has it already."""
    while True:
        try:
            made.rename(target)
        except OSError:
            if load_pack(target) is not None:
                return
            if not target.exists():
                raise
            _discard(target)
        else:
            return


def _discard(target: Path) -> None:
    """Take a damaged pack out of the way; another process may be doing the same."""
    aside = _part_of(target)
    with suppress(FileNotFoundError):
        target.rename(aside)
        shutil.rmtree(aside)


def _sweep(cache: Path) -> None:
    """Remove what killed processes left behind."""
    for folder in cache.glob(f"*{_PART}"):
        with suppress(FileNotFoundError):  # its process has just finished
            newest = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
            if time.time() - newest > _ABANDONED_SECONDS:
                shutil.rmtree(folder)


@dataclass(frozen=True)
class Terms:
    """What images are made into, and the least side that one must have."""

    scale: int
    smallest: int
    channels: int
    normalize: str = "dtype"  # or "auto": 16-bit images by their own black and white


@dataclass(frozen=True)
class PackingProgress:
    """Images seen, of how many. It begins again when 16 bits are met after 8."""

    done: int
    total: int


@dataclass(frozen=True)
class _Decoded:
    low: Samples
    high: Samples
    remade: LeftOut | None

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.result_type(self.low, self.high)


class _DeeperImage(Exception):  # noqa: N818 - no error: the pack is begun again
    """A 16-bit image among those that go into an 8-bit pack."""


def iter_write_pack(
    sources: Sequence[Source],
    target: Path,
    terms: Terms,
    digest: str,
    left_out: Sequence[LeftOut] = (),
) -> Generator[PackingProgress, None, None]:
    """Decode images into a pack at ``target``, yielding progress.

    Its depth is that of the deepest image. Images that cannot be used are listed in it, after
    those in ``left_out``. Where another process was faster, its pack stays. Of a pack that was
    not finished nothing stays.

    Raises
    ------
    OSError
        If the pack cannot be written; the message says what to do.
    ValueError
        If no image can be used.
    """
    with pack_folder(target) as made:
        for dtype in (np.dtype(np.uint8), np.dtype(np.uint16)):
            contents = _Contents(dtype, list(left_out))
            try:
                yield from _iter_write(sources, made, terms, contents)
            except _DeeperImage:
                continue
            break
        write_index(made, contents.index(terms, digest))


@dataclass
class _Contents:
    """What is in a pack so far."""

    dtype: np.dtype[Any]
    left_out: list[LeftOut]
    remade: list[LeftOut] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    low_size: int = 0
    high_size: int = 0

    def add(self, name: str, image: _Decoded) -> None:
        h, w = image.low.shape[:2]
        self.entries.append(Entry(name, h, w, self.low_size, self.high_size))
        self.low_size += image.low.size
        self.high_size += image.high.size
        self.remade += [image.remade] if image.remade else []

    def index(self, terms: Terms, digest: str) -> Index:
        return Index(
            dtype=self.dtype.name,
            scale=terms.scale,
            channels=terms.channels,
            digest=digest,
            low_bytes=self.low_size * self.dtype.itemsize,
            high_bytes=self.high_size * self.dtype.itemsize,
            entries=tuple(self.entries),
            left_out=tuple(self.left_out),
            remade=tuple(self.remade),
        )


def _iter_write(
    sources: Sequence[Source], folder: Path, terms: Terms, contents: _Contents
) -> Iterator[PackingProgress]:
    """Write the two files of pixels and fill ``contents``, yielding progress."""
    with (
        closing(_iter_decoded(sources, terms)) as decoded,
        (folder / LOW).open("wb", buffering=0) as low_file,
        (folder / HIGH).open("wb", buffering=0) as high_file,
    ):
        for done, (source, image) in enumerate(zip(sources, decoded, strict=True), start=1):
            if isinstance(image, LeftOut):
                contents.left_out.append(image)
            elif image.dtype.itemsize > contents.dtype.itemsize:
                raise _DeeperImage
            else:
                contents.add(source.name, image)
                with disk_named(folder.parent):
                    _write(low_file, deepened(image.low, contents.dtype))
                    _write(high_file, deepened(image.high, contents.dtype))
            yield PackingProgress(done, len(sources))
        if not contents.entries:
            reasons = listed([f"{left.name}: {left.reason}" for left in contents.left_out])
            raise ValueError(f"None of the {len(sources)} images can be used: {reasons}.")
        with disk_named(folder.parent):
            os.fsync(low_file.fileno())
            os.fsync(high_file.fileno())


def _iter_decoded(
    sources: Sequence[Source], terms: Terms
) -> Generator[_Decoded | LeftOut, None, None]:
    threads = min(_MOST_THREADS, os.cpu_count() or 1)
    return iter_ahead(partial(_decode, terms=terms), sources, ahead=threads, workers=threads)


def _decode(source: Source, terms: Terms) -> _Decoded | LeftOut:
    """Return an image, cropped at the right and the bottom to the scale, with its reduction."""
    try:
        high = read_image(source.high, terms.channels)
    except (OSError, ValueError) as error:
        return LeftOut(source.name, str(error))
    h, w = (side // terms.scale for side in high.shape[:2])
    least = max(terms.smallest, terms.scale)
    if terms.scale * min(h, w) < least:
        size = f"{high.shape[0]} × {high.shape[1]} pixels"
        return LeftOut(source.name, f"{size} are too few; a side needs {least}")
    high = high[: terms.scale * h, : terms.scale * w]
    if terms.normalize == "auto":
        high = spread(high)
    low = None if source.low is None else _published(source.low, (h, w), terms.channels)
    if low is None or isinstance(low, LeftOut):
        return _Decoded(shrink(high, terms.scale), high, low)
    if terms.normalize == "auto" and low.dtype == high.dtype == np.uint16:
        low = levelled(low, high, terms.scale)
    return _Decoded(low, high, None)


def _published(path: Path, size: tuple[int, int], channels: int) -> Samples | LeftOut:
    """Return a data set's own low image, or why it is not the partner of its high one."""
    try:
        low = read_image(path, channels)
    except (OSError, ValueError) as error:
        return LeftOut(path.name, str(error))
    if low.shape[:2] != size:
        reason = f"{low.shape[0]} × {low.shape[1]} pixels; its image needs {size[0]} × {size[1]}"
        return LeftOut(path.name, reason)
    return low


def _write(file: RawIOBase, image: Samples) -> None:
    # A raw file may take less than it is given, and has nothing to flush when the disk is full.
    rest = np.ascontiguousarray(image).data.cast("B")
    while rest:
        rest = rest[file.write(rest) or 0 :]
