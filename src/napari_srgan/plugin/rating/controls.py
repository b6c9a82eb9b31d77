"""The controls of the rating widget, without what they do."""

from __future__ import annotations

from magicgui.types import FileDialogMode
from magicgui.widgets import (
    Container,
    FileEdit,
    Label,
    LineEdit,
    ProgressBar,
    PushButton,
    Select,
    Widget,
)
from qtpy.QtCore import Qt

from napari_srgan.plugin.controls import text_line
from napari_srgan.rating.ratings import BICUBIC, HIGH, NEAREST
from napari_srgan.store.registry import list_models

STEPS = 1000  # of the progress bar
SCALE = "5  excellent\n4  good\n3  fair\n2  poor\n1  bad"
KEYS = "Keys: 1 to 5 rate, Backspace takes the last one back, P pauses."

_SHOWN = 7  # lines of the list of methods


def method_names() -> list[str]:
    """Return what can be compared: the controls, the models, the original."""
    return [NEAREST, BICUBIC, *map(str, list_models()), HIGH]


class Setup(Container[Widget]):
    """What a session is of, and who rates."""

    session: FileEdit
    state: Label
    images: FileEdit
    calibration: FileEdit
    methods: Select
    add_model: PushButton
    prepare: PushButton
    cancel: PushButton
    progress: ProgressBar
    rater: LineEdit
    begin: PushButton

    def __init__(self) -> None:
        super().__init__(labels=False)
        self.extend(
            [
                _heading("Session folder"),
                FileEdit(
                    name="session",
                    mode=FileDialogMode.EXISTING_DIRECTORY,
                    tooltip="A new one, or one to go on with",
                ),
                text_line("state"),
                _heading("Original images", "of_images"),
                FileEdit(
                    name="images",
                    mode=FileDialogMode.EXISTING_DIRECTORY,
                    tooltip="Low-resolution versions are made of them; folders in it are data sets",
                ),
                _heading("Others to calibrate on (may stay empty)", "of_calibration"),
                FileEdit(
                    name="calibration",
                    mode=FileDialogMode.EXISTING_DIRECTORY,
                    tooltip="Empty: a fifth of the images is set apart for it and not rated",
                ),
                _heading("Methods", "of_methods"),
                Select(
                    name="methods",
                    choices=lambda _: method_names(),
                    value=[NEAREST, BICUBIC, HIGH],
                    tooltip="Ctrl or Shift selects several",
                ),
                PushButton(name="add_model", text="Add a model file …"),
                PushButton(name="prepare", text="Prepare"),
                PushButton(name="cancel", text="Cancel", visible=False),
                ProgressBar(name="progress", max=STEPS, visible=False),
                _heading("Your name", "of_rater"),
                LineEdit(name="rater", tooltip="The same name goes on where it stopped"),
                PushButton(name="begin", text="Begin rating", enabled=False),
            ]
        )
        for edit in (self.session, self.images, self.calibration):
            edit.line_edit.value = ""
            edit.native.setMinimumWidth(0)
        self.progress.native.setTextVisible(False)
        lines = self.methods.native
        lines.setMaximumHeight(_SHOWN * lines.fontMetrics().lineSpacing() + 8)
        lines.setMinimumWidth(0)

    def show_choices(self, *, shown: bool) -> None:
        """Show or hide what is chosen for a new session only."""
        for name in ("images", "calibration", "methods"):
            self[f"of_{name}"].visible = self[name].visible = shown
        self.add_model.visible = shown


class Rate(Container[Widget]):
    """What a rater sees beside the image: how far it is, the scale and the keys."""

    place: Label
    task: Label
    scale: Label
    last: Label
    keys: Label
    undo: PushButton
    pause: PushButton

    def __init__(self) -> None:
        super().__init__(labels=False, visible=False)
        self.extend(
            [
                text_line("place"),
                text_line("task"),
                text_line("scale", SCALE),
                text_line("last"),
                text_line("keys", KEYS),
                PushButton(name="undo", text="Take the last one back"),
                PushButton(name="pause", text="Pause"),
            ]
        )
        for button in (self.undo, self.pause):  # a key that rates must not press them, too
            button.native.setFocusPolicy(Qt.FocusPolicy.NoFocus)


def _heading(words: str, name: str = "") -> Label:
    return text_line(name or f"of_{words.lower().replace(' ', '_')}", words)
