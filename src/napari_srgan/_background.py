"""What the widget has done in threads, imported there: torch takes seconds to load.

Meanwhile the window is open already. A torch that cannot be loaded is an answer, too.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_srgan._requests import Choices, Devices, Done, Failed, Source, Stopped
from napari_srgan.settings import Progress

if TYPE_CHECKING:
    from napari_srgan._trials import Trial

log = logging.getLogger(__name__)


def find_devices() -> Devices | Failed:
    """Return the devices that torch can use here."""
    try:
        from napari_srgan import _jobs
    except (ImportError, OSError) as error:
        return _not_loaded(error)
    return _jobs.find_devices()


def try_out(choices: Choices, colour: bool, dtype: np.dtype[Any]) -> Trial | Failed:
    """Load a model and measure it on a small window."""
    try:
        from napari_srgan import _trials
    except (ImportError, OSError) as error:
        return _not_loaded(error)
    return _trials.try_out(choices, colour, dtype)


def iter_job(
    source: Source, choices: Choices, stop: Event
) -> Generator[Progress, None, Done | Failed | Stopped]:
    """Upscale, yielding progress, and return the result or why there is none."""
    try:
        from napari_srgan import _jobs
    except (ImportError, OSError) as error:
        return _not_loaded(error)
    return (yield from _jobs.iter_job(source, choices, stop))


def _not_loaded(error: Exception) -> Failed:
    log.exception("torch, or what else the work needs, could not be loaded")
    return Failed(f"The work cannot begin: {error}")
