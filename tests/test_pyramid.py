"""Levels: means of equal areas that cover the whole image, and lie where viewers put them."""

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.layers import Image

from napari_srgan.plugin.layers import leveled, standing_for, upscaled_layer
from napari_srgan.pyramid import LARGEST_PLANE, SMALLEST_LEVEL, Means, halved, levels_of

rng = np.random.default_rng(3)


@given(size=st.integers(1, 200), data=st.data())
def test_means_of_any_stretch_are_integrals_of_the_pixels(size, data):
    means = Means.halving(size)
    start = data.draw(st.integers(0, means.coarse - 1))
    stop = data.draw(st.integers(start + 1, means.coarse))
    pixels = np.random.default_rng(size).random(size)
    first, last = means.seen((start, stop))

    integral = np.interp(
        np.arange(start, stop + 1) * size / means.coarse,
        np.arange(size + 1),
        np.append(0, pixels.cumsum()),
    )
    expected = np.diff(integral) * means.coarse / size
    np.testing.assert_allclose(means.of(pixels[first:last], (start, stop), 0), expected)


@pytest.mark.parametrize("shape", [(1100, 530), (2, 37, 1), (31, 43, 3), (3, 30, 20, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, bool, ">u2"])
def test_a_lazy_level_is_that_of_the_same_pixels_in_memory(shape, dtype):
    pixels = (rng.random(shape) * 200).astype(dtype)
    axis = len(shape) - (3 if shape[-1] in (3, 4) else 2)
    lazy = halved(da.from_array(pixels, chunks=29), axis)

    assert lazy.dtype == pixels.dtype.newbyteorder("=")
    np.testing.assert_array_equal(lazy, halved(pixels, axis))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint64, np.int64, np.float16, np.float32])
def test_a_constant_stays_so_at_the_ends_of_its_dtype(dtype):
    limits = np.iinfo(dtype) if np.issubdtype(dtype, np.integer) else np.finfo(dtype)
    for value in (limits.min, limits.max):
        made = halved(np.full((7, 5), value, dtype), 0)
        np.testing.assert_allclose(made.astype(float), float(value))


def test_hidden_colours_do_not_darken_the_border_of_what_is_seen():
    pixels = np.zeros((2, 4, 4), np.uint8)
    pixels[:, :3] = (200, 100, 50, 255)

    np.testing.assert_array_equal(halved(pixels, 0)[0, 1], (200, 100, 50, 128))


def test_a_small_result_of_one_level_has_one():
    high, low = np.zeros((LARGEST_PLANE, 40)), np.zeros((LARGEST_PLANE // 4, 10))
    assert levels_of(high, low, 0) is high


@pytest.mark.parametrize("wrap", [np.asarray, da.from_array])
def test_levels_are_the_result_its_halves_the_image_and_halves_of_that(wrap):
    low = wrap(rng.integers(0, 255, (1033, 70), dtype=np.uint8))
    high = wrap(np.zeros((4132, 280), np.uint8))
    levels = levels_of(high, low, 0)

    halves = [(2066, 140)] if wrap is np.asarray else []  # no network runs for an overview
    assert [level.shape for level in levels] == [(4132, 280), *halves, (1033, 70), (517, 35)]
    assert levels[-2] is low
    assert max(levels[-1].shape) <= SMALLEST_LEVEL


@pytest.mark.parametrize("level", [0, 1, 2])
def test_every_level_of_a_result_lies_on_the_layer_to_the_last_pixel(level):
    """napari puts a level's edges where those of the finest are."""
    pixels = [rng.random(shape) for shape in ((41, 67), (21, 34), (9, 15))]
    layer = Image(pixels, scale=(0.3, 2), rotate=31, shear=[0.2], translate=(5, -7))
    high = np.repeat(np.repeat(pixels[level], 4, 0), 4, 1)
    result = upscaled_layer(standing_for(layer, level), leveled(layer, high, level), 4, {})

    def edges(of, shape):
        h, w = shape
        return np.array([of.data_to_world(p) for p in ((-0.5, -0.5), (h - 0.5, w - 0.5))])

    np.testing.assert_allclose(edges(result, result.data[0].shape), edges(layer, (41, 67)))
    assert [each.shape for each in result.data[2:]] == [each.shape for each in pixels[level:]]
    for factors, of in zip(result.downsample_factors, result.data, strict=True):
        np.testing.assert_allclose(factors * of.shape, result.data[0].shape)
