"""Say what a refused PyTorch file holds: which classes it asks for, read off its opcodes alone.

A pickle is a program; here its instructions are listed and none is done.
"""

from __future__ import annotations

import pickle
import pickletools
import re
import sys
import zipfile
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import IO

from napari_srgan.store.tensors.unwrap import best_entry
from napari_srgan.wording import listed

_MOST_BYTES = 2**24  # of a pickle that is looked at
_MOST_OPCODES = 200_000
_PICKLES = 5  # of a file from before PyTorch 1.6: four of its own, and the content
_PROTOCOL = 2  # torch.save's, and the only one that PyTorch reads without running anything
_OLD_MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg"}  # Python 2's, kept by protocol 2

# What tensors need to be read.
_TENSORS = re.compile(
    r"collections\.(OrderedDict|Counter)|_codecs\.encode|builtins\.(set|bytearray|complex)"
    r"|torch\.(_utils|_tensor)\._rebuild\w+|torch\.nn\.parameter\.\w+"
    r"|torch\.(cuda\.|storage\.)?\w*Storage|torch\.(Size|Tensor|device|bool)"
    r"|torch\.(u?int|float|bfloat|complex|q)\w*|torch\.serialization\._get_layout"
)
_MODULES = ("torch.nn.", "torch.jit.")
_PARTS_OF_MODULES = {"_modules", "_parameters", "_buffers"}
_BY_PICKLE = "torch.storage._load_from_bytes"  # where pickle, not torch.save, wrote a tensor
# Of Python's own modules, those with classes that are plain values; the rest has no business here.
_VALUES = frozenset(
    {
        *("argparse", "collections", "copyreg", "datetime", "decimal", "enum", "fractions"),
        *("functools", "logging", "pathlib", "random", "typing", "uuid"),
    }
)
_BUILTIN_VALUES = frozenset(
    {"dict", "frozenset", "list", "object", "range", "slice", "tuple", "type"}
)


@dataclass(frozen=True)
class _Pickled:
    """What a pickle asks for.

    Attributes
    ----------
    names : tuple of str
        Classes and functions with their modules, ``model.SRResNet``, each once, in order, but for
        those that tensors need.
    texts : tuple of str
        The first strings in it, the keys of its dictionaries among them.
    entry : str or None
        The key under which a dictionary has the first of the names, if any.
    protocol : int
        Of the pickle.
    """

    names: tuple[str, ...]
    texts: tuple[str, ...]
    entry: str | None
    protocol: int


def _pickled_in(path: Path) -> _Pickled:
    """Return what the pickle in a PyTorch file asks for, as far as it can be read."""
    names: dict[str, None] = {}
    texts: list[str] = []
    entry, protocol, is_in_dictionary = None, 0, False
    with suppress(Exception), path.open("rb") as file:  # it is damaged: what came before counts
        for kind, value in islice(_instructions(_content(file)), _MOST_OPCODES):
            if kind == "protocol":
                protocol = max(protocol, int(value))
                if not names:  # another pickle begins
                    texts, is_in_dictionary = [], False
            elif kind == "dictionary":
                is_in_dictionary = True
            elif kind == "text":
                texts.append(value)
            elif not _TENSORS.fullmatch(value):
                if not names and is_in_dictionary:
                    # Before a class there is its module, and in old files the word module.
                    others = [t for t in texts if t not in ("module", *value.split("."))]
                    entry = best_entry(reversed(others))
                names[value] = None
    return _Pickled(tuple(names), tuple(texts), entry, protocol)


def _content(file: IO[bytes]) -> IO[bytes]:
    """Return the pickle in a PyTorch file: a member of a zip archive, or the file itself."""
    if not zipfile.is_zipfile(file):
        file.seek(0)
        return file
    with zipfile.ZipFile(file) as archive:
        name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        with archive.open(name) as member:
            return BytesIO(member.read(_MOST_BYTES))


