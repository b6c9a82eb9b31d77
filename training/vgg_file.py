"""VGG19's weights on disk: read strictly, and never executed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from napari_srgan.downloads import is_web_page
from napari_srgan.models.vgg import BLOCKS, VGG19Features
from napari_srgan.weight_files import unpickle

_CLASSIFIER = frozenset(f"classifier.{n}.{kind}" for n in (0, 3, 6) for kind in ("weight", "bias"))
_LISTED = 3  # faults that an error message names


def read_vgg(path: Path, network: VGG19Features) -> dict[str, Tensor]:
    """Return the tensors that `network` needs from a PyTorch file with torchvision's names.

    The file may hold the rest of VGG19 too, but nothing else. Nothing in it is run.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, holds code, or is anything but VGG19's weights.
    """
    content = _content(path)
    state = content if isinstance(content, dict) else {}
    needed = list(network.state_dict())
    if faults := list(_faults(state, needed)):
        more = f"; and {len(faults) - _LISTED} more" if len(faults) > _LISTED else ""
        raise ValueError(
            f"{path} does not hold VGG19's weights as torchvision names them: "
            f"{'; '.join(faults[:_LISTED])}{more}."
        )
    return {key: state[key] for key in needed}


def _content(path: Path) -> object:
    """Return what a PyTorch file holds, if that is tensors and plain values."""
    if not path.is_file():
        raise FileNotFoundError(f"No file of VGG19 weights at {path}.")
    with path.open("rb") as file:
        if is_web_page(file.read(512)):
            raise ValueError(
                f"{path} is a web page, not VGG19's weights: the download got an error or a "
                "log-in page."
            )
    content: object = unpickle(path, "Save VGG19's state_dict() alone.")
    return content


def _faults(state: Mapping[Any, Any], needed: list[str]) -> Iterator[str]:
    """Say what is wrong with what a file holds, layers that are not needed included."""
    shapes = _convolutions()
    for key in needed:
        if key not in state:
            yield f"{key} is missing"
    for key, value in state.items():
        if key in shapes:
            if not _is_plain(value) or value.shape != shapes[key]:
                yield f"{key} is {_kind(value)}, not real numbers of shape {tuple(shapes[key])}"
            elif key in needed and not bool(value.isfinite().all()):
                yield f"{key} has values that are not finite"
        elif key not in _CLASSIFIER:
            yield f"{key} is not one of VGG19's"


def _convolutions() -> dict[str, torch.Size]:
    """Return the names and shapes of all that VGG19 has before its classifier."""
    with torch.device("meta"):
        network = VGG19Features(len(BLOCKS), BLOCKS[-1][1])
    return {key: value.shape for key, value in network.state_dict().items()}


def _is_plain(value: object) -> bool:
    """Tell whether a value is an ordinary array of real numbers."""
    return (
        isinstance(value, Tensor)
        and value.is_floating_point()
        and value.layout == torch.strided
        and not value.is_meta
    )


def _kind(value: object) -> str:
    if isinstance(value, Tensor):
        return f"{value.dtype} of shape {tuple(value.shape)}"
    return type(value).__name__
