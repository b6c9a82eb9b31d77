import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import zoom

from napari_srgan.inference.images import (
    count_not_finite,
    fill_from_nearest,
    fill_not_finite,
    fill_transparent,
    layout_of,
)
from napari_srgan.inference.values import extent
from napari_srgan.inference.values.extent import plane_extent
from napari_srgan.inference.values.ranges import (
    ValueRange,
    dtype_range,
    range_of,
    value_range,
    value_ranges,
)
from napari_srgan.inference.values.rules import parse_normalize

WHOLE = ["bool", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", ">u2", ">i4"]
FLOATS = ["f2", "f4", "f8", ">f4"]
DTYPES = [*WHOLE, *FLOATS]
RULES = ["auto", "data", "dtype", (-20, 300), "0.1, 0.7", "10%, 90%"]


# How an array is read


@pytest.mark.parametrize(
    ("shape", "rgb", "leading", "size", "channels"),
    [
        ((7, 5), None, (), (7, 5), 0),
        ((7, 5, 3), None, (), (7, 5), 3),
        ((7, 5, 4), None, (), (7, 5), 4),
        ((7, 5, 9), None, (7,), (5, 9), 0),
        ((7, 5, 3), False, (7,), (5, 3), 0),
        ((7, 5, 1), False, (7,), (5, 1), 0),
        ((3, 4), None, (), (3, 4), 0),
        ((2, 6, 7, 5), None, (2, 6), (7, 5), 0),
        ((2, 6, 7, 5, 3), None, (2, 6), (7, 5), 3),
        ((2, 7, 5, 4), True, (2,), (7, 5), 4),
        ((1, 1), None, (), (1, 1), 0),
    ],
)
def test_the_shape_says_which_axes_are_the_plane(shape, rgb, leading, size, channels):
    layout = layout_of(shape, np.uint8, rgb)

    assert layout.leading == leading
    assert (layout.height, layout.width) == size
    assert layout.channels == channels
    assert layout.shape() == shape
    assert layout.planes == np.prod(leading, dtype=int)
    assert layout.pixels == layout.planes * size[0] * size[1]


def test_an_upscaled_shape_grows_along_the_plane_alone():
    assert layout_of((2, 6, 7, 5, 3), np.uint8).shape(4) == (2, 6, 28, 20, 3)
    assert layout_of((2, 6, 7, 5), np.uint8).shape(3) == (2, 6, 21, 15)


def test_every_plane_has_its_index():
    layout = layout_of((2, 3, 7, 5), np.uint8)

    assert list(layout.indices()) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert list(layout_of((7, 5), np.uint8).indices()) == [()]


@pytest.mark.parametrize(
    ("shape", "rgb", "message"),
    [
        ((), None, "two axes or more; got shape ()"),
        ((5,), None, "two axes or more; got shape (5,)"),
        ((5, 64, 64, 2), None, "got shape (5, 64, 64, 2), whose last axis is 2 long"),
        ((64, 63, 1), None, "whose last axis is 1 long. If it holds channels"),
        ((64, 48, 5), None, "move it to the front and say channel_axis=0; say rgb=False"),
        ((3, 90, 80, 16), None, "whose last axis is 16 long"),
        ((64, 63), True, "rgb=True expects shape (…, h, w, 3) or (…, h, w, 4); got (64, 63)"),
        ((64, 63, 5), True, "got (64, 63, 5)"),
        ((0, 63), None, "empty: its shape is (0, 63)"),
        ((0, 64, 63, 3), None, "empty"),
    ],
)
def test_a_shape_without_planes_is_refused_with_what_to_do(shape, rgb, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        layout_of(shape, np.uint8, rgb)


@pytest.mark.parametrize("dtype", [object, complex, "M8[s]", "U4", "S4", [("a", "u1")], "g"])
def test_what_is_no_number_of_up_to_64_bits_is_refused(dtype):
    with pytest.raises(TypeError, match="booleans, integers or floats of up to 64 bits; got "):
        layout_of((7, 5), dtype)


# The range of values


@pytest.mark.parametrize("dtype", ["u1", "bool"])
def test_eight_bits_map_by_their_dtype_whatever_they_hold(dtype):
    image = np.zeros((7, 5), dtype)

    values = value_range(image, layout_of(image.shape, image.dtype))

    assert (values.low, values.high) == dtype_range(np.dtype(dtype))
    assert (values.low, values.high) in ((0, 255), (0, 1))


@pytest.mark.parametrize("dtype", DTYPES[2:])
def test_everything_else_maps_by_its_own_smallest_and_largest_value(random_pixels, dtype):
    image = random_pixels((3, 7, 5), dtype)

    values = value_range(image, layout_of(image.shape, image.dtype, rgb=False))

    assert values.low == pytest.approx(float(image.min()), rel=1e-15)
    assert values.high == pytest.approx(float(image.max()), rel=1e-15)
    assert (values.minimum, values.maximum) == (values.low, values.high)


def test_the_range_is_shared_by_all_planes():
    image = np.stack([np.full((7, 5), value, np.uint16) for value in (40, 10, 20)])

    assert value_range(image, layout_of(image.shape, image.dtype, rgb=False)).width == 30


def test_the_data_rule_takes_eight_bits_by_their_values_also():
    image = np.array([[30, 90]], np.uint8)

    values = value_range(image, layout_of(image.shape, image.dtype), "data")

    assert (values.low, values.high) == (30, 90)


def test_alpha_does_not_count_for_the_range():
    image = np.full((7, 5, 4), 9, np.uint16)
    image[0, 0, :3] = 4
    image[..., 3] = 65535

    values = value_range(image, layout_of(image.shape, image.dtype))

    assert (values.low, values.high) == (4, 9)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4"])
def test_nan_and_infinity_do_not_count_for_the_range(dtype):
    image = np.array([[np.nan, 2, 5], [-np.inf, 3, np.inf]], dtype)
    layout = layout_of(image.shape, image.dtype)

    assert value_range(image, layout) == ValueRange(2, 5, 2, 5)
    assert value_range(image, layout, "0%, 100%").high == 5


@pytest.mark.parametrize("rule", ["auto", "1%, 99%"])
def test_an_image_without_any_finite_value_has_no_range(rule):
    image = np.full((7, 5), np.nan)

    with pytest.raises(ValueError, match="no finite value"):
        value_range(image, layout_of(image.shape, image.dtype), rule)


@pytest.mark.parametrize("pair", [(10, 4095), [10, 4095], np.array([10, 4095]), "10, 4095"])
def test_a_pair_is_the_range_and_only_the_dtype_bounds_the_result(pair):
    image = np.zeros((7, 5), np.uint16)

    values = value_range(image, layout_of(image.shape, image.dtype), pair)

    assert values == ValueRange(10, 4095, 0, 65535)


def test_the_dtype_rule_is_the_limits_of_integers_and_0_to_1_for_floats():
    for dtype, low, high in (("i2", -32768, 32767), ("u4", 0, 2**32 - 1), ("f4", 0, 1)):
        image = np.zeros((7, 5), dtype)
        values = value_range(image, layout_of(image.shape, image.dtype), "dtype")
        assert (values.low, values.high) == (low, high)


def test_percentiles_are_those_of_the_colours():
    image = np.arange(101 * 3, dtype=np.float32).reshape(1, 101, 3)
    image = np.concatenate([image, np.full((1, 101, 1), 1e6, np.float32)], axis=-1)

    values = value_range(image, layout_of(image.shape, image.dtype), "10%, 90%")

    low, high = np.percentile(image[..., :3], [10, 90])
    assert (values.low, values.high) == pytest.approx((low, high))
    assert values.maximum == np.finfo(np.float32).max


def test_percentiles_that_fall_together_are_refused():
    with pytest.raises(ValueError, match="1% and 99% of this image are both 7"):
        value_range(np.full((7, 5), 7.0), layout_of((7, 5), float), "1%, 99%")


NO_RULES = ["none", "", "1%", "1%, 2", "1, 2, 3", "a, b", "nan, 1", b"auto"]


@pytest.mark.parametrize(
    "rule", [*NO_RULES, (1,), (1, 2, 3), (None, 1), (0, float("inf")), None, 5, {}]
)
def test_a_rule_that_is_none_is_refused_and_the_rules_are_named(rule):
    with pytest.raises(ValueError, match="'auto', 'data', 'dtype', a pair such as") as caught:
        parse_normalize(rule)

    assert repr(rule) in str(caught.value)


@pytest.mark.parametrize("rule", [(5, 1), (3, 3), "90%, 10%", "-1%, 50%", "5%, 101%"])
def test_a_rule_that_does_not_ascend_or_leaves_0_to_100_percent_is_refused(rule):
    with pytest.raises(ValueError, match="first value below its second"):
        parse_normalize(rule)


def test_a_range_too_wide_for_floating_point_is_refused():
    image = np.array([[-1.7e308, 1.7e308]])

    with pytest.raises(ValueError, match="too wide for floating point"):
        value_range(image, layout_of(image.shape, image.dtype))


@pytest.mark.parametrize("dtype", ["u8", "i8"])
def test_64_bit_limits_are_bounded_by_what_the_dtype_holds(dtype):
    low, high = dtype_range(np.dtype(dtype))
    image = np.array([[np.iinfo(dtype).min, np.iinfo(dtype).max]], dtype)
    values = value_range(image, layout_of(image.shape, image.dtype), "data")

    assert int(high) <= np.iinfo(dtype).max
    assert int(low) == np.iinfo(dtype).min
    assert values.maximum == high


# Outliers


def counts(dtype="u2", seed=0):
    """Return a smooth image of 100 to 700 counts."""
    source = np.random.default_rng(seed)
    coarse = source.random((9, 11))
    smooth = zoom(coarse, 8, order=3)
    return (100 + 600 * (smooth - smooth.min()) / np.ptp(smooth)).astype(dtype)


def range_of_image(image, rule="auto"):
    return value_range(image, layout_of(image.shape, image.dtype, rgb=False), rule)


@pytest.mark.parametrize("dtype", ["u2", "i4", "f2", "f4", "f8", ">u2"])
@pytest.mark.parametrize("places", [[(5, 6)], [(0, 0)], [(5, 6), (5, 7)], [(5, 6), (6, 7), (6, 6)]])
def test_hot_pixels_are_set_apart_and_bound_the_result(dtype, places):
    image = counts(dtype)
    clean = range_of_image(image)
    for place in places:
        image[place] = 30_000

    found = range_of_image(image)

    assert found.low == clean.low
    assert found.high == pytest.approx(clean.high, rel=0.02)
    assert (found.floor, found.ceiling) == (-np.inf, found.high)
    assert (found.minimum, found.maximum) == (clean.low, 30_000)


def test_dead_pixels_are_set_apart_too():
    image = 20_000 + counts()
    image[5, 6] = 0
    found = range_of_image(image)
    assert found.low == found.floor > 20_000
    assert found.minimum == 0
    assert found.ceiling == np.inf


def test_structures_that_are_bright_are_no_outliers():
    image = counts("f4")
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    for middle in ((20, 30), (50, 60)):
        image += 20_000 * np.exp(-((y - middle[0]) ** 2 + (x - middle[1]) ** 2) / (2 * 1.2**2))
    assert not range_of_image(image).sets_apart


@pytest.mark.parametrize("image", [np.eye(40) * 900, np.pad([[7.0]], 20), np.full((9, 9), 4.0)])
def test_an_image_of_nothing_else_has_no_outliers(image):
    found = range_of_image(image.astype("u2"))
    assert not found.sets_apart
    assert (found.low, found.high) == (image.min(), image.max())


def test_a_value_that_is_far_out_in_one_plane_and_usual_in_another_is_no_outlier():
    image = np.stack([counts(), 60 * counts(seed=1)])
    image[0, 5, 6] = 30_000
    assert not range_of_image(image).sets_apart


@pytest.mark.parametrize("rule", ["data", "dtype", (0, 4095)])
def test_other_rules_set_nothing_apart(rule):
    image = counts()
    image[5, 6] = 65535
    assert not range_of_image(image, rule).sets_apart


def test_nan_is_no_outlier_and_hides_none():
    image = counts("f4")
    image[3:6, 3:6] = np.nan
    image[20, 20] = 1e6
    found = range_of_image(image)
    assert found.ceiling < 1000
    assert found.maximum == 1e6


def test_percentiles_of_large_images_are_of_a_regular_sample(monkeypatch):
    monkeypatch.setattr(extent, "SAMPLED", 100)
    image = np.random.default_rng(0).random((3, 50, 40))
    found = range_of_image(image, "10%, 90%")
    assert (found.low, found.high) == pytest.approx((0.1, 0.9), abs=0.1)


def test_planes_one_by_one_give_the_range_of_all():
    image = np.stack([counts(seed=seed) for seed in range(3)])
    layout = layout_of(image.shape, image.dtype, rgb=False)
    parts = [plane_extent(plane, layout, "auto") for plane in image]
    assert range_of(parts, layout.dtype, "auto") == value_range(image, layout)


# Channels


@pytest.mark.parametrize(("axis", "place"), [(0, 0), (1, 1), (-4, 0), (-3, 1), (None, None)])
def test_a_channel_axis_is_one_of_the_leading_axes(axis, place):
    assert layout_of((2, 3, 7, 5), "u2", channel_axis=axis).channel_axis == place


@pytest.mark.parametrize("axis", [2, 3, -1, -2, 9, -9])
def test_another_channel_axis_is_refused(axis):
    with pytest.raises(ValueError, match=f"channel_axis={axis} is not one of the 2 axes before"):
        layout_of((2, 3, 7, 5), "u2", channel_axis=axis)


def test_each_channel_has_a_range_of_its_own_over_all_of_its_planes():
    image = np.stack([np.stack([counts(seed=t) // dim for dim in (1, 20, 100)]) for t in range(2)])
    layout = layout_of(image.shape, image.dtype, channel_axis=1, rgb=False)

    found = value_ranges(image, layout)

    assert len(found) == 3
    for channel, values in enumerate(found):
        own = image[:, channel]
        assert (values.low, values.high) == (own.min(), own.max())
    assert len(value_ranges(image, layout, (0, 9))) == 1
    assert len(value_ranges(image.astype("u1"), replace(layout, dtype=np.dtype("u1")))) == 1


# What is not there


@given(arrays(np.float32, (2, 4, 3), elements=st.sampled_from([0.0, 1.5, np.nan, np.inf, -np.inf])))
def test_nan_and_infinite_values_are_counted_over_all_planes(image):
    counted = count_not_finite(image, layout_of(image.shape, image.dtype, rgb=False))

    assert counted == (np.isnan(image).sum(), np.isinf(image).sum())


def test_integers_need_no_counting():
    image = np.full((7, 5), 9, np.uint16)

    assert count_not_finite(image, layout_of(image.shape, image.dtype)) == (0, 0)


@given(valid=arrays(bool, (6, 5)), seed=st.integers(0, 9))
def test_what_is_not_valid_becomes_the_nearest_that_is(random_pixels, valid, seed):
    pixels = random_pixels((6, 5), np.float32, seed)

    filled = fill_from_nearest(pixels, valid)

    assert (filled[valid] == pixels[valid]).all()
    places = np.argwhere(valid)
    for place in np.argwhere(~valid):
        if not len(places):
            assert filled[tuple(place)] == 0
            continue
        distances = np.square(places - place).sum(1)
        nearest = places[distances == distances.min()]
        assert filled[tuple(place)] in pixels[tuple(nearest.T)]


def test_an_image_with_nothing_to_fill_is_returned_as_it_is(random_pixels):
    pixels = random_pixels((7, 5), np.float32)

    assert fill_not_finite(pixels) is pixels


def test_a_colour_is_filled_whole_where_one_channel_is_not_finite(random_pixels):
    pixels = random_pixels((1, 3, 3), np.float32)
    pixels[0, 0, 1] = np.nan

    assert (fill_not_finite(pixels)[0, 0] == pixels[0, 1]).all()


def test_hidden_colours_become_the_nearest_visible_one(random_pixels):
    pixels = random_pixels((1, 4, 4), np.uint8)
    pixels[..., 3] = [0, 1, 255, 0]

    filled = fill_transparent(pixels)

    assert filled.shape == (1, 4, 3)
    assert (filled[0] == pixels[0, [1, 1, 2, 2], :3]).all()


def of_two_planes(dim: float) -> np.ndarray:
    """Return 3 moments of two planes, one of which has so small a part of the other's range."""
    bright = np.random.default_rng(0).integers(0, 4000, (3, 1, 24, 20))
    return np.concatenate([bright, bright * dim], axis=1).astype(np.uint16)


@pytest.mark.parametrize("rule", ["auto", "data"])
def test_planes_that_may_be_channels_are_asked_about(rule):
    image = of_two_planes(0.05)
    (found,) = value_ranges(image, layout_of(image.shape, image.dtype), rule)
    assert "Plane 1 along axis 1 uses 5 % of the range" in found.warning
    assert "channel_axis=1" in found.warning


def test_nothing_is_asked_where_channels_are_known_or_planes_are_alike():
    dim, alike = of_two_planes(0.05), of_two_planes(0.5)
    told = value_ranges(dim, layout_of(dim.shape, dim.dtype, channel_axis=1))
    assert [found.warning for found in told] == ["", ""]
    (found,) = value_ranges(alike, layout_of(alike.shape, alike.dtype))
    assert found.warning == ""


def test_a_long_axis_is_no_axis_of_channels():
    image = np.random.default_rng(0).integers(0, 4000, (40, 12, 10)).astype(np.uint16)
    image[3] //= 100
    (found,) = value_ranges(image, layout_of(image.shape, image.dtype))
    assert found.warning == ""
