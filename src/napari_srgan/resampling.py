"""The benchmarks' resampling: antialiased bicubic reduction, and the controls of a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SCALE = 4  # §3.1

# Stands in the names of packed images: raise it when the numbers below change.
REDUCTION_VERSION = 1

_BLOCK = 16  # rows worked on at a time: they stay in the processor's cache

# What other methods are compared with (§3.1), and how Pillow calls it.
CONTROLS: Mapping[str, Image.Resampling] = MappingProxyType(
    {"nearest": Image.Resampling.NEAREST, "bicubic": Image.Resampling.BICUBIC}
)

Pixels = NDArray[np.uint8]
Depth = TypeVar("Depth", bound=np.unsignedinteger[Any])


def reduction_taps(scale: int) -> tuple[int, NDArray[np.float64]]:
    """Return the antialiased bicubic kernel that reduces an image along one axis.

    Parameters
    ----------
    scale : int
        Factor of the reduction.

    Returns
    -------
    tuple of int and ndarray
        The first tap's place, counted from the first high-resolution pixel in a low one, and the
        taps from there on. Their sum is 1.

    References
    ----------
    Keys, "Cubic convolution interpolation for digital image processing", 1981, eq. 15.
    """
    reach = 2  # of the bicubic kernel, in low-resolution pixels
    centre = (scale - 1) / 2
    first = int(np.ceil(centre - reach * scale))
    last = int(np.floor(centre + reach * scale))
    t = np.abs(np.arange(first, last + 1) - centre) / scale
    near = 1.5 * t**3 - 2.5 * t**2 + 1
    far = -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    kernel = np.where(t <= 1, near, far)
    return first, kernel / kernel.sum()


def shrink(high: NDArray[Depth], scale: int = SCALE) -> NDArray[Depth]:
    """Return ``high`` shrunk by antialiased bicubic interpolation, as the benchmarks are.

    Columns are interpolated before rows, and the result of either is rounded to the image's
    depth, as MATLAB's ``imresize`` does. Edge pixels are repeated outwards: so it equals, bit for
    bit, the low-resolution images published with Set5 and Set14. (Newer releases of MATLAB mirror
    the image at its edge, which differs in the two outermost low-resolution pixels.)

    Parameters
    ----------
    high : ndarray
        ``(h, w)`` or ``(h, w, n)``, uint8 or uint16; the sides are multiples of ``scale``.

    Raises
    ------
    TypeError
        If the image has another dtype.
    ValueError
        If a side is no multiple of ``scale``, or 0.

    References
    ----------
    Keys, "Cubic convolution interpolation for digital image processing", 1981, eq. 15.
    """
    if high.dtype not in (np.uint8, np.uint16):
        raise TypeError(f"Images of {high.dtype} are not shrunk: give 8 or 16 bits, unsigned.")
    h, w = high.shape[:2]
    if h % scale or w % scale or not high.size:
        raise ValueError(f"{h} × {w} pixels cannot be shrunk by {scale}: crop to a multiple of it.")
    columns = _shrunk_down(high, scale)
    return np.ascontiguousarray(_shrunk_down(columns.swapaxes(0, 1), scale).swapaxes(0, 1))


def _shrunk_down(image: NDArray[Depth], scale: int) -> NDArray[Depth]:
    """Return the image shrunk along its first axis and rounded, halves upwards."""
    first, weights = reduction_taps(scale)
    beyond = -first
    padded = np.pad(image, [(beyond, beyond)] + [(0, 0)] * (image.ndim - 1), mode="edge")
    shrunk = np.empty((image.shape[0] // scale, *image.shape[1:]), image.dtype)
    for begin in range(0, len(shrunk), _BLOCK):
        rows = shrunk[begin : begin + _BLOCK]
        total = np.full(rows.shape, 0.5)
        product = np.empty_like(total)
        for tap, weight in enumerate(weights):
            seen = padded[scale * begin + tap :: scale][: len(rows)]
            total += np.multiply(seen, weight, out=product)
        # Where the scale is a power of two the weights are dyadic, and these sums exact.
        rows[...] = np.clip(np.floor(total), 0, np.iinfo(image.dtype).max)
    return shrunk


def enlarge(image: NDArray[Depth], scale: int, kind: Image.Resampling) -> NDArray[Depth]:
    """Return an image ``scale`` times as high and wide, by Pillow's interpolation.

    Parameters
    ----------
    image : ndarray
        ``(h, w)`` or ``(h, w, 3)``, uint8 or uint16.
    scale : int
        The factor.
    kind : PIL.Image.Resampling
        One of `CONTROLS`.
    """
    size = (scale * image.shape[1], scale * image.shape[0])
    if image.dtype == np.uint8:
        return np.asarray(Image.fromarray(image).resize(size, kind))
    # Pillow has no 16-bit colours: as floats, which hold such values exactly, channel by channel.
    channels = np.moveaxis(image.reshape(*image.shape[:2], -1).astype(np.float32), 2, 0)
    resized = [np.asarray(Image.fromarray(each).resize(size, kind)) for each in channels]
    large = np.stack(resized, axis=-1)
    limit = np.iinfo(image.dtype).max
    rounded = np.clip(np.floor(large + 0.5), 0, limit).astype(image.dtype)
    return rounded.reshape(size[1], size[0], *image.shape[2:])
