"""The figures as a picture.

python benchmarks/plots.py bench-output/benchmark.json docs/benchmark.png
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from memory import MIB

_PARTS = {"comparison": 3.0, "scaling": 2.0}  # and how wide they are drawn
_OURS, _EXACT, _INEXACT = "#1f6fb4", "#9fb3c4", "#d98a5b"
_WIDTH, _ROW, _REST = 11.0, 0.34, 1.6  # inches
# Of the width: what the longest bar takes, and where the columns beside the bars end.
_BARS, _COLUMNS = 0.62, (0.84, 1.0)


def draw(found: dict[str, Any], path: Path) -> None:
    """Draw time, memory and error of the engines, and time and memory by the image's size.

    Parameters
    ----------
    found : dict
        What ``python benchmarks --json`` writes; a part that was left out is not drawn.
    path : Path
        The picture; its suffix says of which kind.

    Raises
    ------
    ValueError
        If both are left out.
    """
    widths = {part: width for part, width in _PARTS.items() if part in found}
    if not widths:
        raise ValueError(f"There is nothing to draw: measure {' or '.join(_PARTS)} first.")
    rows = [row for row in found.get("comparison", {}).get("rows", ()) if row["seconds"]]
    figure = Figure(figsize=(_WIDTH, max(3.4, _ROW * len(rows) + _REST)), layout="constrained")
    axes = figure.subplots(1, len(widths), width_ratios=list(widths.values()), squeeze=False)[0]
    for part, ax in zip(widths, axes, strict=True):
        if part == "comparison":
            _draw_comparison(ax, rows, found)
        else:
            _draw_scaling(ax, found[part])
    figure.savefig(path, dpi=150)


def _draw_comparison(ax: Axes, rows: list[dict[str, Any]], found: dict[str, Any]) -> None:
    ours = statistics.median(rows[0]["seconds"])
    times = [statistics.median(row["seconds"]) / ours for row in rows]
    bars = ax.barh(range(len(rows)), times, color=[_colour(row) for row in rows])
    ax.bar_label(bars, [f" {time:.2f}" for time in times], fontsize=8)
    for at, row in enumerate(rows):
        _columns(ax, at, f"{row['growth'] / MIB:,.0f} MiB", _error(row))
    _columns(ax, -0.9, "memory", "largest error,\ngrey levels")
    ax.set_yticks(range(len(rows)), [row["name"] + _short(row) for row in rows], fontsize=9)
    ax.set_ylim(len(rows) - 0.4, -1.5)
    ax.set_xlim(0, max(times) / _BARS)
    ax.axvline(1, color=_OURS, linewidth=0.8)
    ax.set_xlabel("time, of ours in float32", loc="left")
    compared, machine = found["comparison"], found["machine"]
    ax.set_title(
        f"{compared['height']} × {compared['width']} pixels, {compared['weights']}\n"
        f"{machine['processor']}, threads: {machine['threads']}",
        fontsize=9,
    )
    ax.spines[["top", "right"]].set_visible(False)


def _columns(ax: Axes, at: float, memory: str, error: str) -> None:
    """Write beside the bars."""
    for x, text in zip(_COLUMNS, (memory, error), strict=True):
        ax.text(
            x, at, text, transform=ax.get_yaxis_transform(), fontsize=8, ha="right", va="center"
        )


def _short(row: dict[str, Any]) -> str:
    return "" if row["precision"] == "float32" else f", {row['precision']}"


def _colour(row: dict[str, Any]) -> str:
    return {"ours": _OURS, "padded": _INEXACT}.get(row["kind"], _EXACT)


def _error(row: dict[str, Any]) -> str:
    return "reference" if row["kind"] == "reference" else f"{row['largest']:.2g}"


def _draw_scaling(ax: Axes, sizes: list[dict[str, Any]]) -> None:
    edges = [size["edge"] for size in sizes]
    ax.plot(range(len(edges)), [size["ratio"] for size in sizes], "o-", color=_OURS)
    for at, size in enumerate(sizes):
        label = f"{size['growth'] / MIB:.0f} MiB"
        ax.annotate(
            label, (at, size["ratio"]), (0, 9), textcoords="offset points", ha="center", fontsize=8
        )
    ax.set_xticks(range(len(edges)), [f"{edge}²" for edge in edges])
    ax.set_ylim(0, 1.4 * max(1.0, *(size["ratio"] for size in sizes)))
    ax.set_xlabel("input pixels")
    ax.set_title(
        f"ours: time for each pixel, of {edges[0]}²,\nand memory beyond image and result",
        fontsize=9,
    )
    ax.margins(x=0.12)
    ax.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2]))
