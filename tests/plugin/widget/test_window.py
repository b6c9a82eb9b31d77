"""The widget in a live napari window: served while it works, cancelled, and closed at any time."""

import gc
import threading
import time
import warnings
import weakref

import numpy as np
import pytest
from magicgui.widgets import PushButton
from qtpy.QtCore import QThreadPool, QTimer
from qtpy.QtWidgets import QLabel

from napari_srgan.inference import planes
from napari_srgan.inference import run as inference
from napari_srgan.plugin import controls, worker
from napari_srgan.plugin.docks import refresh_models

MINUTE = 60_000
TILES = 12  # of the image `grey`
STACK = np.random.default_rng(1).integers(0, 4096, (5, 40, 52), dtype=np.uint16)
COLOUR = np.random.default_rng(2).integers(0, 256, (40, 52, 3), dtype=np.uint8)


def names(viewer):
    return [layer.name for layer in viewer.layers]


@pytest.fixture
def wait_for_threads(qtbot):
    """Return a waiter for the end of all worker, whoever still listens to them."""

    def wait():
        qtbot.waitUntil(
            lambda: (
                QThreadPool.globalInstance().activeThreadCount() == 0
                and not any(thread.name == worker.NAME for thread in threading.enumerate())
            ),
            timeout=MINUTE,
        )
        qtbot.wait(50)

    return wait


class TestChoices:
    def test_the_selected_layer_is_offered_first(self, docked, grey):
        viewer, widget = docked(COLOUR, STACK, grey)

        assert widget.layer.value.name == viewer.layers.selection.active.name == "source [2]"

    def test_they_survive_what_napari_does_to_them(self, docked, grey, own_model, settled):
        """napari renews the choices with every layer that comes, goes, moves or is renamed."""
        viewer, widget = docked(grey, STACK)
        stack = viewer.layers[1].__wrapped__
        own_model("other")
        refresh_models()
        widget.layer.value = stack
        widget.model.value, widget.device.value = "other", "cpu"
        widget.planes.value = controls.ALL_PLANES
        settled(widget)
        for change in (
            lambda: viewer.add_image(grey),
            lambda: setattr(stack, "name", "under another name"),
            lambda: viewer.layers.move(1, 0),
            lambda: viewer.layers.remove("source"),
        ):
            change()
            assert widget.layer.value is stack
            assert widget.model.value == "other"
            assert widget.device.value == "cpu"
            assert widget.planes.value == controls.ALL_PLANES
        settled(widget)

    def test_the_dock_can_be_narrow(self, docked, own_model):
        viewer, widget = docked(STACK)
        own_model("a model of a very long name, as people give them", invents=True)
        refresh_models()
        widget.model.value = "a model of a very long name, as people give them"
        viewer.layers[0].name = "a layer of a very long name, " * 3
        widget.advanced.native.parentWidget().parentWidget().expand(animate=False)
        widget._say_problem("what went wrong, at length, " * 9)

        assert widget.native.parent().minimumSizeHint().width() <= 260

    def test_labels_are_wide_enough_for_their_text(self, docked):
        _viewer, widget = docked(STACK)
        for rows in (widget, widget.advanced):
            for row in rows:
                label = row.native.parentWidget().layout().itemAt(0).widget()
                if isinstance(row, PushButton) or label.isHidden() or not isinstance(label, QLabel):
                    continue
                label.ensurePolished()
                text = label.fontMetrics().horizontalAdvance(label.text())
                assert label.minimumWidth() >= text, label.text()


