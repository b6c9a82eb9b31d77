"""Training images, from a folder to batches: found, decoded once into a pack, drawn as crops."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Literal

from napari_srgan.inference.settings import finish
from napari_srgan.resampling import REDUCTION_VERSION, SCALE
from napari_srgan.training.data.pack import Pack, load_pack
from napari_srgan.training.data.packing import PackingProgress, Terms, iter_write_pack
from napari_srgan.training.data.sources import find_sources

Part = Literal["training", "validation"]

_FORMAT_VERSION = 2  # of a pack's files
_SAMPLE_BYTES = 4096

log = logging.getLogger(__name__)


def open_pack(
    folder: Path,
    cache: Path,
    *,
    scale: int = SCALE,
    smallest: int,
    channels: int = 3,
    normalize: str = "dtype",
    part: Part = "training",
) -> Pack:
    """Return the packed images of ``folder``, packing them into ``cache`` the first time.

    See :func:`iter_open_pack`, which also tells how far it is.
    """
    return finish(
        iter_open_pack(
            folder,
            cache,
            scale=scale,
            smallest=smallest,
            channels=channels,
            normalize=normalize,
            part=part,
        )
    )


def iter_open_pack(
    folder: Path,
    cache: Path,
    *,
    scale: int = SCALE,
    smallest: int,
    channels: int = 3,
    normalize: str = "dtype",
    part: Part = "training",
) -> Generator[PackingProgress, None, Pack]:
    """Open the packed images of ``folder``: yield progress while packing, return the pack.

    Files that cannot be used are listed in the pack and in a warning, with the reason.

    Parameters
    ----------
    folder : Path
        Where images are found, at any depth (:func:`~.sources.find_sources`).
    cache : Path
        Where packs are kept, one for each digest. A digest covers names, sizes, and samples of
        the contents of all files, but not when they were written: a copy of a data set is the same
        data set. Whoever changes pixels without any of these changing must delete the cache.
    scale : int
        High-resolution pixels to a low-resolution one, along each axis.
    smallest : int
        Least side of an image, in pixels.
    channels : int
        Values to a pixel; how files become so is in
        :func:`~napari_srgan.training.data.decoding.read_image`.
    normalize : {"dtype", "auto"}
        What black and white of 16-bit images are: 0 and 65535, or those that the image itself has
        (:func:`~napari_srgan.training.data.levels.spread`).
    part : {"training", "validation"}
        Which images: those to train on, or those that DIV2K sets apart.

    Raises
    ------
    OSError
        If there are no images, or the cache cannot be written.
    ValueError
        If no image can be used, or DIV2K's files are ambiguous.
    """
    sources = find_sources(folder, scale=scale)
    chosen = sources.training if part == "training" else sources.validation
    if not chosen:
        raise FileNotFoundError(f"There are no {part} images of DIV2K below {folder}.")
    terms = Terms(scale, smallest, channels, normalize)
    paths = [path for s in chosen for path in (s.high, s.low) if path is not None]
    digest = _digest(folder, paths, terms)
    target = cache / digest[:16]
    pack = load_pack(target)
    if pack is None:
        yield from iter_write_pack(chosen, target, terms, digest, sources.left_out)
        pack = load_pack(target)
    if pack is None:
        raise FileNotFoundError(f"{target} was removed while it was opened. Try again.")
    if pack.left_out or pack.remade:
        log.warning("%s: %s", folder, pack.summary())
    return pack


def _digest(folder: Path, paths: Iterable[Path], terms: Terms) -> str:
    versions = [_FORMAT_VERSION, REDUCTION_VERSION]
    digest = hashlib.sha256(json.dumps([*versions, *_digested(terms)]).encode())
    for path in paths:
        size = path.stat().st_size
        digest.update(json.dumps([path.relative_to(folder).as_posix(), size]).encode())
        digest.update(_sample(path, size))
    return digest.hexdigest()


def _digested(terms: Terms) -> list[int | str]:
    """Return the terms; packs that are older than a choice are those of its default."""
    others = [] if terms.normalize == "dtype" else [terms.normalize]
    return [terms.scale, terms.smallest, terms.channels, *others]


def _sample(path: Path, size: int) -> bytes:
    """Return the beginning, the middle and the end of a file."""
    try:
        with path.open("rb") as file:
            parts = []
            for start in (0, (size - _SAMPLE_BYTES) // 2, size - _SAMPLE_BYTES):
                file.seek(max(0, start))
                parts.append(file.read(_SAMPLE_BYTES))
    except OSError:
        return b""  # it will be listed among those left out
    return b"".join(parts)
