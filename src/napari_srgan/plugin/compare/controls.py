"""The controls of the comparison, without what they do."""

from __future__ import annotations

from magicgui.widgets import CheckBox, ComboBox, FloatSlider, PushButton, Widget

from napari_srgan.plugin.compare.modes import (
    BESIDE,
    BLINK,
    BRIGHTNESS,
    DIFFERENCE,
    SWIPE,
    VALUES,
)
from napari_srgan.plugin.controls import text_line

UNITS = [("values as stored", VALUES), ("brightness shown", BRIGHTNESS)]


def main() -> list[Widget]:
    """Return the controls, and the lines that say what is seen."""
    return [
        CheckBox(name="live", text="Compare on", value=True),
        ComboBox(name="before", label="Before", choices=[None], nullable=True),
        ComboBox(name="after", label="After", choices=[None], nullable=True),
        PushButton(name="swap", text="Swap"),
        ComboBox(name="mode", label="As", choices=[SWIPE, BESIDE, BLINK, DIFFERENCE]),
        FloatSlider(
            name="share",
            label="Line",
            min=0,
            max=1,
            value=0.5,
            readout=False,
            tooltip="Also by dragging the line on the canvas",
        ),
        FloatSlider(name="seconds", label="Every", min=0.2, max=3, value=0.7, visible=False),
        ComboBox(
            name="unit",
            label="Of",
            choices=UNITS,
            visible=False,
            tooltip="brightness: in % of black to white, as each layer's contrast limits draw it",
        ),
        CheckBox(name="bar", text="Scale bar and names", value=True),
        text_line("state"),
        PushButton(name="save", text="Save as a picture …"),
    ]
