"""Generators on disk: read strictly, understood from their tensors alone, never executed."""

from __future__ import annotations

import math
import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from napari_srgan.downloads import is_web_page
from napari_srgan.models.srresnet import SRResNet

CHECKPOINT_SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt")

# Where foreign files, and this package's training, keep the generator among other things.
_NESTED = (
    "network",
    "params_ema",
    "params",
    "state_dict",
    "model_state_dict",
    "model",
    "generator",
)
_WRAPPERS = ("module.", "_orig_mod.")  # left by DataParallel and torch.compile
_ADVICE = re.compile(r"weights_only|torch\.load|safe_globals", re.IGNORECASE)
_LISTED = 3  # keys that an error message names
_PYTORCH_STARTS = (b"PK", b"\x80")  # of a zip archive, and of a pickle


class CheckpointError(ValueError):
    """A file is not a generator that this package can run; the message says why."""


@dataclass(frozen=True)
class Model:
    """A generator ready to be used.

    Attributes
    ----------
    name : str
        How it is chosen and shown.
    network : SRResNet
        In evaluation mode, float32, on the CPU.
    metadata : mapping of str to str
        What the file says of itself; empty for files that cannot.
    invents : bool
        Whether it was trained to invent plausible texture, so that fine detail is no evidence.
    """

    name: str
    network: SRResNet
    metadata: Mapping[str, str]
    invents: bool = False

    @property
    def scale(self) -> int:
        """Upscaling factor."""
        return self.network.scale


def load_checkpoint(path: str | Path, name: str | None = None) -> Model:
    """Load a generator from a safetensors file, or from a PyTorch file that holds only tensors.

    Blocks, features, channels, scale and normalisation are read off the tensors' names and shapes.

    Parameters
    ----------
    path : str or Path
        The file; its content decides how it is read, not its suffix.
    name : str, optional
        The model's name. Default: what the file says, else the file's name without suffix.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    CheckpointError
        If it is damaged, holds code, or is anything but a generator with exactly its tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"No model file at {path}.")
    state, metadata = _read(path)
    _check_kinds(state, path)
    network = _build(state, path)
    return Model(
        name=name or metadata.get("name") or path.stem,
        network=network.eval().requires_grad_(False),
        metadata=metadata,
        invents=metadata.get("invents") == "true",
    )


def save_checkpoint(path: str | Path, network: SRResNet, metadata: Mapping[str, str]) -> None:
    """Write a generator as safetensors, through a temporary file that is renamed when complete."""
    path = Path(path)
    part = path.with_name(path.name + ".part")
    state = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    try:
        save_file(state, part, metadata=dict(metadata))
        part.chmod(0o644)  # safetensors makes it the owner's alone
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
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
        state, metadata = _read_safetensors(path)
        return _unwrapped(state), metadata
    if not head.startswith(_PYTORCH_STARTS):
        raise CheckpointError(
            f"{path} is neither a safetensors nor a PyTorch file: it begins with {head[:24]!r}."
        )
    return _unwrapped(_tensors_of(_unpickle(path), path)), {}


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = dict(file.metadata() or {})
        return load_file(path), metadata
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path} is damaged or cut short: {error}.") from error


def _unpickle(path: Path) -> Any:
    try:
        with path.open("rb") as file:  # of a path, torch would look at the suffix
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} is not a plain file of tensors: {_first_sentence(error)} "
            "Nothing in it was run. Save the generator's state_dict() alone, best as safetensors."
        ) from error
    except Exception as error:  # where bytes are wrong, the reader raises whatever it stumbles on
        raise CheckpointError(
            f"{path} cannot be read as a model; it may be cut short: {_first_sentence(error)}"
        ) from error


def _first_sentence(error: BaseException) -> str:
    """Return the part of an error that says what is wrong.

    torch puts before it, and after it, how to run the code that a file holds: nobody should.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not _ADVICE.search(line)]
    text = (told or ["it holds something other than tensors"])[0]
    return text if text.endswith(".") else f"{text}."


def _tensors_of(content: Any, path: Path) -> dict[str, Tensor]:
    """Return the state dict in what a PyTorch file holds, unwrapped."""
    for key in _NESTED:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not content:
        raise CheckpointError(f"{path} holds {type(content).__name__}, not a generator's tensors.")
    wrong = [str(key) for key, value in content.items() if not isinstance(value, Tensor)]
    if wrong:
        raise CheckpointError(
            f"{path} holds more than tensors: {_listed(wrong)}. "
            "Save the generator's state_dict() alone."
        )
    return {str(key): value for key, value in content.items()}


