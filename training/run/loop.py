"""The training loop, as a generator: it yields a report now and then; closing it saves."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from threading import Event
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_srgan.training.data.crops import Sampler, iter_batches
from napari_srgan.training.optimise.distributed import Team, anyone, averaged
from napari_srgan.training.run.checkpoints import Checkpoints
from napari_srgan.training.run.trainers import Trainer


@dataclass(frozen=True)
class Report:
    """Where training stands, and what was measured since the report before.

    Attributes
    ----------
    step, steps : int
        Updates made, and to make.
    measured : dict of str to float
        Means of what the trainer measured.
    learning_rate : float
        Of the last update.
    steps_per_second : float
        Speed.
    waiting : float
        Share of the time spent waiting for data, 0 to 1.
    """

    step: int
    steps: int
    measured: dict[str, float]
    learning_rate: float
    steps_per_second: float
    waiting: float

    def row(self) -> dict[str, float]:
        """Return the report as one flat row."""
        return {
            "step": self.step,
            **self.measured,
            "learning_rate": self.learning_rate,
            "steps_per_second": self.steps_per_second,
            "waiting": self.waiting,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, float], steps: int) -> Report:
        """Return the report whose :meth:`row` this is."""
        others = ("step", "learning_rate", "steps_per_second", "waiting")
        return cls(
            step=int(row["step"]),
            steps=steps,
            measured={name: value for name, value in row.items() if name not in others},
            learning_rate=row["learning_rate"],
            steps_per_second=row["steps_per_second"],
            waiting=row["waiting"],
        )


@dataclass(frozen=True)
class Pace:
    """How often a run reports, saves and validates, in steps; it saves after some seconds, too."""

    report: int = 100
    save: int = 500
    validate: int = 1000
    save_seconds: float = math.inf


DEFAULT_PACE = Pace()


def iter_training(
    trainer: Trainer,
    steps: int,
    sampler: Sampler[NDArray[np.unsignedinteger[Any]]] | Sampler[Tensor],
    checkpoints: Checkpoints,
    *,
    seed: int,
    device: torch.device,
    team: Team,
    pace: Pace,
    stop: Event,
    note: Callable[[Report], None],
) -> Generator[Report, None, None]:
    """Train to ``steps``, from where the trainer is, yielding reports.

    ``note`` gets each of them before the checkpoint is written: what it writes down of a step is
    there if the checkpoint is.

    A checkpoint is written every ``pace.save`` steps or ``pace.save_seconds``, at the end, and
    after the step in which ``stop`` is set, which ends the loop. The images of a step follow from
    the seed and the step alone, so that a run that was interrupted goes on as if it had not been.

    Raises
    ------
    FloatingPointError
        If a loss is not finite. The checkpoints are from before.
    OSError
        If a checkpoint cannot be written.
    """
    saved, saved_at = trainer.step, time.monotonic()
    batches: Generator[tuple[int, Any, Any], None, None] = iter_batches(
        sampler, seed, trainer.step, rank=team.rank, world=team.size
    )
    asked_to_stop = False
    try:
        while trainer.step < steps and not asked_to_stop:
            until = min(steps, trainer.step + pace.report - trainer.step % pace.report)
            stretch = _Stretch(trainer.step)
            while trainer.step < until and not asked_to_stop:
                stretch.advance(trainer, batches, device)
                asked_to_stop = anyone(stop.is_set(), team, device)
            report = stretch.report(trainer.step, steps, team, device)
            note(report)
            late = time.monotonic() - saved_at >= pace.save_seconds
            if trainer.step - saved >= pace.save or late or trainer.step == steps:
                _save(trainer, checkpoints, team)
                saved, saved_at = trainer.step, time.monotonic()
            yield report
            asked_to_stop = asked_to_stop or anyone(stop.is_set(), team, device)
        if trainer.step > saved:
            _save(trainer, checkpoints, team)
    finally:
        batches.close()


def _save(trainer: Trainer, checkpoints: Checkpoints, team: Team) -> None:
    if team.leads:
        checkpoints.save(trainer.step, trainer.state())


class _Stretch:
    """The steps from one report to the next, and what they measured."""

    def __init__(self, first: int) -> None:
        self._first, self._began, self._waited = first, time.perf_counter(), 0.0
        self._totals: dict[str, Tensor] = {}
        self._learning_rate = 0.0

    def advance(
        self,
        trainer: Trainer,
        batches: Generator[tuple[int, Any, Any], None, None],
        device: torch.device,
    ) -> None:
        """Make one update."""
        asked = time.perf_counter()
        _step, low, high = next(batches)
        self._waited += time.perf_counter() - asked
        self._learning_rate = trainer.learning_rate()
        measured = trainer.update(unit_batch(low, device), unit_batch(high, device))
        for name, value in measured.items():
            self._totals[name] = self._totals[name] + value if name in self._totals else value

    def report(self, step: int, steps: int, team: Team, device: torch.device) -> Report:
        """Return what the steps so far amount to.

        Raises
        ------
        FloatingPointError
            If a measure is not finite.
        """
        done = step - self._first
        means = {name: float(value) / done for name, value in self._totals.items()}
        means = averaged(means, team, device)
        if broken := [name for name, value in means.items() if not math.isfinite(value)]:
            raise FloatingPointError(
                f"{' and '.join(broken)} became not finite between steps {self._first} and {step}. "
                "Lower the learning rate; the run can be resumed from its last checkpoint."
            )
        seconds = time.perf_counter() - self._began
        waiting = self._waited / seconds
        return Report(step, steps, means, self._learning_rate, done / seconds, waiting)


def unit_batch(images: NDArray[np.unsignedinteger[Any]] | Tensor, device: torch.device) -> Tensor:
    """Return 8- or 16-bit crops ``(n, h, w, c)`` as floats ``(n, c, h, w)`` in [0, 1].

    Their memory stays channels-last, which is what convolutions are fastest on.
    """
    if isinstance(images, np.ndarray):
        white = int(np.iinfo(images.dtype).max)
        values = torch.from_numpy(images.astype(np.int32) if white > 255 else images).to(device)
    else:
        white = int(torch.iinfo(images.dtype).max)
        values = images
    return values.permute(0, 3, 1, 2).float() / white
