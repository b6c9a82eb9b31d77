"""The work that is going on for a widget: one job at a time, its progress and its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from threading import Event
from typing import TypeAlias

from magicgui.widgets import Label, ProgressBar
from napari.qt.threading import create_worker

from napari_srgan.inference.settings import Progress
from napari_srgan.plugin.controls import STEPS
from napari_srgan.plugin.messages import Failed, Stopped
from napari_srgan.plugin.texts import left_text

# What ends after the tile in which the event is set, and returns why there is no result.
Job: TypeAlias = Callable[[Event], Generator[Progress, None, object]]


class Running:
    """Runs one job at a time in a thread, and shows how far it is.

    Parameters
    ----------
    title, bar, left : magicgui widgets
        What the work is, how far it is, and how long it will take; hidden while there is none.
    note : callable
        Told what the user should know of a run.
    """

    def __init__(
        self, title: Label, bar: ProgressBar, left: Label, note: Callable[[str], None]
    ) -> None:
        self._title, self._bar, self._left, self._note = title, bar, left, note
        self._stop: Event | None = None
        self._began = 0.0  # what is counted: loading and looking for black and white are not
        self._finished: Callable[[object], None] | None = None

    @property
    def busy(self) -> bool:
        """Whether there is work going on."""
        return self._stop is not None

    def begin(self, title: str, job: Job, finished: Callable[[object], None]) -> None:
        """Begin a job; ``finished`` is called, in the window's thread, with what it returns.

        A job that was told to stop is answered by :class:`Stopped`, whatever it returns.
        """
        self._stop, self._began, self._finished = Event(), time.perf_counter(), finished
        # Errors are returned.
        running = create_worker(job, self._stop, _start_thread=False, _ignore_errors=True)
        running.yielded.connect(self._show)
        running.returned.connect(self._finish)
        self._title.value = title
        self._show_busy()
        running.start()

    def stop(self) -> None:
        """Have the job end within one tile, leaving nothing behind."""
        if self._stop is not None:
            self._stop.set()
            self._left.value = "stopping"

    def close(self) -> None:
        """Stop, and show nothing from now on."""
        self.stop()
        self._finished = None

    def _show_busy(self) -> None:
        for widget in (self._title, self._bar, self._left):
            widget.visible = self.busy
        self._bar.value, self._left.value = 0, "starting"

    def _show(self, progress: Progress) -> None:
        if self._stop is None or self._stop.is_set():
            return
        if progress.note:
            self._note(progress.note)
        self._bar.value = round(STEPS * progress.done / progress.total)
        if not progress.done:
            self._began = time.perf_counter()
        elapsed = time.perf_counter() - self._began
        self._left.value = left_text(progress.done, progress.total, elapsed)

    def _finish(self, outcome: object) -> None:
        stop, self._stop = self._stop, None
        finished, self._finished = self._finished, None
        if stop is None or finished is None:
            return
        self._show_busy()
        stopped = stop.is_set() and not isinstance(outcome, (Failed, Stopped))
        finished(Stopped() if stopped else outcome)
