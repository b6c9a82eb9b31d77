"""The menus and the commands behind them, in a live napari window."""

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from qtpy.QtWidgets import QLabel, QMenu

import napari_srgan
from napari_srgan.files import read_picture
from napari_srgan.plugin import commands
from napari_srgan.plugin.commands import (
    DOCK,
    fetch_weights,
    open_images,
    open_model,
    save_tiff,
    upscale_selected,
)
from napari_srgan.plugin.widget import Upscale
from napari_srgan.store import cache as store
from napari_srgan.store import registry
from napari_srgan.store.registry import Weights

STACK = np.random.default_rng(1).integers(0, 4096, (5, 40, 52), dtype=np.uint16)


def actions(menu: QMenu) -> list:
    """Return all actions of a menu and its submenus, freshly built as for a click."""
    menu.aboutToShow.emit()
    found = []
    for action in menu.actions():
        found += [action] if action.menu() is None else actions(action.menu())
    return found


def ours(menu: QMenu) -> list:
    return [action for action in actions(menu) if "SRGAN" in action.text()]


def opener(viewer):
    """Return what opens the widget in the plugins menu, which has the other widgets as well."""
    (action,) = [each for each in ours(viewer.window.plugins_menu) if "upscale" in each.text()]
    return action


def docks(viewer) -> list[str]:
    return [name for name in viewer.window.dock_widgets if "SRGAN" in name]


@pytest.fixture
def viewer(make_napari_viewer, tiny):
    return make_napari_viewer()


class TestMenus:
    def test_one_click_in_the_plugins_menu_opens_the_widget_and_another_no_second_one(
        self, viewer, settled
    ):
        action = opener(viewer)
        assert action.text() == "SRGAN upscale (SRGAN)"
        action.trigger()
        (name,) = docks(viewer)
        widget = viewer.window.dock_widgets[name]
        assert isinstance(widget, Upscale)
        settled(widget)

        action.trigger()
        assert docks(viewer) == [name]
        assert viewer.window.dock_widgets[name] is widget

    def test_the_commands_are_where_they_are_looked_for(self, viewer):
        layers = [action.text() for action in ours(viewer.window.layers_menu)]
        files = [action.text() for action in ours(viewer.window.file_menu)]

        assert set(layers) == {
            "SRGAN upscale the selected layer (SRGAN)",
            "Rate results blind (SRGAN)",
        }
        assert "Fetch SRGAN weights for offline use (SRGAN)" in files

    def test_the_samples_are_offered(self, viewer):
        texts = [action.text() for action in actions(viewer.window.file_menu)]

        assert "Low-resolution photograph" in texts
        assert "Low-resolution cells" in texts

    def test_the_preferences_have_a_page_with_the_fields(self, viewer):
        dialog = viewer.window._open_preferences_dialog()
        texts = [widget.text() for widget in dialog.findChildren(QLabel) if widget.text()]
        dialog.close()

        assert {"Model", "Device", "Tile size", "Cache folder"} <= set(texts)


class TestPalette:
    def test_what_can_be_chosen_there_can_be_run(self, viewer, monkeypatch, settled):
        """The palette calls a command with nothing but the viewer."""
        from napari._app_model import get_app_model

        for dialog in ("getOpenFileNames", "getOpenFileName", "getSaveFileName"):
            empty = [] if dialog.endswith("s") else ""
            monkeypatch.setattr(
                f"qtpy.QtWidgets.QFileDialog.{dialog}", lambda *_, empty=empty: (empty, "")
            )
        monkeypatch.setattr("qtpy.QtWidgets.QFileDialog.getExistingDirectory", lambda *_: "")
        monkeypatch.setattr(commands, "fetch_missing", lambda: ([], []))
        viewer.add_image(STACK[0])
        app = get_app_model()
        offered = [
            command
            for item in app.menus.get_menu(app.menus.COMMAND_PALETTE_ID)
            if (command := item.command).id.startswith("napari-srgan.")
            and (command.enablement is None or command.enablement.eval({}))
        ]
        assert len(offered) > 5
        for command in offered:
            app.commands.execute_command(command.id).result()
        settled(viewer.window.dock_widgets[DOCK])


