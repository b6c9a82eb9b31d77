"""What a layer holds at points of the world, as the layer itself says."""

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.components import ViewerModel
from napari.layers import Image

from napari_srgan.plugin.compare.colours import Looks
from napari_srgan.plugin.compare.modes import (
    BRIGHTNESS,
    VALUES,
    beside,
    difference,
    swiped,
)
from napari_srgan.plugin.compare.sampling import Grid, Sampler, Samples, grid_in_view

rng = np.random.default_rng(5)
GREY = rng.integers(0, 256, (20, 31), dtype=np.uint8)


def grid_of(origin, step=0.37, shape=(24, 33), axes=(0, 1)):
    return Grid(np.asarray(origin, float), axes, step, shape, None)


@given(st.floats(-180, 180), st.floats(0.3, 3), st.tuples(st.floats(-5, 5), st.floats(-5, 5)))
def test_a_point_has_the_value_that_the_layer_says_it_has(rotate, scale, shift):
    layer = Image(GREY, scale=(scale, 0.8), translate=shift, rotate=rotate, shear=[0.2])
    grid = grid_of(np.asarray(layer.data_to_world((3.2, 4.1))))
    found = Sampler(layer, grid).sample(linear=False)

    for row, column in ((0, 0), (23, 0), (0, 32), (11, 17), (23, 32)):
        point = grid.origin + grid.step * np.array([row, column])
        pixel = np.asarray(layer.world_to_data(point))
        if np.abs(pixel - np.rint(pixel)).max() > 0.499:
            continue  # on an edge, where rounding decides
        inside = bool((np.rint(pixel) >= 0).all() and (np.rint(pixel) < GREY.shape).all())
        assert found.there[row, column] == inside
        if inside:
            assert found.values[row, column] == GREY[tuple(np.rint(pixel).astype(int))]


def test_interpolation_gives_a_ramp_back_wherever_it_is_sampled():
    ramp = np.add.outer(2.0 * np.arange(20), 3.0 * np.arange(30))
    layer = Image(ramp, scale=(2, 1), translate=(5, 6))
    grid = grid_of((8.3, 9.1))
    found = Sampler(layer, grid).sample(linear=True)
    rows = (8.3 + 0.37 * np.arange(24) - 5) / 2
    columns = 9.1 + 0.37 * np.arange(33) - 6

    assert found.there.all()
    np.testing.assert_allclose(found.values, np.add.outer(2 * rows, 3 * columns))


def test_planes_colours_and_axes_that_are_shown_on_their_side():
    stack = rng.integers(0, 4000, (4, 20, 31), dtype=np.uint16)
    layer = Image(stack, scale=(2, 1, 1))
    grid = grid_of((4.2, 0, 0), step=1.0, shape=(31, 20), axes=(2, 1))
    np.testing.assert_array_equal(Sampler(layer, grid).sample(linear=False).values, stack[2].T)
    across = grid_of((0, 7, 0), step=1.0, shape=(4, 31), axes=(0, 2))
    np.testing.assert_array_equal(
        Sampler(layer, across).sample(linear=False).values, stack[[0, 0, 1, 2], 7]
    )
    assert not Sampler(layer, grid_of((9, 0, 0), axes=(1, 2))).sample(linear=False).there.any()
    flat = Image(GREY)  # of fewer axes: it has no place along the first
    assert not Sampler(flat, grid_of((0, 0, 0), axes=(0, 2))).sample(linear=False).there.any()


