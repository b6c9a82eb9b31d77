"""Checkpoints of a phase on disk: complete or absent, the last few kept."""

from __future__ import annotations

import logging
import pickle
import shutil
import zipfile
from pathlib import Path
from typing import Any

import torch

from napari_srgan.files.atomic import written_whole

KEPT = 3

log = logging.getLogger(__name__)


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

        A damaged one is named in the log and renamed, and the one before it is used.
        """
        for path in reversed(self.paths()):
            try:
                return read_state(path)
            except OSError as error:
                log.warning("%s The checkpoint before it is used.", error)
                path.replace(path.with_suffix(".damaged"))
        return None


def write_whole(target: Path, state: dict[str, Any]) -> None:
    """Write a state so that the file is complete or absent, whatever happens meanwhile."""
    try:
        with written_whole(target) as part:
            torch.save(state, part)
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
    OSError
        If the file is damaged.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (
        RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError, zipfile.BadZipFile
    ) as error:  # fmt: skip
        raise OSError(f"{path} is damaged ({type(error).__name__}).") from error
    return state
