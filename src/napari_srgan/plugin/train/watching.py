"""The part of the training widget that shows how a training goes, and asks things of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from magicgui.widgets import ComboBox
from qtpy.QtCore import QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_srgan.plugin.train.controls import STEPS, Watch
from napari_srgan.plugin.train.pictures import Curve, Picture
from napari_srgan.plugin.train.trainings import Training
from napari_srgan.plugin.train.words import figures_text, read_curves, standing_text
from napari_srgan.runs import AT_WORK, PATCH, VALIDATED, End, Status, ask, asked_of

_MILLISECONDS = 1000  # between two looks
_NONE = "Nothing has been trained yet."


class Watching(QWidget):
    """Looks at a training every second, as long as it is shown."""

    ended = Signal()  # the training that is watched has come to an end

    def __init__(self) -> None:
        super().__init__()
        self._training: Training | None = None
        self._was_at_work = False
        self.controls = Watch()
        self.loss, self.psnr, self.lpips = Curve("Loss"), Curve("PSNR, dB"), Curve("LPIPS")
        self.patch = Picture("A patch of an image held back: before, now, and what is right")
        self.image = ComboBox(label="Patch of", choices=[])
        self.whole = Picture("Click where the patch is to be")
        self._lay_out()
        self._connect()
        self._timer = QTimer(self)
        self._timer.setInterval(_MILLISECONDS)
        self._timer.timeout.connect(self.look)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.controls.native)
        for part in (self.loss, self.psnr, self.lpips, self.patch):
            layout.addWidget(part)
        layout.addWidget(self.image.native)
        layout.addWidget(self.whole)
        self.image.tooltip = "An image that is held back, which is never trained on"
        self.image.native.setMinimumWidth(0)

    def _connect(self) -> None:
        controls = self.controls
        controls.pause.changed.connect(lambda: self.ask("pause"))
        controls.finish.changed.connect(lambda: self.ask("finish"))
        self.image.changed.connect(self._choose_image)
        self.whole.clicked.connect(self._choose_place)

    def watch(self, training: Training | None) -> None:
        """Show another training, or none."""
        self._training, self._was_at_work = training, False
        self.setVisible(training is not None)
        self.controls.pause.enabled = self.controls.finish.enabled = True
        if training is None:
            self._timer.stop()
            return
        self._timer.start()
        self.look()

    def stop(self) -> None:
        """Look no more. The training goes on."""
        self._timer.stop()

    def ask(self, end: End) -> None:
        """Ask the training to end in some way."""
        if self._training is not None:
            run = self._training.run
            ask(run, replace(asked_of(run), end=end))
            self.controls.pause.enabled = self.controls.finish.enabled = False
            self.controls.state.value = "Pausing …" if end == "pause" else "Finishing …"

    def look(self) -> None:
        """Show how the training stands now."""
        training = self._training
        if training is None:
            return
        status = training.status() or Status("paused", _NONE)
        at_work = status.state in AT_WORK and not status.is_lost
        self._show_words(training, status, at_work=at_work)
        self._show_pictures(training.run, status)
        if self._was_at_work and not at_work:
            self.controls.pause.enabled = self.controls.finish.enabled = True
            self.ended.emit()
        self._was_at_work = at_work

    def _show_words(self, training: Training, status: Status, *, at_work: bool) -> None:
        controls = self.controls
        asked = at_work and not controls.pause.enabled
        if not asked:
            controls.state.value = standing_text(
                status, training.lost_text() if status.is_lost else ""
            )
        controls.progress.visible = at_work
        controls.progress.value = round(STEPS * status.step / max(1, status.steps))
        controls.pause.visible = at_work
        controls.finish.visible = status.state == "training" and at_work
        controls.resume.visible = not at_work and status.state != "done"
        controls.discard.visible = not at_work
        curves = read_curves(training.run)
        controls.figures.value = figures_text(status, curves)
        controls.warnings.value = "\n".join(f"⚠ {warning}" for warning in status.warnings)
        for label in (controls.figures, controls.warnings):
            label.visible = bool(label.value)
        self.loss.show_points(curves.loss, status.steps)
        for curve, name in ((self.psnr, "psnr"), (self.lpips, "lpips_alex")):
            curve.show_points(curves.measured[name], status.steps, status.before.get(name))

    def _show_pictures(self, run: Path, status: Status) -> None:
        self.patch.show_file(run / PATCH)
        if list(self.image.choices) != list(range(len(status.images))):
            with self.image.changed.blocked():
                names = [(name, number) for number, name in enumerate(status.images)]
                self.image.choices = names
                chosen = asked_of(run).image
                if names:
                    self.image.value = min(chosen, len(names) - 1)
        self.image.visible = bool(status.images)
        if status.images:
            self.whole.show_file(run / VALIDATED / f"{self.image.value:03d}.png")
        else:
            self.whole.setVisible(False)

    def _choose_image(self, image: int) -> None:
        if self._training is not None and image is not None:
            ask(self._training.run, replace(asked_of(self._training.run), image=image))

    def _choose_place(self, y: float, x: float) -> None:
        if self._training is not None:
            ask(self._training.run, replace(asked_of(self._training.run), y=y, x=x))