class TestSavingAsTiff:
    def test_the_selected_layer_is_saved_with_its_pixel_size(self, monkeypatch, tmp_path):
        answer = lambda *_: (str(tmp_path / "cells"), "")  # noqa: E731
        monkeypatch.setattr("qtpy.QtWidgets.QFileDialog.getSaveFileName", answer)
        viewer = ViewerModel()
        viewer.add_image(STACK, scale=(2, 0.107, 0.107), units=("um",) * 3)
        save_tiff(viewer)

        assert read_picture(tmp_path / "cells.tif").pixel_scale == pytest.approx((2, 0.107, 0.107))

    def test_what_cannot_be_written_is_said(self, monkeypatch, tmp_path):
        said = []
        monkeypatch.setattr(commands, "show_error", said.append)
        answer = lambda *_: (str(tmp_path / "nowhere" / "a.tif"), "")  # noqa: E731
        monkeypatch.setattr("qtpy.QtWidgets.QFileDialog.getSaveFileName", answer)
        viewer = ViewerModel()
        save_tiff(viewer)
        viewer.add_image(STACK)
        save_tiff(viewer)

        assert said[0] == "Select one image layer first."
        assert "There is no folder" in said[1]


class TestUpscaleSelected:
    @pytest.mark.parametrize("kind", ["no layer", "labels", "two images"])
    def test_without_one_image_it_says_what_to_do(self, viewer, messages, kind):
        if kind == "labels":
            viewer.add_labels(np.zeros((5, 7), int))
        if kind == "two images":
            viewer.add_image(STACK)
            viewer.add_image(STACK)
            viewer.layers.select_all()
        upscale_selected(viewer)

        assert messages() == ["Select one image layer first."]
        assert docks(viewer) == []

    def test_the_menu_upscales_the_selected_layer_in_the_widget(self, viewer, settled):
        viewer.add_image(STACK[0], name="first")
        viewer.add_image(STACK[1, :30], name="second")
        viewer.layers.selection.active = viewer.layers["first"]
        action = next(a for a in ours(viewer.window.layers_menu) if "upscale" in a.text())
        action.trigger()
        (name,) = docks(viewer)
        settled(viewer.window.dock_widgets[name])

        assert viewer.layers[-1].name == "first ×4, tiny"
        assert viewer.layers[-1].data.shape == (160, 208)

    def test_from_a_plugin_it_is_given_a_proxy(self, docked, settled):
        viewer, widget = docked(STACK[0], STACK[1])
        viewer.layers.selection.active = viewer.layers["source"]
        upscale_selected(viewer)
        settled(widget)

        assert viewer.layers[-1].name == "source ×4, tiny"

    def test_it_uses_the_dock_of_the_menu_and_the_menu_its_dock(self, viewer, settled):
        viewer.add_image(STACK[0])
        action = opener(viewer)
        action.trigger()
        upscale_selected(viewer)
        assert docks(viewer) == [DOCK]
        settled(viewer.window.dock_widgets[DOCK])

        viewer.window.remove_dock_widget(viewer.window.dock_widgets[DOCK].native.parent())
        viewer.layers.selection.active = viewer.layers[0]
        upscale_selected(viewer)
        widget = viewer.window.dock_widgets[DOCK]
        settled(widget)
        assert docks(viewer) == [DOCK]
        action.trigger()
        assert docks(viewer) == [DOCK]
        assert viewer.window.dock_widgets[DOCK] is widget

    def test_it_shows_a_dock_that_was_hidden(self, docked, settled):
        viewer, widget = docked(STACK[0])
        widget.native.parent().hide()
        upscale_selected(viewer)
        settled(widget)

        assert not widget.native.parent().isHidden()
        assert len(viewer.layers) == 2

    def test_while_it_is_at_work_it_says_so(self, docked, grey, begin, gate, settled, messages):
        viewer, widget = docked(grey)
        begin(widget)
        upscale_selected(viewer)
        assert messages() == ["SRGAN is at work: wait for it to finish, or cancel it."]

        gate.let(1000)
        settled(widget)
        assert len(viewer.layers) == 2


def test_a_model_file_dropped_on_the_window_can_be_chosen(docked, own_model, tmp_path, settled):
    viewer, widget = docked(STACK)
    own_model("dropped")
    registry.own_models.pop("dropped")
    widget.reset_choices()
    assert "dropped" not in widget.model.choices

    viewer.open(tmp_path / "dropped.safetensors", plugin="napari-srgan")
    assert "dropped" in widget.model.choices
    assert len(viewer.layers) == 1
    widget.model.value = "dropped"
    settled(widget)
    assert "→" in widget.summary.value


def test_the_api_takes_a_layer_as_plugins_are_given_it(docked):
    viewer, _widget = docked(STACK)
    layer = napari_srgan.upscale(viewer.layers[0], "tiny")
    viewer.add_layer(layer)

    assert viewer.layers[-1].name == "source ×4, tiny"


