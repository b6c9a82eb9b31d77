"""Files in a training's folder by which other programs watch it and ask things of it.

The training writes ``status.json`` and pictures; whoever watches writes ``asked.json``. So they
need not know each other, and may begin and end at any time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

import psutil

from napari_srgan.files.atomic import written_whole

STATUS, ASKED = "status.json", "asked.json"
PATCH = "patch.png"  # a patch before and after, as it is now
PREVIEW = "preview.png"  # what would be trained on
VALIDATED = "validated"  # folder of small pictures of the images held back: 000.png and so on
LOGS = "pretrain"  # folder of training.csv and validation.csv

State: TypeAlias = Literal["preparing", "training", "measuring", "paused", "done", "failed"]
AT_WORK = ("preparing", "training", "measuring")
End: TypeAlias = Literal["", "pause", "finish"]

Record = TypeVar("Record", "Status", "Asked")

_SAME_START = 2.0  # seconds: clocks of processes are coarse


@dataclass(frozen=True)
class Status:
    """How a training stands.

    Attributes
    ----------
    state : str
        ``preparing``, ``training`` and ``measuring`` while its process is at work; ``paused``,
        ``done`` or ``failed`` when it has ended.
    text : str
        What it is doing, what went wrong and what to do, or what came of it.
    step, steps : int
        Updates made, and to make; 0 as long as that is not known.
    seconds_left : float, optional
        Until the last update, at the present speed.
    warnings : tuple of str
        What should be known of the images.
    images : tuple of str
        Those that are held back to validate on.
    before : mapping of str to float
        What the start model measures on these.
    model : str
        The model's file, once it is written.
    process, began : int and float
        The process's number, and when it was started, which tell it from later ones.
    """

    state: State
    text: str = ""
    step: int = 0
    steps: int = 0
    seconds_left: float | None = None
    warnings: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    before: Mapping[str, float] = field(default_factory=dict)
    model: str = ""
    process: int = 0
    began: float = 0.0

    @property
    def is_alive(self) -> bool:
        """Whether the process that wrote this is still there."""
        try:
            process = psutil.Process(self.process)
            same = abs(process.create_time() - self.began) < _SAME_START
            return same and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.NoSuchProcess, ValueError):
            return False
        except psutil.AccessDenied:  # somebody else's, but there
            return True

    @property
    def is_lost(self) -> bool:
        """Whether the process ended without a word, as one does that the system has killed."""
        return self.state in AT_WORK and not self.is_alive


@dataclass(frozen=True)
class Asked:
    """What is asked of a training by those who watch it.

    Attributes
    ----------
    end : {"", "pause", "finish"}
        Nothing; to save and end, so that it can be resumed; or to make the model of what it has.
    image : int
        Which of the images held back the patch is cut from.
    y, x : float
        The patch's centre, 0 to 1 from the top and from the left.
    """

    end: End = ""
    image: int = 0
    y: float = 0.5
    x: float = 0.5


def this_process() -> dict[str, Any]:
    """Return what a status says of the process that writes it."""
    return {"process": os.getpid(), "began": psutil.Process().create_time()}


def write_status(folder: Path, status: Status) -> None:
    """Write how a training stands into its folder.

    Raises
    ------
    OSError
        If it cannot be written; the status before is still there.
    """
    _write(folder / STATUS, status)


def read_status(folder: Path) -> Status | None:
    """Return how the training in a folder stands, or None where none has said."""
    return _read(folder / STATUS, Status)


def ask(folder: Path, asked: Asked) -> None:
    """Ask something of the training in a folder, in place of what was asked before.

    Raises
    ------
    OSError
        If that cannot be written.
    """
    _write(folder / ASKED, asked)


def asked_of(folder: Path) -> Asked:
    """Return what is asked of the training in a folder."""
    return _read(folder / ASKED, Asked) or Asked()


def _write(path: Path, record: Status | Asked) -> None:
    with written_whole(path) as part:
        part.write_text(json.dumps(asdict(record), indent=1), encoding="utf-8")


def _read(path: Path, kind: type[Record]) -> Record | None:
    """Return what a file holds, as far as this version knows it; None of what is none."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        known = {one.name: values[one.name] for one in fields(kind) if one.name in values}
        lists = {name: tuple(value) for name, value in known.items() if isinstance(value, list)}
        return kind(**known | lists)
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return None
