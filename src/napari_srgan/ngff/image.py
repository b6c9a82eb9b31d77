"""Images as OME-Zarr describes them: pixels, and what is said of their axes, place and channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_srgan.files import Header, Metadata
from napari_srgan.files.provenance import KEY, described
from napari_srgan.files.units import unit_named

VERSIONS = {2: "0.4", 3: "0.5"}  # of OME-Zarr, by that of Zarr


@dataclass(frozen=True)
class NgffImage:
    """An image with the metadata that OME-Zarr has for it.

    Attributes
    ----------
    name : str
        What it is called where it is told what a result was made of.
    array : zarr.Array, ndarray or dask.array.Array
        The finest level, ``(…, h, w)``; slices of it are read when they are asked for.
    zarr_format : int
        2 or 3: of its store, or of one that is made of it.
    multiscale : mapping
        What is said of axes and levels.
    ome : mapping
        What else the format knows: channels (``omero``), what labels are of (``image-label``).
    others : mapping
        Other attributes.
    path : Path or None
        Of its group, where it is in a store.
    colour_axis : int or None
        Which of the axes is that of the colours of ``(…, h, w, 3|4)`` pixels; None where there are
        no such, and the array's axes are those that are named.
    """

    name: str
    array: Any
    zarr_format: int
    multiscale: Mapping[str, Any]
    ome: Mapping[str, Any] = field(default_factory=dict)
    others: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None
    colour_axis: int | None = None

    @property
    def axes(self) -> list[Mapping[str, Any]]:
        """What each axis is: its name, and mostly its type and unit."""
        return list(self.multiscale["axes"])

    @property
    def leading(self) -> tuple[int, ...]:
        """The array's axes before the plane."""
        return tuple(self.array.shape[: self.array.ndim - 2 - (self.colour_axis is not None)])

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of a plane."""
        height, width = self.array.shape[len(self.leading) :][:2]
        return int(height), int(width)

    @property
    def channel_axis(self) -> int | None:
        """Which axis of the array holds channels; None where there are none, or colours."""
        if self.colour_axis is not None:
            return None
        kinds = [axis.get("type", "channel" if axis["name"] == "c" else "") for axis in self.axes]
        return kinds.index("channel") if "channel" in kinds else None

    @property
    def scale(self) -> list[float]:
        """The step from pixel to pixel of the finest level, along each axis."""
        pairs = zip(self.own_scale, self._of_all("scale", 1.0), strict=True)
        return [own * of_all for own, of_all in pairs]

    @property
    def translation(self) -> list[float]:
        """Where the centre of its first pixel lies."""
        factors, offsets = self._of_all("scale", 1.0), self._of_all("translation", 0.0)
        triples = zip(self.own_translation, factors, offsets, strict=True)
        return [factor * own + offset for own, factor, offset in triples]

    @property
    def own_scale(self) -> list[float]:
        """The same, before what is said of all levels together."""
        return self._transformed(self.multiscale["datasets"][0], "scale", 1.0)

    @property
    def own_translation(self) -> list[float]:
        """The same, before what is said of all levels together."""
        return self._transformed(self.multiscale["datasets"][0], "translation", 0.0)

    @property
    def record(self) -> Mapping[str, Any] | None:
        """How it was made, if this package made it."""
        record = self.others.get(KEY)
        return record if isinstance(record, Mapping) else None

    def header(self) -> Header:
        """Return what is said of it, as it is said of image files."""
        units = tuple(unit_named(str(axis.get("unit", ""))) or "pixel" for axis in self.axes)
        known = Metadata(description=described(None, self.record) if self.record else None)
        return Header(
            tuple(self.array.shape), self.array.dtype, False, tuple(self.scale), units,
            tuple(str(axis["name"]) for axis in self.axes), known,
            format=f"OME-Zarr {VERSIONS[self.zarr_format]}",
        )  # fmt: skip

    def _of_all(self, kind: str, default: float) -> list[float]:
        return self._transformed(self.multiscale, kind, default)

    def _transformed(self, said: Mapping[str, Any], kind: str, default: float) -> list[float]:
        for each in said.get("coordinateTransformations", ()):
            if each["type"] == kind:
                return [float(value) for value in each[kind]]
        return [default] * len(self.axes)
