"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(target: Path) -> Iterator[Path]:
    """Give the path of a file to write; it becomes ``target`` unless an error is raised.

    What was at ``target`` is there until the new file is complete and on the disk. Several
    processes may write the same file at once: one of theirs stays. Nothing is left of a file that
    was not finished, unless the process was killed; its name begins with a dot.

    Parameters
    ----------
    target : Path
        In a folder that is there. The path given has its suffix.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    # Not the target's own name and more: that may be as long as names can be.
    part = target.with_name(f".{secrets.token_hex(8)}{target.suffix}")
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def check_place(target: Path) -> None:
    """Make sure, before any work, that a file can be written at a path.

    Raises
    ------
    OSError
        If there is no such folder, or it is one itself.
    """
    folder = target.absolute().parent
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder} to write {target.name} to.")
    if target.is_dir():
        raise IsADirectoryError(f"{target} is a folder; name a file in it.")
