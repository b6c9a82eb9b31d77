"""A generator built of tensors: exactly those that it has, none missing, none left over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from napari_srgan.models.families import FAMILIES
from napari_srgan.models.generator import Generator
from napari_srgan.models.layers.options import KEY as OPTIONS
from napari_srgan.store.foreign.recognise import Reading, dialect_named, read_as, recognise
from napari_srgan.store.tensors.tensor_file import CheckpointError
from napari_srgan.store.tensors.values import converted
from napari_srgan.wording import listed


def build_network(
    state: Mapping[str, Tensor], path: Path, dialect: str | None = None
) -> tuple[Generator, Reading | None]:
    """Return the network that a file's tensors belong to, and how another project's were read.

    Parameters
    ----------
    state : mapping of str to Tensor
        The file's tensors, of this package's names or of another project's.
    path : Path
        The file, for messages.
    dialect : str, optional
        How to read another project's.

    Raises
    ------
    CheckpointError
        If they are of no known network, of several, or not exactly its tensors.
    ValueError
        If there is no such dialect.
    """
    reading = _foreign(state, path, dialect)
    if reading is not None:
        try:
            state = reading.adapted()
        except ValueError as error:
            raise CheckpointError(f"{path} is no {reading.dialect.described}: {error}.") from error
    found = _family_of(state, path)
    if found is None:
        raise CheckpointError(f"{path} describes no network.")
    kind, sizes = found
    try:
        with torch.device("meta"):
            network = kind(**sizes)
    except ValueError as error:
        if reading is None or not reading.absent:
            raise CheckpointError(f"{path} describes no {kind.__name__}: {error}") from error
        raise CheckpointError(
            f"{path} does not fit {reading.dialect.described}: missing {listed(reading.absent)}."
        ) from error
    state = _completed(state, network, reading)
    if problems := _problems(state, network.state_dict(), reading):
        what = f"{kind.__name__} of {sizes}" if reading is None else reading.dialect.described
        raise CheckpointError(f"{path} does not fit {what}: {'; '.join(problems)}.")
    try:
        network.load_state_dict(converted(state, network.state_dict()), assign=True)
    except ValueError as error:
        raise CheckpointError(f"{path} {error}") from error
    return network, reading


def _foreign(state: Mapping[str, Tensor], path: Path, dialect: str | None) -> Reading | None:
    """Return another project's tensors under this package's names; None if they have them."""
    if dialect is not None:
        return read_as(dialect_named(dialect), state)
    if _family_of(state, path) is not None:
        return None
    readings = recognise(state)
    if not readings:
        families = ", ".join(kind.__name__ for kind in FAMILIES.values())
        raise CheckpointError(
            f"{path} is no generator that is known, neither of this package ({families}) nor of "
            f"the projects that it reads. Its tensors are {listed(sorted(state))}."
        )
    if len(readings) > 1:
        ways = ", or ".join(reading.dialect.described for reading in readings)
        first = readings[0].dialect.name
        raise CheckpointError(
            f"{path} can be read in {len(readings)} ways, which its tensors do not tell apart: "
            f"{ways}. Say which: --as {first} on the command line, dialect={first!r} in Python."
        )
    return readings[0]


def _family_of(
    state: Mapping[str, Tensor], path: Path
) -> tuple[type[Generator], dict[str, Any]] | None:
    """Return the family whose names tensors have, and the sizes that they say; or None."""
    for kind in FAMILIES.values():
        try:
            sizes = kind.sizes_of(state)
        except ValueError as error:
            raise CheckpointError(f"{path} describes no {kind.__name__}: {error}.") from error
        if sizes is not None:
            return kind, sizes
    return None


def _completed(
    state: Mapping[str, Tensor], network: Generator, reading: Reading | None
) -> dict[str, Tensor]:
    """Return the tensors with those added that follow from the network, and need not be there."""
    expected = network.state_dict()
    # Files of PyTorch before 0.4.1, and of converters, have no counts.
    counts = {
        key: torch.zeros((), dtype=torch.int64, device="cpu")
        for key in expected
        if key.endswith("num_batches_tracked")
    }
    completed = {**counts, **state}
    if reading is not None and OPTIONS in expected:
        completed[OPTIONS] = expected[OPTIONS]  # by now with what tensors tell
    return completed


def _problems(
    state: Mapping[str, Tensor], expected: Mapping[str, Tensor], reading: Reading | None
) -> list[str]:
    """Return what is wrong with the names and shapes of tensors, in the file's own names."""
    name = str if reading is None else reading.name_in_file
    missing = {name(key) for key in expected.keys() - state.keys()}
    extra = {name(key) for key in state.keys() - expected.keys()}
    if reading is not None:
        missing |= set(reading.absent)
        extra |= set(reading.unknown)
    kinds = {
        "missing": missing,
        "not expected": extra,
        "misshapen": [
            f"{name(key)} is {tuple(state[key].shape)} instead of {tuple(expected[key].shape)}"
            for key in expected.keys() & state.keys()
            if state[key].shape != expected[key].shape
        ],
    }
    return [f"{what} {listed(sorted(keys))}" for what, keys in kinds.items() if keys]
