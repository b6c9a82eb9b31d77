"""Measures of what PSNR does not see: sharpness, texture, and the artefacts of adversarial nets.

None needs a network or a download, and all are of 8-bit images, ``(h, w)`` or ``(h, w, 3)``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter, minimum_filter, uniform_filter

from napari_srgan.resampling import Pixels, shrink
from napari_srgan.training.metrics.fidelity import LUMA, luminance
from napari_srgan.training.metrics.spectra import (
    ROUNDING_NOISE,
    energy,
    frequencies,
    grid_contrast,
    high_band_energy,
    local_spectra,
)

GRID_PERIOD = 4  # pixels: two pixel shuffles of ×2 leave patterns of 2 and of 4
FLAT_STD = 2.0  # levels: rounding and faint noise stay below, the weakest texture is above
FLAT_WINDOW = 7  # pixels
NEARBY, OUTSIDE_LEVELS = 7, 8.0  # pixels across, and levels beyond the range there

_WINDOW = 16  # pixels: the longest period that a ×4 network has to invent is 8
_NEIGHBOURS = 1.0  # windows: σ of the neighbourhood in which energies are compared
_LOWEST = 1.5 / _WINDOW  # cycles a pixel; below, a Hann window sees its own mean
_UNSEEN = 1.0  # levels²: differences in noise this faint do not count
_GRID_SEEN = 16.0  # levels²: a pattern of ±1.5 levels, about the least that shows on flat ground
_LEVELS = 50.0  # of colour drift that weigh as much as the loss of all texture


@dataclass(frozen=True)
class ColourDrift:
    """How far the colours of an upscaled image left its input's, in levels of 255.

    Attributes
    ----------
    channels : tuple of float
        Mean difference of each channel; positive where the upscaled image is brighter.
    """

    channels: tuple[float, ...]

    @property
    def worst(self) -> float:
        """The largest of the channels' absolute mean differences."""
        return max(map(abs, self.channels))


@dataclass(frozen=True)
class PerceptualDistance:
    """How unlike its reference an image looks, and why; 0 if both are equal, lower is better.

    Attributes
    ----------
    texture : float
        Local energy at each frequency that is missing or too much, 0 to 1.
    structure : float
        Local energy that is not the reference's, shifted by a little or not at all, 0 to 1.
    grid : float
        How far the periods of pixel shuffling stand out more than in the reference, 0 to 1.
    colour : float
        Mean absolute difference of local colour; 0.02 a level.
    """

    texture: float
    structure: float
    grid: float
    colour: float

    @property
    def total(self) -> float:
        """Half of texture and structure each, and the artefacts in full."""
        return (self.texture + self.structure) / 2 + self.grid + self.colour


