"""Files of a run that cannot be read: named, set aside, and done without."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


class DamagedFileError(OSError):
    """A file is there and is not what was written.

    Parameters
    ----------
    path : Path
        The file.
    fault : str
        What shows it.
    """

    def __init__(self, path: Path, fault: str) -> None:
        super().__init__(f"{path} is damaged: {fault}.")
        self.path = path


def set_aside(error: DamagedFileError, consequence: str) -> None:
    """Rename a damaged file to ``NAME.damaged``, and say so in the log."""
    aside = error.path.with_name(f"{error.path.name}.damaged")
    error.path.replace(aside)
    log.warning("%s It is called %s now. %s", error, aside.name, consequence)


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the object that a JSON file holds, or None where there is no file.

    Raises
    ------
    DamagedFileError
        If it holds anything else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:  # neither UTF-8 nor JSON
        raise DamagedFileError(path, str(error)) from error
    if not isinstance(content, dict):
        raise DamagedFileError(path, "it holds no object")
    return content
