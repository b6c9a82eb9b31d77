"""Draw the steps of a degradation: once, or twice with another size in between."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from napari_srgan.training.data.degradations.blur import Blur, Sharpen
from napari_srgan.training.data.degradations.compress import Compress
from napari_srgan.training.data.degradations.kernels import airy, gaussian, motion
from napari_srgan.training.data.degradations.noise import (
    GaussianNoise,
    PoissonGaussianNoise,
    SaltAndPepper,
)
from napari_srgan.training.data.degradations.resize import Pick, Resize
from napari_srgan.training.data.degradations.settings import Degradation
from napari_srgan.training.data.degradations.steps import Step

_LEAST_SIDE = 2  # pixels of an image between both times
_LEAST_SIGMA = 0.05  # pixels; a narrower Gaussian is none


def draw_steps(
    settings: Degradation,
    order: int,
    size: tuple[int, int],
    scale: int,
    rng: np.random.Generator,
) -> list[Step]:
    """Return the steps that take an image of a size to one ``scale`` times smaller.

    In first order: blur, reduction, noise, sharpening, compression. In second order blur, a size in
    between, noise and compression come before.

    Parameters
    ----------
    settings : Degradation
        What may be drawn.
    order : {1, 2}
        How many times the image is degraded.
    size : tuple of int
        Height and width of the high-resolution image, multiples of ``scale``.
    scale : int
        Factor of the reduction.
    rng : numpy.random.Generator
        What is drawn from.

    References
    ----------
    Wang et al., "Real-ESRGAN", arXiv:2107.10833, §3.1 (first order) and §3.3 (second order).
    """
    height, width = size
    low = height // scale, width // scale
    if order == 1:
        return [*_stage(settings, low, 1.0, rng), *_ending(settings, rng)]
    share = rng.uniform(settings.between_min, settings.between_max)
    between = tuple(max(_LEAST_SIDE, round(share * side)) for side in size)
    first = [*_stage(settings, (between[0], between[1]), 1.0, rng), *_compression(settings, rng)]
    return [*first, *_stage(settings, low, share, rng), *_ending(settings, rng)]


def _stage(
    settings: Degradation, size: tuple[int, int], pixels: float, rng: np.random.Generator
) -> Iterator[Step]:
    """Yield blur, resizing and noise; ``pixels`` go to a high-resolution one along an axis."""
    if rng.random() < settings.blur_share:
        yield _BLURS[_chosen(settings.weights("blur"), rng)](settings, pixels, rng)
    kind = _chosen(settings.weights("resize"), rng)
    phases = rng.random(2)
    yield Pick(*size, *phases.tolist()) if kind == "nearest" else Resize(*size, kind)
    if rng.random() < settings.noise_share:
        yield _NOISES[_chosen(settings.weights("noise"), rng)](settings, rng)


def _ending(settings: Degradation, rng: np.random.Generator) -> Iterator[Step]:
    if rng.random() < settings.sharpen_share:
        radius = rng.uniform(0.3, settings.sharpen_radius_max)
        yield Sharpen(radius, rng.uniform(0, settings.sharpen_amount_max))
    yield from _compression(settings, rng)


def _compression(settings: Degradation, rng: np.random.Generator) -> Iterator[Step]:
    if rng.random() < settings.compression_share:
        codec = _CODECS[_chosen(settings.weights("compression"), rng)]
        yield Compress(codec, round(rng.uniform(settings.quality_min, settings.quality_max)))


def _isotropic(settings: Degradation, pixels: float, rng: np.random.Generator) -> Step:
    sigma = rng.uniform(settings.blur_sigma_min, settings.blur_sigma_max)
    width = max(_LEAST_SIGMA, sigma * pixels)
    return Blur(gaussian(width, width), f"Gaussian σ {sigma:.2f}")


def _anisotropic(settings: Degradation, pixels: float, rng: np.random.Generator) -> Step:
    sigmas = rng.uniform(settings.blur_sigma_min, settings.blur_sigma_max, size=2)
    across, along = np.maximum(_LEAST_SIGMA, sigmas * pixels).tolist()
    angle = rng.uniform(0, math.pi)
    name = f"Gaussian σ {sigmas[0]:.2f}, {sigmas[1]:.2f} at {math.degrees(angle):.0f}°"
    return Blur(gaussian(across, along, angle), name)


def _airy(settings: Degradation, pixels: float, rng: np.random.Generator) -> Step:
    aperture = rng.uniform(settings.numerical_aperture_min, settings.numerical_aperture_max)
    wavelength = rng.uniform(settings.wavelength_min, settings.wavelength_max)
    kernel = airy(aperture, wavelength, settings.pixel_size / pixels)
    return Blur(kernel, f"Airy NA {aperture:.2f} λ {wavelength:.0f} nm")


def _motion(settings: Degradation, pixels: float, rng: np.random.Generator) -> Step:
    length, angle = rng.uniform(0, settings.motion_max), rng.uniform(0, math.pi)
    name = f"motion of {length:.1f} at {math.degrees(angle):.0f}°"
    return Blur(motion(length * pixels, angle), name)


def _gaussian_noise(settings: Degradation, rng: np.random.Generator) -> Step:
    sigma = rng.uniform(0, settings.noise_sigma_max)
    return GaussianNoise(sigma, bool(rng.random() < settings.grey_noise_share))


def _poisson_noise(settings: Degradation, rng: np.random.Generator) -> Step:
    # Equally in the logarithm: twice the light is as great a step from 100 as from 1000.
    few, many = math.log(settings.electrons_min), math.log(settings.electrons_max)
    electrons = math.exp(rng.uniform(few, many))
    read = rng.uniform(0, settings.read_noise_max)
    return PoissonGaussianNoise(electrons, read, settings.excess_noise)


def _salt_and_pepper(settings: Degradation, rng: np.random.Generator) -> Step:
    return SaltAndPepper(rng.uniform(0, settings.salt_and_pepper_max))


_BLURS: Mapping[str, Callable[[Degradation, float, np.random.Generator], Step]] = {
    "isotropic": _isotropic,
    "anisotropic": _anisotropic,
    "airy": _airy,
    "motion": _motion,
}
_NOISES: Mapping[str, Callable[[Degradation, np.random.Generator], Step]] = {
    "gaussian": _gaussian_noise,
    "poisson": _poisson_noise,
    "salt_and_pepper": _salt_and_pepper,
}
_CODECS = {"jpeg": "JPEG", "webp": "WEBP"}


def _chosen(weights: Mapping[str, float], rng: np.random.Generator) -> str:
    shares = np.array(list(weights.values()))
    return str(rng.choice(list(weights), p=shares / shares.sum()))
