"""The torch side of making a session: it is imported when work begins, since torch takes long."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from napari_srgan.plugin.messages import Failed, Stopped, iter_until

if TYPE_CHECKING:
    from napari_srgan.rating.make import Making


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
    steps = _iter_making(folder, images, calibration, methods, device)
    return (yield from iter_until(stop, steps, "the session could not be made"))


def _iter_making(
    folder: Path,
    images: Path | None,
    calibration: Path | None,
    methods: tuple[str, ...],
    device: str,
) -> Generator[Making, None, Path]:
    from napari_srgan.rating.make import Request, iter_make

    request = None if images is None else Request(images, methods, calibration, device)
    yield from iter_make(folder, request)
    return folder
