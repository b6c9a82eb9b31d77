"""Spectra of an image plane: the whole one's, and those of small windows all over it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.fft import dctn, rfft2

HALF_OF_NYQUIST = 0.25  # cycles a pixel
ROUNDING_NOISE = 1 / 12  # levels²: the variance that rounding to whole levels adds

_OVERLAP = 2  # windows over each pixel along an axis; Hann windows then sum to a constant


def high_band_energy(plane: NDArray[np.float64]) -> float:
    """Return the mean energy of a plane's upper band, in levels² a coefficient.

    The band holds the frequencies, in any direction, above half of Nyquist: 0.25 cycles a pixel.
    They are those of the cosine transform (DCT-II), which sees the plane mirrored at its border,
    so that no jump from one border to the other counts as detail. White noise of standard
    deviation σ has energy σ².

    Parameters
    ----------
    plane : ndarray
        ``(h, w)``, in levels.
    """
    h, w = plane.shape
    rows, columns = np.arange(h) / (2 * h), np.arange(w) / (2 * w)
    band = np.hypot(rows[:, None], columns[None, :]) > HALF_OF_NYQUIST
    coefficients = dctn(plane, norm="ortho")[band]
    return float(np.mean(coefficients**2)) if coefficients.size else 0.0


def local_spectra(plane: NDArray[np.float64], size: int) -> NDArray[np.complex64]:
    """Return the spectrum of every Hann window of a plane, ``(rows, columns, size, size//2 + 1)``.

    The windows stand half a window apart, and the plane is mirrored at its border. They are
    scaled so that white noise of standard deviation σ has energy σ² at every frequency.

    Parameters
    ----------
    plane : ndarray
        ``(h, w)``, in levels.
    size : int
        Height and width of a window in pixels, even.

    Raises
    ------
    ValueError
        If the plane is smaller than a window.
    """
    if min(plane.shape) < size:
        h, w = plane.shape
        raise ValueError(f"Local spectra need {size} × {size} pixels; the image is {h} × {w}.")
    step = size // _OVERLAP
    padded = np.pad(plane, step, mode="reflect").astype(np.float32)
    windows = sliding_window_view(padded, (size, size))[::step, ::step]
    varying = windows - windows.mean(axis=(2, 3), keepdims=True)
    spectra: NDArray[np.complex64] = rfft2(varying * _hann(size))
    return spectra


def frequencies(size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the frequency of each bin of :func:`local_spectra`, and how often it counts.

    Half of the plane of frequencies is stored: each bin stands for two, but for those of the
    first and the last column, whose partners are stored as well. The former is in cycles a pixel,
    in any direction; both are ``(size, size//2 + 1)``.
    """
    rows, columns = np.fft.fftfreq(size), np.fft.rfftfreq(size)
    counts = np.full((size, columns.size), 2.0)
    counts[:, [0, -1]] = 1.0
    return np.hypot(rows[:, None], columns[None, :]), counts


def energy(spectra: NDArray[np.complex64]) -> NDArray[np.float32]:
    """Return the squared magnitude of each coefficient."""
    squared: NDArray[np.float32] = spectra.real**2 + spectra.imag**2
    return squared


def grid_contrast(
    energies: NDArray[np.float32], period: int, visible: float
) -> NDArray[np.float64]:
    """Return how far the frequencies of a grid stand out from those around them.

    For each frequency of a pattern that repeats every ``period`` pixels, the mean over all
    windows of ``(peak - around) / (peak + around + visible)``: 0 where nothing stands out, 1 where
    the pattern is all there is. Natural spectra fall steeply, so that the mean around a frequency
    is above it: what lies below 0 tells of that alone, and is 0.

    Parameters
    ----------
    energies : ndarray
        ``(rows, columns, 4·period, 2·period + 1)``, of windows of ``4·period`` pixels.
    period : int
        Of the grid, in pixels.
    visible : float
        The peak energy, in levels², below which a pattern on flat ground hardly counts.
    """
    size = 4 * period
    contrasts = []
    for row, column in _grid_bins(period):
        peak = _at(energies, row, column, size)
        around = np.mean([_at(energies, row + y, column + x, size) for y, x in _AROUND], axis=0)
        contrasts.append(np.mean((peak - around) / (peak + around + visible), dtype=np.float64))
    return np.maximum(contrasts, 0.0)


# A Hann window smears a frequency over the bins next to it; these are the ones beyond.
_AROUND = [(y, x) for y in range(-2, 3) for x in range(-2, 3) if max(abs(y), abs(x)) == 2]


def _grid_bins(period: int) -> list[tuple[int, int]]:
    """Return the bins of a grid's frequencies, one of each conjugate pair."""
    bins: list[tuple[int, int]] = []
    for row in range(period):
        for column in range(period):
            partner = (-row % period, -column % period)
            if (row, column) != (0, 0) and partner not in bins:
                bins.append((row, column))
    return [(4 * row, 4 * column) for row, column in bins]


def _at(energies: NDArray[np.float32], row: int, column: int, size: int) -> NDArray[Any]:
    """Return the energies at a bin of the full plane, of which half is stored."""
    row, column = row % size, column % size
    if column > size // 2:
        row, column = -row % size, size - column
    return energies[..., row, column]


def _hann(size: int) -> NDArray[np.float32]:
    edge = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    window = np.outer(edge, edge)
    scaled: NDArray[np.float64] = window / np.sqrt(np.sum(window**2))
    return scaled.astype(np.float32)
