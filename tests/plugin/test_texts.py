import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_srgan.inference.images import Layout
from napari_srgan.plugin.messages import left_text, run_text, shape_text, size_text, time_text


def layout(*leading):
    return Layout(leading, 48, 64, 0, np.dtype(np.uint8))


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1024, "1.0 KiB"),
        (10 * 1024, "10 KiB"),
        (18 * 2**20, "18 MiB"),
        (3.2 * 2**30, "3.2 GiB"),
        (5000 * 2**40, "5000 TiB"),
    ],
)
def test_a_size_has_two_digits_and_a_unit(count, text):
    assert size_text(count) == text


@given(st.floats(0, 2**53))
def test_a_size_says_no_more_than_four_digits_and_the_right_amount(count):
    number, unit = size_text(count).split()
    said = float(number) * 1024 ** ["B", "KiB", "MiB", "GiB", "TiB"].index(unit)

    assert said == pytest.approx(count, rel=0.06, abs=0.5)
    assert len(number.replace(".", "")) <= 4


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "under a second"),
        (0.99, "under a second"),
        (1, "1 s"),
        (99.4, "99 s"),
        (100, "1 min 40 s"),
        (119.9, "2 min"),
        (200, "3 min 20 s"),
        (598, "10 min"),
        (1234, "21 min"),
        (5399, "90 min"),
        (5400, "1.5 h"),
        (90_000, "25.0 h"),
    ],
)
def test_a_time_is_as_fine_as_it_is_of_use(seconds, text):
    assert time_text(seconds) == text


@given(st.floats(1, 1e6))
def test_a_time_is_right_within_a_twentieth_or_half_a_second(seconds):
    said = sum(
        float(number) * {"h": 3600, "min": 60, "s": 1}[unit]
        for number, unit in re.findall(r"([\d.]+) (h|min|s)", time_text(seconds))
    )
    assert said == pytest.approx(seconds, rel=0.05, abs=0.5)


def test_a_shape_has_the_width_first_and_counts_planes():
    assert shape_text(layout()) == "64 × 48"
    assert shape_text(layout(), 4) == "256 × 192"
    assert shape_text(layout(1)) == "64 × 48"
    assert shape_text(layout(3, 5)) == "15 planes of 64 × 48"


def test_a_run_is_told_by_its_size_its_time_and_its_memory():
    assert run_text(layout(3), 4, memory=18 * 2**20, free=4 * 2**30, seconds=200).splitlines() == [
        "3 planes of 64 × 48 → 3 planes of 256 × 192 pixels",
        "about 3 min 20 s",
        "18 MiB of memory; 4.0 GiB are free",
    ]


def test_a_run_that_does_not_fit_says_so():
    text = run_text(layout(), 4, memory=2**30, free=2**20, seconds=0.1)

    assert "1.0 GiB of memory; only 1.0 MiB are free" in text
    assert "about" not in text


def test_time_left_follows_the_pace_so_far():
    assert left_text(0, 10, 5.0) == "starting"
    assert left_text(1, 4, 10.0) == "25 %, 30 s left"
    assert left_text(10, 10, 7.0) == "100 %, under a second left"


@given(st.integers(1, 999), st.floats(0.1, 1e4))
def test_only_all_is_a_hundred_percent(done, elapsed):
    assert not left_text(done, 1000, elapsed).startswith("100 %")
