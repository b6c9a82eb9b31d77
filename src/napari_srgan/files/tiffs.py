"""TIFF files: stacks, channels, colours and pixel sizes, and none of it silently half."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_srgan.files.picture import (
    Header,
    damage_named,
    is_turned,
    refuse_false_claim,
    upright,
)
from napari_srgan.files.pixel_sizes import tiff_steps
from napari_srgan.files.tiff_checks import check_complete, check_kind, check_page_chain

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage, TiffPageSeries

# Zstandard and LZMA reach this on blank planes; uncompressed data is checked to the byte.
HIGHEST_RATIO = 2**15

_ORIENTATION_TAG = 274
_PROFILE_TAG = 34675  # ICC's
_logger = logging.getLogger(__name__)


def tiff_header(path: Path) -> Header:
    """Read what a TIFF file's first series of images holds, decoding nothing.

    Raises
    ------
    UnreadableImage
        If the file is damaged, cut short, or of a kind whose values are not intensities.
    """
    with _first_series(path) as (tif, series):
        header = _header(tif, series)
        refuse_false_claim(path, header, HIGHEST_RATIO)
        return header


def tiff_pixels(path: Path) -> npt.NDArray[Any]:
    """Decode a TIFF file's first series of images, with the axes that `tiff_header` tells.

    Raises
    ------
    UnreadableImage
        If anything of it is missing or damaged.
    """
    with _first_series(path) as (tif, series):
        if sum(not one.keyframe.is_reduced for one in tif.series) > 1:
            _logger.warning(
                "%s holds %d series of images; only the first is read.", path, len(tif.series)
            )
        page = series.keyframe
        axes, shape = _axes(tif, series)
        data = series.asarray().reshape(shape)
        data = data.astype(data.dtype.newbyteorder("="), copy=False)
        if _is_signed(tif, series.dtype):
            data = (data ^ np.uint16(2**15)).view(np.int16)
        rgb = _has_colours(page, axes)
        data = data.transpose([axes.index(axis) for axis in _display_order(axes, rgb=rgb)])
        data, rgb = _intensities(tif, page, data, rgb=rgb)
        if rgb and data.shape[-1] == 2:
            data = data[..., [0, 0, 0, 1]]
        if rgb and data.shape[-1] == 4 and page.extrasamples:
            data = _straight(data, page)
        return upright(data, _orientation(tif, page), rgb=rgb)


@contextmanager
def _first_series(path: Path) -> Iterator[tuple[TiffFile, TiffPageSeries]]:
    from tifffile import TiffFile

    with damage_named(path, "TIFF"):
        check_page_chain(path)
        with TiffFile(path) as whole, ExitStack() as more:
            if not whole.series:
                raise ValueError("it holds no images")
            tif, series = whole, _image_of(whole)
            if (files := _files_of(series)) > 1:
                _logger.warning("%s is one of a set of %d files; it is read alone.", path, files)
                tif = more.enter_context(TiffFile(path, is_ome=False))
                series = _image_of(tif)
            check_kind(series.keyframe, series.dtype)
            check_complete(tif, series)
            yield tif, series


def _files_of(series: TiffPageSeries) -> int:
    """Return how many files the planes of a series are in, as OME's may be."""
    return len({page.parent.filehandle.name for page in series if page is not None})


def _image_of(tif: TiffFile) -> TiffPageSeries:
    """Return the first series that is no thumbnail: pages say so themselves (NewSubfileType)."""
    full = [series for series in tif.series if not series.keyframe.is_reduced]
    return (full or tif.series)[0]


def _header(tif: TiffFile, series: TiffPageSeries) -> Header:
    page = series.keyframe
    axes, stored = _axes(tif, series)
    rgb = _has_colours(page, axes)
    order = _display_order(axes, rgb=rgb)
    lengths = dict(zip(axes, stored, strict=True))
    steps = tiff_steps(tif, page)
    if is_turned(_orientation(tif, page)):
        lengths["X"], lengths["Y"] = lengths["Y"], lengths["X"]
        steps = {{"X": "Y", "Y": "X"}.get(axis, axis): step for axis, step in steps.items()}
    shape = tuple(lengths[axis] for axis in order)
    dtype = series.dtype.newbyteorder("=")
    if _is_signed(tif, dtype):
        dtype = np.dtype(np.int16)
    named = order[:-1] if rgb else order
    if _has_palette(tif, page):
        shape, dtype, rgb = (*shape, 3), np.dtype(np.uint8), True
    elif rgb and shape[-1] == 2:  # grey with alpha is read as colours
        shape = (*shape[:-1], 4)
    return Header(
        shape,
        dtype,
        rgb,
        pixel_scale=tuple(steps.get(a, (1.0, "pixel"))[0] for a in named) if steps else None,
        units=tuple(steps.get(a, (1.0, "pixel"))[1] for a in named) if steps else None,
        axis_labels=tuple(named.lower()) if _are_names(named) else None,
        profile=_profile(page),
    )


def _profile(page: TiffPage) -> bytes | None:
    """Return the ICC profile of a page, unless it is one of grey for what is given as colours."""
    profile = page.tags.valueof(_PROFILE_TAG, None)
    return bytes(profile) if profile and page.samplesperpixel != 2 else None