def high_frequency_ratio(upscaled: Pixels, reference: Pixels) -> float:
    """Return the energy of an image's upper band in parts of its reference's: 1 is as sharp.

    The band is that of luminance above half of Nyquist, in any direction, as
    :func:`~.spectra.high_band_energy` defines it. An energy below that of
    rounding to 8 bits counts as that, so that an image without detail has a ratio, too.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    _check_shapes(upscaled, reference)
    energies = [high_band_energy(luminance(image)) for image in (upscaled, reference)]
    above, below = (max(one, ROUNDING_NOISE) for one in energies)
    return above / below


def colour_drift(upscaled: Pixels, low: Pixels) -> ColourDrift:
    """Return how far the colours of ``upscaled``, shrunk again, are from its input's.

    Raises
    ------
    ValueError
        If ``upscaled`` is not a whole number of times as large as ``low``.
    """
    scale = upscaled.shape[0] // low.shape[0]
    expected = (scale * low.shape[0], scale * low.shape[1], *low.shape[2:])
    if scale < 1 or upscaled.shape != expected:
        raise ValueError(
            f"An image of shape {upscaled.shape} is not one of {low.shape} upscaled: "
            "its sides have to be the same whole number of times as long."
        )
    difference = shrink(upscaled, scale).astype(np.float64) - low
    means = np.atleast_1d(difference.mean(axis=(0, 1)))
    return ColourDrift(tuple(map(float, means)))


def checkerboard(
    upscaled: Pixels, reference: Pixels | None = None, period: int = GRID_PERIOD
) -> float:
    """Return how far the frequencies of a grid stand out from those around them, 0 to 1.

    A pattern of 4 pixels has its energy at multiples of 1/4 cycles a pixel, along both axes. In
    windows of 16 pixels all over the luminance, the energy at each of these 9 frequencies is
    compared with the mean of those around it, ``(peak - around) / (peak + around + c)``. The value
    is the largest mean of this contrast over all windows: 0 without a pattern, 1 where the pattern
    is all there is. A pattern of ±1.5 levels on flat ground has 0.5, for c is its energy.

    Parameters
    ----------
    upscaled : ndarray
        ``(h, w)`` or ``(h, w, 3)``, uint8, at least ``4·period`` pixels high and wide.
    reference : ndarray, optional
        Of the same shape. Its contrast is taken away at each frequency, for bricks and fences
        have periods of their own.
    period : int
        Of the grid, in pixels. Patterns of its divisors are seen, too.

    Raises
    ------
    ValueError
        If the shapes differ, or the image is smaller than a window.

    References
    ----------
    Odena et al., "Deconvolution and Checkerboard Artifacts", Distill 2016,
    doi:10.23915/distill.00003: where the patterns come from.
    """
    contrast = _grid_contrast(luminance(upscaled), period)
    if reference is not None:
        _check_shapes(upscaled, reference)
        contrast = contrast - _grid_contrast(luminance(reference), period)
    return max(0.0, float(contrast.max()))


def flat_noise(upscaled: Pixels, reference: Pixels) -> float:
    """Return the local standard deviation, in levels, that flat regions have gained.

    A pixel is in a flat region if the luminance of the reference has a standard deviation below 2
    levels in the 7 × 7 pixels around it. Negative where the upscaled image is smoother; 0 if the
    reference has no flat region.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    _check_shapes(upscaled, reference)
    before = _local_std(luminance(reference))
    flat = before < FLAT_STD
    if not flat.any():
        return 0.0
    return float(np.mean(_local_std(luminance(upscaled))[flat] - before[flat]))


