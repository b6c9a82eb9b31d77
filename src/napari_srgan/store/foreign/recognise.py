"""Recognise a generator of another project by its tensors' names, and give them this package's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

from napari_srgan.models.layers.options import KEY, encoded_options
from napari_srgan.store.foreign.dialects import Dialect
from napari_srgan.store.foreign.edsrs import EDSRS
from napari_srgan.store.foreign.esrgans import ESRGANS
from napari_srgan.store.foreign.names import Template
from napari_srgan.store.foreign.srresnets import SRRESNETS
from napari_srgan.wording import did_you_mean

DIALECTS: tuple[Dialect, ...] = (*SRRESNETS, *EDSRS, *ESRGANS)

_KEY = re.compile(
    r"(?P<module>.+?)\.(?P<tensor>((depthwise|pointwise)\.)?"
    r"(weight|bias|running_mean|running_var|num_batches_tracked))"
)
_LEAST = 0.5  # of a file's tensors, which a dialect has to know where one of its marks is missing


@dataclass(frozen=True)
class Reading:
    """A foreign file's tensors under this package's names.

    Attributes
    ----------
    dialect : Dialect
        How it was read.
    state : dict of str to Tensor
        The tensors, renamed alone, and the options of the dialect.
    names : mapping of str to str
        What each of these tensors is called in the file.
    unused : tuple of str
        Names in the file of tensors that are stored there and never used.
    unknown : tuple of str
        Names in the file of tensors that the dialect does not have.
    absent : tuple of str
        Names of tensors that every file of the dialect has, and this one has not.
    """

    dialect: Dialect
    state: dict[str, Tensor]
    names: Mapping[str, str]
    unused: tuple[str, ...]
    unknown: tuple[str, ...]
    absent: tuple[str, ...] = ()

    def adapted(self) -> dict[str, Tensor]:
        """Return the tensors as the family takes them.

        Raises
        ------
        ValueError
            If some have values that they cannot have in this dialect.
        """
        return self.state if self.dialect.adapt is None else self.dialect.adapt(self.state)

    def name_in_file(self, key: str) -> str:
        """Return what a tensor is called in the file, or would be if it were there."""
        if key in self.names:
            return self.names[key]
        module, tensor = _parts(key)
        fitting = [
            (theirs, values)
            for theirs, ours in _settled(self.dialect, self.names.values())
            if ours is not None and (values := ours.match(module)) is not None
        ]
        in_use = [(theirs, values) for theirs, values in fitting if self._uses(theirs)]
        for theirs, values in in_use or fitting:
            return f"{theirs.filled(values)}.{tensor}"
        return key

    def _uses(self, theirs: Template) -> bool:
        return any(theirs.match(_parts(name)[0]) is not None for name in self.names.values())


def recognise(state: Mapping[str, Tensor]) -> list[Reading]:
    """Return the ways to read a foreign state dict: none where no dialect knows its names.

    There are several where its tensors do not tell them apart. A dialect that knows more of the
    tensors is preferred to one that knows fewer.

    Parameters
    ----------
    state : mapping of str to Tensor
        Tensors under the names that the network's own class gave.
    """
    marked = [known for known in DIALECTS if _has_marks(known, state)]
    readings = [read_as(known, state) for known in marked or DIALECTS]
    fewest = min(len(reading.unknown) for reading in readings)
    best = [reading for reading in readings if len(reading.unknown) == fewest]
    if marked:
        return best
    return best[:1] if fewest <= _LEAST * len(state) else []


def dialect_named(name: str) -> Dialect:
    """Return a dialect by its name.

    Raises
    ------
    ValueError
        If there is none.
    """
    known = {dialect.name: dialect for dialect in DIALECTS}
    if name in known:
        return known[name]
    raise ValueError(
        f"There is no dialect {name!r}{did_you_mean(name, known)} Dialects: {', '.join(known)}."
    )


def read_as(dialect: Dialect, state: Mapping[str, Tensor]) -> Reading:
    """Return a state dict read in one dialect, whether or not that fits."""
    templates = _settled(dialect, state)
    renamed: dict[str, Tensor] = {}
    names: dict[str, str] = {}
    unused, unknown = [], []
    for key, value in state.items():
        ours = _renamed(key, templates)
        if ours is None or ours in renamed:
            unknown.append(key)
        elif ours == "":
            unused.append(key)
        else:
            renamed[ours], names[ours] = value, key
    if dialect.options is not None:
        renamed[KEY] = encoded_options(dialect.family, dialect.options)
    absent = tuple(key for key in dialect.marks if key not in state)
    return Reading(dialect, renamed, names, tuple(unused), tuple(unknown), absent)


def _has_marks(dialect: Dialect, state: Mapping[str, Tensor]) -> bool:
    return all(key in state for key in dialect.marks) and not any(
        key in state for key in dialect.unlike
    )


def _settled(dialect: Dialect, keys: Iterable[str]) -> list[tuple[Template, Template | None]]:
    keys = list(keys)
    return [
        (Template(theirs).settled(keys), Template(ours) if ours else None)
        for theirs, ours in dialect.modules
    ]


def _parts(key: str) -> tuple[str, str]:
    """Return the names of a module and of its tensor."""
    found = _KEY.fullmatch(key)
    return (found["module"], found["tensor"]) if found else (key, "")


def _renamed(key: str, templates: list[tuple[Template, Template | None]]) -> str | None:
    """Return a tensor's name here, empty where it is not used, None where it is not known."""
    module, tensor = _parts(key)
    if not tensor:
        return None
    for theirs, ours in templates:
        if (values := theirs.match(module)) is not None:
            return f"{ours.filled(values)}.{tensor}" if ours else ""
    return None
