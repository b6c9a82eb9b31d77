"""Which methods differ: paired two-sided Wilcoxon signed-rank tests, as in §3.3."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.stats import permutation_test, rankdata, wilcoxon

from napari_srgan.training.metrics.mos.scores import Opinions, Values

SIGNIFICANT = 0.05  # §3.3

# Over which axis of (images, raters) means are taken; none, where each rating is by itself.
_MEAN_OVER = {"rating": None, "image": 1, "rater": 0}
_ENUMERATED = 13  # differences: so many are tested by all signs that they could have
_DECIMALS = 9  # means that differ by rounding only are ties


@dataclass(frozen=True)
class Comparison:
    """Two methods, compared on what was rated of both.

    Attributes
    ----------
    first, second : str
        The methods.
    pairs : int
        How many pairs there are; 0 where nothing was rated of both.
    difference : float
        Mean rating of the second less that of the first, over the pairs; NaN without any.
    p : float
        Of the test; NaN without any pair, 1 where no pair differs.
    p_holm : float
        The same, adjusted by Holm for all comparisons of the data set.
    """

    first: str
    second: str
    pairs: int
    difference: float
    p: float
    p_holm: float

    @property
    def significant(self) -> bool:
        """Whether they differ by the paper's measure: ``p < 0.05``, unadjusted."""
        return self.p < SIGNIFICANT

    @property
    def better(self) -> str | None:
        """The method that is significantly better, if either is."""
        if not self.significant or not self.difference:
            return None
        return self.second if self.difference > 0 else self.first


def compare_methods(opinions: Opinions, paired_by: str = "rating") -> list[Comparison]:
    """Compare each two methods of a data set.

    Parameters
    ----------
    opinions : Opinions
        The ratings.
    paired_by : {"rating", "image", "rater"}
        What a pair is: one rater's ratings of one image, as in the paper, or means over the raters
        of an image, or over the images of a rater. The paper's pairs are not independent of each
        other, so that its test finds more than it should; means have no such fault, and less power.

    Raises
    ------
    ValueError
        If ``paired_by`` is something else.
    """
    if paired_by not in _MEAN_OVER:
        raise ValueError(f"Ratings are paired by {', '.join(_MEAN_OVER)}; got {paired_by!r}.")
    found = []
    for first, second in combinations(opinions.methods, 2):
        off = _differences(opinions.of(second) - opinions.of(first), _MEAN_OVER[paired_by])
        mean = float(off.mean()) if off.size else float("nan")
        found.append((first, second, off.size, mean, signed_rank_p(off)))
    adjusted = holm([p for *_, p in found])
    return [Comparison(*one, p_holm=p) for one, p in zip(found, adjusted, strict=True)]


def signed_rank_p(differences: Values) -> float:
    """Return p of the two-sided Wilcoxon signed-rank test, of differences ``(n,)``.

    Differences of zero are left out, as Wilcoxon did. Exact for few differences, by the normal
    approximation with its correction for ties for many. 1 where all are zero, NaN of none.
    """
    if not differences.size:
        return float("nan")
    kept = differences[differences != 0]
    if kept.size < 2:  # either sign is as likely
        return 1.0
    if kept.size > _ENUMERATED:
        return float(wilcoxon(kept).pvalue)
    # What scipy's `wilcoxon` does for as few with ties, in a hundredth of its time.
    signed_ranks = np.sign(kept) * rankdata(np.abs(kept))
    signs = permutation_test(
        (signed_ranks,),
        lambda x, axis: np.sum(x, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=2**kept.size,
    )
    return float(signs.pvalue)


def holm(p: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number by Holm's method; NaN stays, and is not counted."""
    known = sorted((value, place) for place, value in enumerate(p) if not np.isnan(value))
    adjusted, largest = [float("nan")] * len(p), 0.0
    for rank, (value, place) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * value))
        adjusted[place] = largest
    return adjusted


def winner(methods: Sequence[str], comparisons: Sequence[Comparison], *, aside: str) -> str | None:
    """Return the method that is significantly better than every other, if one is.

    ``aside`` is left out of account: the original is no competitor.
    """
    rest = [method for method in methods if method != aside]
    better = {frozenset((one.first, one.second)): one.better for one in comparisons}
    for method in rest if len(rest) > 1 else []:
        if all(better[frozenset((method, o))] == method for o in rest if o != method):
            return method
    return None


def _differences(values: Values, mean_over: int | None) -> Values:
    """Return the differences to be tested, of ``(images, raters)`` with NaN where there is none."""
    known = ~np.isnan(values)
    if mean_over is None:
        return values[known]
    counts = known.sum(mean_over)
    sums = np.where(known, values, 0.0).sum(mean_over)
    means: Values = np.round(sums[counts > 0] / counts[counts > 0], _DECIMALS)
    return means
