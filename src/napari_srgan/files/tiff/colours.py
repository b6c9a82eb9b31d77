"""What a TIFF page's samples mean: shades, colours, alpha, ink or a palette; and what is white."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_srgan.files.metadata import is_of_ink
from napari_srgan.files.photo.modes import from_cmyk

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

_ASSOCIATED, _UNASSOCIATED = 1, 2  # TIFF 6.0, section 18: alpha that colours are multiplied by
_CMYK = 1  # InkSet


@dataclass(frozen=True)
class Samples:
    """How the samples of a page become grey or colours.

    Attributes
    ----------
    colours : int
        How many of the first ones are colours: 3 RGB, 4 ink, 1 grey or an index; 0 where samples
        are channels that have nothing to do with each other.
    alpha : int, optional
        Which one is alpha.
    is_premultiplied : bool
        Whether colours are multiplied by it.
    left_out : int
        How many there are besides, without a meaning.
    has_palette : bool
        Whether the first one is an index of colours.
    """

    colours: int
    alpha: int | None = None
    is_premultiplied: bool = False
    left_out: int = 0
    has_palette: bool = False

    @property
    def channels(self) -> int:
        """Length of the last axis of what is made of them: 3, 4, or 0 without such an axis."""
        is_coloured = self.colours >= 3 or self.has_palette
        if self.alpha is not None:
            return 4
        return 3 if is_coloured else 0


def samples_of(tif: TiffFile, page: TiffPage, axes: str) -> Samples:
    """Tell what the samples of a page are.

    Parameters
    ----------
    tif, page : tifffile.TiffFile, tifffile.TiffPage
        The page and its file.
    axes : str
        Of the image; a description may call samples ``C`` rather than ``S``.

    Raises
    ------
    ValueError
        If they are of a kind that is not read.
    """
    from tifffile import PHOTOMETRIC

    if page.samplesperpixel > 1 and "S" not in axes:
        return Samples(0)
    count, extra = page.samplesperpixel, tuple(int(sample) for sample in page.extrasamples)
    is_plain = not (tif.is_imagej or tif.is_ome)
    # Intensities that a microscope's program gave a colormap stay intensities.
    has_palette = page.photometric == PHOTOMETRIC.PALETTE and is_plain
    of_colours = {PHOTOMETRIC.RGB: 3, PHOTOMETRIC.YCBCR: 3, PHOTOMETRIC.SEPARATED: 4}
    colours = of_colours.get(PHOTOMETRIC(page.photometric), 1)
    if colours == 4 and page.tags.valueof(332, _CMYK) != _CMYK:
        raise ValueError("its colours are inks other than CMYK; save it as RGB")
    if colours > count:
        raise ValueError(f"it has {count} samples a pixel, too few for its colours")
    if colours == 3 and count == 4 and not extra:  # written before there was a tag for it
        extra = (_UNASSOCIATED,)
    found = [i for i, kind in enumerate(extra) if kind in (_ASSOCIATED, _UNASSOCIATED)]
    if colours == 1 and not found:
        return Samples(1, has_palette=has_palette) if count == 1 else Samples(0)
    if colours == 1 and count > 2:
        return Samples(0)
    left_out = count - colours - bool(found)
    if left_out > 1 and not found:  # bands of a camera for more than what eyes see
        return Samples(0)
    alpha = count - len(extra) + found[0] if found else None
    is_premultiplied = bool(found) and extra[found[0]] == _ASSOCIATED
    return Samples(colours, alpha, is_premultiplied, left_out, has_palette)


def check_kind(page: TiffPage, dtype: np.dtype[Any]) -> None:
    """Refuse colour spaces that are not read, and pixels that are not real numbers.

    Raises
    ------
    ValueError
        If the page is of such a kind; the message has no file name.
    """
    from tifffile import COMPRESSION, PHOTOMETRIC

    readable = {
        PHOTOMETRIC.MINISBLACK,
        PHOTOMETRIC.MINISWHITE,
        PHOTOMETRIC.RGB,
        PHOTOMETRIC.PALETTE,
        PHOTOMETRIC.SEPARATED,
    }
    if page.compression in (COMPRESSION.JPEG, COMPRESSION.OJPEG):
        readable.add(PHOTOMETRIC.YCBCR)  # which the JPEG decoder turns to RGB
    if page.photometric not in readable:
        name = getattr(page.photometric, "name", page.photometric)
        raise ValueError(f"its colours are stored as {name}; save it as grey or RGB")
    if page.planarconfig not in (1, 2):
        raise ValueError(f"its planar configuration is {page.planarconfig}, which is none")
    if page.compression in (2, 3, 4) and page.bitspersample != 1:
        raise ValueError("its pixels are coded as black and white, and are said to be more")
    if dtype.kind not in "buif":
        raise ValueError(f"its pixels are {dtype}, not intensities")
    if page.photometric == PHOTOMETRIC.SEPARATED and dtype not in (np.uint8, np.uint16):
        raise ValueError(f"its inks are {dtype}; save it as RGB")


def bits_of(page: TiffPage, dtype: np.dtype[Any]) -> int | None:
    """Return how many bits of an unsigned integer are used, if not all."""
    bits = page.bitspersample
    if dtype.kind != "u" or not isinstance(bits, int) or not 1 < bits < 8 * dtype.itemsize:
        return None
    return bits


def dtype_of(samples: Samples, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type of the grey or the colours that samples of a type become."""
    if samples.has_palette or (dtype == np.bool_ and samples.channels):
        return np.dtype(np.uint8)
    return dtype


