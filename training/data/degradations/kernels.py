"""Point spread functions: Gaussian, Airy and motion blur as odd, square arrays whose sum is 1."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import j1

Kernel = NDArray[np.float64]

_SIGMAS = 3  # beyond which a Gaussian is cut off: 0.3 % of it along an axis
_OVERSAMPLING = 9  # points along each axis of a pixel, over which its light is gathered
_RINGS = 3  # dark rings of an Airy disk up to which it is kept: 94 % of its light
# Zeros of J1 in units of v, the third of which ends what is kept.
_DARK_RINGS = (3.8317, 7.0156, 10.1735)


def gaussian(sigma_y: float, sigma_x: float, angle: float = 0.0) -> Kernel:
    """Return a Gaussian, of one width or of two along turned axes.

    Parameters
    ----------
    sigma_y, sigma_x : float
        Standard deviations along the axes, in pixels, above 0.
    angle : float
        By which the axes are turned, in radians.

    References
    ----------
    Zhang et al., "Designing a Practical Degradation Model for Deep Blind Image Super-Resolution"
    (BSRGAN), arXiv:2103.14006, §3.1: isotropic and anisotropic.
    """
    radius = max(1, math.ceil(_SIGMAS * max(sigma_y, sigma_x)))
    y, x = _grid(radius)
    along = math.cos(angle) * x + math.sin(angle) * y
    across = math.cos(angle) * y - math.sin(angle) * x
    return _whole(np.exp(-0.5 * ((along / sigma_x) ** 2 + (across / sigma_y) ** 2)), radius)


def airy(numerical_aperture: float, wavelength: float, pixel: float) -> Kernel:
    """Return the image of a point by a perfect lens: (2 J₁(v) / v)², v = 2π NA r / λ.

    Its first dark ring has the radius 0.61 λ / NA. It is cut off at the third, and normalised.

    Parameters
    ----------
    numerical_aperture : float
        NA, on the side on which ``pixel`` is measured. A camera's lens has 1 / (2 N), N the
        f-number.
    wavelength, pixel : float
        λ and the side of a pixel, in one unit.

    References
    ----------
    Born & Wolf, "Principles of Optics", §8.5.2, eq. 14.
    """
    per_pixel = 2 * math.pi * numerical_aperture * pixel / wavelength
    radius = max(1, math.ceil(_DARK_RINGS[_RINGS - 1] / per_pixel))
    y, x = _grid(radius)
    v = per_pixel * np.hypot(y, x)
    with np.errstate(invalid="ignore"):
        amplitude = np.where(v == 0, 1.0, 2 * j1(v) / v)
    light = np.where(v <= _DARK_RINGS[_RINGS - 1], amplitude**2, 0.0)
    return _whole(light, radius)


def motion(length: float, angle: float) -> Kernel:
    """Return the blur of a motion along a straight line at one speed.

    Parameters
    ----------
    length : float
        Of the line, in pixels, 0 or more.
    angle : float
        Of the line, in radians, from the x axis towards y.

    References
    ----------
    Zhang et al., "Deep Plug-and-Play Super-Resolution for Arbitrary Blur Kernels" (DPSR),
    arXiv:1903.12529, §4: motion blur beside Gaussians.
    """
    radius = max(1, math.ceil(length / 2))
    points = np.linspace(-length / 2, length / 2, 2 * math.ceil(length * _OVERSAMPLING) + 1)
    kernel = np.zeros((2 * radius + 1, 2 * radius + 1))
    y, x = radius + points * math.sin(angle), radius + points * math.cos(angle)
    # Each point gives its light to the four pixels around it, so that the centroid is exact.
    top, left = (np.minimum(np.floor(along).astype(int), 2 * radius - 1) for along in (y, x))
    for down in (0, 1):
        for right in (0, 1):
            share = (1 - abs(y - top - down)) * (1 - abs(x - left - right))
            np.add.at(kernel, (top + down, left + right), share)
    return _normalised(kernel)


def _grid(radius: int) -> tuple[Kernel, Kernel]:
    """Return y and x of points that lie equally in the pixels within a radius, (0, 0) amidst."""
    count = (2 * radius + 1) * _OVERSAMPLING
    along = (np.arange(count) - (count - 1) / 2) / _OVERSAMPLING
    return along[:, np.newaxis], along[np.newaxis, :]


def _whole(light: Kernel, radius: int) -> Kernel:
    """Return the light of each pixel, gathered over its area, in parts of the whole."""
    side = 2 * radius + 1
    return _normalised(light.reshape(side, _OVERSAMPLING, side, _OVERSAMPLING).sum((1, 3)))


def _normalised(kernel: Kernel) -> Kernel:
    whole: Kernel = kernel / kernel.sum()
    return whole