def test_of_a_large_lazy_pyramid_a_level_that_has_a_pixel_for_each_point_is_read():
    asked = []

    def level(size):
        def block(block_info):
            asked.append(size)
            return np.full([b - a for a, b in block_info[None]["array-location"]], size)

        return da.map_blocks(block, chunks=((64,) * (size // 64),) * 2, dtype=np.int64)

    layer = Image([level(4096), level(1024), level(256)], multiscale=True, contrast_limits=(0, 1))
    asked.clear()
    found = Sampler(layer, grid_of((0, 0), step=18.0, shape=(200, 200))).sample(linear=False)

    assert set(asked) == {256}
    assert (found.values == 256).all()


def test_a_canvas_is_sampled_where_the_layers_are_and_once_a_screen_pixel():
    viewer = ViewerModel()
    viewer.add_image(np.zeros((100, 120)), scale=(2, 2))
    viewer.canvas.size = (300, 400)
    viewer.scene.camera.center, viewer.scene.camera.zoom = (99, 119), 4
    grid = grid_in_view(viewer, list(viewer.layers))
    assert grid.shape == (300, 400)
    assert grid.step == 0.25
    viewer.scene.camera.zoom = 0.5  # twice as far as the layer reaches
    grid = grid_in_view(viewer, list(viewer.layers))
    assert grid.shape[0] <= 0.5 * 200 + 2
    viewer.scene.camera.center = (9000, 9000)
    assert grid_in_view(viewer, list(viewer.layers)) is None
    viewer.dims.ndisplay = 3
    assert grid_in_view(viewer, list(viewer.layers)) is None


def pair(first, second, **options):
    layers = [Image(first, rgb=first.ndim == 3), Image(second, **options)]
    samples = [Samples(np.asarray(each), np.ones(each.shape[:2], bool)) for each in (first, second)]
    return [(Looks.of(layer), each) for layer, each in zip(layers, samples, strict=True)]


def test_a_difference_is_told_in_the_values_of_the_layers():
    second = GREY.astype(int).clip(10, 200).astype(np.uint8)
    found = difference(*pair(GREY, second), VALUES)
    apart = second.astype(float) - GREY

    assert found.unit == "uint8 values"
    assert found.mean == pytest.approx(np.abs(apart).mean())
    assert found.rms == pytest.approx(np.sqrt((apart**2).mean()))
    assert found.largest == np.abs(apart).max()
    more, less = np.argwhere(apart > 0)[0], np.argwhere(apart < 0)[0]
    assert found.picture[tuple(more)][0] == 255
    assert found.picture[tuple(less)][2] == 255
    assert (found.picture[apart == 0] == 255).all()


def test_the_same_picture_in_another_range_and_dtype_has_the_same_brightness():
    scaled = GREY.astype(np.float32) / 255 * 3 - 1
    layers = pair(GREY, scaled, contrast_limits=(-1, 2))
    layers[0] = (Looks("uint8", False, (0, 255), layers[0][0].table), layers[0][1])
    found = difference(*layers, BRIGHTNESS)

    assert found.largest == pytest.approx(0, abs=1e-4)
    assert "%" in found.unit
    values = difference(*layers, VALUES)
    assert values.unit == "values (float32 − uint8)"


def test_colours_are_compared_by_luminance_and_what_is_not_finite_is_left_out():
    colour = np.repeat(GREY[..., None], 3, axis=2)
    assert difference(*pair(colour, GREY), VALUES).largest == pytest.approx(0, abs=1e-9)
    holes = GREY.astype(float)
    holes[3, 4] = np.nan
    found = difference(*pair(GREY.astype(float), holes, contrast_limits=(0, 255)), VALUES)
    assert found.largest == 0
    assert str(found).startswith("No difference")
    assert (found.picture[3, 4] == 0).all()


def test_swiping_and_sides_keep_the_pixels_of_both():
    before, after = (np.full((4, 20, 3), shade, np.uint8) for shade in (10, 200))
    joined = swiped(before, after, 0.25)
    assert (joined[:, :4] == 10).all()
    assert (joined[:, 6:] == 200).all()
    assert (swiped(before, after, 1.0)[:, :18] == 10).all()
    for width in (40, 41):
        sides = beside(before, after, width)
        assert sides.shape == (4, width, 3)
        assert (sides[:, :19] == 10).all()
        assert (sides[:, -18:] == 200).all()
