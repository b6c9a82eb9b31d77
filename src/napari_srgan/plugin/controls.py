"""The controls of the widget, without what they do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from magicgui.widgets import (
    CheckBox,
    ComboBox,
    Container,
    Label,
    LineEdit,
    ProgressBar,
    PushButton,
    SpinBox,
    Widget,
    create_widget,
)
from qtpy.QtCore import Qt
from qtpy.QtGui import QIcon, QPixmap
from qtpy.QtWidgets import QComboBox, QSizePolicy
from superqt import QCollapsible

from napari_srgan.inference.settings import Settings
from napari_srgan.plugin.messages import Choices
from napari_srgan.store.registry import DEFAULT_MODEL, ModelInfo, list_models, own_file

ALL_PLANES = "all planes"
CURRENT_PLANE = "current plane"
STEPS = 1000  # of the progress bar
PRECISIONS = ["auto", "float32", "float16", "bfloat16"]
NOT_FINITE = [("refuse", "error"), ("fill from neighbours", "fill")]
QUALITY = [("standard", "standard"), ("best, 8 × the time", "ensemble")]
COMPUTE = [("automatic", "auto"), ("now", "now"), ("when shown", "shown")]

NO_LABEL = "\u200b"  # takes no room; an empty one would be replaced by the control's name
_NARROWEST = 80  # pixels of a choice: napari's style would make it wider
_NARROWEST_BUTTON = 50  # pixels of one of several side by side
_LETTERS_SHOWN = 6  # of a long choice, so that it does not widen the dock


class Advanced(Container[Widget]):
    """The choices that few people make."""

    quality: ComboBox
    consistent: CheckBox
    normalize: LineEdit
    nan: ComboBox
    precision: ComboBox
    tile: SpinBox
    compute: ComboBox

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.extend(
            [
                ComboBox(
                    name="quality",
                    label="Quality",
                    choices=QUALITY,
                    value=settings.quality,
                    tooltip="best: the mean of the results for eight flips and turns, nearer to "
                    "the truth and a little softer",
                ),
                CheckBox(
                    name="consistent",
                    label="Hold to image",
                    value=settings.consistent,
                    tooltip="Made small again, the result is the image, to half a level.",
                ),
                LineEdit(
                    name="normalize",
                    label="Normalize",
                    value="auto",
                    tooltip="Which values are black and white: auto, data, dtype, two values such "
                    "as 0, 4095, or percentiles such as 0%, 99.9%",
                ),
                ComboBox(
                    name="nan",
                    label="NaN",
                    choices=NOT_FINITE,
                    tooltip="What is done about values that are not finite",
                ),
                ComboBox(
                    name="precision",
                    label="Precision",
                    choices=PRECISIONS,
                    tooltip="auto: 16-bit arithmetic for 8-bit images where it is faster",
                ),
                SpinBox(
                    name="tile",
                    label="Tile (0: auto)",
                    min=0,
                    max=4096,
                    value=0 if settings.tile == "auto" else int(settings.tile),
                    tooltip="Edge in input pixels. It changes memory and speed, not the result.",
                ),
                ComboBox(
                    name="compute",
                    label="Compute",
                    choices=COMPUTE,
                    tooltip="Now, as a whole, or each plane when it is shown, which needs no "
                    "memory for the result. automatic: when shown if the layer is lazy itself.",
                ),
            ]
        )
        align(self, 6.5)
        let_shrink(self)


class Buttons(Container[Widget]):
    """What starts and stops the work."""

    run: PushButton
    write: PushButton
    cancel: PushButton

    def __init__(self) -> None:
        super().__init__(name="buttons", label=NO_LABEL, layout="horizontal", labels=False)
        self.extend(
            [
                PushButton(name="run", text="Upscale"),
                PushButton(
                    name="write",
                    text="Write to…",
                    tooltip="Upscale right into an OME-Zarr store on disk, however large, and show "
                    "it from there. What is cancelled is gone on with by writing there again.",
                ),
                PushButton(name="cancel", text="Cancel", enabled=False),
            ]
        )
        _side_by_side(self)


class Queueing(Container[Widget]):
    """What puts several images into the queue, as they would be upscaled here."""

    layers: PushButton
    folder: PushButton

    def __init__(self) -> None:
        super().__init__(name="queueing", label=NO_LABEL, layout="horizontal", labels=False)
        self.extend(
            [
                PushButton(
                    name="layers",
                    text="Queue",
                    tooltip="Puts the selected image layers, all planes of each, into the queue",
                ),
                PushButton(
                    name="folder",
                    text="Folder …",
                    tooltip="Puts the image files of a folder into the queue",
                ),
            ]
        )
        _side_by_side(self)


def main(preferred: Choices, devices: Sequence[tuple[str, str]]) -> list[Widget]:
    """Return the controls for what is upscaled and how, and the lines that explain them.

    Parameters
    ----------
    preferred : Choices
        What is chosen at first.
    devices : sequence of (label, name)
        The devices; looked at again whenever the choices are renewed.
    """
    model = preferred.model if preferred.model in list_models() else DEFAULT_MODEL
    return [
        create_widget(annotation="napari.layers.Image", name="layer", label="Layer"),
        ComboBox(
            name="level",
            label="Level",
            choices=[0],
            tooltip="Of a layer of several scales, the one that is upscaled",
            visible=False,
        ),
        ComboBox(
            name="planes",
            label="Planes",
            choices=[CURRENT_PLANE, ALL_PLANES],
            tooltip="A plane spans the last two axes. Each is upscaled by itself; all share one "
            "value range.",
        ),
        # A function, so that an added model appears when the choices are renewed.
        ComboBox(name="model", label="Model", choices=lambda _: grouped_models(), value=model),
        text_line("caution", visible=False),
        text_line("purpose"),
        ComboBox(name="scale", label="Scale", choices=[4], visible=False),
        PushButton(name="forget", text="Remove from the list", visible=False),
        ComboBox(
            name="device",
            label="Device",
            choices=lambda _: list(devices),
            value=preferred.settings.device,
        ),
        text_line("hint", visible=False),
        text_line("summary"),
        PushButton(name="again", text="Try again", visible=False),
    ]


def grouped_models() -> list[tuple[str, ModelInfo]]:
    """Return the models with the labels that they are chosen by: a person's own ones last."""
    own = [info for info in list_models() if own_file(info) is not None]
    shipped = [info for info in list_models() if info not in own]
    groups = {
        "faithful": [info for info in shipped if info.generative is False],
        "generative": [info for info in shipped if info.generative],
        "unknown": [info for info in shipped if info.generative is None],
        "yours": own,
    }
    return [(f"{group} · {info}", info) for group, infos in groups.items() for info in infos]


