"""How a picture was made, kept in its description: the record of each step, the last one first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

KEY = "napari-srgan"
_START = f'{{"{KEY}":'


def described(caption: str | None, record: Mapping[str, Any]) -> str:
    """Return a description that holds an author's words, if there are any, and a record."""
    written = json.dumps({KEY: dict(record)})
    return f"{caption}\n{written}" if caption else written


def record_in(description: str | None) -> dict[str, Any] | None:
    """Return the record that a description holds; None where it holds none that can be read."""
    _caption, found = _parted(description or "")
    return found


def caption_in(description: str | None) -> str | None:
    """Return a description without the record that it may hold; None where nothing is left."""
    caption, _found = _parted(description or "")
    return caption or None


def _parted(description: str) -> tuple[str, dict[str, Any] | None]:
    start = description.rfind(_START)
    # A record within a record begins alike: the outermost one is meant.
    while start >= 0 and (found := _read(description[start:])) is None:
        start = description.rfind(_START, 0, start)
    if start < 0:
        return description.strip(), None
    return description[:start].strip(), found


def _read(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    record = found.get(KEY) if isinstance(found, dict) else None
    return record if isinstance(record, dict) else None


def steps_of(record: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    """Yield the records of a chain, the last step first."""
    while isinstance(record, Mapping):
        yield record
        record = record.get("input")
