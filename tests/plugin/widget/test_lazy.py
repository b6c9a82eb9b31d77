"""Results that are computed when they are shown, as the layer itself is."""

import dask.array as da
import numpy as np
import pytest
from napari.settings import get_settings

from napari_srgan.inference import devices
from napari_srgan.inference.run import upscale_array
from napari_srgan.inference.settings import Settings
from napari_srgan.plugin import controls
from napari_srgan.plugin.layers import METADATA_KEY
from napari_srgan.store.load import load_model

STACK = np.random.default_rng(1).integers(0, 4096, (5, 40, 52), dtype=np.uint16)


@pytest.fixture(autouse=True)
def _drawn_at_once():
    yield
    get_settings().experimental.async_ = False


def expected(pixels):
    return upscale_array(pixels, load_model("tiny"), settings=Settings())


def test_a_lazy_layer_gives_a_lazy_layer_of_the_same_pixels(alone, settled):
    viewer, widget = alone(da.from_array(STACK, (1, 40, 52)))
    widget.planes.value = controls.ALL_PLANES
    assert "computed when shown" in widget.summary.value
    widget.start()
    settled(widget)

    result = viewer.layers[1]
    assert isinstance(result.data, da.Array)
    assert result.metadata[METADATA_KEY]["model"] == "tiny"
    np.testing.assert_array_equal(result.data, expected(STACK))


def test_its_current_plane_is_computed_at_once(alone, settled):
    viewer, widget = alone(da.from_array(STACK, (1, 40, 52)))
    widget.start()
    settled(widget)

    assert isinstance(viewer.layers[1].data, np.ndarray)


@pytest.mark.parametrize("planes", [controls.ALL_PLANES, controls.CURRENT_PLANE])
def test_any_layer_can_be_computed_when_shown(alone, settled, planes):
    viewer, widget = alone(STACK)
    viewer.dims.set_point(0, 3)
    widget.planes.value = planes
    widget.advanced.compute.value = "shown"
    widget.start()
    settled(widget)

    result = viewer.layers[1].data
    assert isinstance(result, da.Array)
    whole = expected(STACK)
    np.testing.assert_array_equal(result, whole if planes == controls.ALL_PLANES else whole[3:4])


def test_a_layer_that_no_memory_would_hold_is_made_of_levels(alone, settled):
    """napari reads a whole plane of a layer without levels."""
    viewer, widget = alone()
    pixels = da.zeros((40_000, 40_000), dtype=np.uint8, chunks=8192)
    own = [da.zeros((side, side), dtype=np.uint8) for side in (5_000, 625)]
    layer = viewer.add_image([pixels, *own], name="slide")
    widget.reset_choices()
    settled(widget)
    assert widget.run.enabled
    widget.start()
    settled(widget)

    result = viewer.layers["slide ×4, tiny"]
    assert [level.shape for level in result.data[:3]] == [
        (160_000, 160_000), (40_000, 40_000), (20_000, 20_000),
    ]  # fmt: skip
    first_shown = [level for level in result.data if isinstance(level, np.ndarray)]
    assert [level.shape for level in first_shown] == [(2_500, 2_500)]
    np.testing.assert_allclose(
        result.data_to_world((159_999.5, 159_999.5)), layer.data_to_world((39_999.5, 39_999.5))
    )


def test_where_memory_is_short_it_cannot_begin_until_it_is_computed_when_shown(
    alone, settled, monkeypatch
):
    _viewer, widget = alone(STACK)
    widget.planes.value = controls.ALL_PLANES
    with monkeypatch.context() as patch:
        patch.setattr(devices, "free_memory", lambda device: 2**10)
        widget.reset_choices()
        assert not widget.run.enabled
        assert "Advanced options → Compute → when shown" in widget.summary.value

        widget.advanced.compute.value = "shown"
        assert widget.run.enabled
        widget.advanced.compute.value = "auto"
        assert not widget.run.enabled
    widget.again.native.click()
    assert widget.run.enabled


def test_napari_draws_it_in_the_background_and_that_is_said_once(alone, settled):
    viewer, widget = alone(da.from_array(STACK[0]))
    assert not get_settings().experimental.async_
    widget.start()
    settled(widget)
    assert get_settings().experimental.async_
    assert "Preferences → Experimental" in widget.notes.value

    widget.start()
    settled(widget)
    assert widget.notes.value == ""
    assert len(viewer.layers) == 3