class TestProgress:
    def test_it_goes_up_with_the_time_left_and_goes_away(
        self, docked, grey, begin, gate, qtbot, settled, is_shown
    ):
        viewer, widget = docked(grey)
        begin(widget)
        assert is_shown(widget.progress)
        assert is_shown(widget.left)
        seen = [widget.progress.value]
        while gate.begun < TILES:
            begun = gate.begun
            gate.let(1)
            qtbot.waitUntil(
                lambda n=begun: gate.begun > n and widget.progress.value > seen[-1], timeout=MINUTE
            )
            seen.append(widget.progress.value)
            assert widget.left.value.endswith(" left")
        gate.let(1)
        settled(widget)

        assert seen[0] > 0
        assert seen[-1] < controls.STEPS
        assert len(seen) == TILES - 3
        assert not is_shown(widget.progress)
        assert not is_shown(widget.left)
        assert names(viewer) == ["source", "source ×4, tiny"]

    def test_what_is_at_work_is_named_whatever_is_chosen_meanwhile(
        self, docked, grey, begin, gate, settled, is_shown, own_model
    ):
        viewer, widget = docked(grey)
        assert not is_shown(widget.running)
        begin(widget)
        own_model("other")
        refresh_models()
        widget.layer.value, widget.model.value = viewer.add_image(STACK), "other"
        viewer.layers["source"].name = "renamed"
        assert is_shown(widget.running)
        assert widget.running.value == "source, tiny"
        gate.let(TILES)
        settled(widget)

        assert "source ×4, tiny" in names(viewer)
        assert not is_shown(widget.running)

    def test_what_becomes_of_the_layer_meanwhile_is_nothing_to_the_result(
        self, docked, grey, begin, gate, settled
    ):
        viewer, widget = docked(grey)
        viewer.layers[0].scale = (0.5, 2)
        begin(widget)
        viewer.layers[0].data = np.zeros((2, 3, 8, 8), np.uint8)
        gate.let(TILES)
        settled(widget)

        result = viewer.layers["source ×4, tiny"]
        assert result.data.shape == (240, 336)
        np.testing.assert_allclose(result.scale, (0.125, 0.5))

    def test_the_window_is_served_while_a_tile_is_computed(self, docked, grey, begin, gate, qtbot):
        _viewer, widget = docked(grey)
        begin(widget)
        ticks = []
        timer = QTimer()
        timer.timeout.connect(lambda: ticks.append(1))
        timer.start(1)
        qtbot.waitUntil(lambda: len(ticks) > 20)
        timer.stop()

        assert gate.begun == 4
        assert threading.main_thread() not in gate.threads
        gate.let(TILES)

    def test_a_second_click_is_ignored(self, docked, grey, begin, gate, settled):
        viewer, widget = docked(grey)
        begin(widget)
        widget.run.native.click()
        widget.start()
        widget.reset_choices()
        assert not widget.run.enabled
        gate.let(TILES)
        settled(widget)

        assert names(viewer) == ["source", "source ×4, tiny"]
        assert gate.begun == TILES

    def test_a_layer_removed_meanwhile_does_not_take_its_result_along(
        self, docked, grey, begin, gate, settled
    ):
        viewer, widget = docked(grey)
        begin(widget)
        viewer.layers.clear()
        gate.let(TILES)
        settled(widget)

        assert names(viewer) == ["source ×4, tiny"]


class TestCancel:
    def test_it_ends_within_one_tile_leaves_nothing_and_can_begin_again(
        self, docked, grey, begin, gate, settled, messages, is_shown
    ):
        viewer, widget = docked(grey)
        begin(widget)
        widget.cancel.native.click()
        assert widget.left.value == "stopping"
        assert not widget.cancel.enabled
        gate.let(1)
        settled(widget)
        assert gate.begun == 4
        assert names(viewer) == ["source"]
        assert messages() == ["Cancelled: nothing was added."]
        assert not is_shown(widget.progress)

        gate.let(TILES)
        widget.run.native.click()
        assert widget.cancel.enabled
        assert widget.progress.value == 0
        settled(widget)
        assert viewer.layers["source ×4, tiny"].data.shape == (240, 336)

    def test_the_memory_of_the_result_is_freed(
        self, docked, grey, begin, gate, settled, monkeypatch
    ):
        """napari keeps every worker until its window closes: a worker must not keep pixels."""
        made, result = [], inference.result_array

        def watched(*args):
            out = result(*args)
            made.append(weakref.ref(out))
            return out

        monkeypatch.setattr(inference, "result_array", watched)
        _viewer, widget = docked(grey)
        begin(widget)
        assert made[0]() is not None
        widget.stop()
        gate.let(1)
        settled(widget)
        gc.collect()

        assert made[0]() is None

    def test_it_holds_when_the_last_tile_is_at_work(self, docked, grey, begin, gate, settled):
        viewer, widget = docked(grey)
        begin(widget)
        gate.let(TILES - 4)
        while gate.begun < TILES:
            time.sleep(0.01)
        widget.stop()
        gate.let(1)
        settled(widget)

        assert names(viewer) == ["source"]

    def test_it_holds_for_a_run_that_fails_meanwhile(
        self, docked, grey, begin, gate, settled, monkeypatch
    ):
        viewer, widget = docked(grey)
        begin(widget)
        monkeypatch.setattr(planes.Plane, "write", lambda *_: 1 / 0)
        widget.stop()
        gate.let(1)
        settled(widget)

        assert widget.run.enabled
        assert names(viewer) == ["source"]

    def test_it_does_nothing_when_there_is_nothing_to_stop(self, alone, messages):
        _viewer, widget = alone(COLOUR)
        assert not widget.cancel.enabled
        widget.stop()

        assert messages() == []