class TestAddingAModel:
    @pytest.fixture
    def chosen(self, monkeypatch):
        """Have the file dialog be answered by this path."""
        path = [""]
        answer = lambda *_: (path[0], "")  # noqa: E731
        monkeypatch.setattr("qtpy.QtWidgets.QFileDialog.getOpenFileName", answer)
        return path

    def test_the_chosen_file_can_be_chosen_as_a_model(self, chosen, own_model, tmp_path, messages):
        own_model("mine")
        registry.own_models.clear()
        chosen[0] = str(tmp_path / "mine.safetensors")
        open_model()

        assert "mine" in registry.list_models()
        assert "“mine” can now be chosen" in messages()[-1]

    def test_what_is_no_model_is_said(self, chosen, tmp_path, monkeypatch):
        said = []
        monkeypatch.setattr(commands, "show_error", said.append)
        open_model()
        (tmp_path / "page.pth").write_text("<html>")
        chosen[0] = str(tmp_path / "page.pth")
        open_model()

        (message,) = said
        assert "web page" in message


class TestFetchWeights:
    @pytest.fixture
    def far(self, monkeypatch):
        """Know two models: one at hand, one at a mirror that is not there."""
        common = {
            "purpose": "A toy",
            "licence": "BSD-3-Clause",
            "training_data": "None",
            "scale": 4,
            "scales": (4,),
            "metrics": {},
            "family": "srresnet",
            "generative": False,
            "uncertainty": None,
        }
        here = store.entry("srresnet-x4")
        away = Weights(
            name="away-x4",
            file=None,
            urls=("http://127.0.0.1:9/away-x4",),  # the discard port: nobody listens
            sha256="0" * 64,
            size=1,
            **common,
        )
        monkeypatch.setattr(store, "registry", lambda: (here, away))

    def test_what_is_here_already_is_ready(self, qtbot, messages):
        fetch_weights()
        qtbot.waitUntil(lambda: len(messages()) == 2)
        names = ", ".join(weights.name for weights in store.registry())

        assert messages()[0].startswith("Looking for weights")
        assert messages()[1] == f"Ready for use without a network: {names}."

    def test_a_mirror_that_is_down_is_named_and_the_rest_is_ready(self, far, qtbot, messages):
        fetch_weights()
        qtbot.waitUntil(lambda: len(messages()) == 3, timeout=30_000)
        _looking, failure, ready = messages()

        assert "Could not download away-x4" in failure
        assert "http://127.0.0.1:9/away-x4" in failure
        assert "HTTPS_PROXY" in failure
        assert ready == "Ready for use without a network: srresnet-x4."

    def test_an_error_that_nobody_expected_is_told_too(self, qtbot, messages, monkeypatch):
        def fail(*_args, **_options):
            raise RuntimeError("the disk is on fire")

        monkeypatch.setattr(store, "locate", fail)
        fetch_weights()
        qtbot.waitUntil(lambda: len(messages()) == 1 + len(store.registry()))

        assert set(messages()[1:]) == {"the disk is on fire"}

    def test_the_preferred_folder_is_used(self, monkeypatch, preferences, tmp_path):
        asked = []
        preferences.cache_folder = str(tmp_path)
        monkeypatch.setattr(store, "locate", lambda weights, *, cache: asked.append(cache))
        commands.fetch_missing()

        assert set(asked) == {tmp_path}


class TestOpeningImages:
    @pytest.fixture
    def chosen(self, monkeypatch):
        """Have the file dialog be answered by these paths."""
        paths: list[str] = []
        answer = lambda *_: (paths, "")  # noqa: E731
        monkeypatch.setattr("qtpy.QtWidgets.QFileDialog.getOpenFileNames", answer)
        return paths

    def test_a_file_is_a_layer_with_its_pixel_size(self, chosen, tmp_path):
        path = tmp_path / "cells.tif"
        metadata = {"axes": "ZYX", "spacing": 2.0, "unit": "um"}
        tifffile.imwrite(path, STACK, imagej=True, resolution=(4, 2), metadata=metadata)
        chosen.append(str(path))
        viewer = ViewerModel()
        open_images(viewer)

        (layer,) = viewer.layers
        assert layer.name == "cells"
        assert tuple(layer.scale) == (2.0, 0.5, 0.25)

    def test_cancelling_the_dialog_opens_nothing(self, chosen):
        viewer = ViewerModel()
        open_images(viewer)
        assert len(viewer.layers) == 0

    def test_a_damaged_file_is_said_and_opens_nothing(self, chosen, tmp_path, monkeypatch):
        said = []
        monkeypatch.setattr(commands, "show_error", said.append)
        (tmp_path / "a.png").write_bytes(b"<html>not found</html>")
        chosen.append(str(tmp_path / "a.png"))
        viewer = ViewerModel()
        open_images(viewer)

        assert len(viewer.layers) == 0
        assert "a.png is a web page" in said[0]
