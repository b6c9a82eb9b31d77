"""The widget *SRGAN train*: choose, train in a process of its own, watch, go on."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, Container, Widget
from napari.layers import Image
from napari.utils.notifications import show_error, show_info
from qtpy.QtWidgets import QFrame, QMessageBox, QScrollArea, QVBoxLayout, QWidget

from napari_srgan.plugin.controls import let_shrink, show_text, text_line
from napari_srgan.plugin.preferences import preferred_cache, preferred_choices
from napari_srgan.plugin.train.controls import LAYERS, OWN, Setup
from napari_srgan.plugin.train.images import pair_folders, write_layers
from napari_srgan.plugin.train.pictures import Picture
from napari_srgan.plugin.train.trainings import (
    CLEAN,
    Request,
    Training,
    check_name,
    trainings,
)
from napari_srgan.plugin.train.watching import Watching
from napari_srgan.plugin.worker import in_background
from napari_srgan.runs import PREVIEW
from napari_srgan.store.cache import cache_folder
from napari_srgan.store.own_models import forget_own_model, recall_own_models
from napari_srgan.store.registry import own_file, own_models

if TYPE_CHECKING:
    import napari.viewer

log = logging.getLogger(__name__)

NEW = "a new one"
_PREVIEW = ".preview"  # among the trainings: its images, and the picture


class Train(QWidget):
    """Fine-tune a model on layers or on a folder, as ``fine-tune`` on the command line.

    The training is another process: it goes on when napari is closed, and is found again.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Whose layers can be trained on.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._viewer, self._alive = viewer, True
        self.cache = cache_folder(preferred_cache())
        recall_own_models(self.cache)
        self.chosen = ComboBox(name="training", label="Training", choices=self._names)
        self.setup, self.problem = Setup(), text_line("problem")
        self.example = Picture("Originals, and the low-resolution images that are trained on")
        self.watching = Watching()
        self._lay_out()
        self._connect()
        self._choose_layers()
        self._show_chosen()

    def _names(self, _widget: object = None) -> list[str]:
        return [*(each.name for each in trainings(self.cache)), NEW]

    def _lay_out(self) -> None:
        content, area = QWidget(), QScrollArea()
        inside = QVBoxLayout(content)
        chosen = Container[Widget](widgets=[self.chosen])
        let_shrink([self.chosen])
        for part in (chosen.native, self.setup.native, self.example, self.problem.native):
            inside.addWidget(part)
        inside.addWidget(self.watching)
        inside.addStretch()
        area.setWidget(content)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(area)
        self.example.setVisible(False)

    def _connect(self) -> None:
        setup, controls = self.setup, self.watching.controls
        self.chosen.changed.connect(self._show_chosen)
        setup.source.changed.connect(setup.show_choices)
        setup.low.changed.connect(setup.show_choices)
        setup.preview.changed.connect(self.preview)
        setup.train.changed.connect(self.train)
        controls.resume.changed.connect(self.resume)
        controls.discard.changed.connect(self._ask_to_remove)
        self.watching.ended.connect(self._end)
        for event in (self._viewer.layers.events.inserted, self._viewer.layers.events.removed):
            event.connect(self._choose_layers)
        self.destroyed.connect(self._leave)

    def _leave(self) -> None:
        """Look no more; what is being trained goes on."""
        self._alive = False

    @property
    def training(self) -> Training | None:
        """The training that is shown, if one is."""
        name = self.chosen.value
        return None if name in (None, NEW) else Training(self.cache, name)

    def _show_chosen(self) -> None:
        """Show the training that is chosen, or what a new one takes."""
        training = self.training
        self.setup.visible = training is None
        self.example.setVisible(False)
        self._say("")
        self.watching.watch(training)

    def _choose_layers(self, _event: object = None) -> None:
        """Offer the images that there are now."""
        names = [layer.name for layer in self._viewer.layers if isinstance(layer, Image)]
        for select in (self.setup.layers, self.setup.low_layers):
            kept = [name for name in select.value if name in names]
            select.choices = names
            select.value = kept

    def _say(self, problem: str) -> None:
        show_text(self.problem, f"⚠ {problem}" if problem else "")

    # A new training

    def _layers(self, names: list[str]) -> list[Image]:
        return [self._viewer.layers[name] for name in names]

    def _writing(self, folder: Path) -> tuple[str, Callable[[], None]]:
        """Return where the images will be, and what writes them there."""
        setup = self.setup
        own = setup.low.value == OWN
        if setup.source.value == LAYERS:
            lows = self._layers(setup.low_layers.value) if own else []
            if own and not lows:
                raise ValueError("Choose the low-resolution layers, too.")
            highs = self._layers(setup.layers.value)
            return str(folder), partial(write_layers, highs, lows, folder)
        high = _folder(setup.folder.line_edit.value, "the images")
        if own:
            low = _folder(setup.low_folder.line_edit.value, "the low-resolution images")
            return str(folder), partial(pair_folders, high, low, folder)
        return str(high), _nothing

    def _request(self, images: str) -> Request:
        setup = self.setup
        file = own_file(setup.start.value)
        return Request(
            images,
            str(setup.start.value if file is None else file),
            CLEAN if setup.low.value == OWN else setup.kind.value,
            setup.minutes.value,
            preferred_choices().settings.device,
        )

    def train(self) -> None:
        """Begin what is chosen."""
        training = Training(self.cache, self.setup.name_of.value.strip())
        try:
            check_name(training.name, self.cache)
            images, write = self._writing(training.images)
        except (OSError, ValueError) as error:
            self._say(str(error))
            return
        request = self._request(images)
        self._begin(write, lambda: training.start(request), lambda _: self._renew(training.name))

    def preview(self) -> None:
        """Show what would be trained on."""
        training = Training(self.cache, _PREVIEW)
        target = training.folder / PREVIEW
        try:
            images, write = self._writing(training.images)
        except (OSError, ValueError) as error:
            self._say(str(error))
            return
        request = self._request(images)

        def draw() -> str:
            target.parent.mkdir(parents=True, exist_ok=True)
            return training.preview(request, target)

        def show(problem: str) -> None:
            self._say(problem)
            if not problem:
                self.example.show_file(target)
            shutil.rmtree(training.folder, ignore_errors=True)

        self._begin(write, draw, show)

    def _begin(
        self, write: Callable[[], None], work: Callable[[], Any], done: Callable[[Any], None]
    ) -> None:
        """Write images and do some work in the background, then hand on what came of it."""

        def job() -> Any:
            try:
                write()
                return work()
            except (OSError, ValueError, TypeError) as error:
                log.exception("what is to be trained on could not be prepared")
                return error

        def finished(outcome: Any) -> None:
            if not self._alive:
                return
            self._enable(on=True)
            if isinstance(outcome, Exception):
                self._say(str(outcome))
            else:
                done(outcome)

        self._say("")
        self._enable(on=False)
        in_background(job, finished)

    def _enable(self, *, on: bool) -> None:
        for button in (self.setup.preview, self.setup.train):
            button.enabled = on

    def _renew(self, name: str) -> None:
        """Offer the trainings that there are now, and show one of them."""
        with self.chosen.changed.blocked():
            self.chosen.reset_choices()
            self.chosen.value = name
        self._show_chosen()

    # A training that has been begun

    def resume(self) -> None:
        """Go on with the training that is shown."""
        if self.training is None:
            return
        try:
            self.training.start()
        except OSError as error:
            self._say(str(error))
        else:
            self._show_chosen()

    def _end(self) -> None:
        """Offer the model that a training has ended with."""
        training = self.training
        status = None if training is None else training.status()
        if training is None or status is None or status.state != "done":
            return
        recall_own_models(self.cache)
        _refresh_models()
        show_info(f"“{training.name}” can now be chosen in Plugins → SRGAN → SRGAN upscale.")

    def _ask_to_remove(self) -> None:
        training = self.training
        if training is None:
            return
        question = f"Remove the training “{training.name}” and its model for good?"
        answer = QMessageBox.question(self, "SRGAN train", question)
        if answer == QMessageBox.StandardButton.Yes:
            self.remove()

    def remove(self) -> None:
        """Remove the training that is shown, and its model from the list."""
        training = self.training
        if training is None:
            return
        try:
            listed = [name for name, (path, _) in own_models.items() if path == training.model]
            for name in listed:
                forget_own_model(name, self.cache)
            training.remove()
        except OSError as error:
            show_error(f"{training.name} could not be removed: {error}")
        _refresh_models()
        self._renew(self._names()[0])


def _folder(value: Any, of: str) -> Path:
    words = str(value).strip()
    if not words:
        raise ValueError(f"Choose the folder of {of}.")
    return Path(words).expanduser().absolute()


def _nothing() -> None:
    """Write nothing: a folder is trained on where it is."""


def _refresh_models() -> None:
    from napari_srgan.plugin.docks import refresh_models

    refresh_models()
