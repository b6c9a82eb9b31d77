"""What the widget offers, says and refuses before it begins."""

import io

import dask.array
import numpy as np
import pytest
import torch
from napari.layers._layer_actions import _split_rgb
from PIL import Image
from qtpy.QtWidgets import QLabel

from napari_srgan.inference import devices
from napari_srgan.models.mdsr import MDSR
from napari_srgan.plugin import controls, job, worker
from napari_srgan.plugin.docks import refresh_models
from napari_srgan.plugin.io.reader import read_model
from napari_srgan.plugin.messages import Failed
from napari_srgan.plugin.outlook import NO_LAYER
from napari_srgan.store import registry
from napari_srgan.store.checkpoint import save_checkpoint
from napari_srgan.store.load import remember

MODULE = "napari_srgan.plugin.widget"

GREY = np.random.default_rng(0).integers(0, 256, (60, 84), dtype=np.uint8)
STACK = np.random.default_rng(1).integers(0, 4096, (5, 40, 52), dtype=np.uint16)
COLOUR = np.random.default_rng(2).integers(0, 256, (40, 52, 3), dtype=np.uint8)


class TestLayers:
    def test_without_one_it_says_how_to_begin(self, alone):
        _viewer, widget = alone()

        assert widget.summary.value == NO_LAYER
        assert not widget.run.enabled
        widget.start()
        assert not widget.busy

    def test_only_image_layers_are_offered(self, alone):
        viewer, widget = alone(GREY)
        viewer.add_labels(np.zeros((5, 7), int))
        viewer.add_points([[1, 2]])

        assert [layer.name for layer in widget.layer.choices] == ["source"]

    def test_one_that_appears_is_offered_and_one_that_goes_is_not(self, alone, settled):
        viewer, widget = alone()
        viewer.add_image(GREY, name="new")
        assert widget.layer.value.name == "new"
        assert widget.run.enabled
        settled(widget)

        viewer.layers.clear()
        assert widget.layer.value is None
        assert widget.summary.value == NO_LAYER
        assert not widget.run.enabled

    def test_planes_are_a_choice_for_stacks_only(self, alone, settled, is_shown):
        viewer, widget = alone(STACK)
        assert is_shown(widget.planes)
        widget.layer.value = viewer.add_image(GREY)
        assert not is_shown(widget.planes)
        widget.layer.value = viewer.add_image(COLOUR)
        assert not is_shown(widget.planes)
        settled(widget)


class TestModels:
    def test_a_dropped_one_can_be_chosen_at_once(self, alone, own_model, settled):
        _viewer, widget = alone(GREY)
        own_model("dropped")
        refresh_models()

        assert "dropped" in widget.model.choices
        assert widget.model.value == "tiny"
        widget.model.value = "dropped"
        assert "dropped.safetensors" in widget.purpose.value
        settled(widget)

    def test_the_caution_does_not_wait_for_the_trial(self, alone, own_model, is_shown, monkeypatch):
        _viewer, widget = alone(GREY)
        own_model("gan", invents=True)
        own_model("found", invents=None)
        refresh_models()
        assert not is_shown(widget.caution)
        monkeypatch.setattr(worker.Estimates, "ask", lambda *_: None)  # it never ends

        widget.model.value = "gan"
        assert is_shown(widget.caution)
        assert widget.caution.value == "⚠ Invents detail: do not measure"
        widget.model.value = "found"
        assert is_shown(widget.caution)
        assert widget.caution.value == "⚠ May invent detail: not known"
        widget.model.value = "tiny"
        assert not is_shown(widget.caution)

    def test_one_of_the_registry_says_what_it_is_for(self, alone, is_shown):
        _viewer, widget = alone()
        widget.model.value = "srresnet-x4"

        assert widget.purpose.value.startswith("Faithful")
        assert not is_shown(widget.caution)


