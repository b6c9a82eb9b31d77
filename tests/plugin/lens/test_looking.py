"""The lens follows what is in view, and leaves everything as it was."""

import gc
import threading

import numpy as np
import pytest
from napari.layers import Image

from napari_srgan.inference.planes import Plane
from napari_srgan.plugin.lens.overlay import NAME
from napari_srgan.plugin.lens.regions import region_in_view

H, W = 60, 84
rng = np.random.default_rng(3)
GREY = rng.integers(0, 256, (H, W), dtype=np.uint8)
STACK = rng.integers(0, 4000, (5, H, W), dtype=np.uint16)
COLOUR = rng.integers(0, 256, (H, W, 3), dtype=np.uint8)


def corners(layer, start, stop):
    """Where the outer corners of a box of pixels of a layer are in the world."""
    edges = np.array([start, stop]) - 0.5
    return np.array([layer.data_to_world(edge) for edge in edges])


def assert_lies_over(overlay, layer, region):
    """The edges of the picture are those of the region's pixels, and its planes are theirs."""
    factors = layer.downsample_factors[region.level] if layer.multiscale else np.ones(layer.ndim)
    start, stop = np.array(region.start) * factors, np.array(region.stop) * factors
    theirs = corners(overlay, np.zeros(layer.ndim), overlay.data.shape[: layer.ndim])
    np.testing.assert_allclose(theirs, corners(layer, start, stop), atol=1e-6)


@pytest.mark.parametrize(
    "layer",
    [
        lambda: Image(GREY, scale=(2, 0.5), translate=(3, 4), rotate=20),
        lambda: Image(STACK, scale=(3, 0.1, 0.2), units=("s", "um", "um"), shear=[0.1, 0, 0.2]),
        lambda: Image(COLOUR, affine=[[1, 0.3, 5], [0, 2, 6], [0, 0, 1]]),
        lambda: Image(STACK.astype(np.float32), contrast_limits=(0, 900), colormap="magma"),
        lambda: Image([GREY.repeat(2, 0).repeat(2, 1), GREY], multiscale=True),
    ],
)
def test_the_picture_lies_over_what_is_in_view_and_looks_as_it_does(opened, settled, layer):
    layer = layer()
    viewer, lens = opened(layer)
    viewer.scene.camera.zoom *= 2.5
    settled(lens)
    overlay = lens.look.overlay

    assert overlay.name == NAME
    assert list(viewer.layers) == [layer, overlay]
    assert viewer.layers.selection.active is layer
    assert_lies_over(overlay, layer, lens.look.region)
    assert overlay.units == layer.units
    assert overlay.dtype == layer.dtype
    if not layer.rgb:
        assert overlay.contrast_limits == layer.contrast_limits
        assert overlay.colormap.name == layer.colormap.name
    assert "pixels" in lens.looking.state.value


def test_it_follows_the_camera_and_does_nothing_anew_where_it_is_already(opened, settled):
    layer = Image(GREY)
    viewer, lens = opened(layer)
    viewer.scene.camera.center, viewer.scene.camera.zoom = (20, 20), 10
    lens.looking.live.value = False
    lens.looking.live.value = True
    settled(lens)
    first = lens.look.overlay.data
    viewer.scene.camera.zoom = 20  # nearer
    settled(lens)
    assert lens.look.overlay.data is first
    viewer.scene.camera.center = (40, 50)
    settled(lens)
    region = region_in_view(viewer, layer)
    assert lens.look.overlay.data.shape == (4 * region.shape[0], 4 * region.shape[1])
    assert_lies_over(lens.look.overlay, layer, region)


def test_it_follows_the_plane_and_the_looks(opened, settled):
    layer = Image(STACK)
    viewer, lens = opened(layer)
    viewer.dims.point = (4, 0, 0)
    layer.contrast_limits, layer.gamma, layer.colormap = (10, 500), 0.5, "viridis"
    settled(lens)
    overlay = lens.look.overlay

    assert overlay.data.shape == (1, 4 * H, 4 * W)
    assert overlay.data_to_world((0, 0, 0))[0] == 4
    assert overlay.contrast_limits == [10, 500]
    assert (overlay.gamma, overlay.colormap.name) == (0.5, "viridis")
    layer.visible = False
    assert not overlay.visible


