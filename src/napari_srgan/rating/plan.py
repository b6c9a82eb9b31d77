"""What a session rates: images, methods, and under which blind names their versions are kept."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from napari_srgan.files.atomic import written_whole
from napari_srgan.rating.ratings import HIGH, HIGHEST, LOWEST, NEAREST
from napari_srgan.wording import printable

PLAN = "session.json"
_VERSIONS = "versions"
_FORMAT = 1
_TOKEN_BYTES = 8


@dataclass(frozen=True)
class Photo:
    """An original to be rated, or to calibrate raters on.

    Attributes
    ----------
    data_set, name : str
        As the ratings call it.
    path : str
        Of the file.
    limits : tuple of float
        What is black and what is white on the screen, the same for all its versions.
    """

    data_set: str
    name: str
    path: str
    limits: tuple[float, float]


@dataclass(frozen=True)
class Version:
    """An original as one method makes it; ``token`` is all that its file's name tells."""

    token: str
    photo: Photo
    method: str

    @property
    def anchor(self) -> int:
        """The score that a version for calibration stands for: nearest for 1, HR for 5 (§3.3)."""
        return {NEAREST: LOWEST, HIGH: HIGHEST}[self.method]


@dataclass(frozen=True)
class Plan:
    """All that is the same for every rater of a session.

    Attributes
    ----------
    scale : int
        By which low-resolution versions are made, and enlarged again.
    models : dict of str to str
        Which methods are models: names, and what each is loaded by (a name or a path).
    weights : dict of str to str
        The SHA-256 of each model's file.
    calibration, test : tuple of Version
        What raters are calibrated on, and what they rate.
    """

    scale: int
    models: dict[str, str]
    weights: dict[str, str]
    calibration: tuple[Version, ...]
    test: tuple[Version, ...]
    methods: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        methods = dict.fromkeys(version.method for version in self.test)
        object.__setattr__(self, "methods", tuple(methods))

    @property
    def versions(self) -> tuple[Version, ...]:
        """All that is shown to a rater."""
        return self.calibration + self.test

    @property
    def photos(self) -> tuple[Photo, ...]:
        """What is rated."""
        return tuple(dict.fromkeys(version.photo for version in self.test))


def version_path(folder: Path, version: Version) -> Path:
    """Return where a session keeps a version: its name tells nothing of image and method."""
    return folder / _VERSIONS / f"{version.token}.png"


def is_made(plan: Plan, folder: Path) -> bool:
    """Tell whether every version of a session is there."""
    return all(version_path(folder, version).is_file() for version in plan.versions)


def versions_of(photos: Sequence[Photo], methods: Sequence[str]) -> tuple[Version, ...]:
    """Return each photo by each method, under new names."""
    return tuple(
        Version(secrets.token_hex(_TOKEN_BYTES), photo, method)
        for photo in photos
        for method in methods
    )


def write_plan(plan: Plan, folder: Path) -> None:
    """Write a session's plan; the file appears whole.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    photos = list(dict.fromkeys(version.photo for version in plan.versions))
    places = {photo: place for place, photo in enumerate(photos)}

    def rows(versions: Sequence[Version]) -> list[list[Any]]:
        return [[version.token, places[version.photo], version.method] for version in versions]

    values = {
        "format": _FORMAT,
        "scale": plan.scale,
        "models": plan.models,
        "weights": plan.weights,
        "photos": [asdict(photo) for photo in photos],
        "calibration": rows(plan.calibration),
        "test": rows(plan.test),
    }
    write_json(values, folder / PLAN)


def read_plan(folder: Path) -> Plan:
    """Return the plan of a session.

    Raises
    ------
    OSError
        If there is none in the folder, or it cannot be read.
    ValueError
        If it is damaged, or of a later version of this program.
    """
    path = folder / PLAN
    if not path.is_file():
        raise FileNotFoundError(f"There is no session in {folder}: it has no {PLAN}.")
    values = read_json(path)
    if values.get("format") != _FORMAT:
        found = printable(values.get("format"))
        raise ValueError(f"{path} has the format {found}; this version reads {_FORMAT}.")
    try:
        photos = [
            Photo(one["data_set"], one["name"], one["path"], tuple(one["limits"]))
            for one in values["photos"]
        ]
        parts = [
            tuple(Version(token, photos[place], method) for token, place, method in values[part])
            for part in ("calibration", "test")
        ]
        return Plan(values["scale"], dict(values["models"]), dict(values["weights"]), *parts)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {error!r}.") from error


def write_json(values: dict[str, Any], path: Path) -> None:
    """Write values as JSON; the file appears whole, and its folder if need be.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(values, indent=1, ensure_ascii=False)
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is none.
    """
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {error}.") from error
