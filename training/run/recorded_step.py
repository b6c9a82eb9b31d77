"""The work of a step on a card as one CUDA graph: one launch in place of a thousand."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor

from napari_srgan.inference.transfers import recorded

Measured: TypeAlias = dict[str, Tensor]
Work: TypeAlias = Callable[[Tensor, Tensor], Measured]
Record: TypeAlias = Callable[[Callable[[], None]], Callable[[], None]]

EAGER = 3  # steps that are done piece by piece first: they choose algorithms and take memory


class RecordedStep:
    """Does a step's work: a few times as it is, then by replaying what it did, recorded once.

    What is replayed reads and writes the same memory each time. The work must not wait for the
    device, nor depend on anything but its images and on tensors that are changed in place.

    Parameters
    ----------
    work : callable
        ``work(low, high)`` returns what it measured.
    record : callable
        Takes a function without arguments and returns its replay, without doing it.
    """

    def __init__(self, work: Work, record: Record) -> None:
        self._work, self._record, self._done = work, record, 0
        self._images: tuple[Tensor, Tensor] | None = None
        self._measured: Measured = {}
        self._replay: Callable[[], None] | None = None

    def __call__(self, low: Tensor, high: Tensor) -> Measured:
        """Do the work for a batch, whose shapes are always the same."""
        if self._done < EAGER:
            self._done += 1
            return self._work(low, high)
        if self._images is None or self._replay is None:
            self._images = (low.clone(), high.clone())
            self._replay = self._record(self._do)
        for kept, given in zip(self._images, (low, high), strict=True):
            kept.copy_(given)
        self._replay()
        # Copies: the next replay writes there again.
        return {name: value.clone() for name, value in self._measured.items()}

    def _do(self) -> None:
        if self._images is not None:
            self._measured = self._work(*self._images)


def in_one_launch(work: Work, device: torch.device | None) -> Work:
    """Return a step's work as it is done best: recorded on a CUDA card, else as it is."""
    if device is None or device.type != "cuda":
        return work
    return RecordedStep(work, partial(recorded, device))
