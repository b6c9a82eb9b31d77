"""All of the analysis of ratings: scores and comparisons of each data set, and the raters."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from napari_srgan.files.atomic import written_whole
from napari_srgan.files.reading import natural_key
from napari_srgan.rating.ratings import HIGH, Rating
from napari_srgan.training.metrics.mos.compare import Comparison, compare_methods, winner
from napari_srgan.training.metrics.mos.raters import RaterReport, agreement, report_raters
from napari_srgan.training.metrics.mos.scores import MethodScore, Opinions, opinions
from napari_srgan.wording import listed


@dataclass(frozen=True)
class DataSet:
    """The ratings of a data set, and what they say.

    Attributes
    ----------
    opinions : Opinions
        The ratings.
    scores : tuple of MethodScore
        Of each method, in their order.
    comparisons : tuple of Comparison
        Of each two methods.
    winner : str or None
        The method that is significantly better than every other but ``HR``.
    """

    opinions: Opinions
    scores: tuple[MethodScore, ...]
    comparisons: tuple[Comparison, ...]
    winner: str | None

    @property
    def name(self) -> str:
        """What it is called."""
        return self.opinions.data_set or "all images"


@dataclass(frozen=True)
class Analysis:
    """What ratings say of methods, data set by data set, and of the raters over all of them."""

    data_sets: tuple[DataSet, ...]
    raters: tuple[RaterReport, ...]
    agreement: float | None
    paired_by: str


def analyse(
    ratings: Sequence[Rating], *, paired_by: str = "rating", leave_out: Iterable[str] = ()
) -> Analysis:
    """Analyse ratings.

    Parameters
    ----------
    ratings : sequence of Rating
        As :func:`~napari_srgan.rating.ratings.read_ratings` returns them.
    paired_by : {"rating", "image", "rater"}
        See :func:`~napari_srgan.training.metrics.mos.compare.compare_methods`.
    leave_out : iterable of str
        Raters whose ratings do not count.

    Raises
    ------
    ValueError
        If a rater to leave out has rated nothing, or nothing is left.
    """
    left_out = set(leave_out)
    raters = {row.rater for row in ratings}
    if unknown := sorted(left_out - raters):
        known = listed(sorted(raters))
        raise ValueError(f"No rater is called {listed(unknown)}; there are {known}.")
    kept = [row for row in ratings if row.rater not in left_out]
    if not kept:
        raise ValueError("All raters are left out: nothing is left to analyse.")
    names = sorted({row.data_set for row in kept}, key=natural_key)
    every = opinions(kept)
    return Analysis(
        tuple(_data_set([row for row in kept if row.data_set == n], paired_by) for n in names),
        tuple(report_raters(every)),
        agreement(every),
        paired_by,
    )


def _data_set(ratings: Sequence[Rating], paired_by: str) -> DataSet:
    found = opinions(ratings)
    comparisons = tuple(compare_methods(found, paired_by))
    best = winner(found.methods, comparisons, aside=HIGH)
    return DataSet(found, tuple(found.scores()), comparisons, best)


def write_analysis(analysis: Analysis, path: Path) -> None:
    """Write an analysis as JSON; what is not known is null.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    sets = {
        each.name: {
            "images": len(each.opinions.images),
            "raters": len(each.opinions.raters),
            "scores": [asdict(one) for one in each.scores],
            "comparisons": [asdict(one) | {"better": one.better} for one in each.comparisons],
            "winner": each.winner,
        }
        for each in analysis.data_sets
    }
    values = {
        "data_sets": sets,
        "raters": [asdict(one) | {"calibrated": one.calibrated} for one in analysis.raters],
        "agreement": analysis.agreement,
        "paired_by": analysis.paired_by,
    }
    text = json.dumps(_finite(values), indent=2, ensure_ascii=False, allow_nan=False)
    with written_whole(path) as part:
        part.write_text(f"{text}\n", encoding="utf-8")


def _finite(value: Any) -> Any:
    """Return values with null for NaN, which JSON has not."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and math.isnan(value) else value
