"""Ratings as an array, and their means with confidence intervals over images and raters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from napari_srgan.files.reading import natural_key
from napari_srgan.rating.ratings import BICUBIC, HIGH, HIGHEST, LOWEST, NEAREST, Rating

LEVEL = 0.95  # of confidence
SCORES = tuple(range(LOWEST, HIGHEST + 1))

Values = NDArray[np.float64]


@dataclass(frozen=True)
class MethodScore:
    """What raters gave one method.

    Attributes
    ----------
    method : str
        Its name.
    mean : float
        The mean opinion score: over all ratings, as the paper has it.
    low, high : float or None
        Between which the mean is with `LEVEL` of confidence; None for a single rating.
    counts : tuple of int
        How often it was given 1, 2, 3, 4 and 5.
    """

    method: str
    mean: float
    low: float | None
    high: float | None
    counts: tuple[int, ...]

    @property
    def ratings(self) -> int:
        """How many there are."""
        return sum(self.counts)


@dataclass(frozen=True)
class Opinions:
    """Ratings of images by methods and raters.

    Attributes
    ----------
    data_set : str
        Which images they are.
    methods, images, raters : tuple of str
        What the axes of ``values`` are; methods as tables have them, see :func:`in_order`.
    values : ndarray
        ``(methods, images, raters)``, from 1 to 5; NaN where there is no rating.
    """

    data_set: str
    methods: tuple[str, ...]
    images: tuple[str, ...]
    raters: tuple[str, ...]
    values: Values

    def of(self, method: str) -> Values:
        """Return the ratings of a method, ``(images, raters)``."""
        found: Values = self.values[self.methods.index(method)]
        return found

    @property
    def missing(self) -> int:
        """How many ratings there would be more, had every rater rated every version."""
        return int(np.isnan(self.values).sum())

    def scores(self) -> list[MethodScore]:
        """Return each method's mean opinion score."""
        return [_score(method, self.of(method)) for method in self.methods]


def opinions(ratings: Sequence[Rating]) -> Opinions:
    """Return ratings, at least one, as an array; images are told apart by data set and name."""
    images = _places((row.data_set, row.image) for row in ratings)
    raters = _places(sorted({row.rater for row in ratings}, key=natural_key))
    methods = _places(row.method for row in ratings)
    values = np.full((len(methods), len(images), len(raters)), np.nan)
    for row in ratings:
        place = methods[row.method], images[row.data_set, row.image], raters[row.rater]
        values[place] = row.rating
    order = in_order(list(methods), [float(np.nanmean(each)) for each in values])
    return Opinions(
        ", ".join(dict.fromkeys(data_set for data_set, _ in images)),
        tuple(order),
        tuple(name for _, name in images),
        tuple(raters),
        values[[methods[method] for method in order]],
    )


def in_order(methods: Sequence[str], means: Sequence[float]) -> list[str]:
    """Return methods as the paper's tables have them: the controls, others by score, ``HR``."""

    def key(place: int) -> tuple[int, float, str]:
        rank = {NEAREST: 0, BICUBIC: 1, HIGH: 3}.get(methods[place], 2)
        return rank, means[place], methods[place]

    return [methods[place] for place in sorted(range(len(methods)), key=key)]


def confidence_interval(values: Values) -> tuple[float, float] | None:
    """Return between which limits the mean is, were other raters to rate other images.

    Ratings of one image, and those by one rater, are not independent: the variance of the mean is
    the two-way cluster-robust one, with Satterthwaite's degrees of freedom. Of a single rater it is
    over images only, of a single image over raters only.

    Parameters
    ----------
    values : ndarray
        ``(images, raters)``, NaN where there is no rating.

    Returns
    -------
    tuple of float or None
        Within 1 to 5. None where one rater has rated one image, which tells nothing of others.

    References
    ----------
    Cameron, Gelbach and Miller, "Robust inference with multiway clustering", 2011, eq. 2.3.
    """
    known = ~np.isnan(values)
    count, mean = int(known.sum()), float(np.nanmean(values))
    off = np.where(known, values - mean, 0.0)
    # Of images and of raters: variance of the mean, and its degrees of freedom.
    parts = [
        (float(np.square(off.sum(axis)).sum()) / count**2 * groups / (groups - 1), groups - 1)
        for axis in (1, 0)
        if (groups := int(known.any(axis).sum())) > 1
    ]
    if not parts:
        return None
    variance = sum(part for part, _ in parts)
    if len(parts) > 1:  # what varies from rating to rating is in both
        single = float(np.square(off).sum()) / count / (count - 1)
        variance = max(variance - single, *(part for part, _ in parts))
    if not variance:
        return mean, mean
    freedom = variance**2 / sum(part**2 / free for part, free in parts)
    reach = float(student.ppf((1 + LEVEL) / 2, freedom)) * variance**0.5
    return max(mean - reach, float(LOWEST)), min(mean + reach, float(HIGHEST))


def _score(method: str, values: Values) -> MethodScore:
    known = values[~np.isnan(values)]
    counts = tuple(int((known == score).sum()) for score in SCORES)
    low, high = confidence_interval(values) or (None, None)
    return MethodScore(method, float(known.mean()), low, high, counts)


def _places(keys: Iterable[Any]) -> dict[Any, int]:
    return {key: place for place, key in enumerate(dict.fromkeys(keys))}
