"""Where the networks are that learned distances look through: in a folder, or downloaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

from napari_srgan.store.cache import cache_folder
from napari_srgan.training.optimise.vgg import (
    PUBLISHED,
    Trunk,
    find_published,
    find_trunk,
    read_trunk,
)

Kind = TypeVar("Kind", bound=Trunk)


def trunk_file(name: str, weights: Path | None = None, *, fetch: bool = False) -> Path:
    """Return the file of a network's weights.

    Parameters
    ----------
    name : str
        Of the network, as `PUBLISHED` has it.
    weights : Path, optional
        The file, or a folder that has it among others. Without it, torchvision's file is taken from
        the cache, or from torch's.
    fetch : bool
        Whether it may be downloaded.

    Raises
    ------
    OSError
        If it is not there.
    """
    if weights is not None:
        return find_trunk(weights, name)
    if fetch:
        return find_published(published=PUBLISHED[name], progress=True)
    return _cached(name)


def load_trunk(
    name: str, make: Callable[[], Kind], weights: Path | None = None, *, fetch: bool = False
) -> tuple[Kind, Path]:
    """Return a network with its weights, on the CPU, and the file that they are from.

    Parameters
    ----------
    name, weights, fetch
        As for :func:`trunk_file`.
    make : callable
        Returns the network, with any weights.

    Raises
    ------
    OSError
        If the weights are not there.
    ValueError
        If a file is not this network's.
    """
    path = trunk_file(name, weights, fetch=fetch)
    with torch.random.fork_rng(devices=[]):  # random weights, which nobody sees
        features = make()
    features.load_state_dict(read_trunk(path, features))
    return features, path


def _cached(name: str) -> Path:
    """Return torchvision's file from the folder of this package's downloads, or of torch's."""
    published = PUBLISHED[name]
    folders = (cache_folder(), Path(torch.hub.get_dir()) / "checkpoints")
    for folder in folders:
        if (path := folder / published.name).is_file():
            return path
    raise FileNotFoundError(f"{published.name} is not in {' nor in '.join(map(str, folders))}.")
