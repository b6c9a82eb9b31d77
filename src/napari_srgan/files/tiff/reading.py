"""TIFF files: stacks, channels, colours and pixel sizes, and none of it silently half."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_srgan.files.exif import Directory
from napari_srgan.files.metadata import Metadata
from napari_srgan.files.picture import (
    Header,
    damage_named,
    is_turned,
    refuse_false_claim,
    upright,
)
from napari_srgan.files.tiff.checks import (
    check_complete,
    check_pages_are_equal,
    read_page_chain,
    surplus,
)
from napari_srgan.files.tiff.colours import (
    Samples,
    bits_of,
    check_kind,
    displayed,
    dtype_of,
    samples_of,
)
from napari_srgan.files.tiff.metadata import further_ome, tiff_metadata
from napari_srgan.files.tiff.pages import files_of, images_of
from napari_srgan.files.tiff.pixel_sizes import tiff_steps

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage, TiffPageSeries

# Zstandard and LZMA reach this on blank planes; uncompressed data is checked to the byte.
HIGHEST_RATIO = 2**15

_ORIENTATION_TAG = 274


def tiff_header(path: Path) -> Header:
    """Read what a TIFF file's images hold, decoding nothing.

    Raises
    ------
    UnreadableImage
        If the file is damaged, cut short, or of a kind whose values are not intensities.
    """
    with _opened(path) as image:
        header = _header(image)
        refuse_false_claim(path, header, HIGHEST_RATIO)
        return header


def tiff_pixels(path: Path) -> npt.NDArray[Any]:
    """Decode a TIFF file's images, with the axes that `tiff_header` tells.

    Raises
    ------
    UnreadableImage
        If anything of it is missing or damaged.
    """
    with _opened(path) as image:
        axes, shape = image.axes
        parts = [series.asarray().reshape(shape) for series in image.series]
        data = parts[0][np.newaxis] if len(parts) == 1 else np.stack(parts)
        data = data.astype(data.dtype.newbyteorder("="), copy=False)
        if image.is_signed:
            data = (data ^ np.uint16(2**15)).view(np.int16)
        order = _display_order(axes, rgb=image.samples.channels > 0)
        data = data.transpose([0, *(1 + axes.index(axis) for axis in order)])
        data = displayed(image.tif, image.page, image.samples, data)
        data = data if len(parts) > 1 else data[0]
        return upright(data, image.orientation, rgb=image.samples.channels > 0)


@dataclass(frozen=True)
class _Image:
    """An open file's series of images, which are equal in kind; mostly there is one."""

    tif: TiffFile
    series: Sequence[TiffPageSeries]
    notes: Sequence[str]
    samples: Samples

    @property
    def page(self) -> TiffPage:
        """The page that the others are like."""
        return self.series[0].keyframe

    @property
    def axes(self) -> tuple[str, tuple[int, ...]]:
        """The names of the axes as stored and their lengths, less those of length 1."""
        return _axes(self.series[0])

    @property
    def is_signed(self) -> bool:
        """Whether it is of ImageJ's signed 16 bits, stored as unsigned ones less 32768."""
        stated = self.tif.imagej_metadata if self.tif.is_imagej else None
        if not stated or self.series[0].dtype != np.uint16:
            return False
        return (stated.get("cf"), stated.get("c0"), stated.get("c1")) == (0, -32768.0, 1.0)

    @property
    def orientation(self) -> int:
        """By TIFF's numbers; programs of microscopes write it at random, and give it no meaning."""
        if self.tif.is_imagej or self.tif.is_ome:
            return 1
        stated = self.page.tags.valueof(_ORIENTATION_TAG, 1)
        return stated if isinstance(stated, int) else 1


@contextmanager
def _opened(path: Path) -> Iterator[_Image]:
    from tifffile import TiffFile

    with damage_named(path, "TIFF"):
        kinds = read_page_chain(path)
        with TiffFile(path) as whole, ExitStack() as more:
            tif, (series, notes) = whole, images_of(whole)
            if (files := files_of(series)) > 1:
                tif = more.enter_context(TiffFile(path, is_ome=False))
                series, notes = images_of(tif)
                notes = [f"is one of a set of {files} files; it is read alone", *notes]
            for one in series:
                check_kind(one.keyframe, one.dtype)
                check_complete(tif, one)
                check_pages_are_equal(one, kinds)
            notes = [*notes, *surplus(series[0])]
            axes, _shape = _axes(series[0])
            yield _Image(tif, series, notes, samples_of(tif, series[0].keyframe, axes))


