"""The torch side of making a session: it is imported when work begins, since torch takes long."""

from __future__ import annotations

import logging
from collections.abc import Generator
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from napari_srgan.plugin.messages import Failed, Stopped

if TYPE_CHECKING:
    from napari_srgan.rating.make import Making

log = logging.getLogger(__name__)


def iter_making(
    folder: Path,
    images: Path | None,
    calibration: Path | None,
    methods: tuple[str, ...],
    device: str,
    stop: Event,
) -> Generator[Making, None, Path | Failed | Stopped]:
    """Make a session, or finish one, yielding progress; return its folder or why there is none.

    It ends by itself after the tile in which ``stop`` is set.
    """
    try:
        from napari_srgan.rating.make import Request, iter_make

        request = None if images is None else Request(images, methods, calibration, device)
        steps = iter_make(folder, request)
        while not stop.is_set():
            try:
                progress = next(steps)
            except StopIteration:
                return folder
            yield progress
        steps.close()
    except Exception as error:
        log.exception("the session could not be made")
        return Failed.because(error)
    return Stopped()
