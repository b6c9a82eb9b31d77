"""Two layers compared in a viewer, which is left as it was."""

from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_srgan.files import read_picture
from napari_srgan.plugin.compare.annotations import bar_length
from napari_srgan.plugin.compare.modes import BESIDE, BLINK, DIFFERENCE, SWIPE
from napari_srgan.plugin.compare.screen import NAME
from napari_srgan.plugin.compare.widget import Compare

rng = np.random.default_rng(6)
LOW = rng.integers(0, 256, (30, 40), dtype=np.uint8)
HIGH = LOW.repeat(4, 0).repeat(4, 1).astype(np.uint16) * 257


@pytest.fixture
def compared(qtbot):
    """Return a maker of viewers with some layers, and the widget with nothing left to do."""

    def make(*layers):
        viewer = ViewerModel()
        viewer.canvas.size = (200, 260)
        for layer in layers:
            viewer.add_layer(layer)
        widget = Compare(viewer)
        qtbot.addWidget(widget.native)
        wait(widget)
        return viewer, widget

    def wait(widget):
        qtbot.waitUntil(lambda: not widget.busy, timeout=60_000)

    return SimpleNamespace(make=make, wait=wait)


def before_and_after():
    low = Image(LOW, name="low", scale=(4, 4), translate=(1.5, 1.5), units=("um", "um"))
    return low, Image(HIGH, name="high", units=("um", "um"), contrast_limits=(0, 65535))


def state_of(viewer):
    camera, layers = viewer.scene.camera, viewer.layers
    looks = [(layer.name, layer.visible, layer.opacity, str(layer.blending)) for layer in layers]
    return {
        "layers": looks,
        "dims": viewer.dims.range,
        "selected": layers.selection.active,
        "camera": (camera.center, camera.zoom, camera.mouse_pan),
        "point": viewer.dims.point,
    }


def test_each_side_of_the_line_is_one_of_the_layers(compared):
    viewer, widget = compared.make(*before_and_after())
    widget.bar.value = False
    picture = widget.screen.picture

    assert (widget.before.value.name, widget.after.value.name) == ("low", "high")
    assert widget.screen.layer.name == NAME
    assert np.ptp(picture[:, :100], axis=2).max() == 0
    # The two are the same picture, and so the whole is what either gives alone.
    for share in (0.0, 1.0):
        widget.share.value = share
        inner = widget.screen.picture[:, 4:-4].astype(int)
        assert np.abs(inner - picture[:, 4:-4])[:, :90].max() <= 1
    assert list(viewer.layers)[-1] is widget.screen.layer
    assert viewer.layers.selection.active is not widget.screen.layer


def test_the_picture_lies_where_its_layers_do(compared):
    _viewer, widget = compared.make(*before_and_after())
    widget.bar.value, widget.share.value = False, 0.0
    screen = widget.screen.layer
    for row, column in ((10, 12), (110, 150), (60, 33)):
        place = screen.world_to_data((row, column))
        pixel = screen.data[tuple(np.rint(place).astype(int))]
        assert abs(int(pixel[0]) - HIGH[row, column] / 257) <= 1


@pytest.mark.parametrize("mode", [SWIPE, BESIDE, BLINK, DIFFERENCE])
def test_every_mode_ends_with_the_viewer_as_it_was(compared, mode):
    low, high = before_and_after()
    viewer, widget = compared.make(low, high)
    widget.live.value = False
    widget.mode.value = mode
    viewer.layers.selection.active = low
    before = state_of(viewer)
    widget.live.value = True
    compared.wait(widget)
    assert widget.screen.layer in viewer.layers
    during = state_of(viewer)
    assert during["layers"][:-1] == before["layers"]
    assert all(during[what] == before[what] for what in ("selected", "camera", "point"))
    viewer.scene.camera.zoom *= 2
    compared.wait(widget)
    viewer.scene.camera.zoom /= 2
    widget.live.value = False
    assert state_of(viewer) == before
    widget.live.value = True
    compared.wait(widget)
    callbacks = len(viewer.mouse_drag_callbacks)
    widget.close_comparison()
    assert state_of(viewer) == before
    assert len(viewer.mouse_drag_callbacks) == callbacks - 1


