"""Texts of which parts are derived: those between `measured` marks; all else stays as written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

_PART = re.compile(f"{re.escape(BEGIN)}\n(.*?){re.escape(END)}", re.DOTALL)
_FRACTION = re.compile(r"-?\d+\.\d+")


@dataclass(frozen=True)
class Document:
    """A Markdown file with derived parts."""

    path: Path
    text: str

    @classmethod
    def read(cls, path: Path, parts: int) -> Self:
        """Return the file.

        Raises
        ------
        OSError
            If there is no such file.
        ValueError
            If it has not as many derived parts as it should.
        """
        text = path.read_text(encoding="utf-8")
        found = len(_PART.findall(text))
        if found != parts:
            raise ValueError(
                f"{path} has {found} derived parts and should have {parts}, each between the "
                f"lines {BEGIN} and {END}."
            )
        return cls(path, text)

    def write(self, derived: Sequence[str]) -> None:
        """Write the file with these parts in place of its own; each ends with a line's end."""
        parts = iter(derived)
        text = _PART.sub(lambda _: f"{BEGIN}\n{next(parts)}{END}", self.text)
        self.path.write_text(text, encoding="utf-8")

    def departures(self, derived: Sequence[str], leaving: Collection[str] = ()) -> list[str]:
        """Return a line for each cell that is not as derived, but for columns to leave alone."""
        pairs = zip(_PART.findall(self.text), derived, strict=True)
        return [
            f"{self.path.name}: {text}"
            for before, now in pairs
            for text in compare(before, now, leaving)
        ]


def compare(written: str, derived: str, leaving: Collection[str] = ()) -> list[str]:
    """Return how a written table departs from the derived one: a line for each cell.

    Cells of the columns ``leaving`` are left alone.

    Tables are Markdown's, whose rows are named by their first cell, or those of `evaluate`, whose
    rows are named by two.
    """
    before, now = (
        {key: cell for key, cell in _cells(text).items() if key.rpartition(": ")[2] not in leaving}
        for text in (written, derived)
    )
    found = [f"{key} is missing" for key in now if key not in before]
    found += [f"{key} does not belong there" for key in before if key not in now]
    return found + [
        f"{key} is {before[key]}, measured {value}"
        for key, value in now.items()
        if key in before and not agree(before[key], value)
    ]


def agree(one: str, other: str) -> bool:
    """Tell whether two cells say the same, numbers within a unit of the last digit shown.

    Whole numbers and words have to be equal.
    """
    if one == other or not (_FRACTION.fullmatch(one) and _FRACTION.fullmatch(other)):
        return one == other
    digits = min(len(text.partition(".")[2]) for text in (one, other))
    return abs(Decimal(one) - Decimal(other)) <= Decimal(1).scaleb(-digits)


def _cells(text: str) -> dict[str, str]:
    """Return the cells of tables by row and column, and every other line by itself."""
    cells: dict[str, str] = {}
    header: list[str] = []
    for line in text.splitlines():
        row, named_by = _split(line)
        if len(row) != len(header):
            header = row
        name = ", ".join(row[:named_by])
        cells[name] = ""
        for column, cell in list(zip(header, row, strict=True))[named_by:]:
            cells[f"{name}: {column}".removesuffix(": ")] = cell
    return cells


def _split(line: str) -> tuple[list[str], int]:
    if line.startswith("|"):
        return [cell.strip() for cell in line.strip().strip("|").split("|")], 1
    return re.split(r"\s{2,}", line.strip()), 2
