"""The controls of the lens, without what they do."""

from __future__ import annotations

from magicgui.widgets import CheckBox, ComboBox, Container, Label, PushButton, SpinBox, Widget

from napari_srgan.plugin.controls import NO_LABEL, align, grouped_models, let_shrink, text_line

FAST_MODEL = "srresnet-small-x4"
SAME = "the lens's model"
IN_VIEW, SHAPE, WHOLE = "what is in view", "the Shapes rectangle", "the whole plane"
THIS, RANGE, ALL = "this plane", "from … to …", "all planes"


class Looking(Container[Widget]):
    """What the lens shows, and by which model."""

    live: CheckBox
    layer: Label
    model: ComboBox
    caution: Label
    state: Label

    def __init__(self) -> None:
        super().__init__(name="looking", label=NO_LABEL)
        self.extend(
            [
                CheckBox(
                    name="live",
                    text="Lens on",
                    value=True,
                    tooltip="Upscales what is in view of the selected image layer, at every turn",
                ),
                text_line("layer"),
                ComboBox(
                    name="model",
                    label="Model",
                    choices=lambda _: grouped_models(),
                    value=FAST_MODEL,
                    tooltip="A fast one follows best; keeping may use another",
                ),
                text_line("caution", visible=False),
                text_line("state"),
            ]
        )
        align(self, 3.5)
        let_shrink(self)


class Keeping(Container[Widget]):
    """What becomes a lasting result, and by which model."""

    area: ComboBox
    planes: ComboBox
    axis: ComboBox
    first: SpinBox
    last: SpinBox
    by: ComboBox
    keep: PushButton
    cancel: PushButton

    def __init__(self) -> None:
        super().__init__(name="keeping", label=NO_LABEL)
        self.extend(
            [
                ComboBox(
                    name="area",
                    label="Area",
                    choices=[IN_VIEW, SHAPE, WHOLE],
                    tooltip="Of a Shapes layer: the shape that is selected, else the last one",
                ),
                ComboBox(name="planes", label="Planes", choices=[THIS, RANGE, ALL]),
                ComboBox(name="axis", label="Along", choices=[0], visible=False),
                SpinBox(name="first", label="From", visible=False),
                SpinBox(name="last", label="To", visible=False),
                ComboBox(
                    name="by",
                    label="Model",
                    choices=lambda _: [(SAME, SAME), *grouped_models()],
                ),
                PushButton(name="keep", text="Keep as a layer"),
                PushButton(name="cancel", text="Cancel", visible=False),
            ]
        )
        align(self, 3.5)
        let_shrink(self)