class TestScales:
    def test_of_a_model_that_has_several_one_is_chosen(self, alone, tmp_path, settled, is_shown):
        path = tmp_path / "several.safetensors"
        save_checkpoint(path, MDSR(blocks=1, features=4).eval(), {})
        viewer, widget = alone(GREY)
        assert not is_shown(widget.scale)
        remember(path)
        refresh_models()
        widget.model.value = "several"

        assert is_shown(widget.scale)
        assert widget.scale.choices == (2, 3, 4)
        assert "×2 ×3 ×4" in widget.purpose.value
        widget.scale.value = 3
        widget.start()
        settled(widget)
        assert viewer.layers[-1].data.shape == (3 * GREY.shape[0], 3 * GREY.shape[1])
        assert viewer.layers[-1].name == "source ×3, several"


class TestOwnModels:
    def test_they_are_there_in_the_next_session(self, alone, own_model, tmp_path):
        own_model("mine")
        read_model(str(tmp_path / "mine.safetensors"))
        registry.own_models.clear()
        own_model("tiny")
        _viewer, widget = alone()

        assert "mine" in widget.model.choices
        widget.model.value = "mine"
        assert "mine.safetensors" in widget.purpose.value

    def test_they_can_be_taken_off_the_list(self, alone, own_model, settled, tmp_path):
        _viewer, widget = alone(GREY)
        own_model("mine")
        refresh_models()
        widget.model.value = "srresnet-x4"
        assert widget.forget.native.isHidden()
        widget.model.value = "mine"
        assert not widget.forget.native.isHidden()
        widget.forget.native.click()

        assert "mine" not in widget.model.choices
        assert (tmp_path / "mine.safetensors").is_file()
        settled(widget)

    def test_models_are_grouped_by_what_they_do_to_detail(self, own_model):
        own_model("mine", invents=True)
        groups = [label.split(" · ")[0] for label, _ in controls.grouped_models()]

        assert sorted(groups, key=["faithful", "generative", "unknown", "yours"].index) == groups
        assert controls.grouped_models()[-1] == ("yours · mine", "mine")


class TestScreen:
    def test_the_current_plane_says_which(self, alone, settled):
        viewer, widget = alone()
        layer = viewer.add_image(np.stack([STACK, STACK]), axis_labels=("t", "z", "y", "x"))
        viewer.dims.set_point(0, 1)
        viewer.dims.set_point(1, 3)

        assert widget.planes.current_choice == "current: t 1, z 3"
        assert "Plane t 1, z 3" in widget.summary.value
        layer.axis_labels = ("-4", "-3", "-2", "-1")
        viewer.dims.set_point(1, 2)
        assert widget.planes.current_choice == "current: 1, 2"
        settled(widget)

    def test_other_planes_on_the_screen_are_said(self, alone, settled):
        viewer, widget = alone(STACK)
        viewer.layers[0].axis_labels = ("z", "y", "x")
        assert "The screen shows" not in widget.summary.value
        viewer.dims.order = (1, 0, 2)
        assert "The screen shows z and x; planes along y and x are upscaled." in (
            widget.summary.value
        )
        viewer.dims.order = (0, 2, 1)
        assert "The screen shows" not in widget.summary.value
        viewer.dims.ndisplay = 3
        assert "The screen shows a volume" in widget.summary.value
        settled(widget)

    def test_a_level_can_be_chosen_of_a_layer_that_has_several(self, alone, settled):
        viewer, widget = alone(GREY)
        assert widget.level.native.isHidden()
        widget.layer.value = viewer.add_image([GREY, GREY[::2, ::2]])
        assert not widget.level.native.isHidden()
        widget.level.value = 1
        assert "42 × 30" in widget.summary.value
        widget.layer.value = viewer.layers[0]
        assert "84 × 60" in widget.summary.value
        settled(widget)

    def test_a_last_axis_of_channels_is_said(self, alone, settled):
        viewer, widget = alone()
        widget.layer.value = viewer.add_image(np.zeros((64, 60, 5), np.uint8))
        assert "The last axis, 5 long, is taken for the width." in widget.summary.value
        settled(widget)

    def test_after_a_split_into_channels_the_selection_is_followed(self, alone, settled, qtbot):
        viewer, widget = alone(GREY)
        widget.layer.value = viewer.add_image(np.stack([STACK[0]] * 3, -1), rgb=True)
        viewer.layers.selection.active = widget.layer.value
        _split_rgb(viewer.layers)
        assert widget.layer.value in viewer.layers.selection

        chosen = widget.layer.value
        qtbot.wait(10)
        viewer.add_image(STACK)
        assert widget.layer.value is chosen
        settled(widget)


