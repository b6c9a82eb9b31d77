"""Pillow's images as arrays of grey, RGB or RGBA, whatever their mode."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

_AS_THEY_ARE = ("1", "L", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_PLAIN = {
    **dict.fromkeys(("RGB", "RGBX", "P", "YCbCr", "HSV", "CMYK"), "RGB"),
    **dict.fromkeys(("RGBA", "RGBa", "LA", "La", "PA"), "RGBA"),
}


def plain_mode(image: Image.Image) -> str:
    """Name the mode of grey or plain colours that holds an image.

    Raises
    ------
    ValueError
        If there is none.
    """
    if "transparency" in image.info:
        return "RGBA"
    if image.mode in _AS_THEY_ARE:
        return image.mode
    if image.mode not in _PLAIN:
        raise ValueError(f"colours stored as {image.mode} are not supported; save it as RGB")
    return _PLAIN[image.mode]


def pixels_of(image: Image.Image) -> npt.NDArray[Any]:
    """Return an image's pixels: palettes looked up, colours as RGB, alpha not premultiplied.

    Parameters
    ----------
    image : PIL.Image.Image
        Of any mode but LAB.

    Returns
    -------
    ndarray
        ``(h, w)``, ``(h, w, 3)`` or ``(h, w, 4)``; bool, uint8, uint16, int32 or float32.

    Raises
    ------
    ValueError
        If its colours are of a kind that Pillow does not convert.
    """
    mode = plain_mode(image)
    if image.mode == "CMYK":
        return np.array(from_cmyk(image, image.info.get("icc_profile")))
    if mode.startswith("I;16"):
        data = np.array(image)
        return data.astype(data.dtype.newbyteorder("="), copy=False)
    if image.mode == "La":
        image = image.convert("LA")
    if mode == "RGBA" and image.mode in ("1", "I", "I;16", "F"):  # of which Pillow knows no key
        return _with_key(np.array(image), image.info["transparency"])
    return np.array(image if image.mode == mode else image.convert(mode))


def from_cmyk(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return the colours of ink as RGB: sRGB by the profile, or by mere subtraction without."""
    if profile is None:
        return image.convert("RGB")
    from PIL import ImageCms

    try:
        srgb = ImageCms.createProfile("sRGB")
        made = ImageCms.profileToProfile(image, io.BytesIO(profile), srgb, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return image.convert("RGB")
    return made if made is not None else image.convert("RGB")


def _with_key(data: npt.NDArray[Any], key: object) -> npt.NDArray[Any]:
    if data.dtype == np.bool_:
        data = data * np.uint8(255)
    white = np.iinfo(data.dtype).max if data.dtype.kind in "iu" else 1
    alpha = np.where(data == key, 0, white).astype(data.dtype)
    return np.stack([data, data, data, alpha], -1)
