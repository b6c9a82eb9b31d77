"""Short jobs away from the window's thread."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import TypeVar

from superqt.utils import ensure_main_thread

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
