"""Image files as training takes them: 8 or 16 bits, as many channels as the network has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_srgan.files import read_picture

Samples = NDArray[np.unsignedinteger[Any]]

# Red, green and blue in grey, as JPEG and ITU-R BT.601 have it, in 1/65536; they add up to it.
_LUMINANCE = (19595, 38470, 7471)
_CHANNEL_LABELS = ("c", "s")  # as TIFF files name channels and samples
_8_TO_16_BITS = 257  # 255 becomes 65535


def read_image(path: Path, channels: int) -> Samples:
    """Return an image file as ``(h, w, channels)``, uint8 or uint16 as the file has it.

    Grey becomes RGB by repetition where three channels are wanted, RGB becomes its luminance where
    one is, and alpha is dropped for either. For other numbers the file must have as many, along
    its first axis or its last. Black-and-white images become 0 and 255.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it has other channels, other pixels, or more than one image.
    """
    picture = read_picture(path)
    data: NDArray[Any] = picture.data
    if data.dtype == np.bool_:
        data = data * np.uint8(255)
    if data.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"its pixels are {data.dtype}; training takes 8 or 16 bits, unsigned")
    plain = 3 if picture.rgb else 2
    while data.ndim > plain and data.shape[0] == 1:
        data = data[0]
    if data.ndim == plain:
        return _coloured(data, channels) if picture.rgb else _grey(data, channels)
    if picture.rgb:
        raise ValueError(f"it is a stack of colour images, shape {data.shape}: split it")
    return _channels_last(data, picture.axis_labels, channels)


def deepened(image: Samples, dtype: np.dtype[Any]) -> Samples:
    """Return an image in a depth no less than its own, white still white."""
    if image.dtype == dtype:
        return image
    return image.astype(np.uint16) * np.uint16(_8_TO_16_BITS)


def _coloured(data: NDArray[Any], channels: int) -> Samples:
    if channels == 1:
        parts = [data[..., i].astype(np.uint32) * part for i, part in enumerate(_LUMINANCE)]
        # The greatest sum, 65535 · 65536 + 32768, is just within 32 bits.
        return ((sum(parts) + np.uint32(2**15)) >> 16).astype(data.dtype)[..., np.newaxis]
    if channels == 3 or data.shape[-1] == channels:
        return data[..., :channels]
    raise ValueError(f"it has {data.shape[-1]} channels, not {channels}")


def _grey(data: NDArray[Any], channels: int) -> Samples:
    if channels not in (1, 3):
        raise ValueError(f"it has 1 channel, not {channels}")
    return np.repeat(data[..., np.newaxis], channels, axis=-1)


def _channels_last(data: NDArray[Any], labels: Sequence[str] | None, channels: int) -> Samples:
    if data.ndim == 3:
        named = labels[-3:] if labels is not None else ("c", "", "c")
        for axis in (0, 2):
            if data.shape[axis] == channels and named[axis] in _CHANNEL_LABELS:
                return np.moveaxis(data, axis, -1)
    raise ValueError(f"its shape is {data.shape}, not that of one image with {channels} channel(s)")
