"""Files of tensors, safetensors' and PyTorch's: written, and read without running anything."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from napari_srgan.files.atomic import written_whole
from napari_srgan.store.download import is_web_page
from napari_srgan.store.unwrap import Unwrapped, unwrap
from napari_srgan.wording import listed, printable

_ADVICE = re.compile(r"weights_only|torch\.load|safe_globals", re.IGNORECASE)
_HOW_TO_SAVE = "Save the generator's state_dict() alone, best as safetensors."
_PYTORCH_STARTS = (b"PK", b"\x80")  # of a zip archive, and of a pickle
_LONGEST_MESSAGE = 4000


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
    gave them. Those of a safetensors file are the file's own pages: copy what is to be kept.

    Parameters
    ----------
    path : Path
        A safetensors file, or a PyTorch file that holds only tensors; its content decides.

    Raises
    ------
    CheckpointError
        If it is damaged, holds code or anything else that is no tensor.
    """
    content, metadata = _read(path)
    try:
        found = unwrap(content)
    except ValueError as error:
        raise CheckpointError(f"{path} {error}") from error
    _check_kinds(found.state, path)
    return found, metadata


def write_tensors(path: Path, state: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors as safetensors; the file appears when it is complete."""
    with written_whole(path) as part:
        save_file(
            {key: value.contiguous() for key, value in state.items()},
            part,
            metadata=dict(metadata),
        )
        part.chmod(0o644)  # safetensors makes it the owner's alone


def _read(path: Path) -> tuple[object, dict[str, str]]:
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        raise CheckpointError(f"{path} is empty.")
    if is_web_page(head):
        raise CheckpointError(
            f"{path} is a web page, not a model: the download got an error or a login page."
        )
    # A safetensors file is the length of its header in 8 bytes, then the header, a JSON object.
    if head[8:9] == b"{":
        return _read_safetensors(path)
    if not head.startswith(_PYTORCH_STARTS):
        raise CheckpointError(
            f"{path} is neither a safetensors nor a PyTorch file: it begins with {head[:24]!r}."
        )
    return unpickle(path, _HOW_TO_SAVE), {}


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = dict(file.metadata() or {})
        return load_file(path), metadata
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path} is damaged or cut short: {error}.") from error


def unpickle(path: Path, advice: str) -> Any:
    """Return what a PyTorch file holds, if that is tensors and plain values. Nothing in it is run.

    Raises
    ------
    CheckpointError
        If it holds anything else, with the advice, or is damaged.
    """
    try:
        with path.open("rb") as file:  # of a path, torch would look at the suffix
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} is not a plain file of tensors: {_first_sentence(error)} "
            f"Nothing in it was run. {advice}"
        ) from error
    except Exception as error:  # where bytes are wrong, the reader raises whatever it stumbles on
        raise CheckpointError(
            f"{path} cannot be read as a PyTorch file; it may be cut short: "
            f"{_first_sentence(error)}"
        ) from error


def _first_sentence(error: BaseException) -> str:
    """Return the part of an error that says what is wrong.

    torch puts before it, and after it, how to run the code that a file holds: nobody should.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not _ADVICE.search(line)]
    text = (told or ["it holds something other than tensors"])[0]
    return text if text.endswith(".") else f"{text}."


def _check_kinds(state: dict[str, Tensor], path: Path) -> None:
    """Refuse tensors that are no plain arrays of real numbers, or larger than their file."""
    odd = [
        f"{key} ({value.dtype}, {value.layout}, {value.device})"
        for key, value in state.items()
        if value.is_meta or value.layout != torch.strided or value.is_complex()
    ]
    if odd:
        raise CheckpointError(f"{path} holds what is no plain array of numbers: {listed(odd)}.")
    claimed, size = sum(value.nbytes for value in state.values()), path.stat().st_size
    if claimed > size:  # a few bytes may claim to be terabytes, all alike
        raise CheckpointError(
            f"{path} has {size} bytes, but its tensors claim {claimed}. "
            "Save copies of them: tensor.clone()."
        )
