"""One rater's way through a session: an order of their own, what is next, and what was given."""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_srgan.rating.plan import (
    Plan,
    Version,
    read_json,
    read_plan,
    version_path,
    write_json,
)
from napari_srgan.rating.ratings import HIGHEST, LOWEST, Rating, write_ratings

RATINGS = "ratings.csv"
_RATERS = "raters"
_SEED_BYTES = 8


@dataclass(frozen=True)
class Given:
    """A rating of a version, and when it was given, as ISO 8601."""

    token: str
    rating: int
    time: str


@dataclass(frozen=True)
class Rater:
    """Where a rater stands.

    Attributes
    ----------
    name : str
        As it was typed first.
    seed : str
        Of the rater's order; see :func:`shuffled`.
    calibrated : int
        How many versions for calibration are done.
    given : tuple of Given
        The ratings so far, in the rater's order.
    """

    name: str
    seed: str
    calibrated: int = 0
    given: tuple[Given, ...] = ()


@dataclass(frozen=True)
class Item:
    """What a rater is shown.

    Attributes
    ----------
    version : Version
        What it is, which nobody must see.
    path : Path
        The file to show.
    place, total : int
        The how-manieth of how many it is, from 1, of its part.
    anchor : int or None
        The score that it is an example of, while calibrating.
    """

    version: Version
    path: Path
    place: int
    total: int
    anchor: int | None


def shuffled(versions: tuple[Version, ...], seed: str) -> tuple[Version, ...]:
    """Return versions in the random order of a seed: sorted by SHA-256 of seed and token.

    Unlike that of a generator of random numbers, this order is the same wherever and whenever it
    is worked out, which is what a session that is resumed needs.
    """

    def key(version: Version) -> bytes:
        return hashlib.sha256(f"{seed} {version.token}".encode()).digest()

    return tuple(sorted(versions, key=key))


