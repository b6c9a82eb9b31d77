"""One process at a time trains in a run's folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

LOCK = ".lock"


@contextmanager
def locked(folder: Path, name: str = LOCK) -> Iterator[None]:
    """Hold a run's folder, which is made where it is missing.

    The operating system lets go of it when the process ends, in whatever way: the file stays, and
    says nothing by itself.

    Raises
    ------
    OSError
        If another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / name, blocking=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise OSError(
            f"Another process is training in {folder}. Wait until it ends, or end it; or use "
            "another --out."
        ) from error
    try:
        yield
    finally:
        lock.release()
