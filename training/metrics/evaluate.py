"""Measure upscalers on data sets of images: ``nearest``, ``bicubic`` and any others."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np

from napari_srgan.resampling import CONTROLS, SCALE, Pixels, enlarge
from napari_srgan.training.metrics.fidelity import score
from napari_srgan.training.metrics.figures import Example
from napari_srgan.training.metrics.pairs import Pair, read_pair
from napari_srgan.training.metrics.table import Measure, Outcome, column_of

Upscaler = Callable[[Pixels], Pixels]
Results = dict[str, dict[str, dict[str, float]]]

DECIMALS = 4  # that means are written down with


@dataclass(frozen=True)
class Progress:
    """``done`` of ``total`` images are measured; the last one was ``image`` of ``data_set``."""

    done: int
    total: int
    data_set: str
    image: str


@dataclass(frozen=True)
class Row:
    """What one upscaler measures on one image, by measure."""

    data_set: str
    image: str
    upscaler: str
    measures: Mapping[str, float]


@dataclass(frozen=True)
class Evaluation:
    """What was measured: a row for each image and upscaler; and which images were not, and why."""

    rows: tuple[Row, ...]
    left_out: tuple[str, ...] = ()

    @property
    def results(self) -> Results:
        """Means over the images, ``{data set: {upscaler: {measure: mean}}}``, in order."""
        found: dict[str, dict[str, list[Mapping[str, float]]]] = {}
        for row in self.rows:
            found.setdefault(row.data_set, {}).setdefault(row.upscaler, []).append(row.measures)
        return {
            data_set: {upscaler: _means(of_images) for upscaler, of_images in methods.items()}
            for data_set, methods in found.items()
        }

    def measured_of(self, data_sets: Mapping[str, Iterable[Pair]]) -> dict[str, list[Pair]]:
        """Return the pairs of data sets that were measured."""
        measured = {(row.data_set, row.image) for row in self.rows}
        return {
            data_set: [pair for pair in pairs if (data_set, pair.name) in measured]
            for data_set, pairs in data_sets.items()
        }


def iter_evaluate(
    data_sets: Mapping[str, Iterable[Pair]],
    upscalers: Mapping[str, Upscaler],
    *,
    also: Mapping[str, Measure] = MappingProxyType({}),
    scale: int = SCALE,
    border: int | None = None,
) -> Generator[Progress, None, Evaluation]:
    """Score ``nearest``, ``bicubic`` and ``upscalers`` on every image: yield progress, return all.

    Parameters
    ----------
    data_sets : mapping of str to iterable of Pair
        As `find_data_sets` returns them.
    upscalers : mapping of str to callable
        Each takes ``(h, w)`` or ``(h, w, 3)``, uint8, and returns it ``scale`` times as large.
    also : mapping of str to callable
        Measures beside the protocol's, such as `measures.FURTHER`, by name.
    scale : int
        The factor.
    border : int, optional
        High-resolution pixels that the protocol leaves out at each side. Default: as many as the
        scale, which at ×4 are the paper's 4 (§3.1).

    Raises
    ------
    ValueError
        If no image can be measured; names the first. If an upscaler has the name of a control.

    Notes
    -----
    An image that cannot be read, a pair that does not belong together, or a result that cannot be
    measured is left out, and `Evaluation.left_out` says so.
    """
    border = scale if border is None else border
    controls = _controls(scale)
    if taken := controls.keys() & upscalers.keys():
        raise ValueError(f"{sorted(taken)} are measured in any case. Give yours another name.")
    methods = {**controls, **upscalers}
    images = [(data_set, pair) for data_set, pairs in data_sets.items() for pair in pairs]
    rows: list[Row] = []
    left_out: list[str] = []
    for done, (data_set, pair) in enumerate(images, start=1):
        try:
            found = _measure_pair(pair, methods, also, scale, border)
        except (OSError, ValueError) as error:
            left_out.append(f"{data_set}, {pair.name}: {error}")
            found = {}
        rows += [Row(data_set, pair.name, method, values) for method, values in found.items()]
        yield Progress(done, len(images), data_set, pair.name)
    if not rows:
        raise ValueError(left_out[0] if left_out else "There is no image to measure.")
    return Evaluation(tuple(rows), tuple(left_out))


def as_table(results: Results) -> str:
    """Return the means as lines of text, a line for each data set and upscaler."""
    measures = list(next(iter(next(iter(results.values())).values())))
    columns = {measure: column_of(measure) for measure in measures}
    lines = [["data set", "upscaler", *(column.title for column in columns.values())]]
    for data_set, methods in results.items():
        for name, of in methods.items():
            figures = [f"{of[measure]:.{column.decimals}f}" for measure, column in columns.items()]
            lines.append([data_set, name, *figures])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            f"{cell:{'>' if place > 1 else '<'}{width}}"
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def write_json(results: Results, path: Path) -> None:
    """Write the means, to four decimals; JSON has no infinity, so an infinite PSNR is null."""
    rounded = {
        data_set: {
            name: {m: round(v, DECIMALS) if math.isfinite(v) else None for m, v in means.items()}
            for name, means in methods.items()
        }
        for data_set, methods in results.items()
    }
    path.write_text(json.dumps(rounded, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def write_csv(rows: Iterable[Row], path: Path) -> None:
    """Write a line for each image and upscaler."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        for place, row in enumerate(rows):
            if place == 0:
                writer.writerow(["data_set", "image", "upscaler", *row.measures])
            writer.writerow([row.data_set, row.image, row.upscaler, *row.measures.values()])


def _controls(scale: int) -> dict[str, Upscaler]:
    return {name: partial(enlarge, scale=scale, kind=kind) for name, kind in CONTROLS.items()}


def compare(pair: Pair, upscalers: Mapping[str, Upscaler], *, scale: int = SCALE) -> Example:
    """Return an image by ``nearest``, ``bicubic`` and ``upscalers``, to be shown side by side.

    Raises
    ------
    OSError, ValueError
        As :func:`iter_evaluate` does.
    """
    low, high = read_pair(pair, scale=scale)
    methods = {**_controls(scale), **upscalers}
    return Example(pair.name, high, _upscaled(low, high, methods), border=scale)


def _measure_pair(
    pair: Pair,
    methods: Mapping[str, Upscaler],
    also: Mapping[str, Measure],
    scale: int,
    border: int,
) -> dict[str, dict[str, float]]:
    low, high = read_pair(pair, scale=scale)
    return {
        name: asdict(score(high, upscaled, border))
        | {key: measure(Outcome(low, upscaled, high)) for key, measure in also.items()}
        for name, upscaled in _upscaled(low, high, methods).items()
    }


def _upscaled(low: Pixels, high: Pixels, methods: Mapping[str, Upscaler]) -> dict[str, Pixels]:
    images: dict[str, Pixels] = {}
    for name, upscale in methods.items():
        upscaled = upscale(low)
        if upscaled.dtype != np.uint8 or upscaled.shape != high.shape:
            raise ValueError(
                f"{name} made {upscaled.dtype} of shape {upscaled.shape} from {low.shape}; "
                f"expected uint8 of shape {high.shape}."
            )
        images[name] = upscaled
    return images


def _means(of_images: list[Mapping[str, float]]) -> dict[str, float]:
    return {m: float(np.mean([values[m] for values in of_images])) for m in of_images[0]}
