"""Image files opened as layers that lie where their pixel sizes put them.

napari's own reader opens images; what it leaves out is what ImageJ's and OME's TIFF files say of
pixel sizes, units and axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from napari_srgan.files import IMAGE_SUFFIXES, Picture, read_folder, read_picture, read_stack
from napari_srgan.files.provenance import KEY, record_in

LayerData: TypeAlias = tuple[Any, dict[str, Any], str]
# What a file dialog offers to choose from.
FILTER = f"Images ({' '.join(f'*{suffix}' for suffix in IMAGE_SUFFIXES)})"


def read_images(paths: Sequence[str | Path]) -> LayerData:
    """Read an image file, a folder of equal images or several equal images as one layer.

    Parameters
    ----------
    paths : sequence of str or Path
        One file or folder, or the files of a stack in their order.

    Returns
    -------
    tuple
        Pixels, options and kind, as napari's ``Layer.create`` takes them.

    Raises
    ------
    OSError, ValueError
        As :func:`napari_srgan.files.read_picture` and :func:`~napari_srgan.files.read_stack` do.
    """
    first = Path(paths[0]).absolute()
    if len(paths) > 1:
        return _layer(read_stack(paths), first.parent.name)
    if first.is_dir():
        return _layer(read_folder(first), first.name)
    return _layer(read_picture(first), first.stem)


def _layer(picture: Picture, name: str) -> LayerData:
    options: dict[str, Any] = {"name": name, "rgb": picture.rgb}
    if picture.pixel_scale is not None:
        options |= {"scale": picture.pixel_scale, "units": picture.units}
    if picture.axis_labels is not None:
        options["axis_labels"] = picture.axis_labels
    if record := record_in(picture.metadata.description):
        options["metadata"] = {KEY: record}
    return (picture.data, options, "image")
