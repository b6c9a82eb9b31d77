"""Files of ``torch.save`` from before PyTorch 1.6: how many tensors they ask for, and hold.

Such a file is five pickles (a magic number, a protocol, the system, the content, the names of
storages) and then the storages. The content asks for storages by name, and PyTorch leaves those
that the fifth pickle does not name as memory was: they would hold whatever was in it.
"""

from __future__ import annotations

import pickletools
import re
from collections import deque
from pathlib import Path
from typing import IO

_MOST_BYTES = 2**24  # of a file that are looked at for tensors
_BEFORE_CONTENT = 3  # pickles
_STORAGE = re.compile(rb"(tq.|tr.{4})Q", re.DOTALL)  # a tuple, kept, and what is stored under it
_TEXTS = 3  # of a storage's tuple: its name, its device, and in the oldest files a view's name


def tensors_in(path: Path) -> int:
    """Return how many tensors a file asks for, in a moment."""
    with path.open("rb") as file:  # which begins with what asks for them
        return sum(1 for _ in _STORAGE.finditer(file.read(_MOST_BYTES)))


def lacks_storages(path: Path) -> bool:
    """Tell whether a file that PyTorch reads does not hold each storage that it asks for."""
    with path.open("rb") as file:
        for _ in range(_BEFORE_CONTENT):
            deque(pickletools.genops(file), maxlen=0)
        asked = _storages_asked_for(file)
        held = {str(text) for opcode, text, _ in pickletools.genops(file) if _is_text(opcode)}
    return not all(names & held for names in asked)


def _storages_asked_for(file: IO[bytes]) -> set[frozenset[str | None]]:
    """Return, for each storage that a pickle asks for, the texts that its name is one of."""
    asked: set[frozenset[str | None]] = set()
    recent: deque[str | None] = deque(maxlen=_TEXTS)
    memo: dict[int, str | None] = {}
    last: str | None = None  # what was pushed last, if it is a text
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name in ("BINPUT", "LONG_BINPUT", "PUT"):
            memo[int(str(argument))] = last
            continue
        if opcode.name in ("BINGET", "LONG_BINGET", "GET"):
            last = memo.get(int(str(argument)))
        else:
            last = str(argument) if _is_text(opcode) else None
        if last is not None:
            recent.append(last)
        if opcode.name == "BINPERSID":
            asked.add(frozenset(recent))
    return asked


def _is_text(opcode: pickletools.OpcodeInfo) -> bool:
    return opcode.name in ("BINUNICODE", "SHORT_BINUNICODE", "UNICODE")
