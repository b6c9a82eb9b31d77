"""What a canvas shows of a layer, and what a shape encloses, in pixels."""

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.components import ViewerModel
from napari.layers import Image

from napari_srgan.plugin.lens.keeping import region_of_shapes
from napari_srgan.plugin.lens.regions import (
    MOST_PIXELS,
    NothingSeenError,
    Region,
    along,
    region_in_view,
    whole_plane,
)
from napari_srgan.plugin.slices import plane_index

H, W = 60, 84


def viewer_of(*layers: Image, size: tuple[int, int] = (300, 400)) -> ViewerModel:
    viewer = ViewerModel()
    for layer in layers:
        viewer.add_layer(layer)
    viewer.canvas.size = size
    return viewer


def look_at(viewer: ViewerModel, row: float, column: float, zoom: float) -> None:
    viewer.scene.camera.center, viewer.scene.camera.zoom = (row, column), zoom


@given(st.floats(-90, 90), st.floats(0.2, 3), st.floats(-40, 40), st.floats(0.5, 30), st.data())
def test_every_pixel_whose_centre_is_on_the_canvas_is_in_the_region(
    rotate, scale, shift, zoom, data
):
    layer = Image(np.zeros((H, W)), scale=(scale, 1.3), translate=(shift, -7), rotate=rotate)
    viewer = viewer_of(layer)
    aim = data.draw(st.tuples(st.integers(0, H - 1), st.integers(0, W - 1)))
    middle = np.asarray(layer.data_to_world(aim))
    look_at(viewer, *middle, zoom)

    region = region_in_view(viewer, layer)

    centres = np.array([layer.data_to_world(pixel) for pixel in np.ndindex(H, W)])
    seen = (np.abs(centres - middle) < np.array([300, 400]) / 2 / zoom).all(axis=1).reshape(H, W)
    rows, columns = np.nonzero(seen)
    assert region.start[0] <= rows.min() <= rows.max() < region.stop[0] <= H
    assert region.start[1] <= columns.min() <= columns.max() < region.stop[1] <= W


def test_the_region_is_no_larger_than_what_is_on_the_canvas():
    viewer = viewer_of(Image(np.zeros((H, W)), scale=(0.5, 0.5), translate=(10, 20)))
    look_at(viewer, 10 + 0.5 * 29.5, 20 + 0.5 * 40.5, 40.0)  # 7.5 × 10 units: 15 × 20 pixels

    assert region_in_view(viewer, viewer.layers[0]) == Region((22, 31), (38, 51))


def test_of_a_stack_it_is_in_the_plane_that_is_shown():
    viewer = viewer_of(Image(np.zeros((5, 3, H, W)), scale=(2, 1, 1, 1), translate=(4, 0, 0, 0)))
    viewer.dims.point = (4 + 2 * 3, 1, 0, 0)
    look_at(viewer, 30, 40, 1)

    assert region_in_view(viewer, viewer.layers[0]) == Region((3, 1, 0, 0), (4, 2, H, W))