def test_the_newer_view_stops_the_older_one(opened, settled, monkeypatch, qtbot):
    viewer, lens = opened(Image(STACK))
    begun, gate, read = [], threading.Semaphore(0), Plane.read

    def gated(plane, *args):
        begun.append(plane)
        assert gate.acquire(timeout=60)
        return read(plane, *args)

    monkeypatch.setattr(Plane, "read", gated)
    shown = []
    lens.look.overlay.events.data.connect(lambda: shown.append(lens.look.overlay.translate[0]))
    viewer.dims.point = (3, 0, 0)
    qtbot.waitUntil(lambda: len(begun) == 1)
    viewer.dims.point = (1, 0, 0)
    qtbot.waitUntil(
        lambda: "axis" not in lens.looking.state.value and not lens.look._rest.isActive()
    )
    gate.release(1000)
    settled(lens)

    assert len(shown) == 1
    assert lens.look.overlay.data_to_world((0, 0, 0))[0] == 1


def test_a_layer_that_goes_while_it_is_computed_leaves_nothing(opened, monkeypatch, settled, qtbot):
    layer = Image(STACK)
    viewer, lens = opened(layer)
    gate, begun, read = threading.Semaphore(0), threading.Event(), Plane.read

    def gated(plane, *args):
        begun.set()
        assert gate.acquire(timeout=60)
        return read(plane, *args)

    monkeypatch.setattr(Plane, "read", gated)
    viewer.dims.point = (0, 0, 0)
    qtbot.waitUntil(begun.is_set)
    viewer.layers.remove(layer)
    gate.release(1000)
    settled(lens)

    assert not viewer.layers
    assert "Select an image layer" in lens.looking.state.value


def test_when_somebody_deletes_it_it_is_switched_off(opened, settled):
    viewer, lens = opened(Image(GREY))
    viewer.layers.remove(lens.look.overlay)
    settled(lens)

    assert lens.looking.live.value is False
    assert len(viewer.layers) == 1
    lens.looking.live.value = True
    settled(lens)
    assert len(viewer.layers) == 2


@pytest.mark.parametrize("options", [{"blending": "additive"}, {"opacity": 0.5}])
def test_what_is_seen_through_is_not_seen_twice_and_comes_back(opened, settled, options):
    layer = Image(STACK, **options)
    viewer, lens = opened(Image(STACK), layer)
    assert lens.look.overlay.visible
    assert not layer.visible
    viewer.dims.point = (0, 0, 0)  # until that plane is there
    assert layer.visible
    assert not lens.look.overlay.visible
    settled(lens)
    assert lens.look.overlay.visible
    assert not layer.visible
    lens.looking.live.value = False
    assert layer.visible
    assert list(viewer.layers)[1:] == [layer]


def test_closing_leaves_the_viewer_as_it_was(opened, settled):
    layer = Image(GREY, blending="additive")
    viewer, lens = opened(layer)
    lens._leave()
    viewer.scene.camera.zoom = 3
    viewer.layers.selection.active = layer
    gc.collect()

    assert list(viewer.layers) == [layer]
    assert layer.visible
    assert not lens.look.busy


def test_the_selection_is_followed_from_layer_to_layer(opened, settled):
    one, other = Image(GREY), Image(COLOUR)
    viewer, lens = opened(one, other)
    viewer.layers.selection.active = one
    settled(lens)

    assert lens.look.layer is one
    assert [layer.name for layer in viewer.layers] == [one.name, NAME, other.name]
    viewer.add_points([(1, 1)])
    settled(lens)
    assert lens.look.layer is one


def test_pixels_that_cannot_be_upscaled_are_told(opened):
    _viewer, lens = opened(Image(np.full((H, W), np.nan), contrast_limits=(0, 1)))

    assert lens.look.overlay is None
    assert "no finite value" in lens.looking.state.value


def test_where_layers_are_moved_the_lens_comes_along(opened, settled):
    layer = Image(GREY)
    _viewer, lens = opened(layer)
    layer.scale, layer.translate = (0.5, 2), (10, -5)
    settled(lens)

    assert_lies_over(lens.look.overlay, layer, lens.look.region)
