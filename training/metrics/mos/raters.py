"""What raters make of the scale: means, bias, agreement, and who was not calibrated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_srgan.rating.ratings import HIGH, NEAREST
from napari_srgan.training.metrics.mos.scores import Opinions, Values

_FEWEST = 3  # points that a correlation is worked out of


@dataclass(frozen=True)
class RaterReport:
    """How one rater used the scale.

    Attributes
    ----------
    rater : str
        The name.
    ratings : int
        How many.
    mean : float
        Of all of them.
    bias : float or None
        By how much they are above the others' mean for the same versions; None where there are no
        others.
    correlation : float or None
        Pearson's, with the others' mean; None of fewer than three versions, or where either is the
        same for all.
    nearest, high : float or None
        Means of the versions that raters were calibrated on; None where there are none.
    """

    rater: str
    ratings: int
    mean: float
    bias: float | None
    correlation: float | None
    nearest: float | None
    high: float | None

    @property
    def calibrated(self) -> bool | None:
        """Whether originals were rated above nearest interpolation; None where either is missing.

        Who fails this has mistaken the scale, or has not looked.
        """
        if self.nearest is None or self.high is None:
            return None
        return self.high > self.nearest


def report_raters(opinions: Opinions) -> list[RaterReport]:
    """Return how each rater used the scale."""
    versions = opinions.values.reshape(-1, len(opinions.raters))
    anchors = {
        method: opinions.of(method) if method in opinions.methods else None
        for method in (NEAREST, HIGH)
    }
    reports = []
    for place, rater in enumerate(opinions.raters):
        own = versions[:, place]
        bias, correlation = _beside_others(own, np.delete(versions, place, axis=1))
        nearest, high = (
            None if values is None else _mean(values[:, place]) for values in anchors.values()
        )
        known = own[~np.isnan(own)]
        reports.append(
            RaterReport(rater, known.size, float(known.mean()), bias, correlation, nearest, high)
        )
    return reports


def agreement(opinions: Opinions) -> float | None:
    """Return Krippendorff's alpha of all raters, for scores on an interval scale.

    1 is full agreement, 0 what chance would give. None where no version has two ratings, or all
    ratings are the same.

    References
    ----------
    Krippendorff, "Computing Krippendorff's alpha-reliability", 2011.
    """
    versions = opinions.values.reshape(-1, len(opinions.raters))
    counts = (~np.isnan(versions)).sum(axis=1)
    paired = versions[counts > 1]
    total = int(counts[counts > 1].sum())
    if not total:
        return None
    # The sum of (a − b)² over all ordered pairs of m values is 2 (m Σa² − (Σa)²).
    within = _squares(paired, axis=1) / (counts[counts > 1] - 1)
    expected = _squares(paired.reshape(-1), axis=0) / (total - 1)
    return float(1 - within.sum() / expected) if expected > 0 else None


def _squares(values: Values, axis: int) -> Values:
    counts = (~np.isnan(values)).sum(axis)
    squares: Values = 2 * (
        counts * np.nansum(values**2, axis=axis) - np.nansum(values, axis=axis) ** 2
    )
    return squares


def _beside_others(own: Values, others: Values) -> tuple[float | None, float | None]:
    """Return bias and correlation of a rater, ``(n,)``, and the others, ``(n, raters)``."""
    both = ~np.isnan(own) & (~np.isnan(others)).any(axis=1)
    if not both.any():
        return None, None
    mine, theirs = own[both], np.nanmean(others[both], axis=1)
    bias = float(np.mean(mine - theirs))
    if mine.size < _FEWEST or np.ptp(mine) == 0 or np.ptp(theirs) == 0:
        return bias, None
    return bias, float(np.corrcoef(mine, theirs)[0, 1])


def _mean(values: Values) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else None
