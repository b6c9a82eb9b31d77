"""What a training says of itself while it goes on, for those who watch its folder."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from napari_srgan.inference.devices import is_out_of_memory
from napari_srgan.runs import Status, this_process, write_status
from napari_srgan.training.data.packing import PackingProgress
from napari_srgan.training.run.experiment import Note, PhaseReport

Event = TypeVar("Event", bound=PackingProgress | Note | PhaseReport)

log = logging.getLogger(__name__)


class Teller:
    """Keeps a training's status file.

    Parameters
    ----------
    folder : Path
        The run's.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._status = Status("preparing", "Looking at the images …", **this_process())
        self.say()

    def say(self, **changes: Any) -> None:
        """Change fields of the status.

        A disk that is full is told where a checkpoint is written, not here.
        """
        self._status = replace(self._status, **changes)
        try:
            write_status(self._folder, self._status)
        except OSError:
            log.warning("The status could not be written.", exc_info=True)

    def take(self, event: Event) -> Event:
        """Say what an event of a run tells, and return it."""
        if isinstance(event, PackingProgress):
            self.say(text=f"Decoding images: {event.done} of {event.total}")
        elif isinstance(event, PhaseReport):
            report = event.report
            left = (report.steps - report.step) / report.steps_per_second
            self.say(state="training", text="", step=report.step, seconds_left=left)
        elif event.is_warning:
            self.say(warnings=(*self._status.warnings, event.text.partition(": ")[2]))
        return event

    @contextmanager
    def failures_told(self) -> Iterator[None]:
        """Say what went wrong, and what to do, of an error that ends the training.

        Raises
        ------
        MemoryError
            In place of any other error that says so.
        """
        try:
            yield
        except Exception as error:
            told = _in_words(error)
            self.say(state="failed", text=str(told) or type(told).__name__, seconds_left=None)
            if told is error:
                raise
            raise told from error


def _in_words(error: Exception) -> Exception:
    if not is_out_of_memory(error):
        return error
    return MemoryError(
        "Memory ran out. What was learned until the last checkpoint is kept. Close other programs, "
        "or begin anew with fewer crops at once (--set data.batch=2) or smaller ones "
        "(--set data.crop=64)."
    )
