"""Layers, or two folders, written as the image files that a training reads."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_srgan.files import Picture, write_picture
from napari_srgan.files.reading import images_in
from napari_srgan.inference.images import layout_of
from napari_srgan.inference.values.ranges import value_range
from napari_srgan.plugin.layers import pixels_at

if TYPE_CHECKING:
    import napari.layers
    from numpy.typing import NDArray

_FEW = 2  # images, of which one has to be held back
_DEEP = 65535
_UNIT = 24  # pixels: a multiple of every scale


def write_layers(
    highs: Sequence[napari.layers.Image], lows: Sequence[napari.layers.Image], folder: Path
) -> None:
    """Write each plane of layers as a TIFF file, where there are ``lows`` as pairs.

    8 and 16 bits stay as they are, other values are written in 16 bits, black and white being
    those that a layer is upscaled by. A single image is cut into quarters, so that one of them can
    be held back.

    Parameters
    ----------
    highs, lows : sequence of Image
        Layers in the same order: the first of either belong together, and so on.
    folder : Path
        Where the files go; made anew.

    Raises
    ------
    OSError
        If they cannot be written.
    ValueError
        If there are no layers, or not as many low ones as high ones.
    """
    if not highs:
        raise ValueError("Choose layers to train on, or a folder.")
    sets = [_planes(highs, "")] if not lows else [_planes(highs, "_HR"), _planes(lows, "_LR")]
    if len({len(planes) for planes in sets}) > 1:
        counts = " and ".join(str(len(planes)) for planes in sets)
        raise ValueError(f"Pairs need as many low images as high ones; there are {counts}.")
    if len(sets[0]) < _FEW:
        larger = max(planes[0][1].shape[0] for planes in sets)
        sets = [list(_quarters(planes, larger)) for planes in sets]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for planes in sets:
        for number, (mark, pixels, rgb) in enumerate(planes):
            write_picture(folder / f"{number:04d}{mark}.tif", Picture(pixels, rgb=rgb))


Plane = tuple[str, Any, bool]  # a mark, the pixels, and whether they have colours


def _planes(layers: Sequence[napari.layers.Image], mark: str) -> list[Plane]:
    return [(mark, plane, bool(layer.rgb)) for layer in layers for plane in _planes_of(layer)]


def _planes_of(layer: napari.layers.Image) -> Iterator[NDArray[Any]]:
    pixels = np.asarray(pixels_at(layer))
    rgb = bool(layer.rgb)
    layout = layout_of(pixels.shape, pixels.dtype, rgb)
    if rgb:
        pixels = pixels[..., :3]
    whole = pixels.dtype in (np.uint8, np.uint16)
    levels = None if whole else value_range(np.asarray(pixels_at(layer)), layout)
    for index in layout.indices():
        plane = pixels[index]
        if levels is not None:
            share = (plane.astype(np.float64) - levels.low) / levels.width
            plane = np.rint(_DEEP * np.clip(share, 0, 1)).astype(np.uint16)
        yield plane


def _quarters(planes: Sequence[Plane], larger: int) -> Iterator[Plane]:
    """Yield four parts of each plane, a ``larger`` one of its pair being cut at the same places."""
    for mark, pixels, rgb in planes:
        unit = max(1, round(_UNIT * pixels.shape[0] / larger))
        h, w = (side // (2 * unit) * unit for side in pixels.shape[:2])
        for rows in (slice(0, h), slice(h, 2 * h)):
            for columns in (slice(0, w), slice(w, 2 * w)):
                yield mark, pixels[rows, columns], rgb


def pair_folders(high: Path, low: Path, folder: Path) -> None:
    """Make a folder of pairs from two folders, in the order of their names.

    Files are linked, where the file system can, else copied.

    Raises
    ------
    OSError
        If a folder cannot be read, or the new one not be written.
    ValueError
        If there are not as many images in either.
    """
    highs, lows = images_in(high), images_in(low)
    if len(highs) != len(lows) or not highs:
        raise ValueError(
            f"Pairs need as many low images as high ones; there are {len(lows)} in {low} and "
            f"{len(highs)} in {high}."
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, pair in enumerate(zip(highs, lows, strict=True)):
        for path, mark in zip(pair, ("HR", "LR"), strict=True):
            target = folder / f"{number:04d} {pair[0].stem}_{mark}{path.suffix}"
            try:
                os.link(path, target)
            except OSError:
                shutil.copyfile(path, target)
