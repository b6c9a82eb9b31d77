"""Private folders of downloads in progress; those of killed processes are found and removed."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from napari_srgan.files.locks import lock_folder, remove_locked

_PREFIX = ".fetching-"
_MOST_TRIES = 10

logger = logging.getLogger(__name__)


@contextmanager
def part_folder(parent: Path) -> Iterator[Path]:
    """Give a new folder inside another one, and remove it at the end.

    What processes that were killed have left of theirs is removed first; a process that is killed
    meanwhile leaves this one to the next.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    _remove_dead(parent)
    folder, lock = _new_folder(parent)
    try:
        yield folder
    finally:
        if lock is None:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            remove_locked(folder, lock)


def _new_folder(parent: Path) -> tuple[Path, IO[bytes] | None]:
    """Make a folder and lock it, again where another process took it for a dead one's meanwhile."""
    for _ in range(_MOST_TRIES):
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=_PREFIX))
        try:
            lock = lock_folder(folder)
        except FileNotFoundError:
            continue
        except OSError as error:  # it has no locks, so nobody will take the folder for a dead one's
            logger.debug("%s cannot be locked: %s", folder, error)
            return folder, None
        if lock is not None:
            return folder, lock
    raise OSError(f"Other processes removed each new folder for a download in {parent}.")


def _remove_dead(parent: Path) -> None:
    """Remove the folders whose lock nobody holds."""
    for folder in parent.glob(f"{_PREFIX}*"):
        try:
            # One without a lock is dead, or was made this moment: whoever locks it first has it.
            lock = lock_folder(folder)
        except FileNotFoundError:  # removed meanwhile
            continue
        except OSError as error:  # another user's, or no locks there: nothing is known
            logger.debug("%s is left alone: %s", folder, error)
            continue
        if lock is not None:
            logger.info("Removing %s, which a killed download left.", folder)
            remove_locked(folder, lock)
