"""What is shown: aligned tables, and a line on what is being measured."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def say(doing: str) -> None:
    """Tell a person who waits what is being measured, where tables do not go."""
    print(f"  {doing}", file=sys.stderr, flush=True)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows below a head; the first column is set to the left, the others to the right.

    A row may have fewer columns than the head; the rest of it is then remarks, and not aligned.
    """
    full = [row for row in (head, *rows) if len(row) == len(head)]
    widths = [max(len(row[column]) for row in full) for column in range(len(head))]
    widths[0] = max(len(row[0]) for row in (head, *rows))
    rule = ["-" * width for width in widths]
    return "\n".join(_line(row, widths).rstrip() for row in (head, rule, *rows))


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = row
    if len(row) == len(widths):
        others = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
    return "  ".join([first.ljust(widths[0]), *others])