class Sitting:
    """A rater at a session; each rating is on the disk before the next version is asked for.

    Parameters
    ----------
    folder : Path
        Of the session.
    name : str
        The rater's; capitals and spaces around do not matter. A new one is given a random order.

    Raises
    ------
    OSError
        If there is no session, or it cannot be read.
    ValueError
        If the name is empty, or a file is damaged or of another session.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.plan = read_plan(folder)
        self._folder = folder
        self._path = _rater_path(folder, name)
        self._rater = _read_or_begin(self._path, name)
        self._calibration = shuffled(self.plan.calibration, self._rater.seed)
        self._test = shuffled(self.plan.test, self._rater.seed)
        _check(self._rater, self._calibration, self._test, self._path)

    @property
    def rater(self) -> Rater:
        """Where the rater stands."""
        return self._rater

    @property
    def current(self) -> Item | None:
        """What is to be rated now; None where all is."""
        done = self._rater.calibrated
        if done < len(self._calibration):
            version = self._calibration[done]
            return self._item(version, done, len(self._calibration), version.anchor)
        done = len(self._rater.given)
        if done < len(self._test):
            return self._item(self._test[done], done, len(self._test), None)
        return None

    @property
    def can_undo(self) -> bool:
        """Whether there is something to take back."""
        return bool(self._rater.given or self._rater.calibrated)

    def _item(self, version: Version, done: int, total: int, anchor: int | None) -> Item:
        return Item(version, version_path(self._folder, version), done + 1, total, anchor)

    def rate(self, rating: int) -> bool:
        """Give the current version a score and go on to the next.

        Returns
        -------
        bool
            False where nothing was taken: a version for calibration is an example of one score.

        Raises
        ------
        OSError
            If it cannot be saved; then nothing has changed.
        ValueError
            If it is no score, nothing is left to rate, or the rater is rating elsewhere, too.
        """
        if not LOWEST <= rating <= HIGHEST:
            raise ValueError(f"A rating is from {LOWEST} to {HIGHEST}; got {rating}.")
        item, rater = self.current, self._rater
        if item is None:
            raise ValueError("Everything is rated.")
        if item.anchor is None:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            given = Given(item.version.token, rating, now)
            self._save(replace(rater, given=(*rater.given, given)))
        elif rating == item.anchor:
            self._save(replace(rater, calibrated=rater.calibrated + 1))
        else:
            return False
        return True

    def undo(self) -> None:
        """Take the last rating back, so that its version is the current one again.

        Raises
        ------
        OSError, ValueError
            As :meth:`rate` does.
        """
        rater = self._rater
        if rater.given:
            self._save(replace(rater, given=rater.given[:-1]))
        elif rater.calibrated:
            self._save(replace(rater, calibrated=rater.calibrated - 1))

    def _save(self, rater: Rater) -> None:
        if self._path.exists() and _read_rater(self._path) != self._rater:
            raise ValueError(
                f"{rater.name} is rating in another window, too. Close one of them and begin again."
            )
        values = {
            "name": rater.name,
            "seed": rater.seed,
            "calibrated": rater.calibrated,
            "ratings": [[one.token, one.rating, one.time] for one in rater.given],
        }
        write_json(values, self._path)
        self._rater = rater


def raters_of(folder: Path) -> list[Rater]:
    """Return the raters of a session, by name.

    Raises
    ------
    OSError, ValueError
        If a rater's file cannot be read, or is damaged.
    """
    paths = [path for path in (folder / _RATERS).glob("*.json") if not path.name.startswith(".")]
    return sorted(map(_read_rater, paths), key=lambda rater: rater.name.casefold())


def save_ratings(folder: Path) -> Path:
    """Write all ratings of a session to its ``ratings.csv`` and return that path.

    Raises
    ------
    OSError, ValueError
        If a file of the session cannot be read or is damaged, or the table cannot be written.
    """
    plan, path = read_plan(folder), folder / RATINGS
    rows = [row for rater in raters_of(folder) for row in _rows(rater, plan, folder)]
    write_ratings(rows, path)
    return path


def _rows(rater: Rater, plan: Plan, folder: Path) -> list[Rating]:
    test = shuffled(plan.test, rater.seed)
    _check(rater, plan.calibration, test, _rater_path(folder, rater.name))
    return [
        Rating(
            version.photo.data_set,
            version.photo.name,
            version.method,
            rater.name,
            given.rating,
            place,
            given.time,
        )
        for place, (version, given) in enumerate(zip(test, rater.given, strict=False), start=1)
    ]


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).split())


def _rater_path(folder: Path, name: str) -> Path:
    plain = _plain(name)
    if not plain or not plain.isprintable():
        raise ValueError(f"A rater needs a name of letters; got {name!r}.")
    key = hashlib.sha256(plain.casefold().encode()).hexdigest()
    return folder / _RATERS / f"{key[:16]}.json"


def _read_or_begin(path: Path, name: str) -> Rater:
    if path.exists():
        return _read_rater(path)
    return Rater(_plain(name), secrets.token_hex(_SEED_BYTES))


def _read_rater(path: Path) -> Rater:
    values: dict[str, Any] = read_json(path)
    try:
        given = tuple(Given(*one) for one in values["ratings"])
        rater = Rater(values["name"], values["seed"], values["calibrated"], given)
        scores = all(LOWEST <= one.rating <= HIGHEST for one in given)
        texts = all(isinstance(text, str) for text in (rater.name, rater.seed))
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged: {error!r}.") from error
    if not (scores and texts and isinstance(rater.calibrated, int)):
        raise ValueError(f"{path} is damaged: it holds what are no ratings.")
    return rater


def _check(
    rater: Rater, calibration: tuple[Version, ...], test: tuple[Version, ...], path: Path
) -> None:
    tokens = [version.token for version in test[: len(rater.given)]]
    if tokens != [one.token for one in rater.given] or rater.calibrated > len(calibration):
        raise ValueError(f"{path} belongs to another session: its ratings are of other versions.")
