"""Where the networks are that learned distances look through: in a folder, or downloaded."""

from __future__ import annotations

from pathlib import Path

import torch

from napari_srgan.store.cache import cache_folder
from napari_srgan.training.optimise.vgg import PUBLISHED, find_published, find_trunk


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


def _cached(name: str) -> Path:
    """Return torchvision's file from the folder of this package's downloads, or of torch's."""
    published = PUBLISHED[name]
    folders = (cache_folder(), Path(torch.hub.get_dir()) / "checkpoints")
    for folder in folders:
        if (path := folder / published.name).is_file():
            return path
    raise FileNotFoundError(f"{published.name} is not in {' nor in '.join(map(str, folders))}.")
