"""Black and white of 16-bit images: as files have them, or as an image's own values give them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_srgan.inference.images import layout_of
from napari_srgan.inference.values.ranges import value_range
from napari_srgan.resampling import shrink
from napari_srgan.training.data.decoding import Samples

_DEEP = np.dtype(np.uint16)


def spread(image: Samples) -> Samples:
    """Return a 16-bit image whose own black and white are 0 and 65535; an 8-bit one as it is.

    These are the values that the network sees as black and white when an image is upscaled with
    ``normalize="auto"``: a camera's offset and gain go, and hot pixels do not count.

    Parameters
    ----------
    image : ndarray
        ``(h, w, c)``, uint8 or uint16.
    """
    if image.dtype != _DEEP:
        return image
    colour = image.shape[2] == 3
    seen = image if colour else image[..., 0] if image.shape[2] == 1 else np.moveaxis(image, 2, 0)
    levels = value_range(seen, layout_of(seen.shape, seen.dtype, colour))
    black = max(levels.low, levels.floor)
    white = min(levels.low + levels.width, levels.ceiling)
    return _rounded((image - black) * (_white(image) / (white - black)))


def levelled(low: Samples, high: Samples, scale: int) -> Samples:
    """Return a low-resolution image in the units of its high one, by the best gain and offset.

    These are found by least squares against the reduction of the high one, so that exposures that
    differ are no part of what is learned.

    Parameters
    ----------
    low, high : ndarray
        ``(h, w, c)`` and ``scale`` times as high and wide, uint16.
    scale : int
        Factor.

    References
    ----------
    Weigert et al., "Content-aware image restoration", Nature Methods 2018, supplementary note 2:
    the affine normalisation that least squares give.
    """
    wanted = shrink(high, scale).astype(np.float64)
    given = low.astype(np.float64)
    apart = given - given.mean()
    variance = float((apart**2).mean())
    gain = float((apart * wanted).mean()) / variance if variance > 0 else 0.0
    if gain <= 0:  # flat, or of something else: left to the guards
        return low
    return _rounded(gain * apart + wanted.mean())


def _white(image: NDArray[Any]) -> float:
    return float(np.iinfo(image.dtype).max)


def _rounded(values: NDArray[np.floating[Any]]) -> Samples:
    within: Samples = np.clip(np.rint(values), 0, np.iinfo(_DEEP).max).astype(_DEEP)
    return within