def _header(image: _Image) -> Header:
    axes, stored = image.axes
    channels = image.samples.channels
    order = _display_order(axes, rgb=channels > 0)
    named = order.replace("S", "") if channels else order
    lengths = dict(zip(axes, stored, strict=True))
    steps, notes = tiff_steps(image.tif, image.page)
    with_density = not (steps or image.tif.is_imagej or image.tif.is_ome)
    known = tiff_metadata(image.tif, image.page, with_density=with_density)
    if turned := is_turned(image.orientation):
        lengths["X"], lengths["Y"] = lengths["Y"], lengths["X"]
        steps = {{"X": "Y", "Y": "X"}.get(axis, axis): step for axis, step in steps.items()}
    shape = tuple(lengths[axis] for axis in named) + ((channels,) if channels else ())
    labels = tuple(named.lower()) if _are_names(named) else None
    if labels and "c" not in labels:  # samples that are no colours are channels
        labels = tuple("c" if label == "s" else label for label in labels)
    scale = tuple(steps.get(a, (1.0, "pixel"))[0] for a in named) if steps else None
    units = tuple(steps.get(a, (1.0, "pixel"))[1] for a in named) if steps else None
    if len(image.series) > 1:
        shape, labels = (len(image.series), *shape), None
        scale, units = scale and (1.0, *scale), units and ("pixel", *units)
    dtype = image.series[0].dtype.newbyteorder("=")
    dtype = np.dtype(np.int16) if image.is_signed else dtype_of(image.samples, dtype)
    known, more = _fitting(image, known)
    return Header(
        shape,
        dtype,
        rgb=channels > 0,
        pixel_scale=scale,
        units=units,
        axis_labels=labels,
        metadata=known.upright(turned=turned),
        bits=bits_of(image.page, dtype) if dtype == np.uint16 else None,
        notes=(*image.notes, *notes, *more),
        format="TIFF",
    )


def _fitting(image: _Image, known: Metadata) -> tuple[Metadata, list[str]]:
    """Return what holds of the pixels as they are given, and in words what is left out."""
    from tifffile import PHOTOMETRIC

    is_ink = image.page.photometric == PHOTOMETRIC.SEPARATED
    known, notes = known.given_as(from_ink=is_ink, coloured=image.samples.channels > 0)
    if left_out := image.samples.left_out:
        notes.append(f"has {left_out} more samples a pixel than colours, which are left out")
    if known.geo and image.orientation != 1:
        known = replace(known, geo=Directory())
        notes.append("has a georeference that does not hold upright, which is left out")
    if image.tif.is_ome and (more := further_ome(image.tif.ome_metadata or "")):
        notes.append(f"has more of OME's metadata ({', '.join(more)}), which is left out")
    if image.tif.is_imagej and (stated := image.tif.imagej_metadata):
        if "cf" in stated and not image.is_signed:
            notes.append("has a calibration of its values, which is left out: they are raw")
        if drawn := [name for name in ("ROI", "Overlays", "Labels") if stated.get(name)]:
            notes.append(f"has {' and '.join(drawn)} of ImageJ, which are left out")
    return known, notes


def _axes(series: TiffPageSeries) -> tuple[str, tuple[int, ...]]:
    """Name the axes as stored and their lengths, less the placeholders of length 1."""
    axes, shape = _stored_axes(series)
    keep_all = series.kind == "shaped"
    kept = [(a, n) for a, n in zip(axes, shape, strict=True) if n > 1 or a in "YX" or keep_all]
    kept = [(a, n) for a, n in kept if not (a == "S" and n == 1)]
    letters = ""
    for i, (axis, _) in enumerate(kept):
        letters += str(i) if axis in letters else axis  # several may be called Q
    if not {"Y", "X"} <= set(letters):
        raise ValueError(f"it holds data with the axes {axes} and shape {shape}, not images")
    return letters, tuple(n for _, n in kept)


def _stored_axes(series: TiffPageSeries) -> tuple[str, tuple[int, ...]]:
    tif = series.parent
    if tif is not None and callable(tif.series):  # tifffile 2026.5.2 and later
        stored = tif.series(squeeze=False)[series.index]
        return stored.axes, stored.shape
    return series.get_axes(False), series.get_shape(False)


def _display_order(axes: str, *, rgb: bool) -> str:
    """Put rows and columns last, then the colours if they are such."""
    leading = "".join(axis for axis in axes if axis not in "YXS")
    samples = "S" if "S" in axes else ""
    return f"{leading}YX{samples}" if rgb else f"{leading}{samples}YX"


def _are_names(axes: str) -> bool:
    """Tell axes with a meaning from those that a file leaves open: other, images, repeated."""
    return axes.isalpha() and not set(axes) & set("QI")
