"""Which models there are and what each is for. Nothing is loaded for that, torch neither."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_srgan.registry import entry, registry

DEFAULT_MODEL = "srresnet-x4"


@dataclass(frozen=True)
class _Own:
    """A file that was added in this session, and what it said of itself."""

    path: Path
    invents: bool


_remembered: dict[str, _Own] = {}


def list_models() -> list[str]:
    """Return the names of all models: those of the registry, then files added in this session."""
    return [*(weights.name for weights in registry()), *_remembered]


def purpose_of(name: str) -> str:
    """Return one line on what a listed model is for.

    Raises
    ------
    ValueError
        If there is no such model.
    """
    if name in _remembered:
        return f"Your own model, from {_remembered[name].path}."
    return entry(name).purpose


def invents_texture(name: str) -> bool:
    """Return whether a listed model draws texture that is not in the image.

    Raises
    ------
    ValueError
        If there is no such model.
    """
    return _remembered[name].invents if name in _remembered else entry(name).invents


def own_file(name: str) -> Path | None:
    """Return the file that was added in this session under a name, if any."""
    own = _remembered.get(name)
    return None if own is None else own.path


def add_own(path: Path, name: str, *, invents: bool) -> str:
    """Add a file to the models of this session and return the name it is chosen by.

    A file that is there already keeps its name.
    """
    for other, known in _remembered.items():
        if known.path == path:
            _remembered[other] = _Own(path, invents)
            return other
    unique, copies = name, 2
    while unique in list_models():
        unique, copies = f"{name} ({copies})", copies + 1
    _remembered[unique] = _Own(path, invents)
    return unique
