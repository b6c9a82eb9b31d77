"""A rate at the corners of its schedule."""

from __future__ import annotations

from functools import partial

import pytest

from napari_srgan.training.optimise.schedules import dropped, faded, halved, warmed_up

PEAK = 3e-4
cosine = partial(warmed_up, peak=PEAK, steps=110, warmup=10, cosine=True)
constant = partial(warmed_up, peak=PEAK, steps=110, warmup=10, cosine=False)


@pytest.mark.parametrize("schedule", [cosine, constant])
def test_the_first_update_already_moves_and_the_last_of_the_rise_has_the_peak(schedule):
    assert schedule(0) == pytest.approx(PEAK / 10)
    assert schedule(4) == pytest.approx(PEAK / 2)
    assert schedule(9) == pytest.approx(PEAK)
    assert schedule(10) == pytest.approx(PEAK)


def test_a_constant_rate_stays():
    assert {constant(step) for step in range(10, 200)} == {PEAK}


def test_without_a_warm_up_the_first_update_has_the_peak():
    for falls in (True, False):
        assert warmed_up(0, peak=PEAK, steps=5, warmup=0, cosine=falls) == PEAK


def test_a_cosine_has_half_the_peak_in_the_middle_and_nothing_at_the_end():
    assert cosine(60) == pytest.approx(PEAK / 2)
    assert 0 < cosine(109) < PEAK / 1000
    assert cosine(110) == pytest.approx(0)


def test_a_cosine_only_falls():
    rates = [cosine(step) for step in range(10, 111)]
    assert rates == sorted(rates, reverse=True)


def test_the_drop_is_at_its_step_and_neither_before_nor_after():
    rates = [dropped(step, peak=1e-4, drop_at=3) for step in range(6)]
    assert rates == pytest.approx([1e-4] * 3 + [1e-5] * 3)


def test_a_drop_at_0_holds_from_the_first_update():
    assert dropped(0, peak=1e-4, drop_at=0) == pytest.approx(1e-5)


def test_a_rate_is_halved_after_so_many_updates_and_again_after_as_many():
    rates = [halved(step, peak=PEAK, every=3) for step in range(8)]
    assert rates == pytest.approx([PEAK] * 3 + [PEAK / 2] * 3 + [PEAK / 4] * 2)


def test_a_share_fades_from_its_first_value_to_nothing_after_the_last_update():
    share = partial(faded, first=0.8, steps=10)
    assert [share(step) for step in (0, 5, 10, 20)] == pytest.approx([0.8, 0.4, 0, 0])
