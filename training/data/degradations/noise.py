"""Noise: of electronics, of light itself and what reads it, and of single broken pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_srgan.training.data.degradations.steps import Light

_LEVELS = 255  # that a standard deviation is given in, whatever the depth


@dataclass(frozen=True)
class GaussianNoise:
    """Independent noise of one strength everywhere.

    Attributes
    ----------
    sigma : float
        Standard deviation in levels of 255.
    grey : bool
        Whether all channels of a pixel have the same.

    References
    ----------
    Wang et al., "Real-ESRGAN", arXiv:2107.10833, §3.1: colour and grey noise.
    """

    sigma: float
    grey: bool = False

    def __call__(self, image: Light, rng: np.random.Generator) -> Light:
        """Return the image with noise."""
        shape = (*image.shape[:2], 1) if self.grey else image.shape
        noise = rng.standard_normal(shape, dtype=np.float32)
        return image + np.float32(self.sigma / _LEVELS) * noise

    def __str__(self) -> str:
        return f"{'grey' if self.grey else 'colour'} noise σ {self.sigma:.1f}"


@dataclass(frozen=True)
class PoissonGaussianNoise:
    """Shot noise of electrons that are counted, and Gaussian noise of what reads them.

    The variance of a value v in [0, 1] is v · excess / electrons + (read / electrons)².

    Attributes
    ----------
    electrons : float
        That white is made of.
    read : float
        Standard deviation of the reading, in electrons.
    excess : float
        Factor of the variance of the shot noise, 1 or more: 1 for CCD, CMOS and sCMOS, about 2
        where electrons are multiplied before they are read (EMCCD).

    References
    ----------
    Foi et al., "Practical Poissonian-Gaussian noise modeling and fitting for single-image
    raw-data", IEEE TIP 2008, eq. 3. Robbins & Hadwen, "The noise performance of electron
    multiplying charge-coupled devices", IEEE TED 2003: the excess of 2.
    """

    electrons: float
    read: float = 0.0
    excess: float = 1.0

    def __call__(self, image: Light, rng: np.random.Generator) -> Light:
        """Return the image as it was counted and read."""
        # Counts whose variance is `excess` times their mean: Poisson in units of `excess`.
        quanta = self.electrons / self.excess
        counted = rng.poisson(np.maximum(image, 0) * quanta) / quanta
        noise = rng.standard_normal(image.shape) * (self.read / self.electrons)
        return (counted + noise).astype(np.float32)

    def __str__(self) -> str:
        return f"shot noise of {self.electrons:.0f} electrons, read {self.read:.1f}"


@dataclass(frozen=True)
class SaltAndPepper:
    """Pixels that are white or black in all channels, either as often.

    Attributes
    ----------
    share : float
        Of all pixels, 0 to 1.

    References
    ----------
    Gonzalez & Woods, "Digital Image Processing", §5.2: impulse noise.
    """

    share: float

    def __call__(self, image: Light, rng: np.random.Generator) -> Light:
        """Return the image with broken pixels."""
        chance = rng.random((*image.shape[:2], 1), dtype=np.float32)
        broken = np.where(chance < self.share / 2, np.float32(0), np.float32(1))
        return np.where(chance < self.share, broken, image)

    def __str__(self) -> str:
        return f"salt and pepper {self.share:.2%}"