def displayed(
    tif: TiffFile, page: TiffPage, samples: Samples, data: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    """Return grey or colours, of which the largest value is white and alpha is not multiplied in.

    Parameters
    ----------
    tif, page : tifffile.TiffFile, tifffile.TiffPage
        Where they are from.
    samples : Samples
        What the last axis is, if that has `channels`.
    data : ndarray
        ``(…, h, w, samples)``, or ``(…, h, w)`` where there is one or samples are channels.

    Raises
    ------
    ValueError
        If a palette is missing or too short, or floats are said to be white at 0.
    """
    from tifffile import PHOTOMETRIC

    if not samples.channels:
        data = _turned(data, page) if _is_white_zero(tif, page) else data
        return _spread(data, page)
    data = data if page.samplesperpixel > 1 else data[..., np.newaxis]
    colours = data[..., : samples.colours]
    alpha = None if samples.alpha is None else data[..., samples.alpha, np.newaxis]
    if samples.has_palette:
        colours = _looked_up(page, colours[..., 0])
        alpha = None if alpha is None else _as_bytes(alpha, page)
    elif _is_white_zero(tif, page):
        colours = _turned(colours, page)
    if samples.is_premultiplied and alpha is not None:
        colours = _straight(colours, alpha, page)
    if page.photometric == PHOTOMETRIC.SEPARATED:
        colours = _from_ink(colours, page)
    elif samples.colours == 1 and not samples.has_palette:
        colours = np.broadcast_to(colours, (*colours.shape[:-1], 3))
    if not samples.has_palette:
        colours = _spread(colours, page)
        alpha = None if alpha is None else _spread(alpha, page)
    made = colours if alpha is None else np.concatenate([colours, alpha], axis=-1)
    return made * np.uint8(255) if made.dtype == np.bool_ else made


def _is_white_zero(tif: TiffFile, page: TiffPage) -> bool:
    from tifffile import PHOTOMETRIC

    return page.photometric == PHOTOMETRIC.MINISWHITE and not tif.is_imagej


def _turned(data: npt.NDArray[Any], page: TiffPage) -> npt.NDArray[Any]:
    """Return values of which 0 is white as ones of which 0 is black."""
    if data.dtype.kind in "bi":  # of signed integers, too, the largest becomes the smallest
        return ~data
    if data.dtype.kind == "u":
        turned: npt.NDArray[Any] = data.dtype.type(_white(page, data.dtype)) - data
        return turned
    raise ValueError("its floating-point values are said to be white at 0; invert them")


def _white(page: TiffPage, dtype: np.dtype[Any]) -> int:
    bits: int = bits_of(page, dtype) or 8 * dtype.itemsize
    return int(2**bits) - 1


def _spread(data: npt.NDArray[Any], page: TiffPage) -> npt.NDArray[Any]:
    """Return few shades as those of 8 bits, so that the last one is white; more stay counts."""
    if data.dtype != np.uint8 or bits_of(page, data.dtype) is None:
        return data
    return _as_bytes(data, page)


def _as_bytes(data: npt.NDArray[Any], page: TiffPage) -> npt.NDArray[np.uint8]:
    white = 1 if data.dtype == np.bool_ else _white(page, data.dtype)
    table = np.rint(np.arange(white + 1) * (255 / white)).astype(np.uint8)
    found: npt.NDArray[np.uint8] = table[data.astype(np.intp)]
    return found


def _looked_up(page: TiffPage, indices: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    if page.colormap is None:
        raise ValueError("its palette is missing")
    table = page.colormap.T
    if indices.max() >= len(table):
        raise ValueError(f"its palette has {len(table)} colours, and more are asked for")
    # Of 16 bits by the book; some programs have always written 8.
    table = np.rint(table / 257) if table.max() > 255 else table
    found: npt.NDArray[np.uint8] = table.astype(np.uint8)[indices.astype(np.intp)]
    return found


def _straight(
    colours: npt.NDArray[Any], alpha: npt.NDArray[Any], page: TiffPage
) -> npt.NDArray[Any]:
    """Return colours divided by the alpha that they were multiplied by."""
    if colours.dtype == np.bool_:
        return colours
    white = _opaque(alpha, page)
    part = alpha.astype(np.float64)
    made = colours * np.divide(white, part, out=np.zeros_like(part), where=part > 0)
    if colours.dtype.kind != "f":
        made = np.rint(made).clip(0, white)
    return made.astype(colours.dtype)


def _opaque(alpha: npt.NDArray[Any], page: TiffPage) -> float:
    """Return the alpha of what is opaque; of floats, the least usual one that none exceeds."""
    if alpha.dtype.kind == "u":
        return float(_white(page, alpha.dtype))
    if alpha.dtype.kind == "i":
        return float(np.iinfo(alpha.dtype).max)
    highest = float(np.nanmax(alpha))
    return next((white for white in (1.0, 255.0, 65535.0) if highest <= white), highest)


def _from_ink(ink: npt.NDArray[Any], page: TiffPage) -> npt.NDArray[Any]:
    """Return CMYK as RGB: 8 bits by the profile if there is one, else by mere subtraction."""
    from PIL import Image

    profile = page.tags.valueof(34675, None)
    if ink.dtype == np.uint8 and is_of_ink(profile):
        planes = ink.reshape(-1, *ink.shape[-3:])
        made = [from_cmyk(Image.fromarray(plane, "CMYK"), profile) for plane in planes]
        return np.stack([np.asarray(plane) for plane in made]).reshape(*ink.shape[:-1], 3)
    white = _white(page, ink.dtype)
    paper = (white - ink.astype(np.float64)) / white
    return np.rint(paper[..., :3] * paper[..., 3:] * white).astype(ink.dtype)
