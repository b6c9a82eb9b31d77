"""A word where few values, or one that stands for none, set black or white."""

import logging

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import napari_srgan as ns
from napari_srgan.inference.images import layout_of
from napari_srgan.inference.values.ranges import value_range

FAST = {"device": "cpu", "precision": "float32"}
SHAPE = (200, 230)


def measured(low=0.0, high=900.0, seed=0):
    """Return smooth values between two, with some noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    wave = 0.5 + 0.45 * np.sin(x / 17) * np.cos(y / 23) + rng.uniform(-0.04, 0.04, SHAPE)
    return (low + (high - low) * wave).astype(np.float32)


def warning(image, rule="auto"):
    return value_range(image, layout_of(image.shape, image.dtype), rule).warning


PLACES = {
    "a speck of nine pixels": (slice(50, 53), slice(60, 63)),
    "a border": (slice(0, 3), slice(None)),
    "a region": (slice(20, 90), slice(100, 180)),
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("code", [-9999.0, -32768.0, -3.4028235e38, 1e20])
def test_a_code_of_no_data_is_told_with_its_share(place, code):
    image = measured()
    image[place] = code
    share = 100 * (image == code).mean()

    told = warning(image)

    assert ("Black" if code < 0 else "White") + f" is {code:g}, for {share:.2g} %" in told
    assert "nan='fill'" in told


@pytest.mark.parametrize("code", [-9999.0, -3.4028235e38, 1e20])
def test_single_pixels_of_it_are_set_apart_and_need_no_word(code):
    image = measured()
    image[50, 60] = image[100, 7] = code

    found = value_range(image, layout_of(image.shape, image.dtype))

    assert found.warning == ""
    assert 0 <= found.low < found.high <= 900


def test_a_range_that_a_few_pixels_set_is_told_whatever_they_are():
    image = np.tile(measured(), (2, 2))
    image[10:13, 10:13] = np.linspace(5000, 8000, 9).reshape(3, 3)

    assert "White is 8000, for 0.0049 % of the pixels" in warning(image)


@given(
    dtype=st.sampled_from(["u2", "i2", "f4", "f8"]),
    low=st.floats(-2000, 2000),
    width=st.floats(100, 3000),
    data=st.data(),
)
def test_usual_images_need_no_word(dtype, low, width, data):
    image = measured(max(low, 0) if dtype == "u2" else low, max(low, 0) + width)
    kind = data.draw(st.sampled_from(["plain", "saturated", "dark with light", "two values"]))
    if kind == "saturated":
        image = image.clip(None, np.percentile(image, 80))
    if kind == "dark with light":
        image[40:80, 40:90] = image.max() + 8 * np.ptp(image)  # that int16 can hold
    if kind == "two values":
        image = np.where(image > image.mean(), image.max(), image.min())

    assert warning(image.astype(dtype)) == ""


@pytest.mark.parametrize("wrap", [np.asarray, lambda image: da.from_array(image, chunks=100)])
def test_it_is_said_in_the_log_once_whatever_holds_the_pixels(random_model, caplog, wrap):
    image = measured()[:60, :70]
    image[:2] = -9999

    with caplog.at_level(logging.WARNING):
        np.asarray(ns.upscale(wrap(np.stack([image, image])), random_model(), rgb=False, **FAST))

    (record,) = caplog.records
    assert "Black is -9999, for 3.3 % of the pixels" in record.getMessage()


def test_it_is_one_of_the_notes(random_model):
    image = measured()[:60, :70]
    image[:2] = -9999

    notes = [step.note for step in ns.iter_upscale(image, random_model(), **FAST) if step.note]

    assert any("Black is -9999" in note for note in notes)


@pytest.mark.parametrize("rule", ["dtype", (0, 900), "0%, 99%"])
def test_a_rule_that_was_given_is_not_questioned(rule):
    image = measured()
    image[:5] = -9999

    assert warning(image, rule) == ""