def _instructions(file: IO[bytes]) -> Iterator[tuple[str, str]]:
    """Yield protocols, strings, names and beginnings of dictionaries in successive pickles."""
    for _ in range(_PICKLES):
        recent: deque[str | None] = deque(maxlen=2)  # a name may be two strings on the stack
        memo: dict[int, str | None] = {}
        for opcode, argument, _ in pickletools.genops(file):
            match opcode.name:
                case "PROTO":
                    yield "protocol", str(argument)
                case "GLOBAL" | "INST":
                    yield "name", _dotted(*str(argument).split(" ", 1))
                case "STACK_GLOBAL":
                    yield "name", _dotted(*map(str, recent))
                case "MEMOIZE":
                    memo[len(memo)] = recent[-1] if recent else None
                case "PUT" | "BINPUT" | "LONG_BINPUT":
                    memo[int(str(argument))] = recent[-1] if recent else None
                case "GET" | "BINGET" | "LONG_BINGET":
                    recent.append(memo.get(int(str(argument))))
                case "EMPTY_DICT" | "DICT":
                    yield "dictionary", ""
                case _ if opcode.stack_after:
                    text = argument if isinstance(argument, str) else None
                    recent.append(text)
                    if text is not None:
                        yield "text", text


def _dotted(module: str, name: str = "") -> str:
    return f"{_OLD_MODULES.get(module, module)}.{name}"


def is_too_new(path: Path) -> bool:
    """Tell whether a file is of a pickle protocol that PyTorch warns of, and then cannot read."""
    with suppress(Exception), path.open("rb") as file:
        start = _content(file).read(2)
        return start[:1] == pickle.PROTO and start[1] > _PROTOCOL + 1
    return False


def refusal(path: Path) -> str | None:
    """Say what a file holds that cannot be read without running it, and what to do.

    The message is a sentence's end, after the file's name; None if there is no such thing in it.
    """
    found = _pickled_in(path)
    names = listed(found.names)
    if _BY_PICKLE in found.names:
        content = f"pathlib.Path({_name(path)}).read_bytes()"
        return (
            "was written by pickle, not by torch.save. Nothing in it was run. "
            + _where_it_was_made("import pathlib, pickle", f"pickle.loads({content})", path)
        )
    if suspects := [name for name in found.names if _is_suspect(name)]:
        return (
            f"is not a plain file of tensors: it calls for {listed(suspects)}, which no model "
            "needs. Nothing in it was run. Save the network's state_dict() alone where it was "
            "made, and do not load this file elsewhere unless you know what it does."
        )
    loaded = f"torch.load({_name(path)}, map_location='cpu', weights_only=False)"
    if {*found.texts} >= _PARTS_OF_MODULES or any(n.startswith(_MODULES) for n in found.names):
        network = loaded if found.entry is None else f"{loaded}[{found.entry[:80]!r}]"
        return (
            f"holds whole modules, which are code, in place of tensors: {names}. Nothing in it "
            f"was run. {_where_it_was_made('import torch', f'{network}.state_dict()', path)}"
        )
    if not found.names:
        if found.protocol <= _PROTOCOL:
            return None
        return (
            f"was saved with pickle protocol {found.protocol}, which cannot be read without "
            f"running what is in it; torch.save's own is {_PROTOCOL}. "
            f"{_where_it_was_made('import torch', loaded, path)}"
        )
    entry = best_entry(found.texts)
    state = loaded if entry is None else f"{loaded}[{entry[:80]!r}]"
    return (
        f"holds Python objects beside its tensors: {names}. Nothing in it was run. "
        f"{_where_it_was_made('import torch', state, path)}"
    )


def _is_suspect(name: str) -> bool:
    """Tell whether a name is one of Python's own functions, which could do anything."""
    module, _, attribute = name.rpartition(".")
    top = module.partition(".")[0]
    if top == "builtins":
        return attribute not in _BUILTIN_VALUES
    return top in sys.stdlib_module_names and top not in _VALUES


def _where_it_was_made(imports: str, state: str, path: Path) -> str:
    """Return the lines of Python that export a state dict; they run what is in the file."""
    imports = imports if imports == "import torch" else f"{imports}, torch"
    target = f"{path.stem[:80]}-tensors.pth"
    return (
        "Where it was made, or if you trust whoever made it (this runs its code), export its "
        f"tensors in Python: {imports}; state = {state}; torch.save(state, {target!r})"
    )


def _name(path: Path) -> str:
    return repr(path.name)
