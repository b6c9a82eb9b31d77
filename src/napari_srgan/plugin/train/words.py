"""How a training stands, in words and in points of a curve."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from napari_srgan.plugin.texts import time_text
from napari_srgan.runs import LOGS, Status

Points = list[tuple[float, float]]

_LPIPS = "lpips_alex"


@dataclass(frozen=True)
class Curves:
    """What a training has logged, by step.

    Attributes
    ----------
    loss : list of (step, value)
        Of the training.
    measured : mapping of str to list
        ``psnr`` and, where it is measured, ``lpips_alex``, on the images held back.
    """

    loss: Points
    measured: Mapping[str, Points]


def read_curves(run: Path) -> Curves:
    """Return what a run has logged so far; nothing of what is not there."""
    training = _rows(run / LOGS / "training.csv")
    validation = _rows(run / LOGS / "validation.csv")
    return Curves(
        _points(training, "content"),
        {name: _points(validation, name) for name in ("psnr", _LPIPS)},
    )


def standing_text(status: Status, lost: str) -> str:
    """Return how a training stands; ``lost`` is what is said where it ended without a word."""
    if status.is_lost:
        return f"⚠ {lost}"
    if status.state == "training":
        left = "" if status.seconds_left is None else f", {time_text(status.seconds_left)} left"
        return f"Step {status.step:,} of {status.steps:,}{left}"
    if status.state == "failed":
        return f"⚠ {status.text}"
    return status.text


def figures_text(status: Status, curves: Curves) -> str:
    """Return what has been won on the images held back, so far."""
    lines = []
    for name, title, form, unit in (("psnr", "PSNR", ".2f", " dB"), (_LPIPS, "LPIPS", ".4f", "")):
        points = curves.measured[name]
        if name in status.before:
            line = f"{title}: {status.before[name]:{form}}{unit} with the start model"
            if points:
                gain = points[-1][1] - status.before[name]
                line += f", {points[-1][1]:{form}}{unit} now ({gain:+{form}})"
            lines.append(line)
    return "\n".join(lines)


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except OSError:
        return []


def _points(rows: list[dict[str, str]], name: str) -> Points:
    points = []
    for row in rows:
        try:
            points.append((float(row["step"]), float(row[name])))
        except (KeyError, TypeError, ValueError):  # not measured, or half a row
            continue
    return points