def _unwrapped(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors without the prefix that wrappers gave to all their names."""
    for wrapper in (*_WRAPPERS, *_WRAPPERS):  # either may be inside the other
        if all(key.startswith(wrapper) for key in state):
            state = {key.removeprefix(wrapper): value for key, value in state.items()}
    return state


def _check_kinds(state: dict[str, Tensor], path: Path) -> None:
    """Refuse tensors that are no plain arrays of real numbers, or larger than their file."""
    odd = [
        f"{key} ({value.dtype}, {value.layout}, {value.device})"
        for key, value in state.items()
        if value.is_meta or value.layout != torch.strided or value.is_complex()
    ]
    if odd:
        raise CheckpointError(f"{path} holds what is no plain array of numbers: {_listed(odd)}.")
    claimed, size = sum(value.nbytes for value in state.values()), path.stat().st_size
    if claimed > size:  # a few bytes may claim to be terabytes, all alike
        raise CheckpointError(
            f"{path} has {size} bytes, but its tensors claim {claimed}. "
            "Save copies of them: tensor.clone()."
        )


def _build(state: dict[str, Tensor], path: Path) -> SRResNet:
    """Return the network that these tensors, all of them and no others, belong to."""
    sizes = _architecture(state, path)
    with torch.device("meta"):
        network = SRResNet(**sizes)
    expected = network.state_dict()
    missing = sorted(expected.keys() - state.keys())
    extra = sorted(state.keys() - expected.keys())
    shapes = [
        f"{key} is {tuple(state[key].shape)} instead of {tuple(expected[key].shape)}"
        for key in sorted(expected.keys() & state.keys())
        if state[key].shape != expected[key].shape
    ]
    problems = [
        f"{what} {_listed(keys)}"
        for what, keys in (("missing", missing), ("not expected", extra), ("misshapen", shapes))
        if keys
    ]
    if problems:
        raise CheckpointError(f"{path} does not fit an SRResNet of {sizes}: {'; '.join(problems)}.")
    # Copies: what safetensors gives is the file's own pages, which may change under the network.
    state = {key: value.to(expected[key].dtype, copy=True) for key, value in state.items()}
    broken = [key for key, value in state.items() if not bool(torch.isfinite(value).all())]
    if broken:
        raise CheckpointError(f"{path} has weights that are not finite: {_listed(broken)}.")
    network.load_state_dict(state, assign=True)
    return network


def _architecture(state: dict[str, Tensor], path: Path) -> dict[str, Any]:
    """Return the generator's sizes, read off its tensors."""
    head = state.get("body.head.weight")
    if head is None or head.ndim != 4:
        raise CheckpointError(
            f"{path} is not an SRResNet of this package: it has no 4-D tensor body.head.weight. "
            f"Its tensors are {_listed(sorted(state))}."
        )
    blocks = _numbered(state, r"body\.blocks\.(\d+)\.conv1\.weight")
    stages = _numbered(state, r"tail\.upsample\.(\d+)\.conv\.weight")
    features, channels = int(head.shape[0]), int(head.shape[1])
    scale = 1
    for stage in stages:
        outputs = state[f"tail.upsample.{stage}.conv.weight"].shape[:1].numel()
        scale *= math.isqrt(outputs // max(1, features))
    sizes = {
        "blocks": len(blocks),
        "features": features,
        "channels": channels,
        "scale": scale,
        "batch_norm": "body.norm.weight" in state,
    }
    try:
        with torch.device("meta"):
            SRResNet(**sizes)  # type: ignore[arg-type]  # a dict of int and bool
    except ValueError as error:
        raise CheckpointError(f"{path} describes no SRResNet: {error}") from error
    return sizes


def _numbered(state: dict[str, Tensor], pattern: str) -> list[str]:
    return [match[1] for key in state if (match := re.fullmatch(pattern, key))]


def _listed(words: list[str]) -> str:
    more = f" and {len(words) - _LISTED} more" if len(words) > _LISTED else ""
    return ", ".join(words[:_LISTED]) + more
