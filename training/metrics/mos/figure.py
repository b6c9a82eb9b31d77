"""The figure of the distribution of ratings, as the paper's Figure 5 has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_srgan.rating.ratings import HIGHEST, LOWEST
from napari_srgan.training.metrics.mos.analysis import Analysis, DataSet
from napari_srgan.training.metrics.mos.scores import SCORES, MethodScore
from napari_srgan.wording import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure

_ROW_HEIGHT, _COLUMN, _BESIDE, _DOTS = 3.4, 0.75, 2.2, 150  # inches, dots an inch
_NARROWEST = 4.5  # inches
_COLOURS, _MEAN = "Blues", "#d62728"


def draw_distribution(analysis: Analysis) -> Figure:
    """Return a picture of how often each method was given each score, data sets below each other.

    A cell is coloured by the share of a method's ratings that its score has; the red marker is the
    mean, its line the confidence interval.

    Raises
    ------
    ModuleNotFoundError
        If matplotlib is not installed.
    """
    rows = len(analysis.data_sets)
    columns = max(len(each.scores) for each in analysis.data_sets)
    figure = _new_figure(max(_NARROWEST, _BESIDE + _COLUMN * columns), rows * _ROW_HEIGHT)
    for axes, each in zip(
        figure.subplots(rows, 1, squeeze=False).flat, analysis.data_sets, strict=True
    ):
        mesh = _draw(axes, each.scores)
        axes.set_title(_title(each), loc="left", fontsize="medium")
        figure.colorbar(mesh, ax=axes, label="share of ratings", format="{x:.0%}")
    return figure


def _new_figure(width: float, height: float) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "The figure is drawn by matplotlib, which is not installed. "
            '`pip install "napari-srgan[training]"` brings it.'
        ) from error
    return Figure((width, height), _DOTS, facecolor="white", layout="constrained")


def _draw(axes: Axes, scores: tuple[MethodScore, ...]) -> QuadMesh:
    counts = np.array([one.counts for one in scores], np.float64).T
    shares = counts / counts.sum(axis=0)
    # Bins are centred on their score.
    columns, edges = np.arange(len(scores)), np.arange(LOWEST, HIGHEST + 2) - 0.5
    mesh = axes.pcolormesh(
        np.arange(len(scores) + 1) - 0.5, edges, shares, cmap=_COLOURS, vmin=0, vmax=1
    )
    means = np.array([one.mean for one in scores])
    # A single rating has no interval.
    lows, highs = (
        [mean if limit is None else limit for mean, limit in zip(means, limits, strict=True)]
        for limits in ([one.low for one in scores], [one.high for one in scores])
    )
    reach = [means - lows, highs - means]
    axes.errorbar(columns, means, reach, fmt="D", color=_MEAN, ms=5, capsize=4)
    axes.set_xticks(columns, [printable(one.method) for one in scores], rotation=30, ha="right")
    axes.set_yticks(SCORES)
    axes.set_ylabel("score")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return mesh


def _title(of: DataSet) -> str:
    images, raters = len(of.opinions.images), len(of.opinions.raters)
    of_images = f"{images} image{'s' * (images != 1)} × {raters} rater{'s' * (raters != 1)}"
    return f"{printable(of.name)}: {of_images}"