def _axes(tif: TiffFile, series: TiffPageSeries) -> tuple[str, tuple[int, ...]]:
    """Name the axes as stored and their lengths, less the placeholders of length 1."""
    axes, shape = _stored_axes(tif, series)
    keep_all = series.kind == "shaped"
    kept = [(a, n) for a, n in zip(axes, shape, strict=True) if n > 1 or a in "YX" or keep_all]
    kept = [(a, n) for a, n in kept if not (a == "S" and n == 1)]
    letters = ""
    for i, (axis, _) in enumerate(kept):
        letters += str(i) if axis in letters else axis  # several may be called Q
    if not {"Y", "X"} <= set(letters):
        raise ValueError(f"it holds data with the axes {axes} and shape {shape}, not images")
    return letters, tuple(n for _, n in kept)


def _stored_axes(tif: TiffFile, series: TiffPageSeries) -> tuple[str, tuple[int, ...]]:
    if callable(tif.series):  # tifffile 2026.5.2 and later
        stored = tif.series(squeeze=False)[0]
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


def _has_colours(page: TiffPage, axes: str) -> bool:
    """Tell samples that are given as colours from channels."""
    return _is_rgb(page, axes) or _is_grey_with_alpha(page, axes)


def _is_rgb(page: TiffPage, axes: str) -> bool:
    """Tell colours from channels: a fourth sample is alpha only if it is not called otherwise."""
    from tifffile import PHOTOMETRIC

    if "S" not in axes or page.photometric not in (PHOTOMETRIC.RGB, PHOTOMETRIC.YCBCR):
        return False
    extra = tuple(int(sample) for sample in page.extrasamples)
    return page.samplesperpixel == 3 or (page.samplesperpixel == 4 and extra != (0,))


_ASSOCIATED, _UNASSOCIATED = 1, 2  # TIFF 6.0, section 18: alpha that colours are multiplied by
_ALPHA = (_ASSOCIATED, _UNASSOCIATED)


def _is_grey_with_alpha(page: TiffPage, axes: str) -> bool:
    """Tell grey and its alpha from two channels: the second sample is called alpha."""
    from tifffile import PHOTOMETRIC

    extra = tuple(int(sample) for sample in page.extrasamples)
    grey = page.photometric in (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE)
    return "S" in axes and grey and page.samplesperpixel == 2 and extra[0] in _ALPHA


def _straight(data: npt.NDArray[Any], page: TiffPage) -> npt.NDArray[Any]:
    """Return colours ``(…, 4)`` divided by the alpha that they were multiplied by, if they were."""
    if int(page.extrasamples[0]) != _ASSOCIATED:
        return data
    white = 1.0 if data.dtype.kind == "f" else float(np.iinfo(data.dtype).max)
    alpha = data[..., 3:].astype(np.float64)
    colours = data[..., :3] * np.divide(white, alpha, out=np.zeros_like(alpha), where=alpha > 0)
    if data.dtype.kind != "f":
        colours = np.rint(colours).clip(0, white)
    return np.concatenate([colours.astype(data.dtype), data[..., 3:]], axis=-1)


def _is_signed(tif: TiffFile, dtype: np.dtype[Any]) -> bool:
    """Tell ImageJ's signed 16 bits, which it stores as unsigned with a calibration of −32768."""
    stated = tif.imagej_metadata if tif.is_imagej else None
    if not stated or dtype != np.uint16:
        return False
    return (stated.get("cf"), stated.get("c0"), stated.get("c1")) == (0, -32768.0, 1.0)


def _has_palette(tif: TiffFile, page: TiffPage) -> bool:
    """Tell indexed colours from intensities that a microscope's program gave a colormap."""
    from tifffile import PHOTOMETRIC

    return page.photometric == PHOTOMETRIC.PALETTE and not (tif.is_imagej or tif.is_ome)


def _orientation(tif: TiffFile, page: TiffPage) -> int:
    # Microscopes' programs write this tag at random, and ImageJ and OME give it no meaning.
    return 1 if tif.is_imagej or tif.is_ome else int(page.tags.valueof(_ORIENTATION_TAG, 1))


def _intensities(
    tif: TiffFile, page: TiffPage, data: npt.NDArray[Any], *, rgb: bool
) -> tuple[npt.NDArray[Any], bool]:
    """Look palette colours up, and turn "white is zero" round as its name asks."""
    from tifffile import PHOTOMETRIC

    if _has_palette(tif, page):
        if page.colormap is None:
            raise ValueError("its palette is missing")
        colours = np.round(page.colormap / 257).astype(np.uint8)
        return colours.T[data], True
    bits = page.bitspersample
    if page.photometric == PHOTOMETRIC.MINISWHITE and not tif.is_imagej:
        if data.dtype.kind in "bi":  # of signed integers, too, the largest becomes the smallest
            data = ~data
        elif data.dtype.kind == "u":
            turned = data.dtype.type(2**bits - 1) - data
            # A second sample is alpha, which has no colour to turn round.
            data = np.concatenate([turned[..., :1], data[..., 1:]], -1) if rgb else turned
        else:
            raise ValueError("its floating-point values are said to be white at 0; invert them")
    if data.dtype == np.uint8 and 1 < bits < 8:  # shades, of which the last one is white
        data = data * np.uint8(255 // (2**bits - 1))
    return data, rgb
