import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_srgan.training.metrics.spectra import (
    energy,
    frequencies,
    grid_contrast,
    high_band_energy,
    local_spectra,
)


def _noise(h, w, std=1.0, seed=0):
    return np.random.default_rng(seed).normal(0, std, (h, w))


def _wave(h, w, rows, columns):
    """A cosine of amplitude 1, so many cycles a pixel along the rows and the columns."""
    y, x = np.mgrid[:h, :w]
    return np.cos(2 * np.pi * (rows * y + columns * x))


def _at(spectra, row, column):
    return float(energy(spectra)[3:-3, 3:-3, row, column].mean())


@pytest.mark.parametrize("shape", [(120, 90), (91, 130)])
@pytest.mark.parametrize("std", [1.0, 7.0])
def test_white_noise_has_its_variance_in_the_upper_band(shape, std):
    assert high_band_energy(_noise(*shape, std)) == pytest.approx(std**2, rel=0.1)


@given(st.floats(0.1, 50), st.integers(0, 9))
def test_energy_goes_with_the_square_of_the_amplitude(factor, seed):
    plane = _noise(20, 33, seed=seed)
    expected = factor**2 * high_band_energy(plane)
    assert high_band_energy(factor * plane) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("rows", "columns", "above"),
    [
        (0.2, 0.0, False),
        (0.3, 0.0, True),
        (0.0, 0.2, False),
        (0.0, 0.3, True),
        (0.15, 0.15, False),  # 0.21 cycles a pixel along the diagonal
        (0.2, 0.2, True),  # 0.28
    ],
)
def test_upper_band_begins_at_half_of_nyquist_in_any_direction(rows, columns, above):
    wave = _wave(200, 240, rows, columns)
    everything = wave.size * np.mean(wave**2)
    band_size = 0.804 * wave.size  # 1 - π/4 · (0.25/0.5)²
    share = high_band_energy(wave) * band_size / everything
    assert share > 0.9 if above else share < 0.1


def test_a_ramp_has_no_upper_band_though_its_borders_differ():
    y, x = np.mgrid[:90, :70]
    assert high_band_energy(2.0 * y + 1.0 * x) < 0.01


def test_a_plane_too_small_for_an_upper_band_has_no_energy():
    assert high_band_energy(np.full((1, 1), 9.0)) == 0


@pytest.mark.parametrize("shape", [(16, 16), (16, 31), (40, 23)])
@pytest.mark.parametrize("size", [8, 16])
def test_windows_stand_half_a_window_apart_and_cover_the_plane(shape, size):
    spectra = local_spectra(_noise(*shape), size)
    rows, columns = (side // (size // 2) + 1 for side in shape)
    assert spectra.shape == (rows, columns, size, size // 2 + 1)


def test_white_noise_has_its_variance_at_every_local_frequency():
    mean = energy(local_spectra(_noise(400, 300, 3.0), 16)).mean(axis=(0, 1))
    frequency, _ = frequencies(16)
    np.testing.assert_allclose(mean[frequency > 0.15], 9, rtol=0.15)


def test_a_wave_is_found_at_its_frequency_with_the_energy_worked_by_hand():
    # |Σ window / 2|² / Σ window² with Σ = 8² and Σ² = 6² of the Hann window of 16 × 16.
    spectra = local_spectra(_wave(80, 96, 4 / 16, 0), 16)
    assert _at(spectra, 4, 0) == pytest.approx((64 / 2) ** 2 / 36, rel=1e-4)
    assert _at(spectra, 0, 4) < 1e-6
    assert _at(spectra, 4, 4) < 1e-6


def test_local_spectra_do_not_see_the_mean():
    plane = _noise(40, 30)
    np.testing.assert_allclose(local_spectra(plane + 100, 16), local_spectra(plane, 16), atol=1e-3)


@pytest.mark.parametrize("shape", [(15, 40), (40, 15)])
def test_local_spectra_refuse_a_plane_smaller_than_a_window(shape):
    with pytest.raises(ValueError, match=f"16 × 16.*{shape[0]} × {shape[1]}"):
        local_spectra(np.zeros(shape), 16)


def test_each_bin_counts_as_often_as_the_full_plane_has_it():
    frequency, counts = frequencies(16)
    assert counts.sum() == 16 * 16
    assert frequency[0, 0] == 0
    assert frequency[0, 4] == frequency[4, 0] == frequency[12, 0] == 0.25
    assert frequency[8, 8] == pytest.approx(np.sqrt(0.5))


@pytest.mark.parametrize("period", [2, 3, 4])
@pytest.mark.parametrize("direction", [(1, 0), (0, 1), (1, 1), (1, -1)])
def test_a_pattern_of_the_period_stands_out_in_any_direction(period, direction):
    wave = 5 * _wave(90, 75, direction[0] / period, direction[1] / period)
    contrast = grid_contrast(energy(local_spectra(wave, 4 * period)), period, visible=1.0)
    assert contrast.max() > 0.9


@pytest.mark.parametrize("frequency", [(1 / 8, 0), (3 / 8, 3 / 8), (0, 0.36)])
def test_a_pattern_of_another_period_does_not_stand_out(frequency):
    wave = 5 * _wave(90, 75, *frequency)
    assert grid_contrast(energy(local_spectra(wave, 16)), 4, visible=1.0).max() < 0.2


def test_a_grid_of_four_pixels_has_nine_frequencies():
    assert grid_contrast(energy(local_spectra(_noise(40, 50), 16)), 4, visible=1.0).shape == (9,)


def test_a_pattern_as_strong_as_the_visible_energy_has_half_the_contrast():
    wave = _wave(80, 96, 1 / 4, 0)
    energies = energy(local_spectra(wave, 16))
    visible = (64 / 2) ** 2 / 36
    assert grid_contrast(energies, 4, visible).max() == pytest.approx(
        0.5, abs=0.05
    )  # less at the border


def test_noise_does_not_stand_out():
    energies = energy(local_spectra(_noise(300, 200, 9.0), 16))
    assert grid_contrast(energies, 4, visible=1.0).max() < 0.1
