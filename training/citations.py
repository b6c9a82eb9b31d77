"""What a recipe's file says in comments: which paper it follows, and where each value is from."""

from __future__ import annotations

import re

_TABLE = re.compile(r"\[([\w.-]+)\]")
_SETTING = re.compile(r"""([\w-]+)\s*=\s*(?:"[^"]*"|'[^']*'|[^#"'])*#\s*(.+)""")


def citations_of(recipe: str) -> dict[str, str]:
    """Return what the comments behind a recipe's settings say, by the settings' dotted names."""
    found, table = {}, ""
    for line in map(str.strip, recipe.splitlines()):
        if opened := _TABLE.match(line):
            table = f"{opened[1]}."
        elif cited := _SETTING.fullmatch(line):
            found[table + cited[1]] = cited[2]
    return found


def heading_of(recipe: str) -> str:
    """Return the comment that a recipe begins with, as one line; empty where it has none."""
    lines = []
    for line in recipe.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return " ".join(lines)