def outside_share(upscaled: Pixels, reference: Pixels) -> float:
    """Return the share of pixels whose luminance is outside the reference's range nearby, 0 to 1.

    The range is that of the 7 × 7 pixels around, wider by 8 levels at both ends. Texture may lie
    elsewhere than in the reference without leaving it; halos and a mesh do not.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    _check_shapes(upscaled, reference)
    found, wanted = _full_range(upscaled), _full_range(reference)
    above = found > maximum_filter(wanted, NEARBY) + OUTSIDE_LEVELS
    below = found < minimum_filter(wanted, NEARBY) - OUTSIDE_LEVELS
    return float(np.mean(above | below))


def _full_range(image: Pixels) -> NDArray[np.float64]:
    """Return luminance in levels of 255, not rounded: :func:`luminance` has 219 of them."""
    values: NDArray[np.float64] = image @ np.array(LUMA) if image.ndim == 3 else image.astype(float)
    return values


def perceptual_distance(upscaled: Pixels, reference: Pixels) -> PerceptualDistance:
    """Return how unlike ``reference`` an image looks, as a viewer without the reference would mind.

    PSNR asks for the very pixels, and so ranks a blurred image above one whose texture is right
    but lies elsewhere. This asks, in windows of 16 × 16 pixels and frequency by frequency, for the
    right *amount* of detail (`texture`, the contrast term of SSIM on each band), for detail that is
    the reference's up to a small shift (`structure`, the same with the coherence of both images in
    place of the product of their amplitudes), and for the absence of what no reference has: a grid
    of pixel shuffling, and other colours.

    It follows the structural texture similarity metrics, which compare the energy and the
    autocorrelation of each subband in sliding windows instead of pixels: a local power spectrum
    holds both, for it is the transform of the local autocorrelation. The tolerance to shifts is
    that of the complex-wavelet SSIM. Frequencies count by 1/f, so that each octave has a say.

    It is honest in that nothing in it is trained, let alone on what it judges: its few constants
    are round numbers with a meaning, and no network can have learnt to please it. The price: it
    knows no objects. It takes wrong texture of the right energy for half right, cannot tell noise
    from texture where the reference has texture of that energy, minds a wrong letter no more than
    a wrong leaf, and its steps are not fitted to ratings by people. It is for comparing results of
    one method, or of like ones, on the same images; a network's LPIPS or a panel of viewers has the
    last word.

    Parameters
    ----------
    upscaled, reference : ndarray
        ``(h, w)`` or ``(h, w, 3)`` of one shape, uint8, at least 16 pixels high and wide.

    Raises
    ------
    ValueError
        If the shapes differ, or the images are smaller than a window.

    References
    ----------
    Zujovic, Pappas, Neuhoff, "Structural Texture Similarity Metrics for Image Analysis and
    Retrieval", IEEE Transactions on Image Processing 22 (2013), 2545-2558.
    Sampat et al., "Complex Wavelet Structural Similarity", ibid. 18 (2009), 2385-2401.
    """
    _check_shapes(upscaled, reference)
    image, original = (
        local_spectra(luminance(pixels), _WINDOW) for pixels in (upscaled, reference)
    )
    cross = image * original.conj()
    found, wanted = _smooth(energy(image)), _smooth(energy(original))
    common = np.hypot(_smooth(cross.real), _smooth(cross.imag))
    stands_out = _contrast_of(found) - _contrast_of(wanted)
    return PerceptualDistance(
        texture=_dissimilarity(np.sqrt(found * wanted), found + wanted),
        structure=_dissimilarity(common, found + wanted),
        grid=max(0.0, float(stands_out.max())),
        colour=float(np.abs(_local_means(upscaled) - _local_means(reference)).mean()) / _LEVELS,
    )


def _dissimilarity(shared: NDArray[np.float32], both: NDArray[np.float32]) -> float:
    """Return 1 - SSIM's contrast term, averaged over windows and, by 1/f, over frequencies."""
    similarity = (2 * shared + _UNSEEN) / (both + _UNSEEN)
    frequency, counts = frequencies(_WINDOW)
    weights = np.where(frequency > _LOWEST, counts / np.maximum(frequency, _LOWEST), 0.0)
    mean = similarity.mean(axis=(0, 1), dtype=np.float64)
    return max(0.0, 1 - float(np.average(mean, weights=weights)))


def _contrast_of(energies: NDArray[np.float32]) -> NDArray[np.float64]:
    return grid_contrast(energies, GRID_PERIOD, _GRID_SEEN)


def _grid_contrast(plane: NDArray[np.float64], period: int) -> NDArray[np.float64]:
    return grid_contrast(_smooth(energy(local_spectra(plane, 4 * period))), period, _GRID_SEEN)


def _smooth(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average over neighbouring windows: one window alone says little of a random texture."""
    smoothed: NDArray[np.float32] = gaussian_filter(
        values, (_NEIGHBOURS, _NEIGHBOURS, 0, 0), mode="nearest"
    )
    return smoothed


def _local_means(image: Pixels) -> NDArray[np.float64]:
    window = (_WINDOW, _WINDOW) + (1,) * (image.ndim - 2)
    means: NDArray[np.float64] = uniform_filter(image.astype(np.float64), window, mode="nearest")
    return means


def _local_std(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    mean = uniform_filter(plane, FLAT_WINDOW)
    squares = uniform_filter(plane**2, FLAT_WINDOW)
    std: NDArray[np.float64] = np.sqrt(np.maximum(squares - mean**2, 0.0))
    return std


def _check_shapes(upscaled: Pixels, reference: Pixels) -> None:
    if upscaled.shape != reference.shape:
        raise ValueError(
            f"The image and its reference have to be of one shape; got {upscaled.shape} and "
            f"{reference.shape}."
        )
