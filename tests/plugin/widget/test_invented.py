"""What of a result was invented is shown where it can be: by a button, as a layer over it."""

import dask.array as da
import numpy as np
import pytest

import napari_srgan as ns
from napari_srgan.store import registry

GREY = np.random.default_rng(0).integers(0, 256, (24, 20), dtype=np.uint8)
STACK = np.random.default_rng(1).integers(0, 4096, (3, 20, 24), dtype=np.uint16)


@pytest.fixture
def faithful(own_model, monkeypatch):
    """Have the small faithful network compared with, which is fast."""
    monkeypatch.setattr(registry, "faithful_at", lambda _scale: registry.entry("srresnet-small-x4"))
    for module in ("store.load", "plugin.messages"):
        monkeypatch.setattr(f"napari_srgan.{module}.faithful_at", registry.faithful_at)


@pytest.fixture
def compared(alone, own_model, faithful, settled):
    """Return a maker of viewers in which an invented result was made and compared."""

    def make(pixels, **layer):
        viewer, widget = alone()
        source = viewer.add_image(pixels, name="source", **layer)
        own_model("drawing", invents=True)
        widget.reset_choices()
        widget.model.value = "drawing"
        widget.start()
        settled(widget)
        widget.invented.native.click()
        settled(widget)
        return viewer, widget, source

    return make


def test_it_is_what_the_api_makes_over_the_result(compared):
    viewer, widget, _source = compared(GREY, scale=(2, 3), translate=(5, 7))
    _source, result, drawn = viewer.layers

    expected = ns.assess(GREY, "drawing", faithful="srresnet-small-x4")
    np.testing.assert_array_equal(drawn.data, expected.invented)
    assert str(expected.invention) in widget.notes.value
    assert drawn.name == "source, ×4, invented"
    assert drawn.blending == "additive"
    for corner in [(0, 0), (95, 79)]:
        np.testing.assert_allclose(drawn.data_to_world(corner), result.data_to_world(corner))


def test_of_a_plane_it_is_that_plane(compared):
    viewer, _widget, _source = compared(STACK)

    assert viewer.layers[-1].data.shape == (1, 80, 96)
    np.testing.assert_allclose(
        viewer.layers[-1].data_to_world((0, 0, 0)), viewer.layers[1].data_to_world((0, 0, 0))
    )


def test_it_goes_with_the_result(compared):
    viewer, widget, _source = compared(GREY)
    assert not widget.invented.native.isHidden()
    viewer.layers.remove("source ×4, drawing")

    assert widget.invented.native.isHidden()
    assert widget._result is None


def test_a_faithful_result_has_none(alone, settled, faithful):
    _viewer, widget = alone(GREY)
    widget.start()
    settled(widget)

    assert widget.invented.native.isHidden()


def test_a_result_that_is_computed_when_shown_has_none(alone, own_model, settled, faithful):
    _viewer, widget = alone(da.from_array(STACK, chunks=(1, 20, 24)))
    own_model("drawing", invents=True)
    widget.reset_choices()
    widget.model.value, widget.planes.value = "drawing", "all planes"
    widget.start()
    settled(widget)

    assert widget.invented.native.isHidden()


def test_where_there_is_no_faithful_model_there_is_none(alone, own_model, settled):
    _viewer, widget = alone(GREY)
    own_model("drawing", invents=True, scale=8)
    widget.reset_choices()
    widget.model.value = "drawing"
    widget.start()
    settled(widget)

    assert widget.invented.native.isHidden()


def test_it_can_be_stopped(compared, settled):
    viewer, widget, _source = compared(GREY)
    before = list(viewer.layers)
    widget.invented.native.click()
    widget.stop()
    settled(widget)

    assert list(viewer.layers) == before
    assert not widget.problem.value
    assert widget.run.enabled
