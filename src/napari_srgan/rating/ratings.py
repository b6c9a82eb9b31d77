"""Ratings as rows of CSV: what a session writes, and what its analysis reads."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_srgan.files.atomic import written_whole
from napari_srgan.wording import listed, printable

LOWEST, HIGHEST = 1, 5  # bad and excellent quality (§3.3)
NEAREST, BICUBIC, HIGH = "nearest", "bicubic", "HR"  # methods that are no models

_COLUMNS = ("data_set", "image", "method", "rater", "rating", "place", "time")
_NEEDED = ("image", "method", "rater", "rating")
_NAMED = 3  # of many, in an error message


@dataclass(frozen=True)
class Rating:
    """What one rater gave one version of one image.

    Attributes
    ----------
    data_set, image : str
        The image; ``data_set`` may be empty.
    method : str
        What made the version: a control, a model, or ``HR`` for the original.
    rater : str
        Who rated it.
    rating : int
        1 (bad quality) to 5 (excellent).
    place : int
        The how-manieth it was in the rater's own order, from 1; 0 where that is not known.
    time : str
        When, as ISO 8601; empty where that is not known.
    """

    data_set: str
    image: str
    method: str
    rater: str
    rating: int
    place: int = 0
    time: str = ""

    @property
    def version(self) -> tuple[str, str, str, str]:
        """What may be rated once only."""
        return self.data_set, self.image, self.method, self.rater


def write_ratings(ratings: Iterable[Rating], path: Path) -> None:
    """Write a line for each rating; the file appears whole.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    with written_whole(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        writer.writerows([getattr(row, column) for column in _COLUMNS] for row in ratings)


def read_ratings(paths: Sequence[Path]) -> list[Rating]:
    """Return the ratings of one or more CSV files, in their order.

    The columns ``image``, ``method``, ``rater`` and ``rating`` are needed, in any order;
    ``data_set`` is empty where it is missing, and others are ignored. A line without a rating is
    one that was not given.

    Raises
    ------
    OSError
        If a file cannot be read.
    ValueError
        If it is no such table, a rating is no whole number from 1 to 5, or a version was rated
        twice by one rater; names file and line.
    """
    ratings: list[Rating] = []
    seen: dict[tuple[str, ...], str] = {}
    for path in paths:
        for where, rating in _rows(path):
            other = seen.setdefault(rating.version, where)
            if other != where:
                _data_set, image, method, rater = rating.version
                raise ValueError(
                    f"{where}: {printable(rater)} has rated {printable(method)} of "
                    f"{printable(image)} before, in {other}. Give each rating once."
                )
            ratings.append(rating)
    if not ratings:
        raise ValueError(f"There is no rating in {listed(paths, _NAMED)}.")
    return ratings


def _rows(path: Path) -> Iterable[tuple[str, Rating]]:
    """Yield where each rating stands, and the rating."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            header = reader.fieldnames or ()
            if missing := [name for name in _NEEDED if name not in header]:
                raise ValueError(
                    f"{path} has no column {listed(missing)}; expected {', '.join(_NEEDED)}, "
                    f"found {listed(header, 8) or 'nothing'}."
                )
            for row in reader:
                where = f"{path}, line {reader.line_num}"
                if row["rating"] is None:
                    raise ValueError(f"{where}: the line ends before its rating.")
                if row["rating"].strip():
                    yield where, _rating(row, where)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is no CSV file in UTF-8: {error}.") from error


def _rating(row: dict[str, str | None], where: str) -> Rating:
    texts = {name: (row.get(name) or "").strip() for name in _COLUMNS}
    if empty := [name for name in _NEEDED if not texts[name]]:
        raise ValueError(f"{where}: {listed(empty)} is empty.")
    given = texts["rating"]
    if given not in map(str, range(LOWEST, HIGHEST + 1)):
        raise ValueError(
            f"{where}: the rating is {printable(given)!r}; it must be a whole number from "
            f"{LOWEST} to {HIGHEST}."
        )
    place = int(texts["place"]) if texts["place"].isdecimal() else 0
    return Rating(
        texts["data_set"],
        texts["image"],
        texts["method"],
        texts["rater"],
        int(given),
        place,
        texts["time"],
    )
