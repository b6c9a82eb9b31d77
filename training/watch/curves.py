"""A run's logs as a picture: losses and validation by step, for its card and for a person."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_srgan.training.config import current_names
from napari_srgan.training.run.folder import PHASES, RunFolder
from napari_srgan.training.watch.log import STEP, read_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Rows = list[dict[str, str]]

_TITLES = {"pretrain": "Phase 1", "adversarial": "Phase 2"}
_WIDTH, _ROW_HEIGHT, _DOTS = 9.0, 2.6, 100  # inches, inches, dots an inch: 900 pixels wide
_WINDOWS = 20  # a smoothed line is of means of a so-manyth part of it
_UNITS = {
    "mse": "MSE on [-1, 1]",
    "l1": "L1 on [-1, 1]",
    "luminance": "MSE of luminance on [-1, 1]",
    "psnr": "ln(1 + MSE in grey levels²)",
    "lpips-vgg": "LPIPS with VGG16",
}
_NARROW = 10  # times: within such a range, a logarithmic axis is labelled as a linear one is
_BLUE, _ORANGE, _GREY = "#1c5d99", "#c2571a", "#8a8a8a"


@dataclass(frozen=True)
class PhaseLog:
    """What one phase of a run has logged.

    Attributes
    ----------
    name : {"pretrain", "adversarial"}
        The phase.
    content : str
        What its content loss is called, with its unit.
    training, validation : list of dict
        Rows as :func:`~napari_srgan.training.watch.log.read_rows` returns them, by step.
    """

    name: str
    content: str
    training: Rows
    validation: Rows


def read_logs(run: Path) -> list[PhaseLog]:
    """Return the logs of the phases that a run has come to.

    Raises
    ------
    OSError
        If this is not the folder of a run, or it has logged nothing yet.
    """
    folder = RunFolder(run)
    settings = current_names(folder.described()["settings"])
    losses = {name: settings.get(f"{name}.content_loss", "") for name in PHASES}
    logs = [
        PhaseLog(
            name,
            _unit_of(losses[name]),
            _read_all(folder.phase(name), "training"),
            _read_all(folder.phase(name), "validation"),
        )
        for name in PHASES
    ]
    if logged := [log for log in logs if log.training]:
        return logged
    raise FileNotFoundError(f"{run} has logged nothing yet. Draw it after its first report.")


def draw_curves(logs: list[PhaseLog]) -> Figure:
    """Return a picture, 900 pixels wide, of the phases one below the other.

    Phase 1 has its content loss and PSNR on the images held back; phase 2 both terms of the loss,
    what the discriminator says, PSNR and the energy of high frequencies. Losses are on a
    logarithmic axis: as they were reported (pale), and smoothed.

    Raises
    ------
    ModuleNotFoundError
        If matplotlib is not installed.
    """
    panels = [(log, draw) for log in logs for draw in _PANELS[log.name]]
    rows = len(panels) // 2
    figure = _new_figure(rows)
    every_axes = figure.subplots(rows, 2, squeeze=False).flat
    for axes, (log, draw) in zip(every_axes, panels, strict=True):
        draw(axes, log)
        axes.set_xlabel("step")
        axes.set_xlim(left=0)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.grid(visible=True, which="major", color="#e2e2e2", linewidth=0.7)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _new_figure(rows: int) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Curves are drawn by matplotlib, which is not installed. "
            '`pip install "napari-srgan[training]"` brings it.'
        ) from error
    return Figure((_WIDTH, rows * _ROW_HEIGHT), _DOTS, facecolor="white", layout="constrained")


def _draw_content(axes: Axes, log: PhaseLog) -> None:
    _title(axes, log, "content loss")
    _draw_smoothed(axes, log.training, {"content": (log.content, _BLUE)})
    axes.set_ylabel(log.content)


def _draw_losses(axes: Axes, log: PhaseLog) -> None:
    _title(axes, log, "terms of the loss (eq. 3)")
    _draw_smoothed(
        axes,
        log.training,
        {"content": (log.content, _BLUE), "adversarial": ("adversarial, weighted", _ORANGE)},
    )
    axes.set_ylabel("loss")
    axes.legend(frameon=False, fontsize="small")


def _draw_discriminator(axes: Axes, log: PhaseLog) -> None:
    _title(axes, log, "the discriminator's belief")
    for key, name, colour in (("d_high", "D(HR)", _BLUE), ("d_upscaled", "D(G(LR))", _ORANGE)):
        steps, values = _points(log.training, key)
        axes.plot(steps, _smooth(values), color=colour, label=name)
    axes.axhline(0.5, color=_GREY, linewidth=0.8, linestyle=":")
    axes.set_ylim(0, 1)
    axes.set_ylabel("probability of HR")
    axes.legend(frameon=False, fontsize="small")


def _draw_psnr(axes: Axes, log: PhaseLog) -> None:
    _draw_validated(axes, log, "psnr", "PSNR", "PSNR of luminance (dB)")


def _draw_upper_band(axes: Axes, log: PhaseLog) -> None:
    axes.axhline(1, color=_GREY, linewidth=0.8, linestyle=":")
    _draw_validated(axes, log, "high_frequency", "high frequency", "energy (parts of HR's)")


def _draw_validated(axes: Axes, log: PhaseLog, key: str, what: str, unit: str) -> None:
    _title(axes, log, f"{what} on images held back")
    steps, values = _points(log.validation, key)
    axes.plot(steps, values, color=_BLUE, marker="o", markersize=3)
    axes.set_ylabel(unit)
    if not steps.size:
        axes.text(0.5, 0.5, "none yet", color=_GREY, ha="center", transform=axes.transAxes)


_PANELS: Mapping[str, tuple[Callable[[Axes, PhaseLog], None], ...]] = {
    "pretrain": (_draw_content, _draw_psnr),
    "adversarial": (_draw_losses, _draw_discriminator, _draw_psnr, _draw_upper_band),
}


def _title(axes: Axes, log: PhaseLog, text: str) -> None:
    axes.set_title(f"{_TITLES[log.name]}: {text}", loc="left", fontsize="medium")


def _draw_smoothed(axes: Axes, rows: Rows, lines: Mapping[str, tuple[str, str]]) -> None:
    for key, (name, colour) in lines.items():
        steps, values = _points(rows, key)
        axes.plot(steps, values, color=colour, linewidth=0.8, alpha=0.3)
        axes.plot(steps, _smooth(values), color=colour, label=name)
    _make_logarithmic(axes)


def _make_logarithmic(axes: Axes) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    axes.set_yscale("log")
    low, high = axes.get_ylim()
    narrow = high < _NARROW * low
    axes.yaxis.set_major_locator(MaxNLocator(5) if narrow else LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:g}")


def _points(rows: Rows, key: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the steps at which something was logged, and what it was."""
    known = [(float(row[STEP]), float(row[key])) for row in rows if row.get(key)]
    steps, values = np.array(known, np.float64).reshape(-1, 2).T
    return steps, values


def _smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return running means, which are of fewer values near both ends."""
    half = math.ceil(len(values) / (2 * _WINDOWS))
    sums = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    first, after = np.maximum(places - half, 0), np.minimum(places + half + 1, len(values))
    means: NDArray[np.float64] = (sums[after] - sums[first]) / (after - first)
    return means


def _unit_of(loss: str) -> str:
    if loss.startswith("vgg"):
        network = "VGG16" if loss.startswith("vgg16") else "VGG19"
        return f"MSE of {network} φ{loss[-2]},{loss[-1]}"
    return _UNITS.get(loss, loss)


def _read_all(folder: Path, name: str) -> Rows:
    """Return the rows of ``NAME.csv``, and of ``NAME-2.csv`` where columns changed, by step."""
    paths = [*folder.glob(f"{name}.csv"), *folder.glob(f"{name}-*.csv")]
    rows = {int(row[STEP]): row for path in paths for row in read_rows(path)}
    return [rows[step] for step in sorted(rows)]
