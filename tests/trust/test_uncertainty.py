"""Laws of the error to expect: found where there is one, and held to account where it is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_srgan.trust.uncertainty import account_of, expected_error, fit_law

COUNT = 20_000


def spreads(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).lognormal(-4, 1, COUNT)


def errors(spread: np.ndarray, law: tuple[float, float], seed: int = 1) -> np.ndarray:
    """Return errors whose root mean square follows from the spread by a law."""
    drawn = np.random.default_rng(seed).normal(size=COUNT)
    return np.abs(drawn) * expected_error(spread, law, 1)


@given(factor=st.floats(0.1, 20), power=st.floats(0.3, 1.5))
def test_the_law_that_errors_follow_is_found(factor, power) -> None:
    found = fit_law(spreads(), errors(spreads(), (factor, power)))
    assert found[0] == pytest.approx(factor, rel=0.2)
    assert found[1] == pytest.approx(power, abs=0.05)


def test_the_true_law_is_true_to_account() -> None:
    spread, law = spreads(), (3.0, 0.8)
    account = account_of([expected_error(spread, law, 1)], [errors(spread, law)])
    assert account.ratio == pytest.approx(1, abs=0.05)
    assert 0.4 < account.rank < 1
    for expected, found in account.curve:
        assert found == pytest.approx(expected, rel=0.2)


def test_an_expectation_that_is_twice_too_small_is_found_out() -> None:
    spread, law = spreads(), (3.0, 0.8)
    account = account_of([0.5 * expected_error(spread, law, 1)], [errors(spread, law)])
    assert account.ratio == pytest.approx(2, rel=0.05)


def test_knowing_the_error_is_best_and_guessing_is_chance() -> None:
    error = errors(spreads(), (3.0, 0.8))
    best = account_of([error], [error])
    assert (best.rank, best.ratio, best.sparsification) == pytest.approx((1, 1, 1))
    guessed = account_of([np.random.default_rng(2).random(COUNT)], [error])
    assert guessed.sparsification == pytest.approx(0, abs=0.05)
    assert guessed.rank == pytest.approx(0, abs=0.05)


@given(width=st.floats(1e-3, 1e5))
def test_the_error_to_expect_is_in_the_images_units(width) -> None:
    law, part = (4.0, 0.75), np.array([0.0, 0.01, 0.5])
    np.testing.assert_allclose(
        expected_error(width * part, law, width), width * expected_error(part, law, 1), rtol=1e-9
    )


def test_no_law_is_fitted_to_certainty() -> None:
    with pytest.raises(ValueError, match="same in all orientations"):
        fit_law(np.zeros(100), np.ones(100))