class TestClosing:
    @pytest.mark.parametrize("button", [True, False], ids=["its button", "from a script"])
    def test_closing_the_dock_stops_the_work(
        self, docked, grey, begin, gate, qtbot, messages, wait_for_threads, button
    ):
        viewer, widget = docked(grey)
        begin(widget)
        dock = widget.native.parent()
        if button:
            dock.title.close_button.click()
        else:
            viewer.window.remove_dock_widget(dock)
        gate.let(1)
        wait_for_threads()

        assert gate.begun == 4
        assert names(viewer) == ["source"]
        assert messages() == []

    def test_closing_the_viewer_stops_the_work(
        self, docked, grey, begin, gate, messages, wait_for_threads
    ):
        viewer, widget = docked(grey)
        begin(widget)
        viewer.close()
        gate.let(1)
        wait_for_threads()

        assert gate.begun == 4
        assert messages() == []

    def test_the_viewer_can_be_closed_before_anything_is_known(
        self, make_napari_viewer, tiny, grey, wait_for_threads
    ):
        viewer = make_napari_viewer()
        viewer.add_image(grey)
        viewer.window.add_plugin_dock_widget("napari-srgan", "SRGAN upscale")
        viewer.close()
        wait_for_threads()

    def test_hiding_the_dock_does_not_stop_the_work(self, docked, grey, begin, gate, settled):
        viewer, widget = docked(grey)
        begin(widget)
        widget.native.parent().setVisible(False)
        gate.let(TILES)
        settled(widget)

        assert names(viewer) == ["source", "source ×4, tiny"]

    def test_a_widget_that_is_docked_again_works_again(self, docked, grey, settled):
        viewer, widget = docked(grey)
        viewer.window.remove_dock_widget(widget.native.parent())
        viewer.layers.clear()
        viewer.window.add_dock_widget(widget, name="again")
        viewer.add_image(STACK, name="stack")
        settled(widget)
        widget.start()
        settled(widget)

        assert names(viewer) == ["stack", "stack ×4, tiny"]

    def test_a_closed_widget_is_forgotten(self, docked, grey, settled, qtbot):
        viewer, widget = docked(grey)
        widget.start()
        settled(widget)
        gone = weakref.ref(widget)
        viewer.window.remove_dock_widget(widget.native.parent())
        del widget
        qtbot.wait(50)
        gc.collect()

        assert gone() is None

    def test_python_can_still_warn_afterwards(self, docked, grey, settled, wait_for_threads):
        """Two napari workers at a time would leave a dead one behind as the place to warn."""
        before = warnings.showwarning
        _viewer, widget = docked(grey)
        widget.advanced.tile.value = 32  # begins a trial
        widget.start()
        settled(widget)
        wait_for_threads()

        assert warnings.showwarning is before


@pytest.mark.display
def test_the_window_shows_the_result_where_the_source_was(docked, settled, qtbot):
    bright = np.zeros((40, 52), np.uint8)
    bright[:, 26:] = 255
    viewer, widget = docked(bright, show=True)
    qtbot.wait(300)
    before = viewer.screenshot(canvas_only=True, flash=False)[..., :3]
    widget.start()
    settled(widget)
    qtbot.wait(300)
    after = viewer.screenshot(canvas_only=True, flash=False)[..., :3]

    assert before.max() == 255  # there are pixels at all
    assert after.shape == before.shape
    covered = (after != before).any(axis=-1)
    assert covered.mean() > 0.05
    # The layer's rectangle, as far as the canvas shows it: outside of it nothing has changed.
    h, w = covered.shape
    edge = viewer.scene.camera.zoom * np.array([40, 52]) / 2 + 2
    rows, columns = np.abs(np.arange(h) - h / 2), np.abs(np.arange(w) - w / 2)
    outside = (rows[:, None] > edge[0]) | (columns > edge[1])
    assert not (covered & outside).any()
    assert outside.any()
    for control in (widget.layer, widget.model, widget.summary, widget.run):
        assert control.native.isVisible()
    assert viewer.window.screenshot(flash=False).shape[1] > w
