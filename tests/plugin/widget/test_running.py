"""What comes of a run: the result, the error or nothing, and what the user is told."""

import dask.array as da
import numpy as np
import pytest
import torch
from watching import watch_passes

from napari_srgan.inference.run import upscale_array
from napari_srgan.inference.settings import Settings
from napari_srgan.plugin import controls
from napari_srgan.plugin.docks import refresh_models
from napari_srgan.plugin.layers import METADATA_KEY
from napari_srgan.store.load import load_model

GREY = np.random.default_rng(0).integers(0, 256, (60, 84), dtype=np.uint8)
STACK = np.random.default_rng(1).integers(0, 4096, (5, 40, 52), dtype=np.uint16)
COLOUR = np.random.default_rng(2).integers(0, 256, (40, 52, 3), dtype=np.uint8)


class TestResult:
    @pytest.mark.parametrize(
        "pixels",
        [
            GREY,
            COLOUR,
            STACK[0],
            GREY.astype(np.float32),
            GREY > 100,
            np.dstack([COLOUR, COLOUR[..., :1]]),
        ],
        ids=["uint8", "rgb", "uint16", "float32", "bool", "rgba"],
    )
    def test_it_is_a_new_layer_as_the_api_makes_it(self, alone, settled, pixels):
        viewer, widget = alone(pixels)
        widget.start()
        settled(widget)

        source, result = viewer.layers
        assert result.data.dtype == pixels.dtype
        assert result.rgb == source.rgb
        expected = upscale_array(pixels, load_model("tiny"), rgb=source.rgb, settings=Settings())
        np.testing.assert_array_equal(result.data, expected)
        np.testing.assert_array_equal(source.data, pixels)

    def test_it_lies_on_its_source(self, alone, settled):
        viewer, widget = alone()
        source = viewer.add_image(GREY, scale=(2, 3), rotate=30, shear=[0.2], translate=(10, 20))
        widget.start()
        settled(widget)

        for corner in [(0, 0), (0, 84), (60, 0), (60, 84)]:
            np.testing.assert_allclose(
                viewer.layers[1].data_to_world(4 * np.array(corner) - 0.5),
                source.data_to_world(np.subtract(corner, 0.5)),
                atol=1e-6,
            )

    def test_the_notice_and_the_metadata_have_the_figures(self, alone, settled, messages):
        viewer, widget = alone(GREY)
        widget.start()
        settled(widget)

        assert messages()[-1].startswith("84 × 60 → 336 × 240 pixels in ")
        assert messages()[-1].endswith(" with tiny. It is the new layer source ×4, tiny.")
        assert viewer.layers["source ×4, tiny"].metadata[METADATA_KEY]["model"] == "tiny"

    def test_a_second_run_makes_a_second_layer(self, alone, settled):
        viewer, widget = alone(GREY)
        for _ in range(2):
            widget.start()
            settled(widget)

        assert [layer.name for layer in viewer.layers] == [
            "source",
            "source ×4, tiny",
            "source ×4, tiny [1]",
        ]
        assert widget.layer.value.name == "source"

    def test_the_current_plane_is_the_one_at_the_slider(self, alone, settled):
        viewer, widget = alone()
        viewer.add_image(STACK, scale=(3, 1, 1))
        viewer.dims.set_point(0, 9)
        widget.advanced.normalize.value = "0, 4095"
        widget.start()
        settled(widget)

        result = viewer.layers[1]
        expected = upscale_array(
            STACK[3:4], load_model("tiny"), normalize=(0, 4095), settings=Settings()
        )
        np.testing.assert_array_equal(result.data, expected)
        assert result.data_to_world((0, 1.5, 1.5)) == pytest.approx((9, 0, 0))
        assert result.metadata[METADATA_KEY]["plane"] == (3,)

    @pytest.mark.parametrize("wrap", [np.asarray, da.from_array], ids=["numpy", "dask"])
    def test_all_planes_share_one_value_range(self, alone, settled, wrap):
        viewer, widget = alone(wrap(STACK))
        widget.planes.value = controls.ALL_PLANES
        widget.start()
        settled(widget)

        expected = upscale_array(STACK, load_model("tiny"), settings=Settings())
        np.testing.assert_array_equal(viewer.layers[1].data, expected)

    def test_a_plane_of_a_stack_of_colour_images_equals_its_part_of_the_whole(self, alone, settled):
        viewer, widget = alone()
        colours = np.stack([COLOUR, COLOUR[::-1], COLOUR[:, ::-1]])
        viewer.add_image(colours, rgb=True)
        viewer.dims.set_point(0, 2)
        widget.start()
        settled(widget)
        widget.planes.value = controls.ALL_PLANES
        widget.start()
        settled(widget)

        one, every = viewer.layers[1:]
        assert one.rgb
        assert every.rgb
        np.testing.assert_array_equal(one.data[0], every.data[2])

    @pytest.mark.parametrize("level", [0, 1])
    def test_any_level_of_a_multiscale_layer_becomes_one_in_its_place(self, alone, settled, level):
        viewer, widget = alone()
        stack = np.stack([GREY] * 5)
        low = viewer.add_image([stack, stack[::2, ::2, ::3]], multiscale=True, scale=(3, 1, 2))
        viewer.dims.set_point(0, 12)
        widget.level.value = level
        widget.start()
        settled(widget)

        high = viewer.layers[1]
        assert high.data[0].shape == ((1, 240, 336), (1, 120, 112))[level]
        z = (12, 3 * (2 * 5 / 3 + 1 / 3))[level]  # of five planes the level has three
        for corner in ((-0.5, -0.5), (59.5, 83.5)):
            factor = np.array(high.data[0].shape[1:]) / GREY.shape
            there = high.data_to_world((0, *(np.add(corner, 0.5) * factor - 0.5)))
            np.testing.assert_allclose(there, (z, *low.data_to_world((0, *corner))[1:]))

    def test_values_that_are_not_finite_are_filled_if_chosen(self, alone, settled):
        pixels = GREY.astype(np.float32)
        pixels[3, 4] = np.nan
        viewer, widget = alone(pixels)
        widget.advanced.nan.value = "fill"
        widget.start()
        settled(widget)

        assert np.isfinite(viewer.layers[1].data).all()

    def test_the_result_is_the_mean_of_eight_and_held_to_the_image_if_chosen(self, alone, settled):
        viewer, widget = alone(GREY)
        widget.advanced.quality.value = "ensemble"
        widget.advanced.consistent.value = True
        widget.start()
        settled(widget)

        made = viewer.layers[1].metadata[METADATA_KEY]
        assert (made["quality"], made["consistent"]) == ("ensemble", True)

    def test_a_warning_on_the_way_is_shown_and_kept(self, alone, settled, messages, passes):
        viewer, widget = alone(GREY)
        passes(lambda window, count: count == 1)
        widget.start()
        settled(widget)

        (warning,) = (text for text in messages() if "is out of memory: going on with" in text)
        assert viewer.layers[1].metadata[METADATA_KEY]["notes"] == [warning]


