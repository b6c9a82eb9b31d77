"""Names of modules as templates, ``block{n+2}.conv1``: matched, and filled in the other way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

_PLACE = re.compile(r"\{(?:(?P<last>last)|(?P<times>\d*)(?P<name>[a-z]))(?P<plus>[+-]\d+)?\}")


@dataclass(frozen=True)
class Template:
    """The name of a module with numbers left open.

    ``{n}`` is any number, ``{4n+1}`` one of 1, 5, 9 …; ``{last}`` the highest number that stands
    there in a state dict, ``{last-2}`` two less.

    Attributes
    ----------
    text : str
        The template.
    """

    text: str

    def settled(self, names: Iterable[str]) -> Template:
        """Return the template with the numbers put in that are the last among these names."""
        text = self.text
        while (place := _LAST.search(text)) is not None:
            before = re.escape(text[: place.start()])
            found = (re.match(rf"{before}(\d+)(\.|$)", name) for name in names)
            last = max((int(match[1]) for match in found if match), default=0)
            text = f"{text[: place.start()]}{last + int(place['plus'] or 0)}{text[place.end() :]}"
        return Template(text)

    def match(self, name: str) -> dict[str, int] | None:
        """Return the numbers by which a name is of this form; None if it is not."""
        pattern, places = _compiled(self.text)
        if (found := pattern.fullmatch(name)) is None:
            return None
        values: dict[str, int] = {}
        for (letter, times, plus), digits in zip(places, found.groups(), strict=True):
            value, rest = divmod(int(digits) - plus, times)
            if rest or value < 0:
                return None
            values[letter] = value
        return values

    def filled(self, values: Mapping[str, int]) -> str:
        """Return the name with these numbers."""

        def number(place: re.Match[str]) -> str:
            times, plus = int(place["times"] or 1), int(place["plus"] or 0)
            return str(times * values[place["name"]] + plus)

        return _PLACE.sub(number, self.text)


_LAST = re.compile(r"\{last(?P<plus>[+-]\d+)?\}")


@cache
def _compiled(text: str) -> tuple[re.Pattern[str], tuple[tuple[str, int, int], ...]]:
    """Return the pattern of a template's names, and what each of its numbers means."""
    pattern, places, end = "", [], 0
    for place in _PLACE.finditer(text):
        pattern += re.escape(text[end : place.start()]) + r"(\d+)"
        places.append((place["name"], int(place["times"] or 1), int(place["plus"] or 0)))
        end = place.end()
    return re.compile(pattern + re.escape(text[end:])), tuple(places)
