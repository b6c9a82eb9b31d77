"""Whole rating sessions by keyboard in a live window, and what can come between."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt

from napari_srgan.plugin.rating.command import DOCK, rate_results
from napari_srgan.rating.ratings import read_ratings

pytestmark = pytest.mark.display  # keys reach a window that is shown and active

SCORES = {"nearest": 1, "bicubic": 3, "HR": 5}
SECRETS = ("nearest", "bicubic", "HR", "rated-", "others-")


def keyboard(viewer, qtbot):
    """Return what presses keys over the image; shortcuts hold in an active window only."""
    window = viewer.window._qt_window
    window.activateWindow()
    canvas = viewer.window._qt_viewer.canvas.native
    canvas.setFocus()
    qtbot.waitUntil(window.isActiveWindow)
    return lambda *keys: [qtbot.keyClick(canvas, key) for key in keys]


def begin(widget, qtbot, name="Ann"):
    widget.setup.rater.value = ""
    qtbot.keyClicks(widget.setup.rater.native, name)
    qtbot.keyClick(widget.setup.rater.native, Qt.Key.Key_Return)


def rate_all(widget, press):
    while widget.sitting is not None:
        item = widget.sitting.current
        press(str(item.anchor or SCORES[item.version.method]))
        assert widget.sitting is None or widget.sitting.current != item


def said():
    return [record.message for record in notification_manager.records]


def table(folders):
    return read_ratings([Path(folders["session"]) / "ratings.csv"])


def test_a_session_is_rated_by_keyboard_from_the_name_to_the_table(prepared, folders, qtbot):
    viewer, widget = prepared()
    begin(widget, qtbot)
    press = keyboard(viewer, qtbot)
    assert widget.rate.place.value == "Calibration: 1 of 2"
    rate_all(widget, press)

    rows = table(folders)
    assert len(rows) == 6
    assert {row.rater for row in rows} == {"Ann"}
    assert all(row.rating == SCORES[row.method] for row in rows)
    assert "Ann: 6 of 6" in widget.setup.state.value
    assert [(layer.name, layer.visible) for layer in viewer.layers] == [("mine", True)]


def test_nothing_on_the_screen_tells_image_or_method(prepared, qtbot):
    viewer, widget = prepared()
    begin(widget, qtbot)
    press = keyboard(viewer, qtbot)
    looks = set()
    while widget.sitting is not None:
        item = widget.sitting.current
        layer = viewer.layers[-1]
        texts = [layer.name, str(layer.metadata), str(layer.source.path), viewer.title]
        texts += [child.value for child in widget.rate if hasattr(child, "value")]
        texts.append(item.path.name)
        assert not [word for word in SECRETS for text in texts if word in str(text)]
        assert [one.name for one in viewer.layers if one.visible] == ["rated image"]
        if item.anchor is None:
            camera = viewer.scene.camera
            look = item.version.photo.name, camera.zoom, tuple(camera.center), layer.data.shape
            looks.add(look)
        press(str(item.anchor or 3))
        assert widget.sitting is None or widget.sitting.current != item
    assert len(looks) == 2  # all versions of an image are shown alike


def test_the_last_is_taken_back_and_what_is_no_answer_is_not_taken(prepared, qtbot):
    viewer, widget = prepared()
    begin(widget, qtbot)
    press = keyboard(viewer, qtbot)
    anchor = widget.sitting.current.anchor
    press("2", "7", "0")
    assert widget.rate.place.value == "Calibration: 1 of 2"
    assert "example of another" in widget.rate.last.value
    press(str(anchor), str(6 - anchor), "3", "4")
    assert widget.rate.place.value == "Rating: 3 of 6"
    press(Qt.Key.Key_Backspace)
    assert widget.rate.place.value == "Rating: 2 of 6"
    press(Qt.Key.Key_Backspace, Qt.Key.Key_Backspace)
    assert widget.rate.place.value == "Calibration: 2 of 2"
    widget.pause()


def test_it_is_paused_and_gone_on_with_and_each_rater_has_an_own_order(prepared, folders, qtbot):
    viewer, widget = prepared()
    begin(widget, qtbot)
    press = keyboard(viewer, qtbot)
    anchor = widget.sitting.current.anchor
    press(str(anchor), str(6 - anchor), "3", "p")
    assert widget.sitting is None
    assert [layer.name for layer in viewer.layers] == ["mine"]
    assert len(table(folders)) == 1

    begin(widget, qtbot, "Ben")
    rate_all(widget, press)
    begin(widget, qtbot, "ann")
    assert widget.rate.place.value == "Rating: 2 of 6"
    rate_all(widget, press)
    rows = table(folders)
    assert sorted(row.rater for row in rows) == ["Ann"] * 6 + ["Ben"] * 6


def test_keys_rate_nothing_while_nobody_rates(prepared, folders, qtbot):
    viewer, widget = prepared()
    press = keyboard(viewer, qtbot)
    press("1", "5", "p")
    begin(widget, qtbot)
    press("p")
    press("1", "5")
    assert not (Path(folders["session"]) / "raters").exists()


def test_the_dock_closed_meanwhile_ends_the_rating_and_keeps_what_is_rated(
    prepared, folders, qtbot
):
    viewer, widget = prepared()
    begin(widget, qtbot)
    press = keyboard(viewer, qtbot)
    anchor = widget.sitting.current.anchor
    press(str(anchor), str(6 - anchor), "3")
    viewer.window.remove_dock_widget(widget.native.parent())
    assert [layer.name for layer in viewer.layers] == ["mine"]
    press("4")
    assert [row.rating for row in table(folders)] == [3]


def test_the_menu_shows_the_dock_that_is_there(opened):
    viewer, widget = opened()
    widget.native.parent().hide()
    rate_results(viewer)
    assert not widget.native.parent().isHidden()
    assert list(viewer.window.dock_widgets).count(DOCK) == 1


def test_making_is_stopped_and_gone_on_with(opened, folders, own_model, qtbot):
    _viewer, widget = opened()
    setup = widget.setup
    setup.session.value = folders["session"]
    setup.images.value = folders["rated"]
    setup.calibration.value = folders["others"]
    setup.methods.reset_choices()
    setup.methods.value = ["nearest", "HR"]
    widget.prepare()
    widget.stop()
    qtbot.waitUntil(lambda: not widget.busy, timeout=60_000)
    assert not setup.begin.enabled
    widget.prepare()
    qtbot.waitUntil(lambda: not widget.busy, timeout=60_000)
    setup.rater.value = "Ann"
    assert setup.begin.enabled


def test_a_session_that_is_there_asks_for_a_name_only(prepared, is_shown):
    _viewer, widget = prepared()
    assert "2 images by 3 methods." in widget.setup.state.value
    assert not is_shown(widget.setup.images)
    assert not is_shown(widget.setup.prepare)
    assert not widget.setup.begin.enabled


@pytest.mark.parametrize(
    ("images", "match"), [("missing", "There is no folder"), ("session", "There is no")]
)
def test_what_is_wrong_is_said_and_can_be_mended(opened, folders, tmp_path, qtbot, images, match):
    _viewer, widget = opened()
    widget.setup.session.value = folders["session"]
    widget.setup.images.value = str(tmp_path / images)
    widget.prepare()
    qtbot.waitUntil(lambda: not widget.busy, timeout=60_000)
    assert any(match in text for text in said())
    assert widget.setup.prepare.enabled


def test_a_version_that_is_lost_ends_the_rating_in_words(prepared, folders, qtbot):
    _viewer, widget = prepared()
    widget.setup.rater.value = "Ann"
    shutil.rmtree(Path(folders["session"]) / "versions")
    widget.begin()
    assert widget.sitting is None
    assert any("Prepare the session again" in text for text in said())
    assert widget.setup.prepare.enabled


def test_a_damaged_session_is_named(prepared, folders):
    _viewer, widget = prepared()
    (Path(folders["session"]) / "session.json").write_text("{", encoding="utf-8")
    widget.update_state()
    assert "damaged" in widget.setup.state.value
    assert not widget.setup.begin.enabled


def test_a_model_file_is_added_to_the_methods_or_refused(opened, own_model, tmp_path):
    _viewer, widget = opened()
    own_model("mine")
    widget.add_model(tmp_path / "mine.safetensors")
    assert "mine" in widget.setup.methods.value
    widget.add_model(tmp_path / "none.safetensors")
    assert any("none.safetensors" in text for text in said())


def test_the_controls_fit_a_narrow_dock(prepared, qtbot):
    _viewer, widget = prepared()
    begin(widget, qtbot)
    qtbot.wait(100)
    for page in (widget.setup, widget.rate):
        assert page.native.minimumSizeHint().width() <= 260
    label = widget.rate.keys.native
    assert label.height() >= label.heightForWidth(label.width())
    widget.pause()
    qtbot.wait(100)
    label = widget.setup.state.native
    assert label.height() >= label.heightForWidth(label.width())
