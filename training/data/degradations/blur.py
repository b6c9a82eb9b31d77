"""Blur by a point spread function, and the halos of sharpening, which is blur taken away."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import fftconvolve

from napari_srgan.training.data.degradations.kernels import Kernel, gaussian
from napari_srgan.training.data.degradations.steps import Light


@dataclass(frozen=True, eq=False)
class Blur:
    """Convolution with a kernel; the image is mirrored at its edges.

    Attributes
    ----------
    kernel : ndarray
        Odd, square, its sum 1, as those of :mod:`.kernels`.
    name : str
        What made it.
    """

    kernel: Kernel
    name: str

    def __call__(self, image: Light, _rng: np.random.Generator) -> Light:
        """Return the image blurred, of the same size."""
        return blurred(image, self.kernel)

    def __str__(self) -> str:
        return f"blur {self.name}"


@dataclass(frozen=True)
class Sharpen:
    """Unsharp masking, as cameras and editors do it: it leaves light and dark halos at edges.

    Attributes
    ----------
    radius : float
        Standard deviation of the Gaussian, in pixels.
    amount : float
        How much of the difference to the blurred image is added.

    References
    ----------
    Wang et al., "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data",
    arXiv:2107.10833, §3.4 (overshoot) and §4.1 (sharpening by unsharp masks).
    """

    radius: float
    amount: float

    def __call__(self, image: Light, _rng: np.random.Generator) -> Light:
        """Return the image sharpened, of the same size."""
        soft = blurred(image, gaussian(self.radius, self.radius))
        return image + np.float32(self.amount) * (image - soft)

    def __str__(self) -> str:
        return f"sharpen radius {self.radius:.2f} amount {self.amount:.2f}"


def blurred(image: Light, kernel: Kernel) -> Light:
    """Return ``(h, w, c)`` convolved with a kernel, mirrored at its edges."""
    radius = len(kernel) // 2
    wider = np.pad(image, ((radius, radius), (radius, radius), (0, 0)), mode="symmetric")
    taps = kernel.astype(np.float32)[..., np.newaxis]
    done: Light = fftconvolve(wider, taps, mode="valid", axes=(0, 1))
    return done