def test_it_is_of_the_level_that_is_shown():
    levels = [np.zeros((4 * H, 4 * W)), np.zeros((2 * H, 2 * W)), np.zeros((H, W))]
    layer = Image(levels, multiscale=True)
    viewer = viewer_of(layer)
    look_at(viewer, 2 * H, 2 * W, 300 / (2 * H))  # half of its height
    layer.locked_data_level = 1
    layer._update_draw(1.0, np.array([[0, 0], [4 * H, 4 * W]]), (300, 400))

    region = region_in_view(viewer, layer)

    assert region.level == 1
    assert region.rows == (H // 2, 3 * H // 2 + 1)  # the canvas ends half a fine pixel further


def test_layers_of_other_units_are_looked_at_where_they_are_shown():
    nanometres = Image(np.zeros((H, W)), scale=(500, 500), units=("nm", "nm"))
    micrometres = Image(np.zeros((H, W)), scale=(0.5, 0.5), units=("um", "um"))
    viewer = viewer_of(nanometres, micrometres)
    look_at(viewer, 500 * 20, 500 * 30, 300 / (500 * 20))

    assert region_in_view(viewer, micrometres) == region_in_view(viewer, nanometres)


def test_a_layer_that_has_left_a_viewer_of_other_axes_and_units_is_still_answered_for():
    stack = Image(np.zeros((3, H, W)), units=("um",) * 3)
    flat = viewer_of(Image(np.zeros((H, W))))
    other = viewer_of(Image(np.zeros((2, 3, H, W)), units=("s", "pixel", "pixel", "pixel")))
    for viewer in (flat, other):
        point = (0.0,) * max(3, viewer.dims.ndim)
        assert plane_index(stack, point, 0, viewer.layers.units) == (0,)


def test_why_nothing_is_seen_is_told():
    layer = Image(np.zeros((6, H, W)), axis_labels=("z", "y", "x"))
    viewer = viewer_of(layer)
    look_at(viewer, 30, 40, 1)
    viewer.dims.order = (1, 0, 2)
    with pytest.raises(NothingSeenError, match="shows z and x; planes along y and x"):
        region_in_view(viewer, layer)
    viewer.dims.order = (0, 2, 1)  # on its side, it is the same plane
    assert region_in_view(viewer, layer).shape == (1, H, W)
    viewer.dims.ndisplay = 3
    with pytest.raises(NothingSeenError, match="2D"):
        region_in_view(viewer, layer)
    viewer.dims.ndisplay = 2
    look_at(viewer, 3000, 40, 1)
    with pytest.raises(NothingSeenError, match="None of"):
        region_in_view(viewer, layer)


@given(st.integers(1, 20_000), st.integers(1, 20_000))
def test_the_middle_of_a_large_region_lies_within_it_and_is_not_large(height, width):
    region = Region((2, 0, 0), (3, height, width))
    middle = region.middle()

    assert region.contains(middle)
    assert middle.pixels <= MOST_PIXELS
    assert max(middle.shape) <= 2048
    assert middle.start[0] == 2
    if height * width <= MOST_PIXELS and max(height, width) <= 2048:
        assert middle == region


@pytest.mark.parametrize("rotate", [0, 30])
def test_a_rectangle_drawn_along_edges_of_pixels_encloses_those_pixels(rotate):
    layer = Image(np.zeros((4, H, W)), scale=(3, 0.2, 0.3), translate=(1, 2, 3))
    viewer = viewer_of(layer)
    layer.rotate = rotate
    viewer.dims.set_point(0, 1 + 3 * 2)
    corners = np.array([[9.5, 19.5], [9.5, 49.5], [29.5, 49.5], [29.5, 19.5]])
    world = [layer.data_to_world((2, *corner)) for corner in corners]
    viewer.add_shapes([np.array(world)[:, 1:]], shape_type="polygon")

    assert region_of_shapes(viewer, layer) == Region((2, 10, 20), (3, 30, 50))


def test_the_selected_shape_comes_before_the_last_and_without_any_it_is_told():
    layer = Image(np.zeros((H, W)))
    viewer = viewer_of(layer)
    with pytest.raises(NothingSeenError, match="draw a rectangle"):
        region_of_shapes(viewer, layer)
    boxes = [[[9.5, 9.5], [19.5, 19.5]], [[0.0, 0.0], [5.0, 5.0]], [[500, 500], [600, 600]]]
    shapes = viewer.add_shapes(boxes, shape_type="rectangle")
    shapes.selected_data = {0}
    assert region_of_shapes(viewer, layer) == Region((10, 10), (20, 20))
    shapes.selected_data = set()
    with pytest.raises(NothingSeenError, match="None of"):
        region_of_shapes(viewer, layer)


def test_planes_from_one_to_another_take_the_place_of_the_one_that_is_shown():
    viewer = viewer_of(Image(da.zeros((5, 3, H, W))))
    viewer.dims.point = (4, 1, 0, 0)
    region = along(whole_plane(viewer, viewer.layers[0]), 0, 1, 3)

    assert region == Region((1, 1, 0, 0), (4, 2, H, W))
    assert list(region.planes()) == [(1, 1), (2, 1), (3, 1)]
