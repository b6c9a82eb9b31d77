"""Images in OME-Zarr: their finest level, read in part, and what the store says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_srgan.files import Header, Metadata, UnreadableImage
from napari_srgan.files.picture import damage_named
from napari_srgan.files.provenance import KEY, described
from napari_srgan.files.units import unit_named

_NODES = ("zarr.json", ".zattrs", ".zgroup")  # of a group, in Zarr 3 and Zarr 2
VERSIONS = {2: "0.4", 3: "0.5"}  # of OME-Zarr, by that of Zarr
NEEDS_ZARR = "OME-Zarr needs the package zarr: pip install 'napari-srgan[zarr]'."


@dataclass(frozen=True)
class StoredImage:
    """An image in an OME-Zarr store.

    Attributes
    ----------
    path : Path
        Of its group.
    array : zarr.Array
        The finest level; slices of it are read when they are asked for.
    zarr_format : int
        2 or 3.
    multiscale : mapping
        What the store says of axes and levels.
    others : mapping
        Its other attributes: channels (``omero``), and whatever else it has.
    """

    path: Path
    array: Any
    zarr_format: int
    multiscale: Mapping[str, Any]
    others: Mapping[str, Any]

    @property
    def axes(self) -> list[Mapping[str, Any]]:
        """What each axis is: its name, and mostly its type and unit."""
        return list(self.multiscale["axes"])

    @property
    def channel_axis(self) -> int | None:
        """Which axis holds channels."""
        kinds = [axis.get("type", "channel" if axis["name"] == "c" else "") for axis in self.axes]
        return kinds.index("channel") if "channel" in kinds else None

    @property
    def scale(self) -> list[float]:
        """The step from pixel to pixel of the finest level."""
        return self._transformed("scale", 1.0)

    @property
    def translation(self) -> list[float]:
        """Where the centre of its first pixel lies."""
        return self._transformed("translation", 0.0)

    @property
    def record(self) -> Mapping[str, Any] | None:
        """How it was made, if this package made it."""
        record = self.others.get(KEY)
        return record if isinstance(record, Mapping) else None

    def header(self) -> Header:
        """Return what the store says, as it is said of image files."""
        units = tuple(unit_named(str(axis.get("unit", ""))) or "pixel" for axis in self.axes)
        known = Metadata(description=described(None, self.record) if self.record else None)
        return Header(
            tuple(self.array.shape), self.array.dtype, False, tuple(self.scale), units,
            tuple(str(axis["name"]) for axis in self.axes), known,
            format=f"OME-Zarr {VERSIONS[self.zarr_format]}",
        )  # fmt: skip

    def _transformed(self, kind: str, default: float) -> list[float]:
        for each in self.multiscale["datasets"][0]["coordinateTransformations"]:
            if each["type"] == kind:
                return [float(value) for value in each[kind]]
        return [default] * int(self.array.ndim)


def is_store(path: Path) -> bool:
    """Tell whether a folder is a Zarr group."""
    return any((path / node).is_file() for node in _NODES)


def open_image(path: Path) -> StoredImage:
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
        attributes: dict[str, Any] = dict(group.attrs)
        _refuse_collections(path, attributes)
        ome = attributes.pop("ome", None) if group.metadata.zarr_format == 3 else attributes
        if not ome or "multiscales" not in ome:
            raise UnreadableImage(f"{path} is a Zarr group, but no OME-Zarr image.")
        others = {**attributes, **{key: ome[key] for key in ome if key != "version"}}
        multiscale, *_ = others.pop("multiscales")
        array = group[multiscale["datasets"][0]["path"]]
        image = StoredImage(path, array, group.metadata.zarr_format, multiscale, others)
        if len(image.axes) != array.ndim or [axis["name"] for axis in image.axes][-2:] != [
            "y",
            "x",
        ]:
            raise UnreadableImage(f"{path}: the last two axes of an image are y and x.")
        if not np.all(np.isfinite([*image.scale, *image.translation])):
            raise UnreadableImage(f"{path} has a pixel size that is no number.")
    return image


def _refuse_collections(path: Path, attributes: Mapping[str, Any]) -> None:
    said = {**attributes, **(attributes.get("ome") or {})}
    for kind, example in (("plate", "A/1/0"), ("well", "0"), ("bioformats2raw.layout", "0")):
        if kind in said:
            raise UnreadableImage(
                f"{path} holds several images ({kind}): name one of them, such as {path / example}."
            )
