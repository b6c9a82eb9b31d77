"""What a comparison of engines found, and how it is told."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from memory import MIB
from texts import table


@dataclass(frozen=True)
class Row:
    """What an engine took, and how far its result is from the reference.

    Attributes
    ----------
    name, kind, precision : str
        The engine's.
    seconds : tuple of float
        Of each run after the first; empty where it could not run.
    growth : int
        Bytes at the peak of any run, beyond those before.
    largest : float
        Largest error, in grey levels of 255.
    changed : float
        Share of values that are off by more than one level.
    note : str
        Why it could not run.
    """

    name: str
    kind: str
    precision: str
    seconds: tuple[float, ...] = ()
    growth: int = 0
    largest: float = 0.0
    changed: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class Comparison:
    """The rows, the first of them ours, and what they are related to.

    Attributes
    ----------
    weights : str
        The model's name or file.
    height, width : int
        Of the image.
    rows : tuple of Row
        In the order of the engines.
    peak_rates : dict of str to float
        For each arithmetic: the most floating-point operations a second, of products of matrices
        and of convolutions.
    flop_of_paper, flop_computed : int
        Floating-point operations for each input pixel: of the network as the paper draws it, and
        as ours computes it.
    """

    weights: str
    height: int
    width: int
    rows: tuple[Row, ...]
    peak_rates: dict[str, float]
    flop_of_paper: int
    flop_computed: int

    def ratio(self, row: Row) -> float:
        """Return a row's time in units of ours, in float32."""
        return statistics.median(row.seconds) / statistics.median(self.rows[0].seconds)

    def rate(self, row: Row) -> float:
        """Return the paper's floating-point operations that a row does in a second."""
        pixels = self.height * self.width
        return self.flop_of_paper * pixels / statistics.median(row.seconds)

    def share(self, row: Row) -> float:
        """Return that rate as a share of the peak in the same arithmetic."""
        return self.rate(row) / self.peak_rates[row.precision]


def figures(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison as JSON has it, ratios included."""
    rows = [
        {
            **dataclasses.asdict(row),
            "ratio": comparison.ratio(row) if row.seconds else None,
            "share_of_peak": comparison.share(row) if row.seconds else None,
        }
        for row in comparison.rows
    ]
    return {**dataclasses.asdict(comparison), "rows": rows}


def report(comparison: Comparison) -> str:
    """Return the comparison as text."""
    head = ("", "arithmetic", "time", "MiB", "largest error", "> 1 level", "of peak")
    rows = [_cells(comparison, row) for row in comparison.rows]
    return "\n".join([table(head, rows), "", *_arithmetic(comparison), *_tiles(comparison.rows)])


def _cells(comparison: Comparison, row: Row) -> tuple[str, ...]:
    if not row.seconds:
        return row.name, f"{row.precision}: {row.note}"
    return (
        row.name,
        row.precision,
        f"{comparison.ratio(row):.2f}",
        f"{row.growth / MIB:.0f}",
        f"{row.largest:.2g}",
        f"{row.changed:.2%}",
        f"{comparison.share(row):.0%}",
    )


def _arithmetic(comparison: Comparison) -> list[str]:
    paper, computed = comparison.flop_of_paper, comparison.flop_computed
    ours = comparison.rows[0]
    per_pixel = statistics.median(ours.seconds) / (comparison.height * comparison.width)
    share = comparison.share(ours)
    return [
        *(
            f"The peak of products and convolutions: {precision}, {rate / 1e9:.0f} GFLOP/s."
            for precision, rate in comparison.peak_rates.items()
        ),
        f"The network: {paper / 1e6:.2f} MFLOP an input pixel as in the paper, "
        f"{computed / 1e6:.2f} as ours computes it (zeros in the last kernel).",
        f"Ours: {1e6 * per_pixel:.1f} µs an input pixel, {comparison.rate(ours) / 1e9:.0f} GFLOP/s "
        f"of the paper's network: {share:.0%} of the peak, or {share * computed / paper:.0%} "
        "counting all that it computes.",
    ]


def _tiles(rows: Sequence[Row]) -> list[str]:
    """Return how the best exact tiles compare, and what tiles with too small a halo show."""
    ours = statistics.median(rows[0].seconds)
    times = {row.name: statistics.median(row.seconds) / ours
             for row in rows if row.kind == "tiles" and row.seconds}  # fmt: skip
    lines = []
    if times:
        best = min(times, key=lambda name: times[name])
        lines.append(f"The best exact tiling: {best}, {times[best]:.2f} of our time.")
    return lines + [
        f"{row.name.capitalize()}: off by up to {row.largest:.2f} grey levels, at the seams."
        for row in rows
        if row.kind == "padded" and row.seconds
    ]
