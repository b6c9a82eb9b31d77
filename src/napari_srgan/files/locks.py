"""Locks on files that end with the process that holds them, however that ends."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO


def take_lock(path: Path) -> IO[bytes] | None:
    """Lock a file, and return what holds the lock until it is closed or the process dies.

    Parameters
    ----------
    path : Path
        A file that is there; its content does not matter.

    Returns
    -------
    IO or None
        None if another process, or another place in this one, holds the lock.

    Raises
    ------
    OSError
        If the file cannot be opened, or its file system has no locks.
    """
    file = path.open("r+b")
    try:
        taken = _is_taken(file)
    except BaseException:
        file.close()
        raise
    if taken:
        return file
    file.close()
    return None


if sys.platform == "win32":
    import msvcrt

    def _is_taken(file: IO[bytes]) -> bool:
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

else:
    import fcntl

    def _is_taken(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
