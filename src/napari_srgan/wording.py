"""Words of error messages: the first few of many things, and the name that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


def listed(words: Sequence[object], most: int = 3) -> str:
    """Return the first few of some things, and how many more there are: ``a, b, c and 4 more``."""
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(map(str, words[:most])) + more


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return how a sentence ends that names an unknown word: with the nearest one, if any is near.

    ``; did you mean 'x'?``, or a full stop.
    """
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {str(near[0])!r}?" if near else "."
