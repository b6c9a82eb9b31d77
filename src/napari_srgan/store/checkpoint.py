"""Generators on disk: understood strictly, from their tensors alone."""

from __future__ import annotations

import copy
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from napari_srgan.models.generator import Generator
from napari_srgan.store.build import build_network
from napari_srgan.store.generative import generative_by
from napari_srgan.store.self_test import TENSORS, SelfTest
from napari_srgan.store.tensors.tensor_file import CheckpointError, read_tensors, write_tensors
from napari_srgan.store.tensors.unwrap import Unwrapped
from napari_srgan.wording import printable

__all__ = [
    "CheckpointError",
    "Model",
    "load_checkpoint",
    "rounded_to_half",
    "save_checkpoint",
]


_LONGEST_NAME = 100  # characters of a model's name
_LONGEST_PATH = 4000

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Model:
    """A generator ready to be used.

    Attributes
    ----------
    name : str
        How it is chosen and shown.
    network : Generator
        In evaluation mode, float32, on the CPU.
    metadata : mapping of str to str
        What the file says of itself; empty for files that cannot.
    generative : bool or None
        Whether it was trained to draw plausible texture, so that fine detail is no evidence. None
        where nothing says so, as in files of other projects: it is not known.
    self_test : SelfTest or None
        What shows whether a device computes what it should; None where the file has none.
    sha256 : str
        Of the file that it was loaded from; empty where it was not.
    uncertainty : tuple of float or None
        As :class:`napari_srgan.store.registry.Weights` has it.
    """

    name: str
    network: Generator
    metadata: Mapping[str, str]
    generative: bool | None = None
    self_test: SelfTest | None = None
    sha256: str = ""
    uncertainty: tuple[float, float] | None = None

    @property
    def scale(self) -> int:
        """Upscaling factor."""
        return self.network.scale

    @property
    def scales(self) -> tuple[int, ...]:
        """All upscaling factors that the weights are for; see :meth:`at_scale`."""
        return self.network.scales

    def at_scale(self, scale: int) -> Model:
        """Return the model that enlarges by one of its scales, with the same weights.

        Raises
        ------
        ValueError
            If it has no such scale.
        """
        if scale == self.scale:
            return self
        try:
            network = self.network.at_scale(scale)
        except ValueError as error:
            raise ValueError(f"The model {self.name} cannot do that: {error}.") from error
        return replace(self, network=network, self_test=None)  # which is of the other scale


def load_checkpoint(
    path: str | Path, name: str | None = None, *, dialect: str | None = None
) -> Model:
    """Load a generator from a safetensors file, or from a PyTorch file that holds only tensors.

    The family and its sizes are read off the tensors' names and shapes. Files of other projects are
    recognised by their names: :mod:`napari_srgan.store.foreign`.

    Parameters
    ----------
    path : str or Path
        The file; its content decides how it is read, not its suffix.
    name : str, optional
        The model's name. Default: what the file says, else the file's name without suffix.
    dialect : str, optional
        How another project's file is to be read, where its tensors allow more than one way.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    CheckpointError
        If it is damaged, holds code, or is anything but a generator with exactly its tensors and,
        perhaps, a self-test that fits it; if it can be read in several ways.
    ValueError
        If there is no such dialect.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"No model file at {printable(path, _LONGEST_PATH)}.")
    found, metadata = read_tensors(path)
    state = dict(found.state)
    test = {key: state.pop(key) for key in TENSORS if key in state}
    network, reading = build_network(state, path, dialect)
    metadata |= _origin(found, path)
    if reading is not None:
        metadata |= {"dialect": reading.dialect.name, "project": reading.dialect.project}
    return Model(
        name=name or printable(metadata.get("name") or path.stem, _LONGEST_NAME),
        network=network.eval().requires_grad_(False),
        metadata=metadata,
        generative=generative_by(metadata),
        self_test=SelfTest.from_tensors(test, network, path),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )


def _origin(found: Unwrapped, path: Path) -> dict[str, str]:
    """Return what the metadata say of how a network was found in its file, and log a choice."""
    if not found.chosen:
        return {}
    chosen = ", ".join(map(printable, found.chosen))
    if found.averaged:
        logger.info("%s: took the averaged weights (%s).", printable(path), chosen)
    return {"taken_from": chosen, "averaged": "true" if found.averaged else "false"}


def save_checkpoint(
    path: str | Path,
    network: Generator,
    metadata: Mapping[str, str],
    self_test: SelfTest | None = None,
    *,
    half: bool = False,
) -> None:
    """Write a generator as safetensors, through a temporary file that is renamed when complete.

    Parameters
    ----------
    path : str or Path
        The file; one that is there is replaced.
    network : Generator
        The generator, in any mode and on any device.
    metadata : mapping of str to str
        What the file says of itself.
    self_test : SelfTest, optional
        Of this network; with ``half``, of :func:`rounded_to_half` of it.
    half : bool
        Whether to keep the weights of convolutions in 16 bits, which halves the file. All else
        stays in float32: it is small, and norms need it.

    Raises
    ------
    ValueError
        If a weight is too large for 16 bits.
    """
    state = {key: value.detach().cpu() for key, value in network.state_dict().items()}
    if half:
        state = {key: _stored_in_half(key, value) for key, value in state.items()}
    if self_test is not None:
        state |= self_test.tensors()
    write_tensors(Path(path), state, metadata)


def rounded_to_half(network: Generator) -> Generator:
    """Return a copy of the network as it is loaded from a file that keeps 16 bits of it.

    Raises
    ------
    ValueError
        If a weight is too large for 16 bits.
    """
    rounded = copy.deepcopy(network)
    for key, value in rounded.state_dict().items():
        value.copy_(_stored_in_half(key, value))
    return rounded


def _stored_in_half(key: str, value: Tensor) -> Tensor:
    if value.ndim != 4:  # no weight of a convolution
        return value
    half = value.half()
    if not bool(torch.isfinite(half).all()):
        raise ValueError(
            f"{key} has weights up to {float(value.abs().max()):.3g}, more than 16 bits can hold: "
            "store it in 32 bits."
        )
    return half
