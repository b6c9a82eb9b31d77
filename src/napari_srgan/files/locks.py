"""Locks on files that end with the process that holds them, however that ends."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

_LOCK = "lock"  # the file that a folder is locked by


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
    FileNotFoundError
        If the file is not there, or was removed before it was locked: such a lock is nobody's.
    OSError
        If the file cannot be opened, or its file system has no locks.
    """
    with ExitStack() as closing:
        file = closing.enter_context(path.open("r+b"))
        if not _is_taken(file):
            return None
        # On Windows an open file cannot be removed. (Path.samefile takes no open files.)
        if sys.platform != "win32" and not os.path.samefile(path, file.fileno()):  # noqa: PTH121
            raise FileNotFoundError(errno.ENOENT, "Removed and made again", str(path))
        closing.pop_all()
        return file


def lock_folder(folder: Path) -> IO[bytes] | None:
    """Lock a folder by a file in it, which is made where it is missing; else as `take_lock`.

    Raises
    ------
    FileNotFoundError
        If the folder is not there, or is being removed.
    """
    file = folder / _LOCK
    file.touch()
    return take_lock(file)


def remove_locked(folder: Path, lock: IO[bytes]) -> None:
    """Remove a folder that holds a lock's file, as far as that can be done, and give up the lock.

    The lock's file goes last, so that who locks another one in its place finds nothing else there.

    Parameters
    ----------
    folder : Path
        The folder.
    lock : IO
        What `lock_folder` gave for it.
    """
    file = folder / _LOCK
    with lock:
        for path in folder.glob("*"):  # none where there is no folder any more
            if path != file:
                _remove(path)
        if sys.platform != "win32":  # where an open file cannot be removed
            _remove(file)
    if sys.platform == "win32":
        _remove(file)
    with suppress(OSError):
        folder.rmdir()


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


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