def _side_by_side(row: Container[Widget]) -> None:
    """Have a row of buttons take no more room than they need, and be narrow where it must."""
    row.native.layout().setContentsMargins(0, 0, 0, 0)
    for button in row:
        button.native.setMinimumWidth(_NARROWEST_BUTTON)


def let_shrink(rows: Iterable[Widget]) -> None:
    """Have long choices cut rather than widen the dock."""
    for control in rows:
        if isinstance(control, ComboBox):
            policy = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            control.native.setSizeAdjustPolicy(policy)
            control.native.setMinimumContentsLength(_LETTERS_SHOWN)
            control.native.setMinimumWidth(_NARROWEST)


def status() -> list[Widget]:
    """Return what shows which work is going on and how far it is, and what came of the last."""
    bar = ProgressBar(name="progress", label=NO_LABEL, max=STEPS, visible=False)
    bar.native.setTextVisible(False)  # the line below says it, with the time left
    return [
        text_line("running", visible=False),
        bar,
        text_line("left", visible=False),
        text_line("problem", visible=False),
        text_line("notes", visible=False),
    ]


def invented() -> PushButton:
    """Return what asks for a map of what the last result has that a faithful one has not."""
    return PushButton(
        name="invented",
        text="Show what was invented",
        visible=False,
        tooltip="Maps where the result differs from a faithful model's, which takes about as "
        "long again.",
    )


def align(rows: Container[Widget], ems: float) -> None:
    """Make all labels equally wide, in the unit of the font that the window's style sheet sets.

    Lines of text have none and begin at the left.
    """
    for row in rows:
        if isinstance(row, (CheckBox, PushButton)):
            continue  # it stands by itself
        label = row.native.parentWidget().layout().itemAt(0).widget()
        if isinstance(row, Label):
            label.hide()
        else:
            label.setStyleSheet(f"min-width: {ems}em; max-width: {ems}em")


def move_together(rows: Container[Widget]) -> None:
    """Take the room from between the rows: a tall widget makes napari's window taller."""
    rows.native.layout().setSpacing(2)
    for row in rows:
        if isinstance(row, Label):
            row.native.parentWidget().layout().setContentsMargins(2, 0, 0, 0)


def folded(content: Container[Widget], title: str) -> QCollapsible:
    """Return a Qt widget that shows ``content`` when its title is clicked."""
    # The arrow is text: an icon would be drawn once, black, whatever the theme. superqt takes an
    # empty icon for none in PySide, so that there has to be one that cannot be seen.
    nothing = QPixmap(1, 1)
    nothing.fill(Qt.GlobalColor.transparent)
    fold = QCollapsible(f"▸ {title}", expandedIcon=QIcon(nothing), collapsedIcon=QIcon(nothing))
    fold.toggled.connect(lambda shown: fold.setText(f"{'▾' if shown else '▸'} {title}"))
    fold.addWidget(content.native)
    fold.collapse(animate=False)
    return fold


def text_line(name: str, value: str = "", *, visible: bool = True) -> Label:
    """Return a line of text, or several, that begins at the left and can be copied."""
    label = Label(name=name, value=value, label=NO_LABEL, visible=visible)
    label.native.setWordWrap(True)
    label.native.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
    label.native.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
    # An error may quote a file, which is not to be taken for markup, and a command to copy.
    label.native.setTextFormat(Qt.TextFormat.PlainText)
    label.native.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def renew(control: ComboBox) -> None:
    """Renew what can be chosen; what is chosen stays."""
    chosen = control.value
    with control.changed.blocked():
        control.reset_choices()
        if chosen in control.choices:
            control.value = chosen


def show_text(label: Label, text: str) -> None:
    """Show a text, or nothing in its place."""
    label.value = text
    label.visible = bool(text)


def add_line(label: Label, line: str) -> None:
    """Show a line below what is shown."""
    show_text(label, "\n".join(each for each in (label.value, line) if each))