class TestDevices:
    def test_the_device_is_described_with_its_free_memory(self, alone, is_shown):
        _viewer, widget = alone()
        assert "GiB free" in widget.hint.value
        assert is_shown(widget.hint)

    def test_the_fix_for_a_torch_without_cuda_is_shown(self, alone, monkeypatch):
        monkeypatch.setattr(job, "cuda_hint", lambda: "For a CUDA build: pip install that.")
        _viewer, widget = alone()

        assert "GiB free\nFor a CUDA build: pip install that." in widget.hint.value

    def test_one_that_disappears_is_named_and_no_longer_offered(
        self, alone, settled, messages, monkeypatch, qtbot
    ):
        present = ["cuda:0", "cpu"]
        monkeypatch.setattr(job, "device_choices", lambda: list(present))
        monkeypatch.setattr(job, "choose_devices", lambda name: [name])
        monkeypatch.setattr(job, "describe_device", lambda name: f"{name}, 5.0 GiB free")
        _viewer, widget = alone(GREY)
        widget.device.value = "cuda:0"
        settled(widget)
        assert "'cuda:0' is not available here" in widget.summary.value

        present.remove("cuda:0")
        widget.start()
        settled(widget)
        assert "'cuda:0' is not available here" in messages()[-1]
        # The devices are looked for again when a run has ended, in a thread.
        qtbot.waitUntil(lambda: widget.device.choices == ("auto", "cpu"), timeout=60_000)
        settled(widget)
        assert widget.device.value == "auto"
        assert "→" in widget.summary.value

    def test_if_they_cannot_be_listed_the_automatic_one_is_left(self, alone, messages, monkeypatch):
        monkeypatch.setattr(job, "find_devices", lambda: Failed("driver mismatch"))
        _viewer, widget = alone(GREY)

        assert messages() == ["driver mismatch"]
        assert widget.device.value == "auto"
        assert "→" in widget.summary.value


class TestPreferences:
    def test_they_are_what_the_widget_starts_with(self, tiny, preferences, alone):
        preferences.device, preferences.tile = "cpu", 48
        _viewer, widget = alone()

        assert (widget.model.value, widget.device.value) == ("tiny", "cpu")
        assert widget.advanced.tile.value == 48
        assert widget.chosen().settings.tile == 48

    def test_a_model_that_is_not_there_gives_way_to_the_default(self, tiny, preferences, alone):
        preferences.model = "a model of last week"
        _viewer, widget = alone()

        assert widget.model.value == "srresnet-x4"

    def test_a_device_that_is_not_there_gives_way_to_the_automatic_one(
        self, tiny, preferences, alone, monkeypatch
    ):
        if torch.backends.mps.is_available():
            pytest.skip("this computer has every device")
        preferences.device = "mps"
        tried = []
        monkeypatch.setattr(
            worker, "try_out", lambda choices, *_: tried.append(choices) or Failed("enough")
        )
        _viewer, widget = alone(GREY)

        assert widget.device.value == "auto"
        assert [choices.settings.device for choices in tried] == ["auto"]


