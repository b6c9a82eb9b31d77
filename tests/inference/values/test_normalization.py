"""Pixels become the network's units and come back: exactly, whatever their dtype and range."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from napari_srgan.inference.images import layout_of
from napari_srgan.inference.planes import Normalization
from napari_srgan.inference.transfers import as_tensor
from napari_srgan.inference.values.ranges import ValueRange, dtype_range, value_range

DTYPES = [
    *("bool", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", ">u2", ">i4"),
    *("f2", "f4", "f8", ">f4"),
]
RULES = ["auto", "data", "dtype", (-20, 300), "0.1, 0.7", "10%, 90%"]


def to_unit(pixels, values):
    """Return pixels as units, (c, h, w)."""
    return Normalization(values, pixels.dtype).normalize(as_tensor(pixels))[0].numpy()


def from_unit(unit, values, dtype):
    """Return units (c, h, w) as pixels."""
    unit = as_tensor(np.asarray(unit, np.float32))
    return Normalization(values, np.dtype(dtype)).denormalize(unit[None]).numpy()


def round_trip(pixels, values):
    return from_unit(to_unit(pixels, values), values, pixels.dtype)


@given(
    dtype=st.sampled_from(["bool", "u1", "i1", "u2", "i2", ">u2"]),
    shape=array_shapes(min_dims=2, max_dims=2, max_side=9),
    rule=st.sampled_from(RULES[:-1]),
    seed=st.integers(0, 99),
)
def test_up_to_16_bits_come_back_exactly_by_every_rule(random_pixels, dtype, shape, rule, seed):
    pixels = random_pixels(shape, dtype, seed)

    values = value_range(pixels, layout_of(shape, pixels.dtype), rule)
    back = round_trip(pixels, values)

    assert back.dtype == pixels.dtype.newbyteorder("=")
    assert (back == pixels).all()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_every_single_value_comes_back(dtype, rule):
    pixels = np.arange(np.iinfo(dtype).max + 1).astype(dtype).reshape(16, -1)

    values = value_range(pixels, layout_of(pixels.shape, pixels.dtype, rgb=False), rule)

    assert (round_trip(pixels, values) == pixels).all()


@given(
    dtype=st.sampled_from(["u4", "i4", "u8", "i8", "f2", "f4", "f8", ">f8"]),
    rule=st.sampled_from(["auto", "dtype", "10%, 90%", (-1e6, 1e9)]),
    seed=st.integers(0, 99),
)
def test_more_bits_come_back_to_the_rounding_of_float32(random_pixels, dtype, rule, seed):
    pixels = random_pixels((7, 5), dtype, seed)
    values = value_range(pixels, layout_of(pixels.shape, pixels.dtype), rule)

    exact = pixels.astype(float)
    error = np.abs(round_trip(pixels, values).astype(float) - exact)

    of_the_unit = 2**-23 * np.maximum(values.width, np.abs(exact - values.low))
    of_the_dtype = np.abs(np.spacing(pixels)) if pixels.dtype.kind == "f" else 1
    assert (error <= of_the_unit + of_the_dtype).all()


@given(dtype=st.sampled_from(DTYPES), rule=st.sampled_from(["auto", "data", "dtype"]))
def test_a_constant_image_comes_back_constant(random_pixels, dtype, rule):
    pixels = np.full((7, 5), random_pixels((1,), dtype)[0], dtype)

    values = value_range(pixels, layout_of(pixels.shape, pixels.dtype), rule)

    np.testing.assert_allclose(round_trip(pixels, values), pixels, rtol=1e-6)


@given(arrays(np.float32, (1, 4, 3), elements=st.floats(-9, 9, width=32)))
def test_the_data_rule_never_leaves_the_data(unit):
    values = ValueRange(10, 20, 10, 20)

    for dtype in (np.uint8, np.int32, np.float32):
        pixels = from_unit(unit, values, dtype)
        assert pixels.min() >= 10
        assert pixels.max() <= 20


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_result_far_beyond_the_dtype_is_bounded_by_it(random_pixels, dtype):
    dtype = np.dtype(dtype)
    image = random_pixels((7, 5), dtype)
    values = value_range(image, layout_of(image.shape, dtype), "dtype")

    low, high = from_unit([[[-1e9, 1e9]]], values, dtype)[0]

    if dtype.kind == "f":
        assert np.isfinite([low, high]).all()
    else:
        assert (float(low), float(high)) == dtype_range(dtype)


def test_integers_are_rounded_not_truncated():
    unit = np.array([[[0.9999, 0.4999, 0.5001, -0.0001]]], np.float32)

    pixels = from_unit(unit, ValueRange(0, 10, -5, 15), np.int16)
    negative = from_unit(-unit, ValueRange(0, 10, -15, 15), np.int16)

    assert pixels.tolist() == [[10, 5, 5, 0]]
    assert negative.tolist() == [[-10, -5, -5, 0]]
    halves = from_unit([[[0.4, 0.6]]], ValueRange(0, 1, 0, 1), bool)
    assert halves.tolist() == [[False, True]]


def test_black_and_white_are_0_and_1():
    values = ValueRange(100, 300, 100, 300)

    unit = to_unit(np.array([[100, 200, 300, 400]], np.uint16), values)

    assert unit.dtype == np.float32
    assert unit.tolist() == [[[0, 0.5, 1, 1.5]]]


def test_colours_move_to_the_front_and_back(random_pixels):
    pixels = random_pixels((7, 5, 3), np.uint8)
    values = ValueRange(0, 255, 0, 255)

    unit = to_unit(pixels, values)

    assert unit.shape == (3, 7, 5)
    assert unit[2, 6, 4] == pytest.approx(pixels[6, 4, 2] / 255)
    assert (from_unit(unit, values, pixels.dtype) == pixels).all()


@pytest.mark.parametrize(
    "view",
    [
        lambda pixels: pixels[::-1, ::-2],
        lambda pixels: pixels.T,
        lambda pixels: np.asfortranarray(pixels),
        lambda pixels: pixels[1:6, 2:4],
        lambda pixels: np.broadcast_to(pixels[:1], (4, pixels.shape[1])),
        lambda pixels: pixels.astype(">u2"),
    ],
)
def test_strides_and_byte_order_change_nothing(random_pixels, view):
    pixels = view(random_pixels((7, 5), np.uint16))
    plain = np.array(pixels, dtype=np.uint16, order="C")
    values = ValueRange(0, 65535, 0, 65535)

    assert (to_unit(pixels, values) == to_unit(plain, values)).all()


def test_the_input_is_never_written_to(random_pixels):
    pixels = random_pixels((7, 5), np.float32)
    pixels.flags.writeable = False

    round_trip(pixels, ValueRange(0, 1, 0, 1))


def test_values_beyond_float32_become_infinite_without_a_warning():
    unit = to_unit(np.array([[1e300, 0]]), ValueRange(0, 1, 0, 1))

    assert unit.tolist() == [[[np.inf, 0]]]
