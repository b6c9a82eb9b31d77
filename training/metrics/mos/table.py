"""An analysis of ratings in words: the paper's table, p-values of all pairs, and the raters."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from napari_srgan.rating.ratings import HIGH, NEAREST
from napari_srgan.training.metrics.mos.analysis import Analysis, DataSet
from napari_srgan.training.metrics.mos.compare import SIGNIFICANT
from napari_srgan.training.metrics.mos.scores import LEVEL
from napari_srgan.training.metrics.table import column_of
from napari_srgan.wording import printable

_NONE = "–"
_SMALL = 0.001  # p below it is not written out
_PAPERS = ("psnr", "ssim_daala")  # the rows above MOS in the paper's tables

Measured = Mapping[str, Mapping[str, Mapping[str, float]]]


def read_measured(path: Path) -> Measured:
    """Return what ``evaluate --json`` wrote: ``{data set: {method: {measure: mean}}}``.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it holds something else.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return {
            data_set: {
                method: {
                    measure: float(mean) for measure, mean in means.items() if mean is not None
                }
                for method, means in methods.items()
            }
            for data_set, methods in values.items()
        }
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not what evaluate --json writes: {error}.") from error


def as_text(analysis: Analysis, measured: Measured | None = None) -> str:
    """Return an analysis as tables.

    Parameters
    ----------
    analysis : Analysis
        What :func:`~napari_srgan.training.metrics.mos.analysis.analyse` returned.
    measured : mapping, optional
        What :func:`read_measured` returned: PSNR and SSIM stand above MOS for what is in both.
    """
    blocks = [
        _score_table(each, (measured or {}).get(each.name, {})) for each in analysis.data_sets
    ]
    blocks.append(
        f"from, to: {LEVEL:.0%} confidence interval of the mean, over images and raters.\n"
        f"*: significantly higher (p < {SIGNIFICANT}) than every other method but {HIGH}."
    )
    compared = [_p_table(each) for each in analysis.data_sets if each.comparisons]
    if compared:
        blocks += [*compared, _p_legend(analysis.paired_by)]
    blocks += [_rater_table(analysis), _agreement_text(analysis.agreement)]
    return "\n\n".join([*blocks, *_cautions(analysis)])


def _score_table(of: DataSet, measured: Mapping[str, Mapping[str, float]]) -> str:
    methods = of.opinions.methods
    rows = [[printable(of.name), *map(printable, methods)]]
    for measure in _PAPERS:
        if any(measure in measured.get(method, {}) for method in methods):
            column = column_of(measure)
            values = [measured.get(method, {}).get(measure) for method in methods]
            rows.append([column.title, *(_number(value, column.decimals) for value in values)])
    rows.append(["MOS", *(f"{one.mean:.2f}{'*' * (one.method == of.winner)}" for one in of.scores)])
    rows.append(["  from", *(_number(one.low) for one in of.scores)])
    rows.append(["  to", *(_number(one.high) for one in of.scores)])
    rows.append(["  ratings", *(str(one.ratings) for one in of.scores)])
    return _aligned(rows)


def _p_table(of: DataSet) -> str:
    methods = of.opinions.methods
    cells = {(first, second): _NONE for first in methods for second in methods}
    for one in of.comparisons:
        sign = {one.first: "< ", one.second: "> "}.get(one.better or "", "")
        cells[one.second, one.first] = f"{sign}{_p(one.p)}"
        cells[one.first, one.second] = _p(one.p_holm)
    head = [f"p, {printable(of.name)}", *map(printable, methods)]
    return _aligned(
        [head, *([printable(row), *(cells[row, c] for c in methods)] for row in methods)]
    )


def _p_legend(paired_by: str) -> str:
    return (
        f"Paired two-sided Wilcoxon signed-rank tests, paired by {paired_by}. Below the diagonal "
        "p,\n> where the row's method is significantly better than the column's, < where it is "
        f"worse\n(p < {SIGNIFICANT}); above it p adjusted by Holm for all pairs of methods."
    )


def _rater_table(analysis: Analysis) -> str:
    head = ["rater", "ratings", "mean", "bias", "correlation", NEAREST, HIGH]
    rows = [
        [
            printable(one.rater),
            str(one.ratings),
            f"{one.mean:.2f}",
            _NONE if one.bias is None else f"{one.bias:+.2f}",
            *map(_number, (one.correlation, one.nearest, one.high)),
        ]
        for one in analysis.raters
    ]
    return _aligned([head, *rows])


def _agreement_text(alpha: float | None) -> str:
    legend = "bias, correlation: beside the mean of the others, for the same versions.\nAgreement: "
    if alpha is None:
        return f"{legend}not known; no version has two ratings, or all ratings are the same."
    return f"{legend}{alpha:.2f} (Krippendorff's alpha: 1 is full, 0 is chance)."


def _cautions(analysis: Analysis) -> list[str]:
    """Return what to know before the figures are believed."""
    found = [
        f"Not calibrated: {printable(one.rater)} gave {NEAREST} {_number(one.nearest)} and {HIGH} "
        f"{_number(one.high)}. Ask why; --leave-out leaves a rater out."
        for one in analysis.raters
        if one.calibrated is False
    ]
    if unknown := [one.rater for one in analysis.raters if one.calibrated is None]:
        found.append(
            f"Of {len(unknown)} of {len(analysis.raters)} raters it is not known whether they were "
            f"calibrated: they have not rated both {NEAREST} and {HIGH}."
        )
    found += [
        f"Missing in {printable(each.name)}: {missing} of {each.opinions.values.size} ratings. "
        "What was not rated of both methods is no pair."
        for each in analysis.data_sets
        if (missing := each.opinions.missing)
    ]
    if len(analysis.raters) == 1:
        found.append("There is one rater: the figures say nothing of other people.")
    return found


def _number(value: float | None, decimals: int = 2) -> str:
    return _NONE if value is None else f"{value:.{decimals}f}"


def _p(value: float) -> str:
    if math.isnan(value):
        return _NONE
    return f"{value:.3f}" if value >= _SMALL else f"<{_SMALL}"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as lines: the first column to the left, figures to the right."""
    first, *others = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(first), *map(str.rjust, row[1:], others)]) for row in rows
    )
