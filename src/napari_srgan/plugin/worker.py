"""The Qt side of background work: threads that deliver to the window, and cached estimates.

What needs torch is imported inside the threads, since it takes seconds to load. Meanwhile the
window is open already. A torch that cannot be loaded is an answer, too.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Generator
from functools import partial
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from superqt.utils import ensure_main_thread

from napari_srgan.inference.settings import Progress
from napari_srgan.plugin.messages import Choices, Devices, Done, Failed, Invented, Source, Stopped
from napari_srgan.plugin.outlook import can_look_like_a_photograph, remarks_on_looks

if TYPE_CHECKING:
    from pathlib import Path

    import napari.layers

    from napari_srgan.plugin.job import Trial

log = logging.getLogger(__name__)

NAME = "napari-srgan"

Outcome = TypeVar("Outcome")


def in_background(job: Callable[[], Outcome], finished: Callable[[Outcome], None]) -> None:
    """Run a job in a thread and hand what it returns to ``finished``, in the window's thread.

    The job must not raise. This is no napari worker: the window would not close without a question
    while one runs, keeps all of them with what they hold, and two at a time can leave Python's
    ``warnings`` module calling one that is gone.
    """
    deliver = ensure_main_thread(finished)
    Thread(target=lambda: deliver(job()), name=NAME).start()


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


def find_devices() -> Devices | Failed:
    """Return the devices that torch can use here."""
    try:
        from napari_srgan.plugin import job
    except (ImportError, OSError) as error:
        return not_loaded(error)
    return job.find_devices()


def try_out(choices: Choices, colour: bool, dtype: np.dtype[Any]) -> Trial | Failed:
    """Load a model and measure it on a small window."""
    try:
        from napari_srgan.plugin import job
    except (ImportError, OSError) as error:
        return not_loaded(error)
    return job.try_out(choices, colour, dtype)


def iter_job(
    source: Source, choices: Choices, stop: Event
) -> Generator[Progress, None, Done | Failed | Stopped]:
    """Upscale, yielding progress, and return the result or why there is none."""
    try:
        from napari_srgan.plugin import job
    except (ImportError, OSError) as error:
        return not_loaded(error)
    return (yield from job.iter_job(source, choices, stop))


def iter_invention(
    done: Done, stop: Event
) -> Generator[Progress, None, Invented | Failed | Stopped]:
    """Compare a result with a faithful model's, yielding progress, and return the map."""
    try:
        from napari_srgan.plugin import job
    except (ImportError, OSError) as error:
        return not_loaded(error)
    return (yield from job.iter_invention(done, stop))


def iter_write(
    source: Source, stands_for: napari.layers.Image, choices: Choices, target: Path, stop: Event
) -> Generator[Progress, None, Done | Failed | Stopped]:
    """Upscale into a store, yielding progress, and return its levels or why there are none."""
    try:
        from napari_srgan.plugin.io import write_to
    except (ImportError, OSError) as error:
        return not_loaded(error)
    return (yield from write_to.iter_write(source, stands_for, choices, target, stop))


def not_loaded(error: Exception) -> Failed:
    """Return the answer that what the work needs cannot be imported."""
    log.exception("torch, or what else the work needs, could not be loaded")
    return Failed(f"The work cannot begin: {error}")


class Estimates:
    """The trials so far, and the one that is running."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], Trial | Failed] = {}
        self._busy = False

    def of(self, choices: Choices, source: Source) -> Trial | Failed | None:
        """Return what is known of a choice, or None where it has not been tried out."""
        return self._known.get(_key(choices, source))

    def forget_failures(self) -> None:
        """Try again, when asked, what has failed: a network or a file may be back."""
        self._known = {key: it for key, it in self._known.items() if not isinstance(it, Failed)}

    def ask(self, choices: Choices, source: Source, known: Callable[[], None]) -> None:
        """Try a choice out and call ``known``; nothing where another trial is still running."""
        if self._busy:
            return
        self._busy = True
        key, colour, dtype = _key(choices, source), source.rgb, source.layout.dtype

        def finished(trial: Trial | Failed) -> None:
            self._busy = False
            self._known[key] = trial
            known()

        in_background(lambda: try_out(choices, colour, dtype), finished)


class Looks:
    """What is to be said of how a layer looks, measured in the background."""

    def __init__(self) -> None:
        self._seen: tuple[Callable[[], Any], tuple[int, ...] | None] | None = None
        self._said: list[str] = []
        self.busy = False

    def remarks(self, source: Source, known: Callable[[], None]) -> list[str]:
        """Return what is known of pixels; have them looked at where nothing is, and call ``known``.

        One look is taken at a time; a changed plane is asked for again.
        """
        if not can_look_like_a_photograph(source):
            return []
        if self._seen and self._seen[0]() is source.pixels and self._seen[1] == source.plane:
            return self._said
        if not self.busy:
            self.busy = True
            in_background(partial(_look_at, source), partial(self._keep, source, known))
        return []

    def _keep(self, source: Source, known: Callable[[], None], said: list[str]) -> None:
        # The pixels are not kept: they may be all of a layer that is removed.
        self._seen, self._said = (weakref.ref(source.pixels), source.plane), said
        self.busy = False
        known()


def _look_at(source: Source) -> list[str]:
    try:
        return remarks_on_looks(source)
    except Exception:
        log.exception("how a layer looks could not be seen")  # no reason to stop anybody
        return []


def _key(choices: Choices, source: Source) -> tuple[Any, ...]:
    # Everything that a trial depends on; not the image's size, which it is scaled to.
    settings = choices.settings
    how = settings.device, settings.precision, settings.tile
    return choices.model, choices.scale, *how, source.rgb, source.layout.dtype
