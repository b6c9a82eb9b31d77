"""Wilcoxon's test by hand on small cases, and its verdicts on methods whose truth is known."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from synthetic_raters import TRUTH, opinions_of

from napari_srgan.rating.ratings import Rating
from napari_srgan.training.metrics.mos.compare import (
    compare_methods,
    holm,
    signed_rank_p,
    winner,
)
from napari_srgan.training.metrics.mos.scores import opinions


def by_enumeration(differences):
    """Return the two-sided p of all signs that the differences' ranks could have had."""
    kept = [d for d in differences if d]
    ranks = stats.rankdata(np.abs(kept))
    centre = ranks.sum() / 2
    seen = abs(ranks[np.array(kept) > 0].sum() - centre)
    sums = [np.dot(signs, ranks) for signs in product([0, 1], repeat=len(kept))]
    return np.mean([abs(total - centre) >= seen - 1e-9 for total in sums])


def rated(pairs, first="a", second="b"):
    """Return two methods' ratings of as many images by one rater; None is not given."""
    return opinions(
        [
            Rating("", f"{place}", method, "ann", score)
            for place, pair in enumerate(pairs)
            for method, score in zip((first, second), pair, strict=True)
            if score is not None
        ]
    )


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([1, 2, 3], 2 / 8),  # of eight signs, none and all are as far out
        ([1, -2, 3], 6 / 8),  # W+ = 4 of 6; 4, 5, 6 and 2, 1, 0
        ([1, 1, 1, 1, 1], 2 / 32),
        ([2, 2, 2, 2, -2], 12 / 32),  # none, all, and one of five either way
        ([0, 0, 0, 1, 2, 3], 2 / 8),  # zeros are left out
        ([0, 0], 1),
        ([2], 1),
    ],
)
def test_p_is_the_one_that_is_worked_out_by_hand(differences, p):
    assert signed_rank_p(np.array(differences, float)) == pytest.approx(p)


def test_of_no_pairs_p_is_not_known():
    assert np.isnan(signed_rank_p(np.array([])))


@settings(max_examples=30)
@given(st.lists(st.integers(-4, 4), min_size=1, max_size=8).filter(any))
def test_p_of_few_differences_is_exact_with_ties_and_zeros(differences):
    p = signed_rank_p(np.array(differences, float))
    assert p == pytest.approx(by_enumeration(differences))


@given(st.integers(0, 10_000))
def test_p_of_many_is_the_normal_approximation_corrected_for_ties(seed):
    differences = np.random.default_rng(seed).integers(-2, 4, 80).astype(float)
    kept = differences[differences != 0]
    n, ranks = len(kept), stats.rankdata(np.abs(kept))
    ties = np.unique(np.abs(kept), return_counts=True)[1]
    variance = n * (n + 1) * (2 * n + 1) / 24 - (ties**3 - ties).sum() / 48
    z = (ranks[kept > 0].sum() - n * (n + 1) / 4) / variance**0.5
    assert signed_rank_p(differences) == pytest.approx(2 * stats.norm.sf(abs(z)))


@pytest.mark.parametrize("seed", range(3))
def test_p_is_scipys_own(seed):
    source = np.random.default_rng(seed)
    for tied, size in ((True, 10), (True, 30), (False, 10), (False, 30)):
        values = source.integers(1, 5, size) if tied else 1 + np.arange(size)
        differences = values * source.choice([-1.0, 1, 1], size)
        assert signed_rank_p(differences) == pytest.approx(stats.wilcoxon(differences).pvalue)


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=8))
def test_p_is_the_same_for_either_method_first(differences):
    values = np.array(differences, float)
    assert signed_rank_p(values) == pytest.approx(signed_rank_p(-values))


def test_pairs_are_of_one_rater_and_one_image_and_others_are_left_out():
    (one,) = compare_methods(rated([(1, 3), (2, None), (None, 5), (1, 2), (3, 3)]))
    assert (one.pairs, one.difference, one.p) == (3, 1.0, 0.5)


def test_what_nobody_rated_of_both_is_not_compared():
    (one,) = compare_methods(rated([(1, None), (None, 5)]))
    assert one.pairs == 0
    assert np.isnan([one.difference, one.p, one.p_holm]).all()
    assert one.better is None


def test_one_method_has_nothing_to_be_compared_with():
    assert compare_methods(rated([(1, None)])) == []


def test_methods_that_are_rated_alike_do_not_differ():
    (one,) = compare_methods(rated([(3, 3), (4, 4)]))
    assert (one.difference, one.p, one.better) == (0, 1, None)


def test_the_better_method_is_the_one_with_the_higher_ratings():
    (one,) = compare_methods(rated([(1, 3)] * 8))
    assert one.better == "b"
    (one,) = compare_methods(rated([(4, 2)] * 8))
    assert one.better == one.second
    assert one.p == pytest.approx(2 / 2**8)


def test_pairs_of_means_are_as_many_as_images_or_raters():
    found = opinions(opinions_of(images=7, raters=5))
    for paired_by, pairs in (("rating", 35), ("image", 7), ("rater", 5)):
        assert {one.pairs for one in compare_methods(found, paired_by)} == {pairs}
    with pytest.raises(ValueError, match="rating, image, rater; got 'method'"):
        compare_methods(found, "method")


def test_means_that_differ_by_rounding_only_are_ties():
    rows = [
        Rating("", image, method, f"{rater}", score)
        for image in "pqr"
        for method, scores in (("a", (1, 1, 2)), ("b", (2, 1, 2)))
        for rater, score in enumerate(scores)
    ]
    (one,) = compare_methods(opinions(rows), "image")
    assert one.p == pytest.approx(2 / 8)


def test_every_true_difference_is_found_and_the_winner_named():
    found = opinions(opinions_of(images=12, raters=10))
    comparisons = compare_methods(found)
    assert len(comparisons) == 10
    assert all(one.better == max(one.first, one.second, key=TRUTH.get) for one in comparisons)
    assert winner(found.methods, comparisons, aside="HR") == "srgan-x4"


def test_methods_of_one_quality_are_told_apart_in_5_of_100_tests():
    truth = {"a": 3.0, "b": 3.0}
    found = [
        compare_methods(opinions(opinions_of(truth, images=6, raters=5, seed=seed)))[0].significant
        for seed in range(300)
    ]
    assert 0.02 <= np.mean(found) <= 0.08


def test_there_is_no_winner_where_two_are_alike_or_one_stands_alone():
    found = rated([(3, 4), (4, 3)] * 5)
    assert winner(found.methods, compare_methods(found), aside="HR") is None
    assert winner(("a", "HR"), compare_methods(rated([(1, 5)] * 9, "a", "HR")), aside="HR") is None


def test_holms_adjustment_is_the_one_worked_out_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1, 1]
    adjusted = holm([0.02, float("nan"), 0.03])
    assert adjusted[::2] == pytest.approx([0.04, 0.04])
    assert np.isnan(adjusted[1])
