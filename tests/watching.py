"""Passes of runners, watched, and failing where a test wants them to."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import torch

    from napari_srgan.inference.runner import Pass, Runner


@dataclass
class Window:
    """A pass that a runner has begun: where, of which size, in which bands."""

    device: str
    height: int
    width: int
    band: int | None
    fed: int = 0


def watch_passes(
    patch: pytest.MonkeyPatch,
    fails: Callable[[Window, int], bool] | None = None,
    error: BaseException | None = None,
) -> list[Window]:
    """Watch passes, as the fixture ``passes`` says, for as long as the patch holds."""
    import torch

    from napari_srgan.graph.back_project import FREE, Bounds
    from napari_srgan.inference.runner import Runner

    windows: list[Window] = []
    begin, count = Runner.begin, itertools.count(1)

    def watched(
        runner: Runner, height: int, width: int, band: int | None = None, bounds: Bounds = FREE
    ) -> Pass:
        window = Window(runner.device.type, height, width, band)
        windows.append(window)
        work = begin(runner, height, width, band, bounds)

        def feed(low: torch.Tensor) -> torch.Tensor:
            if fails is not None and fails(window, next(count)):
                raise error or torch.OutOfMemoryError("CUDA out of memory. Tried to allocate …")
            window.fed += 1
            return work.feed(low)

        return replace(work, _feed=feed)

    patch.setattr(Runner, "begin", watched)
    return windows
