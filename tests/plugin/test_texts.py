import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_srgan.inference.devices import choose_devices, choose_precision
from napari_srgan.inference.images import Layout, layout_of
from napari_srgan.inference.planning import Tiles
from napari_srgan.inference.run import must_fill
from napari_srgan.inference.values.ranges import value_range
from napari_srgan.inference.values.rules import parse_normalize
from napari_srgan.plugin.texts import (
    caution_text,
    deferred_text,
    details_text,
    in_controls_words,
    left_text,
    run_text,
    shape_text,
    size_text,
    time_text,
    too_large_text,
)
from napari_srgan.store.registry import ModelInfo, info_of


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


def test_a_short_run_is_told_without_about():
    text = run_text(layout(), 4, memory=2**20, free=2**30, seconds=0.1)

    assert "\nunder a second\n" in text


def test_a_run_that_does_not_fit_names_the_controls_that_make_it_fit():
    one, many = (too_large_text(2**30, 2**20, planes=planes) for planes in (False, True))

    assert one == (
        "This takes 1.0 GiB of memory; only 1.0 MiB are free. "
        "Choose Advanced options → Compute → when shown."
    )
    assert "Choose Planes → current, or Advanced options → Compute → when shown." in many


def test_planes_that_are_computed_when_shown_are_told_by_the_time_of_one():
    assert deferred_text(layout(3), 4, 12).splitlines() == [
        "3 planes of 64 × 48 → 3 planes of 256 × 192 pixels",
        "computed when shown, about 12 s a plane",
    ]


@pytest.mark.parametrize(
    "call",
    [
        lambda: parse_normalize("a, b"),
        lambda: value_range(np.zeros((5, 7)), layout_of((5, 7), "f4"), (-1e308, 1e308)),
        lambda: must_fill(np.full((5, 7), np.nan), layout_of((5, 7), "f8"), "error"),
        lambda: choose_devices("cuda:77"),
        lambda: choose_precision("float8", torch.device("cpu"), np.dtype("u1")),
        lambda: Tiles.of(64, SimpleNamespace(network=Whole(), precision=torch.float32)),
    ],
    ids=["normalize", "range", "nan", "device", "precision", "tile"],
)
def test_errors_name_controls_and_no_arguments(call):
    with pytest.raises(ValueError) as error:  # noqa: PT011 - whichever it is
        call()
    text = in_controls_words(str(error.value))

    assert "→" in text
    assert not re.search(r"\b(normalize|nan|precision|tile|device)\b ?(=|must|at )", text)


class Whole:
    """A network that looks at the whole image for every pixel."""

    radius = None

    def bytes_per_pixel(self, _precision):
        return 1


def test_a_caution_is_one_line_with_a_sign():
    info = info_of("srgan-x4")
    assert caution_text(info) == "⚠ Invents detail: do not measure"
    assert caution_text(info_of("srresnet-x4")) == ""
    unknown = ModelInfo(str(info), **{**vars(info), "generative": None})
    assert caution_text(unknown) == "⚠ May invent detail: not known"


def test_a_model_is_described_by_factor_size_and_licence():
    assert details_text(info_of("srgan-x4")) == "×4 · 3.2 MiB · BSD-3-Clause"


def test_time_left_follows_the_pace_so_far():
    assert left_text(0, 10, 5.0) == "starting"
    assert left_text(1, 4, 10.0) == "25 %, 30 s left"
    assert left_text(10, 10, 7.0) == "100 %, under a second left"


@given(st.integers(1, 999), st.floats(0.1, 1e4))
def test_only_all_is_a_hundred_percent(done, elapsed):
    assert not left_text(done, 1000, elapsed).startswith("100 %")
