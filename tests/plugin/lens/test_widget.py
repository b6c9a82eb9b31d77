"""What of a layer is kept lies where it belongs, and is what the whole layer would give."""

import dask.array as da
import numpy as np
import pytest
from napari.layers import Image

import napari_srgan as ns
from napari_srgan.plugin.layers import METADATA_KEY
from napari_srgan.plugin.lens.controls import ALL, IN_VIEW, RANGE, SHAPE, WHOLE
from napari_srgan.plugin.lens.regions import Region, region_in_view, whole_plane

H, W = 40, 60
STACK = np.random.default_rng(4).integers(0, 4000, (4, 2, H, W), dtype=np.uint16)
PLACE = {"scale": (5, 1, 0.2, 0.3), "translate": (1, 0, 3, 4), "axis_labels": ("t", "c", "y", "x")}


def kept(viewer, lens, settled, area, planes=None):
    """Keep what is chosen, and return the new layer."""
    lens.keeping.area.value = area
    if planes is not None:
        lens.keeping.planes.value = planes
    before = set(viewer.layers)
    lens.keeping.keep.native.click()
    settled(lens)
    assert lens.problem.value == ""
    (layer,) = set(viewer.layers) - before - {lens.look.overlay}
    return layer


def assert_is_part(layer, source, region, model):
    """A kept layer is the part of the whole result that the region is, in pixels and in place."""
    whole = ns.upscale(source, model)
    *planes, rows, columns = region.slices
    part = (*planes, *(slice(4 * side.start, 4 * side.stop) for side in (rows, columns)))
    np.testing.assert_allclose(layer.data.astype(int), whole.data[part], atol=1)
    first = [side.start for side in part]
    for pixel in (np.zeros(layer.ndim), np.array(layer.data.shape) - 1):
        np.testing.assert_allclose(
            layer.data_to_world(pixel), whole.data_to_world(pixel + first), atol=1e-9
        )
    assert layer.units == source.units
    assert layer.axis_labels == source.axis_labels
    assert layer.metadata[METADATA_KEY]["region"]["start"] == region.start


@pytest.fixture
def stack():
    return Image(STACK, rotate=15, **PLACE)


def test_the_view_is_kept(opened, settled, stack):
    viewer, lens = opened(stack)
    viewer.dims.point = (1 + 5 * 2, 1, 0, 0)
    viewer.scene.camera.zoom *= 4
    settled(lens)
    region = region_in_view(viewer, stack)
    layer = kept(viewer, lens, settled, IN_VIEW)

    assert_is_part(layer, stack, region, lens.looking.model.value)
    assert lens.look.layer is stack
    assert lens.look.overlay in viewer.layers


def test_a_rectangle_is_kept_in_a_range_of_planes(opened, settled, stack):
    viewer, lens = opened(stack)
    box = [stack.data_to_world((0, 0, *corner))[2:] for corner in ((9.5, 20.5), (29.5, 40.5))]
    low, high = np.min(box, axis=0), np.max(box, axis=0)
    viewer.add_shapes([[low, high]], shape_type="rectangle")
    lens.keeping.planes.value = RANGE
    lens.keeping.axis.value = 0
    lens.keeping.first.value, lens.keeping.last.value = 1, 2
    layer = kept(viewer, lens, settled, SHAPE)
    where = layer.metadata[METADATA_KEY]["region"]
    region = Region(where["start"], where["stop"])

    assert (region.start[0], region.stop[0]) == (1, 3)
    assert region.shape[1] == 1
    assert_is_part(layer, stack, region, lens.looking.model.value)


def test_the_whole_plane_is_kept(opened, settled, stack):
    viewer, lens = opened(stack)
    region = whole_plane(viewer, stack)
    layer = kept(viewer, lens, settled, WHOLE)

    assert_is_part(layer, stack, region, lens.looking.model.value)


def test_the_whole_layer_is_kept_as_the_other_widget_would(opened, settled, stack):
    viewer, lens = opened(stack)
    layer = kept(viewer, lens, settled, WHOLE, ALL)
    whole = ns.upscale(stack, lens.looking.model.value)

    np.testing.assert_array_equal(layer.data, whole.data)
    np.testing.assert_allclose(layer.translate, whole.translate)


def test_a_part_of_a_lazy_layer_of_levels_is_kept_at_the_level_that_is_seen(opened, settled):
    levels = [STACK[0, 0].repeat(2, 0).repeat(2, 1), STACK[0, 0]]
    layer = Image([da.from_array(level) for level in levels], multiscale=True)
    viewer, lens = opened(layer)
    layer.locked_data_level = 1
    layer._update_draw(1.0, np.array([[0, 0], [2 * H, 2 * W]]), (300, 400))
    result = kept(viewer, lens, settled, IN_VIEW)

    assert result.data.shape == (4 * H, 4 * W)
    np.testing.assert_allclose(result.data_to_world((-0.5, -0.5)), (-0.5, -0.5))
    end = np.array(result.data.shape) - 0.5
    np.testing.assert_allclose(result.data_to_world(end), np.array([2 * H, 2 * W]) - 0.5)


def test_what_cannot_be_kept_is_told(opened, settled, stack):
    _viewer, lens = opened(stack)
    lens.keeping.area.value = SHAPE
    lens.keeping.keep.native.click()
    assert "draw a rectangle" in lens.problem.value
    lens.keeping.planes.value, lens.keeping.area.value = RANGE, WHOLE
    lens.keeping.first.value, lens.keeping.last.value = 2, 1
    lens.keeping.keep.native.click()
    assert "no planes from 2 to 1" in lens.problem.value
    assert not lens.busy


def test_keeping_can_be_cancelled(opened, settled, stack):
    viewer, lens = opened(stack)
    before = len(viewer.layers)
    lens.keeping.area.value, lens.keeping.planes.value = WHOLE, RANGE
    lens.keeping.last.value = 3
    lens.keeping.keep.native.click()
    lens.keeping.cancel.native.click()
    settled(lens)

    assert len(viewer.layers) == before


def test_the_menu_opens_it_and_it_leaves_with_its_dock(make_napari_viewer, qtbot):
    viewer = make_napari_viewer()
    viewer.add_image(STACK[0, 0])
    viewer.window.plugins_menu.aboutToShow.emit()
    (menu,) = [
        each.menu() for each in viewer.window.plugins_menu.actions() if each.text() == "SRGAN"
    ]
    (action,) = [each for each in menu.actions() if "SRGAN lens" in each.text()]
    action.trigger()
    (name,) = [name for name in viewer.window.dock_widgets if "lens" in name]
    lens = viewer.window.dock_widgets[name]
    qtbot.waitUntil(lambda: lens.look.overlay is not None and not lens.look.busy, timeout=60_000)
    assert len(viewer.layers) == 2
    first = lens.look.region
    viewer.scene.camera.zoom *= 8
    lens.look.begin_anew()
    qtbot.waitUntil(lambda: lens.look.region not in (None, first), timeout=60_000)
    second, overlay = lens.look.region, lens.look.overlay
    viewer.scene.camera.center = (0, 5, 5)
    qtbot.waitUntil(lambda: lens.look.region != second, timeout=60_000)
    assert lens.look.overlay is overlay  # renewed: to add a layer anew makes the window wait
    viewer.window.remove_dock_widget(lens.native)

    assert len(viewer.layers) == 1
