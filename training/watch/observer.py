"""What is made of a report: validation, panels, warnings, and the best generator so far."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from napari_srgan.training.run.checkpoints import write_whole
from napari_srgan.training.run.folder import BEST, BEST_SCORE
from napari_srgan.training.run.loop import Report
from napari_srgan.training.run.trainers import Trainer
from napari_srgan.training.watch.log import RunLog
from napari_srgan.training.watch.monitor import Health, Monitor
from napari_srgan.training.watch.validation import Held, Measured, measure

MONITORED = "monitor.json"


class Observer:
    """Follows one phase. The best generator is the one with the least perceptual distance.

    PSNR would choose the most blurred of a GAN's generators.

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
    """

    def __init__(self, folder: Path, log: RunLog, images: list[Held], device: str) -> None:
        self._folder, self._log, self._images, self._device = folder, log, images, device
        self._monitor = Monitor()
        self._monitored = folder / MONITORED
        if self._monitored.exists():  # else a resumed run would warn of the same again
            self._monitor.restore(json.loads(self._monitored.read_text(encoding="utf-8")))

    def see(self, report: Report, trainer: Trainer, *, validate: bool) -> Iterator[str]:
        """Take in a report and yield what a person should be told of it."""
        measured = None
        if validate and self._images:
            measured = measure(trainer.average.network, self._images, self._device)
            self._log.scalars("validation", report.step, measured.values)
            self._keep_panels(report.step, measured)
            yield _in_words(report.step, measured)
            if self._keep_if_best(report.step, trainer, measured):
                yield f"step {report.step:,} is the best so far: kept as {BEST}"
        if "d_high" in report.measured:
            for warning in self._monitor.observe(_health(report, measured)):
                yield f"warning: {warning.text}"
            self._monitored.write_text(json.dumps(self._monitor.state()), encoding="utf-8")

    def _keep_panels(self, step: int, measured: Measured) -> None:
        for name, panel in measured.panels.items():
            self._log.image(name, step, panel)
            path = self._folder / "panels" / f"{step:08d}-{Path(name).stem}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(panel).save(path)

    def _keep_if_best(self, step: int, trainer: Trainer, measured: Measured) -> bool:
        path = self._folder / BEST_SCORE
        before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        distance = measured.values["perceptual"]
        if before is not None and (before["step"] < step and before["perceptual"] <= distance):
            return False
        write_whole(
            self._folder / BEST,
            {"step": step, "generator": trainer.average.network.state_dict()},
        )
        path.write_text(json.dumps({"step": step, **measured.values}), encoding="utf-8")
        return True


def _in_words(step: int, measured: Measured) -> str:
    values = measured.values
    return (
        f"step {step:,} on images held back: PSNR {values['psnr']:.2f} dB, "
        f"SSIM {values['ssim_daala']:.4f} (daala), perceptual distance "
        f"{values['perceptual']:.4f}, high frequency {values['high_frequency']:.2f} of HR's"
    )


def _health(report: Report, measured: Measured | None) -> Health:
    values, validated = report.measured, measured.values if measured else {}
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