def test_a_difference_says_what_it_is_in(compared):
    low, high = before_and_after()
    viewer, widget = compared.make(low, high)
    widget.mode.value = DIFFERENCE
    compared.wait(widget)
    assert "values (uint16 − uint8)" in widget.state.value
    widget.unit.value = "brightness"
    compared.wait(widget)
    assert "% of black to white" in widget.state.value
    high.translate = (4000, 0)
    viewer.scene.camera.center = (60, 80)
    compared.wait(widget)
    assert widget.state.value == "They do not overlap in view."
    assert widget.screen.layer is None


def test_blinking_shows_one_after_the_other(compared, qtbot):
    _viewer, widget = compared.make(*before_and_after())
    widget.after.value.contrast_limits = (0, 2 * 65535)
    widget.bar.value, widget.seconds.value = False, 0.2
    widget.mode.value = BLINK
    compared.wait(widget)
    seen = set()

    def both():
        seen.add(round(float(widget.screen.picture.mean())))
        return len(seen) > 1

    qtbot.waitUntil(both, timeout=60_000)


def test_layers_that_go_end_it_and_others_take_their_place(compared):
    low, high = before_and_after()
    viewer, widget = compared.make(low, high)
    viewer.layers.remove(high)
    compared.wait(widget)
    assert list(viewer.layers) == [low]
    assert "Choose two" in widget.state.value
    assert not widget.save.enabled
    viewer.add_layer(high)
    widget.after.value = high
    widget.before.value = low
    compared.wait(widget)
    assert widget.screen.layer in viewer.layers
    viewer.layers.remove(widget.screen.layer)
    assert widget.live.value is False
    assert list(viewer.layers) == [low, high]


def test_the_line_is_dragged_and_the_canvas_is_not(compared):
    viewer, widget = compared.make(*before_and_after())
    grid = widget.screen.grid

    def event(kind, share):
        column = grid.origin[1] + share * grid.step * grid.shape[1]
        return SimpleNamespace(type=kind, position=(60.0, column))

    moving = event("mouse_press", 0.5)
    drag = widget._drag(viewer, moving)
    next(drag)
    assert viewer.scene.camera.mouse_pan is False
    moving.type, moving.position = "mouse_move", event("mouse_move", 0.8).position
    next(drag)
    assert widget.share.value == pytest.approx(0.8, abs=0.01)
    moving.type = "mouse_release"
    with pytest.raises(StopIteration):
        next(drag)
    assert viewer.scene.camera.mouse_pan is True
    assert list(widget._drag(viewer, event("mouse_press", 0.2))) == []


def test_what_is_seen_is_saved_with_its_scale_bar(compared, tmp_path):
    _viewer, widget = compared.make(*before_and_after())
    widget.save_picture(tmp_path / "seen")
    saved = read_picture(tmp_path / "seen.png")

    np.testing.assert_array_equal(saved.data, widget.screen.picture)
    assert "low and high, swipe" in saved.metadata.description
    length = bar_length(widget.screen.grid.step * widget.screen.grid.shape[1])
    bar = (saved.data[-13:-11, -100:] == 255).all(axis=(0, 2)).sum()
    assert abs(bar - length / widget.screen.grid.step) <= 2


def test_what_cannot_be_saved_is_told(compared, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr("napari_srgan.plugin.compare.widget.show_error", said.append)
    _viewer, widget = compared.make(*before_and_after())
    widget.save_picture(tmp_path / "nowhere" / "seen.png")
    widget.save_picture(tmp_path / "seen.xyz")
    assert len(said) == 2
