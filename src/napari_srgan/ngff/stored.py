"""Images in OME-Zarr stores, opened with their metadata, of which nothing is read yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_srgan.files import UnreadableImage
from napari_srgan.files.picture import damage_named
from napari_srgan.files.provenance import KEY
from napari_srgan.ngff.image import VERSIONS, NgffImage

_NODES = ("zarr.json", ".zattrs", ".zgroup")  # of a group, in Zarr 3 and Zarr 2
NEEDS_ZARR = "OME-Zarr needs the package zarr: pip install 'napari-srgan[zarr]'."


def is_store(path: Path) -> bool:
    """Tell whether a folder is a Zarr group."""
    return any((path / node).is_file() for node in _NODES)


def open_image(path: Path) -> NgffImage:
    """Open an image of which nothing is read yet.

    Raises
    ------
    OSError
        If there is no OME-Zarr image, it is damaged, of another version, or a plate or a collection
        of images, of which one is to be named.
    ImportError
        If the package zarr is missing.
    """
    try:
        import zarr
    except ImportError as error:
        raise ImportError(NEEDS_ZARR) from error
    with damage_named(path, "OME-Zarr"):
        group: Any = zarr.open_group(path, mode="r")
        zarr_format = group.metadata.zarr_format
        others, ome = attributes_in(group)
        _refuse_collections(path, {**others, **ome})
        if "multiscales" not in ome:
            raise UnreadableImage(f"{path} is a Zarr group, but no OME-Zarr image.")
        multiscale, *_ = ome.pop("multiscales")
        ome.pop("version", None)
        _check_axes(path, multiscale)
        array = group[multiscale["datasets"][0]["path"]]
        image = NgffImage(path.name, array, zarr_format, multiscale, ome, others, path)
        if len(image.axes) != array.ndim:
            raise UnreadableImage(
                f"{path} names {len(image.axes)} axes, but its pixels have {array.ndim}."
            )
        if not np.all(np.isfinite([*image.scale, *image.translation])):
            raise UnreadableImage(f"{path} has a pixel size that is no number.")
    return image


_OF_FORMAT_2 = ("multiscales", "omero", "labels", "image-label", "plate", "well")


def attributes_in(group: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a group's other attributes, and those of OME-Zarr, wherever its version has them."""
    attributes = dict(group.attrs)
    if group.metadata.zarr_format == 3:
        ome = attributes.pop("ome", None) or {}
        return attributes, dict(ome)
    return attributes, {key: attributes.pop(key) for key in _OF_FORMAT_2 if key in attributes}


def put_attributes(group: Any, others: Mapping[str, Any], ome: Mapping[str, Any]) -> None:
    """Write a group's attributes where its version of the format has them, all at once."""
    if group.metadata.zarr_format == 3:
        group.attrs.put({**others, "ome": dict(ome)})
    else:
        group.attrs.put({**others, **ome})


def put_image(
    group: Any,
    image: NgffImage,
    datasets: Sequence[Mapping[str, Any]],
    reduced: str,
    record: Mapping[str, Any] | None = None,
) -> None:
    """Make an image of a group: with the levels that it has now, and what was said of the input.

    Parameters
    ----------
    group : zarr.Group
        With the arrays of the levels.
    image : NgffImage
        What it is made of.
    datasets : sequence of mapping
        The levels and where they lie.
    reduced : str
        How coarser levels are made of finer ones; may be empty.
    record : mapping, optional
        How it was made.
    """
    kept = {key: image.multiscale[key] for key in image.multiscale if key != "metadata"}
    multiscale = {**kept, "datasets": list(datasets), **({"type": reduced} if reduced else {})}
    version = VERSIONS[image.zarr_format]
    others = {**image.others, **({KEY: dict(record)} if record else {})}
    if image.zarr_format == 2:
        ome = {**image.ome, "multiscales": [{**multiscale, "version": version}]}
    else:
        ome = {"version": version, **image.ome, "multiscales": [multiscale]}
    put_attributes(group, others, ome)


def _check_axes(path: Path, multiscale: Mapping[str, Any]) -> None:
    axes = multiscale.get("axes")
    if not axes or not all(isinstance(axis, Mapping) for axis in axes):
        raise UnreadableImage(
            f"{path} is of a version of OME-Zarr before 0.4, which does not say what its axes are."
        )
    if [axis["name"] for axis in axes][-2:] != ["y", "x"]:
        raise UnreadableImage(f"{path}: the last two axes of an image are y and x.")


def _refuse_collections(path: Path, said: Mapping[str, Any]) -> None:
    for kind, example in (("plate", "A/1/0"), ("well", "0"), ("bioformats2raw.layout", "0")):
        if kind in said:
            raise UnreadableImage(
                f"{path} holds several images ({kind}): name one of them, such as {path / example}."
            )
