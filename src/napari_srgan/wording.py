"""Words of error messages: text out of files, the first few of many things, a nearest name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

_LONGEST_WORD = 200
_JOINERS = "\u200c\u200d"  # invisible, but part of how Persian, Hindi and emoji are written


def printable(text: object, most: int = _LONGEST_WORD) -> str:
    r"""Return text that came from a file as it may be shown anywhere: one line, and not long.

    Control characters, which can rewrite a terminal, and those that turn the order of letters, are
    shown as escapes, ``\x1b``; what is longer than ``most`` characters is cut in the middle.
    """
    return _cut("".join(map(_shown, _cut(str(text), most))), most)


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    end = (most - 1) // 3
    return f"{text[: most - 1 - end]}…{text[len(text) - end :]}"


def _shown(character: str) -> str:
    if character.isprintable() or character in _JOINERS:
        return character
    if character.isspace():
        return " "
    return character.encode("unicode_escape").decode("ascii")


def listed(words: Sequence[object], most: int = 3) -> str:
    """Return the first few of some things, and how many more there are: ``a, b, c and 4 more``."""
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(map(printable, words[:most])) + more


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return how a sentence ends that names an unknown word: with the nearest one, if any is near.

    ``; did you mean 'x'?``, or a full stop.
    """
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {str(near[0])!r}?" if near else "."
