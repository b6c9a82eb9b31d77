"""The trainings on this computer: a folder for each, with its request, its images and its run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Thread

import psutil

from napari_srgan.files.atomic import written_whole
from napari_srgan.runs import Status, read_status, write_status
from napari_srgan.store.cache import CACHE_VARIABLE

FOLDER = "trainings"  # in the cache folder
# How low-resolution images are made, by the recipes of the training command line.
RECIPES = {
    "clean, as the benchmarks": "fine-tune",
    "photograph: blur, noise, JPEG": "fine-tune-photo",
    "microscope: lens, photons": "srresnet-microscopy",
}
CLEAN = "fine-tune"  # also for pairs, which are taken as they are

_REQUEST, _OUTPUT = "request.json", "output.txt"
_NAME = re.compile(r"[\w][\w .+-]{0,60}")
# What start_new_session is elsewhere.
_APART = 0
if sys.platform == "win32":
    _APART = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
_LITTLE = 64 * 2**20  # bytes free, below which a disk counts as full


@dataclass(frozen=True)
class Request:
    """What a person wants trained.

    Attributes
    ----------
    images : str
        The folder of the images.
    start : str
        The model to begin with: a name, or a file.
    recipe : str
        One of `RECIPES`.
    minutes : float
        How long it may take.
    device : str
        ``auto``, ``cpu``, ``cuda``.
    """

    images: str
    start: str
    recipe: str
    minutes: float
    device: str = "auto"


@dataclass(frozen=True)
class Training:
    """One training.

    Attributes
    ----------
    cache : Path
        The cache folder, which it is in.
    name : str
        Its own, and its model's.
    """

    cache: Path
    name: str

    @property
    def folder(self) -> Path:
        """Where all of it is."""
        return self.cache / FOLDER / self.name

    @property
    def images(self) -> Path:
        """Where layers are written, for it to train on."""
        return self.folder / "images"

    @property
    def run(self) -> Path:
        """The run's folder."""
        return self.folder / "run"

    @property
    def model(self) -> Path:
        """The model that it ends with."""
        return self.folder / f"{self.name}.safetensors"

    def status(self) -> Status | None:
        """Return how it stands, or None if it has never begun."""
        return read_status(self.run)

    def request(self) -> Request:
        """Return what it was begun with.

        Raises
        ------
        OSError
            If that cannot be read.
        """
        try:
            values = json.loads((self.folder / _REQUEST).read_text(encoding="utf-8"))
            return Request(**values)
        except (ValueError, TypeError) as error:
            raise OSError(f"What {self.name} was begun with cannot be read: {error}") from error

    def start(self, request: Request | None = None) -> None:
        """Begin it, or go on with it, in a process of its own.

        Raises
        ------
        OSError
            If it cannot be written, or no process can be started.
        """
        if request is None:
            request = self.request()
        self.run.mkdir(parents=True, exist_ok=True)
        with written_whole(self.folder / _REQUEST) as part:
            part.write_text(json.dumps(asdict(request)), encoding="utf-8")
        with (self.folder / _OUTPUT).open("wb") as output:
            child = subprocess.Popen(  # noqa: S603 - this very program
                self.command(request),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment(),
                start_new_session=True,  # this program's end is not its end
                creationflags=_APART,
            )
        # Waited for, or it would be there for the system as long as this program is.
        Thread(target=child.wait, name="napari-srgan training", daemon=True).start()
        began = psutil.Process(child.pid).create_time()
        write_status(self.run, Status("preparing", "Starting …", process=child.pid, began=began))

    def command(self, request: Request) -> list[str]:
        """Return the command line that trains."""
        return [
            *fine_tune(request, self.model),
            *("--out", str(self.run)),
            *("--time", f"{request.minutes:g} minutes"),
            "--list",
        ]

    def preview(self, request: Request, target: Path) -> str:
        """Draw what would be trained on; return what went wrong, if anything did."""
        command = [*fine_tune(request, self.model), "--preview", str(target)]
        done = subprocess.run(  # noqa: S603 - this very program
            command, env=self._environment(), capture_output=True, check=False
        )
        return "" if done.returncode == 0 else last_words(done.stderr.decode(errors="replace"))

    def _environment(self) -> Mapping[str, str]:
        return {**os.environ, CACHE_VARIABLE: str(self.cache), "PYTHONUNBUFFERED": "1"}

    def lost_text(self) -> str:
        """Return what is to be said of a process that ended without a word."""
        if shutil.disk_usage(self.folder).free < _LITTLE:
            return "The disk is full. Make room, then go on: at most a minute is lost."
        try:
            output = (self.folder / _OUTPUT).read_text(encoding="utf-8", errors="replace")
        except OSError:
            output = ""
        said = f"{last_words(output)}\n" if "Error" in output else ""
        return (
            f"{said}It ended without a word, as when memory runs out or the computer is switched "
            "off. At most a minute is lost: go on."
        )

    def remove(self) -> None:
        """Remove all of it, its model too.

        Raises
        ------
        OSError
            If it cannot be removed.
        """
        shutil.rmtree(self.folder)


def fine_tune(request: Request, model: Path) -> list[str]:
    """Return the beginning of the command line, without how long it is."""
    return [
        *(sys.executable, "-m", "napari_srgan.training", "fine-tune"),
        *(request.images, str(model)),
        *("--start", request.start),
        *("--recipe", request.recipe),
        *("--device", request.device),
    ]


def trainings(cache: Path) -> list[Training]:
    """Return those that there are, the latest first."""
    folders = [path for path in (cache / FOLDER).glob("*") if (path / _REQUEST).is_file()]
    folders.sort(key=lambda path: (path / _REQUEST).stat().st_mtime, reverse=True)
    return [Training(cache, folder.name) for folder in folders]


def check_name(name: str, cache: Path) -> None:
    """Make sure that a training may have a name.

    Raises
    ------
    ValueError
        If it may not.
    """
    if not _NAME.fullmatch(name):
        raise ValueError("Name the model: letters, digits, spaces and - _ . + will do.")
    if (cache / FOLDER / name).exists():
        raise ValueError(f"There is a training called {name}. Choose another name, or remove it.")


def last_words(output: str) -> str:
    """Return the last line that a program has said."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1].removeprefix("Error: ") if lines else "It ended without a word."
