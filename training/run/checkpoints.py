"""Checkpoints of a phase on disk: complete or absent, the last few kept, each with a checksum."""

from __future__ import annotations

import hashlib
import pickle
import shutil
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import torch

from napari_srgan.files.atomic import written_whole
from napari_srgan.training.run.damaged import DamagedFileError, set_aside

KEPT = 3

# What follows torch's own bytes, which are a ZIP archive: readers of those find its directory all
# the same.
_SEAL = b"sha256:"
_SEAL_BYTES = len(_SEAL) + hashlib.sha256().digest_size
_ZIP_END, _ZIP_END_BYTES = b"PK\x05\x06", 22  # of an archive that nothing follows


class Checkpoints:
    """The folder of a phase's checkpoints, ``00000500.pt`` and so on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, step: int, state: dict[str, Any]) -> Path:
        """Write a checkpoint: a temporary file, flushed, then renamed; remove old ones.

        Raises
        ------
        OSError
            If it cannot be written, as on a full disk. Those before it are still there.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self.folder / f"{step:08d}.pt"
        write_whole(target, state)
        for old in self.paths()[:-KEPT]:
            old.unlink()
        return target

    def paths(self) -> list[Path]:
        """Return the checkpoints, oldest first."""
        return sorted(self.folder.glob("[0-9]*.pt"))

    def latest(self) -> dict[str, Any] | None:
        """Return the state of the newest checkpoint that is whole, or None where there is none.

        A damaged one is named in the log and set aside, and the one before it is used.
        """
        paths = self.paths()
        while paths:
            path = paths.pop()
            try:
                return read_state(path)
            except FileNotFoundError:  # another process of the team was faster to set it aside
                continue
            except DamagedFileError as error:
                before = f"{paths[-1].name} is used." if paths else "There is none before it."
                set_aside(error, before)
        return None


def write_whole(target: Path, state: dict[str, Any]) -> None:
    """Write a state and its checksum, complete or not at all, whatever happens meanwhile."""
    try:
        with written_whole(target) as part:
            torch.save(state, part)
            with part.open("rb+") as file:
                digest = hashlib.file_digest(file, "sha256").digest()
                file.write(_SEAL + digest)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
        free = shutil.disk_usage(target.parent).free / 2**20
        raise OSError(
            f"{target} could not be written; its disk had {free:.0f} MiB free ({error}). The "
            "checkpoints before it are still there: make room, and the same command goes on."
        ) from error


def read_state(path: Path) -> dict[str, Any]:
    """Read a state; tensors and plain values only, nothing is executed.

    Raises
    ------
    DamagedFileError
        If the file is not, bit for bit, what was written.
    OSError
        If it cannot be read.
    """
    with path.open("rb") as file:
        if fault := _fault(file):
            raise DamagedFileError(path, fault)
        file.seek(0)
        try:
            state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
        except (
            RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError, zipfile.BadZipFile
        ) as error:  # fmt: skip
            raise DamagedFileError(path, f"it cannot be read ({type(error).__name__})") from error
    return state


def _fault(file: BinaryIO) -> str | None:
    """Return what shows that a file is not what was written, if anything does.

    Files of the version before have no checksum; they end as a ZIP archive does.
    """
    content = file.read()
    seal = content[-_SEAL_BYTES:]
    if seal.startswith(_SEAL):
        sealed = memoryview(content)[:-_SEAL_BYTES]  # not a copy: checkpoints are large
        same = seal.removeprefix(_SEAL) == hashlib.sha256(sealed).digest()
        return None if same else "its checksum differs"
    if content[-_ZIP_END_BYTES:].startswith(_ZIP_END):
        return None
    return "it is cut short, or its checksum is damaged"
