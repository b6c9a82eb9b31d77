"""Stores in the making: hidden until they are whole, and gone on with where they were left."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from napari_srgan.files.locks import lock_folder, remove_locked


class Making:
    """A store that is being made in a hidden folder beside its place, and what of it is done.

    Parameters
    ----------
    target : Path
        Where it will be.
    job : mapping
        What it is made of and how, in values of JSON: a folder left by another job is thrown away.

    Attributes
    ----------
    done : dict
        What is done, and for each of it a word on what it was made of, which may be empty.
    """

    def __init__(self, target: Path, job: Mapping[str, Any]) -> None:
        self.target, self.folder = target, hidden_folder(target)
        self.store, self._journal = self.folder / "store", self.folder / "journal"
        self._job = json.dumps(job, sort_keys=True)
        self.done: dict[str, str] = {}

    def begin(self) -> None:
        """Read what is done, or begin anew."""
        lines = self._journal.read_text("utf-8").split("\n") if self._journal.exists() else []
        same = lines[:1] == [self._job] and self.store.is_dir()
        if same:
            whole = lines[1:-1]  # what follows the last line's end was torn
            self.done = dict(line.split("\t") for line in whole)
        text = "".join(f"{line}\n" for line in (self._job, *map("\t".join, self.done.items())))
        part = self.folder / "journal.new"
        part.write_text(text, "utf-8")
        part.replace(self._journal)
        if not same:  # not before the journal: what it says is done has to be there
            shutil.rmtree(self.store, ignore_errors=True)

    def mark(self, key: str, made_of: str = "") -> None:
        """Note that something is done, of which everything is written."""
        with self._journal.open("a", encoding="utf-8") as file:
            file.write(f"{key}\t{made_of}\n")
        self.done[key] = made_of

    def finish(self) -> None:
        """Put the store, which is whole, in its place; what was there goes."""
        for torn in self.store.rglob("*.partial"):  # chunks that were being written at a kill
            torn.unlink()
        if self.target.exists():
            before = self.folder / "before"
            shutil.rmtree(before, ignore_errors=True)  # of a run that was killed here
            self.target.replace(before)
        self.store.replace(self.target)


@contextmanager
def made_whole(target: Path, job: Mapping[str, Any]) -> Iterator[Making]:
    """Give a store to make, or to go on with; it becomes ``target`` when the body ends.

    What is left where the body is interrupted, even by a kill, is hidden, no image to any reader,
    and gone on with by the next call for the same job.

    Raises
    ------
    OSError
        If another process is making it, or nothing can be written there.
    """
    making = Making(target, job)
    lock = _lock_of(making.folder)
    if lock is None:
        raise FileExistsError(f"Another process is writing {target}. Wait for it, or stop it.")
    with lock:
        making.begin()
        yield making
        making.finish()
        remove_locked(making.folder, lock)


def _lock_of(folder: Path) -> IO[bytes] | None:
    """Make the folder and lock it; None if another process has it, or is just removing it."""
    folder.mkdir(exist_ok=True)
    try:
        return lock_folder(folder)
    except FileNotFoundError:
        return None


def hidden_folder(target: Path) -> Path:
    """Return the folder in which a store is made."""
    return target.with_name(f".{target.name}.part")
