"""Where a pack is written: a folder of its own, which gets its name when the pack is whole."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from napari_srgan.training.packs import INDEX, Index, load_pack

_PART = ".part"  # ends the names of folders that are being written
_ABANDONED_SECONDS = 3600  # without a write: whoever wrote is gone


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
