"""Whether a model draws texture that is not in the image: yes, no, or None for not known."""

from __future__ import annotations

from collections.abc import Mapping

_KEY = "invents"  # in the metadata of model files
_WRITTEN = {True: "true", False: "false", None: "unknown"}
_SAID = {
    True: "invents detail",
    False: "invents no detail",
    None: "not known whether it invents detail",
}


def generative_by(metadata: Mapping[str, str]) -> bool | None:
    """Return what a file's metadata say."""
    return {"true": True, "false": False}.get(metadata.get(_KEY, ""))


def as_metadata(generative: bool | None) -> dict[str, str]:
    """Return what a file's metadata are to say."""
    return {_KEY: _WRITTEN[generative]}


def in_words(generative: bool | None) -> str:
    """Return the same for people, as the end of a line on a model."""
    return _SAID[generative]


def either(one: bool | None, other: bool | None) -> bool | None:
    """Return what holds of two models together: invented detail stays, and so does doubt."""
    if one or other:
        return True
    return None if one is None or other is None else False
