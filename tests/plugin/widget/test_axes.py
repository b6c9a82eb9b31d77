"""Stacks of five axes go through the widget with their sizes, units, names and places."""

import numpy as np
import pytest
from napari.layers import Image

SHAPE = 2, 3, 2, 20, 28  # t, z, c, y, x
STACK = np.random.default_rng(8).integers(0, 4000, SHAPE).astype(np.uint16)
STACK[:, :, 1] //= 40  # a dark channel
PLACE = {
    "scale": (30, 1.5, 1, 0.25, 0.2),
    "translate": (60, -3, 0, 10, 20),
    "units": ("s", "um", "pixel", "um", "um"),
    "axis_labels": ("t", "z", "c", "y", "x"),
}


@pytest.fixture
def result(docked, settled):
    """Return the layer of five axes, and what the widget has made of it."""
    viewer, widget = docked()
    layer = viewer.add_layer(Image(STACK, name="source", **PLACE))

    def make(planes):
        widget.reset_choices()
        widget.planes.value = planes
        widget.start()
        settled(widget)
        return viewer, layer, viewer.layers[-1]

    return make


def assert_placed(layer, made, first):
    """Edges coincide, and what has no pixels added to it is as it was."""
    assert made.units == layer.units
    assert made.axis_labels == layer.axis_labels
    np.testing.assert_allclose(made.scale[:3], layer.scale[:3])
    np.testing.assert_allclose(made.scale[3:], np.asarray(layer.scale[3:]) / 4)
    begin = np.array([*first, 0, 0]) - 0.5
    stop = begin + np.array([*made.data.shape[:3], *SHAPE[3:]])
    ends = np.full(5, -0.5), np.array(made.data.shape) - 0.5
    for own, edge in zip(ends, (begin, stop), strict=True):
        np.testing.assert_allclose(made.data_to_world(own), layer.data_to_world(edge), atol=1e-9)


def test_all_planes_keep_their_places_and_channels_their_ranges(result):
    _viewer, layer, made = result("all planes")

    assert made.data.shape == (2, 3, 2, 80, 112)
    assert_placed(layer, made, (0, 0, 0))
    for channel in range(2):
        low, high = STACK[:, :, channel], made.data[:, :, channel]
        assert low.min() <= high.min() <= high.max() <= low.max()


def test_the_current_plane_lies_at_its_time_its_depth_and_its_channel(result):
    viewer, layer, _ = result("all planes")
    viewer.dims.point = (60 + 30 * 1, -3 + 1.5 * 2, 1, 0, 0)
    _viewer, _layer, made = result("current plane")

    assert made.data.shape == (1, 1, 1, 80, 112)
    assert_placed(layer, made, (1, 2, 1))


def test_in_three_dimensions_the_result_fills_the_same_volume(result):
    viewer, layer, made = result("all planes")
    viewer.dims.order = (0, 2, 1, 3, 4)  # z, y and x are seen
    viewer.dims.ndisplay = 3

    assert viewer.dims.displayed == (1, 3, 4)
    assert made.loaded
    # Half a pixel lies beyond the centres that extents are of.
    for whole, each in ((layer, layer.extent), (made, made.extent)):
        size = each.world[1] - each.world[0] + whole.scale
        np.testing.assert_allclose(size[[1, 3, 4]], np.array([3, 20, 28]) * layer.scale[[1, 3, 4]])
