"""The controls of the training widget, without what they do."""

from __future__ import annotations

from magicgui.types import FileDialogMode
from magicgui.widgets import (
    ComboBox,
    Container,
    FileEdit,
    Label,
    LineEdit,
    ProgressBar,
    PushButton,
    Select,
    SpinBox,
    Widget,
)

from napari_srgan.plugin.controls import NO_LABEL, let_shrink, text_line
from napari_srgan.plugin.train.trainings import RECIPES
from napari_srgan.store.registry import DEFAULT_MODEL, list_models

LAYERS, FOLDER = "layers", "a folder"
MADE, OWN = "made of them", "my own, registered"
STEPS = 1000  # of the progress bar

_LINES = 5  # of a list of layers
_DAY = 24 * 60  # minutes


class Setup(Container[Widget]):
    """What is to be trained, on what, for how long."""

    source: ComboBox
    layers: Select
    folder: FileEdit
    low: ComboBox
    low_layers: Select
    low_folder: FileEdit
    kind: ComboBox
    start: ComboBox
    minutes: SpinBox
    name_of: LineEdit
    preview: PushButton
    train: PushButton

    def __init__(self) -> None:
        super().__init__()
        self.extend(
            [
                ComboBox(name="source", label="Images", choices=[LAYERS, FOLDER]),
                _layers("layers", "Originals, sharp and without noise; each plane is an image"),
                _folder("folder", "Originals, sharp and without noise, at any depth"),
                ComboBox(
                    name="low",
                    label="Low ones",
                    choices=[MADE, OWN],
                    tooltip="Low-resolution images: made of the others, or of the same scene, "
                    "smaller by the model's scale and lying at the same place",
                ),
                _layers("low_layers", "In the order of the others"),
                _folder("low_folder", "As many as the others, in the order of their names"),
                ComboBox(
                    name="kind",
                    label="Made as",
                    choices=list(RECIPES.items()),
                    tooltip="What images that you want to upscale have suffered",
                ),
                PushButton(name="preview", text="Preview"),
                ComboBox(
                    name="start",
                    label="Begin with",
                    choices=lambda _: [m for m in list_models() if m.generative is False],
                    value=DEFAULT_MODEL,
                    tooltip="A faithful model, which is trained on",
                ),
                SpinBox(name="minutes", label="Minutes", min=1, max=_DAY, value=20),
                LineEdit(name="name_of", label="Name", value="my-model"),
                PushButton(name="train", text="Train"),
            ]
        )
        let_shrink(self)
        self.show_choices()

    def show_choices(self) -> None:
        """Show what the choices so far leave open."""
        layers, own = self.source.value == LAYERS, self.low.value == OWN
        self.layers.visible, self.folder.visible = layers, not layers
        self.low_layers.visible, self.low_folder.visible = layers and own, own and not layers
        self.kind.visible = not own


class Watch(Container[Widget]):
    """How a training goes, and what can be asked of it."""

    state: Label
    progress: ProgressBar
    figures: Label
    warnings: Label
    pause: PushButton
    resume: PushButton
    finish: PushButton
    discard: PushButton

    def __init__(self) -> None:
        super().__init__(labels=False)
        buttons = Container[Widget](layout="horizontal", labels=False)
        self.pause = PushButton(text="Pause", tooltip="Saves and ends it; napari can be closed")
        self.resume = PushButton(text="Go on")
        self.finish = PushButton(
            text="Finish now", tooltip="Makes the model of what has been learned so far"
        )
        self.discard = PushButton(text="Remove …")
        buttons.extend([self.pause, self.resume, self.finish, self.discard])
        bar = ProgressBar(name="progress", max=STEPS)
        bar.native.setTextVisible(False)
        self.extend([text_line("state"), bar, buttons, text_line("figures"), text_line("warnings")])
        self.buttons = buttons


def _layers(name: str, tooltip: str) -> Select:
    select = Select(name=name, label=NO_LABEL, choices=[], tooltip=f"{tooltip}. Ctrl adds one.")
    lines = select.native
    lines.setMaximumHeight(_LINES * lines.fontMetrics().lineSpacing() + 8)
    lines.setMinimumWidth(0)
    return select


def _folder(name: str, tooltip: str) -> FileEdit:
    mode = FileDialogMode.EXISTING_DIRECTORY
    edit = FileEdit(name=name, label=NO_LABEL, mode=mode, tooltip=tooltip)
    edit.line_edit.value = ""
    edit.native.setMinimumWidth(0)
    return edit
