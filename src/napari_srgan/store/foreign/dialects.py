"""Dialects: how each project names a generator's modules, and what its names alone say of it.

A row is data: modules in the project's names and in this package's, options that no tensor tells,
and the tensors by which it is known from all others. Facts were read off each project's own files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from napari_srgan.models.layers.options import Option


@dataclass(frozen=True)
class Dialect:
    """A project's way to build a generator and to name its parts.

    Attributes
    ----------
    name : str
        What it is asked for by.
    project : str
        The public repository, ``owner/name``.
    family : str
        What it is here: a key of :data:`napari_srgan.models.families.FAMILIES`.
    modules : tuple of (str, str)
        Templates (:class:`napari_srgan.store.foreign.names.Template`) of a module's name there and
        here; the first that fits holds. Those with no name here are stored there and never used.
    options : mapping of str to int, float, str or bool, or None
        What no tensor tells: arguments of the family's constructor. None where tensors tell all.
    marks : tuple of str
        Names of tensors that are in every file of this dialect.
    unlike : tuple of str
        Names of tensors that are in none.
    adapt : callable, optional
        Makes of the renamed tensors those of the family, where renaming is not enough.
    note : str
        What else a person wants to know who has to choose.
    """

    name: str
    project: str
    family: str
    modules: tuple[tuple[str, str], ...]
    options: Mapping[str, Option] | None = None
    marks: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()
    adapt: Callable[[dict[str, Tensor]], dict[str, Tensor]] | None = None
    note: str = ""

    @property
    def described(self) -> str:
        """The dialect in a message."""
        return f"{self.name} ({self.project}{f', {self.note}' if self.note else ''})"


def table(text: str) -> tuple[tuple[str, str], ...]:
    """Return the rows of a table of two columns; the second may be empty."""
    rows = (line.split() for line in text.splitlines() if line.strip())
    return tuple((row[0], row[1] if len(row) > 1 else "") for row in rows)
