"""The error to expect, by the spread over eight orientations: the law, fitted and held to account.

Where a network gives the same for an image whichever way it lies, it is mostly right; where it does
not, it is mostly wrong by more. On photographs the error grows with a power of the spread; for
networks that draw texture that power is about 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.floating]
Law = tuple[float, float]

BINS = 20  # of equally many pixels, for a fit and for a curve
_STEPS = np.arange(0, 1, 0.05)  # shares of the pixels that are left out, the least certain first


def expected_error(spread: Values, law: Law, width: float) -> Values:
    """Return the error to expect, root mean square over colours.

    Parameters
    ----------
    spread : ndarray
        Standard deviation over the eight orientations, in the image's units.
    law : tuple of float
        Factor and power.
    width : float
        Of the range from black to white, in the same units.
    """
    factor, power = law
    error: Values = width * factor * (spread / width) ** power
    return error


def fit_law(spread: Values, error: Values) -> Law:
    """Return the law by which errors follow from spreads, of images with a range of 1.

    Fitted is, in logarithms, the root mean square of the error in bins of equally many pixels.

    Raises
    ------
    ValueError
        If all spreads are 0: there is nothing to tell pixels apart by.
    """
    seen, found = _binned(spread, error)
    if np.count_nonzero((seen > 0) & (found > 0)) < 2:
        raise ValueError("The network gives the same in all orientations: no law can be fitted.")
    kept = (seen > 0) & (found > 0)
    power, logarithm = np.polyfit(np.log(seen[kept]), np.log(found[kept]), 1)
    return float(np.exp(logarithm)), float(power)


@dataclass(frozen=True)
class Account:
    """How true expected errors are.

    Attributes
    ----------
    rank : float
        Rank correlation with the errors found, of the pixels of an image; mean over images.
    ratio : float
        Root mean square of all errors found, to that of those expected; 1 is true.
    sparsification : float
        Of the error that leaving out pixels by their errors would save, what leaving them out by
        their expected errors does; mean over shares left out. 1 is best, 0 is chance.
    curve : tuple of tuple of float
        Expected and found error, root mean square, in bins of equally many pixels, ascending.
    """

    rank: float
    ratio: float
    sparsification: float
    curve: tuple[tuple[float, float], ...]


def account_of(expected: list[Values], found: list[Values]) -> Account:
    """Hold expected errors to those found, an array of each for each image."""
    from scipy.stats import spearmanr  # takes as long to import as a third of torch

    ranks = [float(spearmanr(e, f).statistic) for e, f in zip(expected, found, strict=True)]
    all_expected, all_found = np.concatenate(expected), np.concatenate(found)
    seen, binned = _binned(all_expected, all_found)
    return Account(
        float(np.mean(ranks)),
        _rms(all_found) / _rms(all_expected),
        _sparsification(all_expected, all_found),
        tuple((float(e), float(f)) for e, f in zip(seen, binned, strict=True)),
    )


def _sparsification(expected: Values, found: Values) -> float:
    by_expected, by_found = (
        _left(np.square(found[np.argsort(order)])) for order in (expected, found)
    )
    chance = _rms(found)
    return float((chance - by_expected).sum() / (chance - by_found).sum())


def _left(squares: Values) -> Values:
    """Return the root mean square of what is left, the last being left out first."""
    counts = np.maximum(1, np.round(len(squares) * (1 - _STEPS))).astype(int)
    left: Values = np.sqrt(np.cumsum(squares, dtype=np.float64)[counts - 1] / counts)
    return left


def _binned(order: Values, values: Values) -> tuple[Values, Values]:
    """Return the root mean squares of both in bins of equally many, in ascending order."""
    places = np.array_split(np.argsort(order), min(BINS, len(order)))
    return (
        np.array([_rms(order[place]) for place in places]),
        np.array([_rms(values[place]) for place in places]),
    )


def _rms(values: Values) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
