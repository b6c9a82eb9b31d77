"""High-resolution images made low: how training and evaluation images come about."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_srgan.graph.back_project import reduction_taps

SCALE = 4  # §3.1

# Stands in the names of packed images: raise it when the numbers below change.
REDUCTION_VERSION = 1

_BLOCK = 16  # rows worked on at a time: they stay in the processor's cache

Pixels = NDArray[np.uint8]
Depth = TypeVar("Depth", bound=np.unsignedinteger[Any])


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
