"""Means and intervals, against the truth that ratings were made of and against the textbook."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from napari_srgan.rating.ratings import Rating
from napari_srgan.training.metrics.mos.scores import confidence_interval, in_order, opinions

TABLES = arrays(
    np.float64,
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    elements=st.sampled_from([1.0, 2.0, 3.0, 4.0, 5.0, np.nan]),
).filter(lambda values: not np.isnan(values).all())


def textbook(values):
    """Return the t interval of independent values."""
    mean, reach = values.mean(), stats.sem(values) * stats.t.ppf(0.975, len(values) - 1)
    return max(mean - reach, 1), min(mean + reach, 5)


def test_the_mean_is_over_all_ratings_and_counts_are_of_each_score():
    rows = [Rating("", str(i), "bicubic", "ann", score) for i, score in enumerate([1, 1, 2, 5])]
    (score,) = opinions(rows).scores()
    assert (score.mean, score.counts, score.ratings) == (2.25, (2, 1, 0, 0, 1), 4)


def test_the_array_has_each_rating_in_its_place():
    rows = [
        Rating(data_set, image, method, rater, 1 + (place % 5))
        for place, (data_set, image, method, rater) in enumerate(
            (d, i, m, r) for d in "xy" for i in "ab" for m in ("HR", "net") for r in ("q", "p")
        )
    ]
    found = opinions(rows)
    assert found.values.shape == (2, 4, 2)  # images of one name in two data sets are two
    assert (found.methods, found.raters) == (("net", "HR"), ("p", "q"))
    assert found.of("HR")[3].tolist() == [14 % 5, 13 % 5]
    assert found.missing == 0


@pytest.mark.parametrize("one", ["rater", "image"])
def test_of_one_rater_or_one_image_the_interval_is_the_textbooks(one):
    values = np.array([2.0, 3, 3, 4, 2, 5])
    table = values[:, None] if one == "rater" else values[None]
    assert confidence_interval(table) == pytest.approx(textbook(values))


@pytest.mark.parametrize("of", ["raters", "images"])
def test_where_all_variance_is_of_one_kind_the_interval_is_that_of_its_means(of):
    means = np.array([2.0, 3, 3, 4, 2])
    table = np.broadcast_to(means[:, None], (5, 40))
    table = table.T if of == "raters" else table
    assert confidence_interval(table) == pytest.approx(textbook(means))


def test_one_rating_has_no_interval_and_ratings_that_agree_have_an_empty_one():
    assert confidence_interval(np.array([[3.0, np.nan]])) is None
    assert confidence_interval(np.full((3, 4), 2.0)) == (2, 2)


@given(TABLES)
def test_an_interval_holds_its_mean_and_does_not_know_of_order(values):
    interval = confidence_interval(values)
    if interval is not None:
        low, high = interval
        assert 1 <= low <= np.nanmean(values) + 1e-9
        assert np.nanmean(values) - 1e-9 <= high <= 5
        assert confidence_interval(values[::-1, ::-1]) == pytest.approx(interval)
        assert confidence_interval(values.T) == pytest.approx(interval)


@pytest.mark.parametrize(("images", "raters"), [(5, 6), (20, 4), (8, 26)])
def test_about_95_of_100_intervals_hold_the_truth_for_other_images_and_raters(images, raters):
    source = np.random.default_rng(3)
    held, trials = 0, 600
    for _ in range(trials):
        off = source.normal(0, 0.3, (images, 1)) + source.normal(0, 0.25, (1, raters))
        table = 3 + off + source.normal(0, 0.5, (images, raters))
        table[source.random(table.shape) < 0.1] = np.nan
        low, high = confidence_interval(table)
        held += low <= 3 <= high
    assert 0.92 <= held / trials <= 0.99


def test_methods_stand_as_the_papers_tables_have_them():
    methods = ["HR", "b", "bicubic", "a", "nearest"]
    assert in_order(methods, [3, 2, 5, 2, 4]) == ["nearest", "bicubic", "a", "b", "HR"]
    assert in_order(["b", "a"], [1, 2]) == ["b", "a"]
