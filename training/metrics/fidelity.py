"""PSNR and two SSIMs on luminance, by the protocol of the paper's Table 2."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity

BORDER = 4  # §3.1: pixels left out at each side

_PEAK = 255.0
_C1 = (0.01 * _PEAK) ** 2  # Wang et al., K1
_C2 = (0.03 * _PEAK) ** 2  # and K2
LUMA = (0.299, 0.587, 0.114)  # of red, green and blue (ITU-R BT.601)
_STUDIO = np.array([219 * weight for weight in LUMA]) / _PEAK  # Y of [0, 1] RGB is 16 to 235
_STUDIO_BLACK = 16.0
_WANG_SIGMA, _WANG_RADIUS = 1.5, 5  # 11 × 11
_DAALA_SIGMA = 1.5 / 256  # of the height
_DAALA_TRUNCATE = 5.0  # sigmas; what is beyond weighs less than 1e-6

_Plane = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """How near an image is to its reference; higher is nearer.

    Attributes
    ----------
    psnr : float
        Peak signal-to-noise ratio in dB; inf if both are equal.
    ssim_daala : float
        The paper's SSIM, of `ssim_daala`.
    ssim_wang : float
        The usual SSIM, of `ssim_wang`.
    """

    psnr: float
    ssim_daala: float
    ssim_wang: float


def score(
    reference_high: NDArray[np.uint8], upscaled: NDArray[np.uint8], border: int = BORDER
) -> Scores:
    """Return the scores of one image by the paper's protocol: on Y, without the border.

    Parameters
    ----------
    reference_high, upscaled : ndarray
        ``(h, w)`` or ``(h, w, 3)`` of the same shape, uint8.
    border : int
        Pixels left out at each side.

    Raises
    ------
    TypeError
        If an image is not uint8.
    ValueError
        If the shapes differ or are not those above, or the image is too small for the border or
        for a window of the SSIMs.

    References
    ----------
    Ledig et al., arXiv:1609.04802v5, §3.1.
    """
    _check_equal_shapes(reference_high, upscaled)
    reference = crop_border(luminance(reference_high), border)
    image = crop_border(luminance(upscaled), border)
    return Scores(psnr(reference, image), ssim_daala(reference, image), ssim_wang(reference, image))


def luminance(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return Y of an image, ``(h, w)``, whole numbers as float64.

    Y of RGB is that of BT.601 in studio range, 16 (black) to 235 (white), rounded: published
    figures are of 8-bit Y, and without the rounding every figure comes out a little higher
    (bicubic on Set5: 0.01 dB, 0.001 of SSIM). A greyscale image is its own Y, 0 to 255.

    Parameters
    ----------
    image : ndarray
        ``(h, w)`` or ``(h, w, 3)``, uint8.

    Raises
    ------
    TypeError
        If the image is not uint8.
    ValueError
        If it has another shape.
    """
    if image.dtype != np.uint8:
        raise TypeError(f"Luminance is that of uint8 pixels; got {image.dtype}. Convert them.")
    if image.ndim == 2:
        return image.astype(np.float64)
    if image.ndim != 3 or image.shape[-1] != 3:
        raise ValueError(
            f"Expected a greyscale (h, w) or RGB (h, w, 3) image; got shape {image.shape}."
        )
    y: _Plane = np.rint(_STUDIO_BLACK + image.astype(np.float64) @ _STUDIO)
    return y


def crop_border(image: NDArray[Any], border: int) -> NDArray[Any]:
    """Return ``image``, ``(h, w, ...)``, without ``border`` pixels at each side; a view.

    Raises
    ------
    ValueError
        If the border is negative, or nothing would be left.
    """
    if border < 0:
        raise ValueError(f"A border has 0 pixels or more; got {border}.")
    h, w = image.shape[:2]
    if min(h, w) <= 2 * border:
        raise ValueError(
            f"Nothing is left of {h} × {w} pixels without a border of {border}. "
            "Take a larger image or a smaller border."
        )
    return image[border : h - border, border : w - border]


def psnr(reference: NDArray[Any], image: NDArray[Any]) -> float:
    """Return the peak signal-to-noise ratio in dB, peak 255; inf if both are equal.

    Parameters
    ----------
    reference, image : ndarray
        Of the same shape, uint8 or float, 0 to 255.

    Raises
    ------
    TypeError
        If the pixels are neither uint8 nor float.
    ValueError
        If the shapes differ, or there is no pixel.
    """
    reference, image = _pixels(reference, image)
    error = float(np.mean((reference - image) ** 2))
    return math.inf if error == 0 else 10 * math.log10(_PEAK**2 / error)


