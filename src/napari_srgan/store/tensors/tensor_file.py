"""Files of tensors, safetensors' and PyTorch's: written, and read without running anything."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors.torch import save_file
from torch import Tensor

from napari_srgan.files.atomic import written_whole
from napari_srgan.processes import compute_after_fork
from napari_srgan.store.tensors.foreign_files import (
    fault_of_beginning,
    fault_of_count,
    fault_of_zip,
)
from napari_srgan.store.tensors.legacy import lacks_storages, tensors_in
from napari_srgan.store.tensors.pickles import is_too_new, refusal
from napari_srgan.store.tensors.unwrap import Unwrapped, unwrap
from napari_srgan.wording import listed, printable

_PYTORCH_STARTS = (b"PK", b"\x80")  # of a zip archive, and of a pickle
_ADVICE = re.compile(r"weights_only|torch\.load|safe_globals", re.IGNORECASE)
_MOST_BYTES = 2**32  # of a file; what training programs keep beside a generator is in it
_LONGEST_MESSAGE = 4000  # characters; a path alone may have as many
_LONGEST_FACT = 8000  # of what a file says of itself: all settings of a recipe are 2500
_MOST_TIMES_ITS_SIZE = 8  # that the tensors of a file may be, where some of them share their values
# What can be a tensor's numbers: not complex, quantised or packed ones.
_NUMBERS = frozenset(
    {
        *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
        *(torch.float8_e4m3fn, torch.float8_e5m2, torch.bool),
        *(torch.int8, torch.int16, torch.int32, torch.int64),
        *(torch.uint8, torch.uint16, torch.uint32, torch.uint64),
    }
)


class CheckpointError(ValueError):
    """A file is not a generator that this package can run; the message says why.

    The message is one line that can be shown anywhere: names in files may be made to rewrite a
    terminal.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message, _LONGEST_MESSAGE))


def read_tensors(path: Path) -> tuple[Unwrapped, dict[str, str]]:
    """Return the generator's tensors in a file, and what the file says of itself.

    They are plain arrays of real numbers, on the CPU, under the names that the network's own class
    gave them.

    Parameters
    ----------
    path : Path
        A safetensors file, or a PyTorch file that holds only tensors; its content decides.

    Raises
    ------
    CheckpointError
        If it is damaged, holds code or anything else that is no tensor.
    """
    compute_after_fork()
    content, metadata = _read(path)
    try:
        found = unwrap(content)
    except ValueError as error:
        raise CheckpointError(f"{path} {error}") from error
    _check_kinds(found.state, path)
    return found, metadata


def write_tensors(path: Path, state: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors as safetensors; the file appears when it is complete.

    Raises
    ------
    OSError
        If it cannot be written, as on a full disk.
    """
    contiguous = {key: value.contiguous() for key, value in state.items()}
    try:
        with written_whole(path) as part:
            save_file(contiguous, part, metadata=dict(metadata))
            part.chmod(0o644)  # safetensors makes it the owner's alone
    except (OSError, safetensors.SafetensorError) as error:  # the latter of a full disk, too
        raise OSError(f"{path} cannot be written: {error}.") from error


def _read(path: Path) -> tuple[object, dict[str, str]]:
    with path.open("rb") as file:
        head = file.read(512)
    if path.stat().st_size > _MOST_BYTES:
        raise CheckpointError(f"{path} has {path.stat().st_size} bytes, more than any generator.")
    if (fault := fault_of_beginning(head)) is not None:
        raise CheckpointError(f"{path} {fault}")
    # A safetensors file is the length of its header in 8 bytes, then the header, a JSON object.
    if head[8:9] == b"{":
        return _read_safetensors(path)
    if not head.startswith(_PYTORCH_STARTS):
        raise CheckpointError(
            f"{path} is neither a safetensors nor a PyTorch file: it begins with {head[:24]!r}."
        )
    return unpickle(path), {}


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    # Read, not mapped: not every file system can map files, nor every name be given to safetensors,
    # and on Windows a mapped file can be neither replaced nor removed.
    content = path.read_bytes()
    try:
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        fault = fault_of_count(len(header))
        state = {} if fault else safetensors.torch.load(content)
    except Exception as error:  # where bytes are wrong, the reader raises whatever it stumbles on
        raise CheckpointError(f"{path} is damaged or cut short: {printable(error)}.") from error
    if fault is not None:
        raise CheckpointError(f"{path} {fault}")
    metadata: dict[str, str] = header.get("__metadata__") or {}
    return state, {printable(k): printable(v, _LONGEST_FACT) for k, v in metadata.items()}


def unpickle(path: Path) -> Any:
    """Return what a PyTorch file holds, if that is tensors and plain values. Nothing in it is run.

    Raises
    ------
    CheckpointError
        If it holds anything else, which is named, or is damaged.
    """
    with path.open("rb") as file:  # of a path, torch would look at the suffix
        is_zip = file.read(2) == b"PK"
        fault = fault_of_zip(path) if is_zip else fault_of_count(tensors_in(path))
        if fault is not None:
            raise CheckpointError(f"{path} {fault}")
        if is_too_new(path):
            raise CheckpointError(f"{path} {refusal(path)}")
        file.seek(0)
        try:
            content = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # of wrong bytes, it raises whatever it stumbles on
            damaged = f"cannot be read as a PyTorch file; it may be cut short: {_reason(error)}"
            raise CheckpointError(f"{path} {refusal(path) or damaged}") from error
    if not is_zip and lacks_storages(path):
        raise CheckpointError(f"{path} is damaged: it lacks a part that its tensors need.")
    return content


def _reason(error: BaseException) -> str:
    """Return the part of an error that says what is wrong.

    torch puts before it, and after it, how to run the code that a file holds: nobody should.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not _ADVICE.search(line)]
    return printable(told[0] if told else type(error).__name__).removesuffix(".") + "."


def _check_kinds(state: Mapping[str, Tensor], path: Path) -> None:
    """Refuse tensors that are no plain arrays of real numbers, or larger than their file."""
    odd = [
        f"{key} ({value.dtype}, {value.layout}, {value.device})"
        for key, value in state.items()
        if value.is_meta or value.layout != torch.strided or value.dtype not in _NUMBERS
    ]
    if odd:
        raise CheckpointError(f"{path} holds what is no plain array of numbers: {listed(odd)}.")
    claimed, size = sum(value.nbytes for value in state.values()), path.stat().st_size
    if claimed > _MOST_TIMES_ITS_SIZE * size:  # a few bytes may claim to be terabytes, all alike
        raise CheckpointError(
            f"{path} has {size} bytes, but its tensors claim {claimed}. "
            "Save copies of them: tensor.clone()."
        )