class TestErrors:
    @pytest.fixture
    def assert_usable(self, settled):
        """Return what runs once more, with an image that there is nothing wrong with."""

        def check(viewer, widget):
            assert widget.run.enabled
            n = len(viewer.layers)
            widget.layer.value = viewer.add_image(GREY)
            widget.start()
            settled(widget)
            assert len(viewer.layers) == n + 2

        return check

    def test_an_image_with_nan_is_refused_with_the_count(
        self, alone, settled, messages, assert_usable
    ):
        pixels = GREY.astype(np.float32)
        pixels[:2, :3] = np.nan
        viewer, widget = alone(pixels)
        widget.start()
        settled(widget)

        assert messages()[-1].startswith("The image has 6 NaN and 0 infinite values.")
        assert widget.problem.value == f"⚠ {messages()[-1]}"
        assert "Advanced options → NaN → fill from neighbours" in widget.problem.value
        widget.model.value = "srresnet-x4"
        widget.model.value = "tiny"
        assert "6 NaN" in widget.problem.value  # until the next run
        assert_usable(viewer, widget)

    @pytest.mark.parametrize(
        ("content", "message"), [(None, "No model file at"), ("<!DOCTYPE html>", "is a web page")]
    )
    def test_a_model_file_that_is_gone_or_broken_is_named(
        self, alone, settled, own_model, messages, assert_usable, tmp_path, content, message
    ):
        viewer, widget = alone(GREY)
        own_model("lent")
        path = tmp_path / "lent.safetensors"
        refresh_models()
        widget.model.value = "lent"
        settled(widget)
        path.unlink()
        if content is not None:
            path.write_text(content)
        widget.start()
        settled(widget)

        assert message in messages()[-1]
        assert str(path) in messages()[-1]
        widget.model.value = "tiny"
        assert_usable(viewer, widget)

    @pytest.mark.parametrize(
        ("error", "message"),
        [
            (RuntimeError("a kernel failed"), "a kernel failed"),
            (torch.OutOfMemoryError("CUDA out of memory"), "Not even a tile of"),
            (MemoryError(), "Not even a tile of"),
            (FloatingPointError("not finite"), "not finite"),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_an_error_in_a_tile_is_shown(
        self, alone, settled, messages, assert_usable, error, message
    ):
        viewer, widget = alone(GREY)

        with pytest.MonkeyPatch.context() as patch:
            watch_passes(patch, lambda window, count: True, error)
            widget.start()
            settled(widget)

        assert message in messages()[-1]
        assert len(viewer.layers) == 1
        assert_usable(viewer, widget)