def ssim_daala(reference: NDArray[Any], image: NDArray[Any]) -> float:
    """Return the structural similarity as daala's ``dump_ssim`` defines it: the paper's SSIM.

    1 if both are equal. The window is a Gaussian of σ = 1.5 · h / 256, so that it covers the same
    part of an image of any size. A window that reaches over the border is renormalised to what
    lies inside, and counts by its mass there. Daala rounds its weights to 1/256; these are exact.

    Parameters
    ----------
    reference, image : ndarray
        ``(h, w)`` of the same shape, uint8 or float, 0 to 255.

    Raises
    ------
    TypeError
        If the pixels are neither uint8 nor float.
    ValueError
        If the shapes differ or are not 2-D, or the height leaves the window but its centre.
    """
    reference, image = _planes(reference, image)
    h = reference.shape[0]
    sigma = _DAALA_SIGMA * h
    radius = int(_DAALA_TRUNCATE * sigma + 0.5)
    if radius < 1:
        raise ValueError(
            f"The daala SSIM has no window for an image {h} pixels high. Take one of 18 or more."
        )

    def blur(plane: _Plane) -> _Plane:
        return _gaussian(plane, sigma, radius, "constant")

    mass = blur(np.ones_like(reference))
    similarity = _similarity(reference, image, lambda plane: blur(plane) / mass)
    return float(np.average(similarity, weights=mass))


def ssim_wang(reference: NDArray[Any], image: NDArray[Any]) -> float:
    """Return the structural similarity of Wang et al.: 11 × 11 Gaussian window, σ = 1.5.

    1 if both are equal. The mean is over the windows that lie wholly inside, as in the authors'
    code: scikit-image's, set to their window and their variances.

    Parameters
    ----------
    reference, image : ndarray
        ``(h, w)`` of the same shape, uint8 or float, 0 to 255.

    Raises
    ------
    TypeError
        If the pixels are neither uint8 nor float.
    ValueError
        If the shapes differ or are not 2-D, or a side is shorter than the window.

    References
    ----------
    Wang et al., IEEE Transactions on Image Processing 13 (2004), eq. 13.
    """
    reference, image = _planes(reference, image)
    size = 2 * _WANG_RADIUS + 1
    if min(reference.shape) < size:
        h, w = reference.shape
        raise ValueError(f"SSIM has a window of {size} × {size}; the image is only {h} × {w}.")
    similarity = structural_similarity(  # type: ignore[no-untyped-call]
        reference,
        image,
        gaussian_weights=True,
        sigma=_WANG_SIGMA,
        use_sample_covariance=False,
        data_range=_PEAK,
    )
    return float(similarity)


def _similarity(a: _Plane, b: _Plane, blur: Callable[[_Plane], _Plane]) -> _Plane:
    """Return the SSIM index at each pixel, with local moments taken by ``blur``."""
    mean_a, mean_b = blur(a), blur(b)
    variances = blur(a * a) - mean_a**2 + blur(b * b) - mean_b**2
    covariance = blur(a * b) - mean_a * mean_b
    alike = (2 * mean_a * mean_b + _C1) * (2 * covariance + _C2)
    return alike / ((mean_a**2 + mean_b**2 + _C1) * (variances + _C2))


def _gaussian(
    plane: _Plane, sigma: float, radius: int, beyond: Literal["constant", "nearest"]
) -> _Plane:
    blurred: _Plane = gaussian_filter(plane, sigma, mode=beyond, radius=radius)
    return blurred


def _planes(reference: NDArray[Any], image: NDArray[Any]) -> tuple[_Plane, _Plane]:
    reference, image = _pixels(reference, image)
    if reference.ndim != 2:
        raise ValueError(
            f"SSIM is that of one (h, w) plane; got shape {reference.shape}. Take its luminance."
        )
    return reference, image


def _pixels(reference: NDArray[Any], image: NDArray[Any]) -> tuple[_Plane, _Plane]:
    """Return both as float64, checked to be comparable."""
    for pixels in (reference, image):
        if pixels.dtype != np.uint8 and not np.issubdtype(pixels.dtype, np.floating):
            raise TypeError(
                f"Expected uint8 or float pixels, 0 to 255; got {pixels.dtype}. Convert them."
            )
    _check_equal_shapes(reference, image)
    if reference.size == 0:
        raise ValueError(f"There are no pixels to compare in shape {reference.shape}.")
    return reference.astype(np.float64), image.astype(np.float64)


def _check_equal_shapes(reference: NDArray[Any], image: NDArray[Any]) -> None:
    if reference.shape != image.shape:
        raise ValueError(
            f"The image and its reference have to be of one shape; got {image.shape} and "
            f"{reference.shape}."
        )
