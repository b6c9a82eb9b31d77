"""One job at a time, of which only the newest matters."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Generic, TypeVar

from napari_srgan.plugin.worker import in_background

Outcome = TypeVar("Outcome")


class Latest(Generic[Outcome]):
    """Runs jobs in a thread: a newer one stops the one that runs, and takes its turn after it.

    Parameters
    ----------
    finished : callable
        Given, in the window's thread, what a job returned that no newer one has stopped.
    """

    def __init__(self, finished: Callable[[Outcome], None]) -> None:
        self._finished = finished
        self._stop: Event | None = None  # of the job that runs
        self._next: Callable[[Event], Outcome] | None = None

    @property
    def busy(self) -> bool:
        """Whether a job runs."""
        return self._stop is not None

    def ask(self, job: Callable[[Event], Outcome]) -> None:
        """Run a job as soon as the one before has stopped. It must not raise."""
        self._next = job
        if self._stop is not None:
            self._stop.set()
        else:
            self._begin()

    def cancel(self) -> None:
        """Stop what runs, and forget what waits."""
        self._next = None
        if self._stop is not None:
            self._stop.set()

    def _begin(self) -> None:
        job, self._next = self._next, None
        if job is None:
            return
        self._stop = stop = Event()
        in_background(lambda: job(stop), self._end)

    def _end(self, outcome: Outcome) -> None:
        stop, self._stop = self._stop, None
        if stop is not None and not stop.is_set():
            self._finished(outcome)
        if self._stop is None:  # what was told may have asked for more
            self._begin()
