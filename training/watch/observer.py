"""What is made of a report: validation, panels, warnings, and the best generator so far."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from napari_srgan.files.atomic import written_whole
from napari_srgan.training.metrics.learned import Distance
from napari_srgan.training.run.checkpoints import read_state, write_whole
from napari_srgan.training.run.damaged import DamagedFileError, read_json, set_aside
from napari_srgan.training.run.folder import BEST, BEST_SCORE
from napari_srgan.training.run.loop import Report
from napari_srgan.training.run.trainers import Trainer
from napari_srgan.training.watch.log import RunLog
from napari_srgan.training.watch.monitor import Health, Monitor
from napari_srgan.training.watch.validation import NO_DISTANCES, Held, Measured, measure

MONITORED = "monitor.json"


class Observer:
    """Follows one phase, and keeps its best generator.

    That is the one with the least perceptual distance or, where it is asked for, the highest PSNR.

    Parameters
    ----------
    folder : Path
        The phase's.
    log : RunLog
        Where measures go.
    images : list of Held
        What is validated on; without any, nothing is, and no best is chosen.
    device : str
        Where to upscale them.
    step : int
        Where the phase stands: what was seen of later steps is seen again.
    best_by : {"perceptual", "psnr"}
        What chooses the best generator.
    distances : mapping of str to callable
        Learned distances that are measured besides.
    """

    def __init__(
        self,
        folder: Path,
        log: RunLog,
        images: list[Held],
        device: str,
        step: int,
        best_by: str = "perceptual",
        distances: Mapping[str, Distance] = NO_DISTANCES,
    ) -> None:
        self._folder, self._log, self._images, self._device = folder, log, images, device
        self._best_by, self._distances = best_by, distances
        self._monitor = Monitor()
        self._monitored = folder / MONITORED
        if state := _read(self._monitored, "Warnings may be given a second time."):
            self._monitor.restore(state, step)  # else a resumed run would warn of the same again

    def see(self, report: Report, trainer: Trainer, *, validate: bool) -> Iterator[str]:
        """Take in a report and yield what a person should be told of it."""
        measured = None
        if validate:
            measured = yield from self.validate(report.step, trainer)
        if "d_high" in report.measured and report.step > self._monitor.step:
            for warning in self._monitor.observe(_health(report, measured)):
                yield f"warning: {warning.text}"
            _write(self._monitored, self._monitor.state())

    def catch_up(self, trainer: Trainer, *, validate: bool) -> Iterator[str]:
        """See the step that training stands at, if its process was killed before it was seen."""
        step = trainer.step
        if row := self._log.row("training", step):
            yield from self.see(Report.from_row(row, step), trainer, validate=validate)
        elif validate:
            yield from self.validate(step, trainer)

    def validate(
        self, step: int, trainer: Trainer
    ) -> Generator[str, None, Mapping[str, float] | None]:
        """Validate a step, unless that has been done; yield what to tell, return the measures."""
        if not self._images or (done := self._log.row("validation", step)):
            return done if self._images else None
        measured = measure(trainer.average.network, self._images, self._device, self._distances)
        self._keep_panels(step, measured)
        best = self._keep_if_best(step, trainer, measured)
        # Last: where this row is, all of the above has been done.
        self._log.scalars("validation", step, measured.values)
        yield _in_words(step, measured)
        if best:
            yield f"step {step:,} is the best so far: kept as {BEST}"
        return measured.values

    def _keep_panels(self, step: int, measured: Measured) -> None:
        for name, panel in measured.panels.items():
            self._log.image(name, step, panel)
            path = self._folder / "panels" / f"{step:08d}-{Path(name).stem}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(panel).save(path)

    def _keep_if_best(self, step: int, trainer: Trainer, measured: Measured) -> bool:
        before, distance = self._best_before(step), self._distance(measured.values)
        if before is not None and before <= distance:
            return False
        score = {"step": step, **measured.values}
        network = trainer.average.network.state_dict()
        write_whole(self._folder / BEST, {"step": step, "generator": network, "score": score})
        _write(self._folder / BEST_SCORE, score)
        return True

    def _distance(self, measured: Mapping[str, float]) -> float:
        """Return what is least of the best generator."""
        return -measured["psnr"] if self._best_by == "psnr" else measured["perceptual"]

    def _best_before(self, step: int) -> float | None:
        """Return the distance of the best generator that is kept of an earlier step, if one is."""
        if not (self._folder / BEST).exists():
            return None
        score = _read(self._folder / BEST_SCORE, f"What it said is in {BEST}, too.")
        if score is None:
            try:
                score = read_state(self._folder / BEST).get("score")
            except DamagedFileError as error:
                set_aside(error, "The next generator that is validated is the best.")
        return self._distance(score) if score and score["step"] < step else None


def _read(path: Path, consequence: str) -> dict[str, Any] | None:
    """Return what a JSON file says; None where there is none, or a damaged one, now set aside."""
    try:
        return read_json(path)
    except DamagedFileError as error:
        set_aside(error, consequence)
        return None


def _write(path: Path, content: Mapping[str, Any]) -> None:
    with written_whole(path) as part:
        part.write_text(json.dumps(content), encoding="utf-8")


def _in_words(step: int, measured: Measured) -> str:
    values = measured.values
    return (
        f"step {step:,} on images held back: PSNR {values['psnr']:.2f} dB, "
        f"SSIM {values['ssim_daala']:.4f} (daala), perceptual distance "
        f"{values['perceptual']:.4f}, high frequency {values['high_frequency']:.2f} of HR's"
    )


def _health(report: Report, measured: Mapping[str, float] | None) -> Health:
    values, validated = report.measured, measured or {}
    return Health(
        step=report.step,
        d_high=values["d_high"],
        d_upscaled=values["d_upscaled"],
        content=values["content"],
        adversarial=values["adversarial"],
        gradient_generator=values["gradient"],
        gradient_discriminator=values["discriminator_gradient"],
        colour_drift=validated.get("colour_drift"),
        high_frequency=validated.get("high_frequency"),
        checkerboard=validated.get("checkerboard"),
    )