class TestEstimate:
    def test_it_has_the_size_the_time_and_the_memory(self, alone):
        _viewer, widget = alone(GREY)
        size, duration, memory, *_remarks = widget.summary.value.splitlines()

        assert size == "84 × 60 → 336 × 240 pixels"
        assert duration.endswith((" s", " second"))
        assert "MiB of memory; " in memory
        assert memory.endswith(" are free")

    def test_it_follows_the_choices(self, alone, settled, own_model):
        _viewer, widget = alone(STACK)
        assert "52 × 40 → 208 × 160 pixels" in widget.summary.value
        widget.planes.value = controls.ALL_PLANES
        assert "5 planes of 52 × 40 → 5 planes of 208 × 160" in widget.summary.value
        own_model("double", scale=2)
        refresh_models()
        widget.model.value = "double"
        assert "estimating" in widget.summary.value
        settled(widget)
        assert "5 planes of 104 × 80" in widget.summary.value

    def test_a_mistyped_normalisation_is_explained_and_cannot_be_run(self, alone, settled):
        _viewer, widget = alone(GREY)
        widget.advanced.normalize.value = "a, b"
        assert "got 'a, b'" in widget.summary.value
        assert not widget.run.enabled

        widget.advanced.normalize.value = "1%, 99%"
        assert widget.run.enabled
        settled(widget)

    def test_pixels_that_cannot_be_upscaled_are_explained(self, alone, monkeypatch):
        _viewer, widget = alone(GREY)
        unfit = np.zeros((5, 7), complex)
        monkeypatch.setattr("napari_srgan.plugin.layers.pixels_at", lambda layer, level=0: unfit)
        widget.reset_choices()

        assert "got complex128" in widget.summary.value
        assert not widget.run.enabled

    def test_a_trial_that_failed_is_made_again_with_the_next_choice(
        self, alone, settled, tmp_path, own_model
    ):
        _viewer, widget = alone(GREY)
        own_model("lent")
        path = tmp_path / "lent.safetensors"
        content = path.read_bytes()
        path.unlink()
        refresh_models()
        widget.model.value = "lent"
        settled(widget)
        assert "No model file at" in widget.summary.value

        path.write_bytes(content)
        widget.advanced.normalize.value = "dtype"
        settled(widget)
        assert "→" in widget.summary.value

    def test_too_little_memory_is_seen_before_and_refused(
        self, alone, settled, messages, monkeypatch
    ):
        viewer, widget = alone(GREY)
        monkeypatch.setattr(devices, "free_memory", lambda device: 2**20)
        widget.reset_choices()
        assert "; only 1.0 MiB are free" in widget.summary.value

        widget.start()
        settled(widget)
        assert "of memory; only 1.0 MiB are free. Choose" in messages()[-1]
        assert len(viewer.layers) == 1


class TestAppearance:
    def test_errors_are_shown_as_they_are_written(self, alone):
        """A file called <b>.png must not be taken for markup."""
        _viewer, widget = alone()
        for label in (widget.purpose, widget.hint, widget.summary, widget.left):
            assert isinstance(label.native, QLabel)
            assert label.native.textFormat().name == "PlainText"

    def test_the_advanced_options_are_folded_away(self, alone, is_shown):
        _viewer, widget = alone()
        fold = widget.advanced.native.parentWidget().parentWidget()
        assert fold.text() == "▸ Advanced options"
        assert fold.content().maximumHeight() == 0
        fold.expand(animate=False)
        assert fold.text() == "▾ Advanced options"
        assert fold.content().maximumHeight() > 0


class TestLooks:
    @pytest.fixture
    def compressed(self):
        rows, columns = np.mgrid[:96, :128]
        smooth = (128 + 60 * np.sin(rows / 9) * np.cos(columns / 11)).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(smooth).save(buffer, "JPEG", quality=12)
        return smooth, np.asarray(Image.open(buffer))

    def test_blocks_of_jpeg_are_told_and_nothing_is_decided(
        self, alone, compressed, settled, qtbot
    ):
        smooth, blocky = compressed
        viewer, widget = alone(blocky)
        chosen = widget.model.value
        said = "looks compressed, in blocks of 8 pixels: srresnet-photo-x4 is worth a try"
        qtbot.waitUntil(lambda: said in widget.summary.value)
        assert widget.model.value == chosen
        widget.model.value = "srresnet-photo-x4"
        assert "worth a try" not in widget.summary.value
        widget.model.value = chosen
        widget.layer.value = viewer.add_image(smooth)
        settled(widget)
        assert "worth a try" not in widget.summary.value

    def test_other_depths_and_lazy_layers_are_not_looked_at(self, alone, compressed):
        deep = 257 * compressed[1].astype(np.uint16)
        lazy = dask.array.from_array(compressed[1])
        for pixels in (deep, lazy):
            _viewer, widget = alone(pixels)
            assert "worth a try" not in widget.summary.value

    def test_a_layer_that_cannot_be_read_is_no_reason_to_stop(self, alone, monkeypatch):
        def broken(_source):
            raise OSError("gone")

        monkeypatch.setattr(worker, "remarks_on_looks", broken)
        _viewer, widget = alone(GREY)
        assert widget.run.enabled
