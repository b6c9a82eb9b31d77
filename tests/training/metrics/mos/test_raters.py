"""Raters who are biased, careless or have the scale upside down, and their agreement."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synthetic_raters import opinions_of

from napari_srgan.rating.ratings import Rating
from napari_srgan.training.metrics.mos.raters import agreement, report_raters
from napari_srgan.training.metrics.mos.scores import Opinions, opinions

NAN = np.nan
# The example of "Computing Krippendorff's alpha-reliability": four observers, twelve units.
KRIPPENDORFF = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
)


def as_opinions(table):
    """Return a table, ``(raters, images)``, as the ratings of one method."""
    raters, images = (tuple(map(str, range(size))) for size in table.shape)
    return Opinions("", ("HR",), images, raters, table.T[None])


def changed(ratings, rater, change):
    return [
        replace(row, rating=change(row.rating)) if row.rater == rater else row for row in ratings
    ]


def report_of(ratings, rater):
    (report,) = (one for one in report_raters(opinions(ratings)) if one.rater == rater)
    return report


def test_agreement_is_krippendorffs_own_example():
    assert agreement(as_opinions(KRIPPENDORFF)) == pytest.approx(0.849, abs=5e-4)


def test_agreement_is_1_of_one_mind_near_0_of_chance_and_below_of_contraries():
    source = np.random.default_rng(0)
    column = source.integers(1, 6, 200).astype(float)
    assert agreement(as_opinions(np.stack([column, column]))) == 1
    chance = source.integers(1, 6, (4, 500)).astype(float)
    assert abs(agreement(as_opinions(chance))) < 0.05
    assert agreement(as_opinions(np.stack([column, 6 - column]))) < -0.5


@pytest.mark.parametrize(
    "table",
    [np.array([[1.0, 2, 3]]), np.array([[1.0, NAN], [NAN, 2]]), np.full((3, 4), 2.0)],
)
def test_agreement_is_not_known_without_two_ratings_or_any_difference(table):
    assert agreement(as_opinions(table)) is None


def test_a_rater_who_turns_the_scale_round_is_not_calibrated():
    ratings = changed(opinions_of(), "rater 2", lambda score: 6 - score)
    calibrated = {one.rater: one.calibrated for one in report_raters(opinions(ratings))}
    assert [rater for rater, is_so in calibrated.items() if not is_so] == ["rater 2"]
    assert report_of(ratings, "rater 2").correlation < -0.7


def test_a_rater_who_gives_all_the_same_is_not_calibrated_and_has_no_correlation():
    report = report_of(changed(opinions_of(), "rater 1", lambda _: 3), "rater 1")
    assert report.calibrated is False
    assert (report.nearest, report.high, report.correlation) == (3, 3, None)


def test_bias_is_what_a_rater_adds():
    fair = opinions_of({"nearest": 2, "HR": 3}, noise=0, of_rater=0, of_image=0)
    report = report_of(changed(fair, "rater 0", lambda score: score + 1), "rater 0")
    assert (report.bias, report.calibrated) == (1, True)
    assert report_of(fair, "rater 0").bias == 0


def test_without_both_anchors_calibration_is_not_known():
    for ratings in (
        opinions_of({"bicubic": 2.0, "HR": 4.0}),
        [Rating("", "a", "HR", "rater 0", 5), Rating("", "a", "nearest", "ann", 1)],
    ):
        assert report_of(ratings, "rater 0").calibrated is None


def test_one_rater_has_no_others_to_differ_from():
    (report,) = report_raters(opinions(opinions_of(raters=1)))
    assert (report.bias, report.correlation) == (None, None)
    assert report.ratings == 50
