import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from skimage.metrics import peak_signal_noise_ratio

from napari_srgan.training.metrics.fidelity import (
    Scores,
    crop_border,
    luminance,
    psnr,
    score,
    ssim_daala,
    ssim_wang,
)

SSIMS = [ssim_daala, ssim_wang]


def _noise(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def _scene(h=60, w=47):
    """A smooth picture, and the same with noise on it."""
    y, x = np.mgrid[:h, :w]
    clean = 128 + 90 * np.sin(x / 5) * np.cos(y / 9)
    noisy = clean + np.random.default_rng(1).normal(0, 12, (h, w))
    return clean, np.clip(noisy, 0, 255)


def _daala_by_definition(a, b):
    """SSIM at each pixel from the weighted moments of its own window, one pixel at a time."""
    h, w = a.shape
    sigma = 1.5 * h / 256
    rows, columns = np.mgrid[:h, :w]
    total = mass = 0.0
    for y in range(h):
        for x in range(w):
            dy, dx = rows - y, columns - x
            window = np.exp(-(dy**2 + dx**2) / (2 * sigma**2))
            window[np.maximum(abs(dy), abs(dx)) > math.floor(5 * sigma + 0.5)] = 0
            m = window.sum()
            ma, mb = (window * a).sum() / m, (window * b).sum() / m
            va = (window * (a - ma) ** 2).sum() / m
            vb = (window * (b - mb) ** 2).sum() / m
            cov = (window * (a - ma) * (b - mb)).sum() / m
            c1, c2 = 2.55**2, 7.65**2
            index = (2 * ma * mb + c1) * (2 * cov + c2)
            index /= (ma**2 + mb**2 + c1) * (va + vb + c2)
            total, mass = total + m * index, mass + m
    return total / mass


@pytest.mark.parametrize(
    ("rgb", "y"),
    [
        ((0, 0, 0), 16),
        ((255, 255, 255), 235),
        ((255, 0, 0), 81),  # 16 + 65.481 = 81.481
        ((0, 255, 0), 145),  # 16 + 128.553 = 144.553
        ((0, 0, 255), 41),  # 16 + 24.966 = 40.966
        ((10, 200, 100), 129),  # 16 + (654.81 + 25710.6 + 2496.6) / 255 = 129.184
    ],
)
def test_luminance_of_a_colour_is_the_one_worked_by_hand(rgb, y):
    image = np.full((2, 3, 3), rgb, np.uint8)
    np.testing.assert_array_equal(luminance(image), np.full((2, 3), float(y)))
    assert luminance(image).dtype == np.float64


def test_a_greyscale_image_is_its_own_luminance():
    grey = _noise((4, 7))
    np.testing.assert_array_equal(luminance(grey), grey.astype(np.float64))


@pytest.mark.parametrize("shape", [(5,), (4, 6, 1), (4, 6, 4), (2, 4, 6, 3)])
def test_luminance_refuses_what_is_neither_grey_nor_rgb(shape):
    with pytest.raises(ValueError, match=r"greyscale .* RGB"):
        luminance(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.bool_])
def test_luminance_refuses_pixels_that_are_not_uint8(dtype):
    with pytest.raises(TypeError, match=np.dtype(dtype).name):
        luminance(np.zeros((4, 6), dtype))


@given(st.integers(0, 155), st.integers(1, 100))
def test_psnr_of_a_constant_offset_is_that_of_the_offset(level, offset):
    a = np.full((3, 5), level, np.uint8)
    b = np.full((3, 5), level + offset, np.uint8)
    assert psnr(a, b) == pytest.approx(20 * math.log10(255 / offset))


def test_psnr_of_an_offset_of_ten_is_28_13_db():
    assert psnr(np.zeros((3, 5)), np.full((3, 5), 10.0)) == pytest.approx(28.1308, abs=1e-4)


def test_psnr_equals_scikit_image():
    a, b = _noise((20, 31)), _noise((20, 31), seed=1)
    assert psnr(a, b) == pytest.approx(peak_signal_noise_ratio(a, b, data_range=255))


def test_psnr_of_uint8_does_not_wrap_around():
    assert psnr(np.zeros((3, 5), np.uint8), np.full((3, 5), 255, np.uint8)) == 0


@given(st.integers(18, 40), st.integers(11, 40), st.integers(0, 2**32 - 1))
def test_equal_images_score_infinity_and_one(h, w, seed):
    image = _noise((h, w), seed)
    assert psnr(image, image) == math.inf
    assert ssim_daala(image, image) == pytest.approx(1, abs=1e-12)
    assert ssim_wang(image, image) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("measure", [psnr, *SSIMS])
def test_a_measure_does_not_depend_on_which_image_is_the_reference(measure):
    clean, noisy = _scene()
    assert measure(clean, noisy) == pytest.approx(measure(noisy, clean), rel=1e-12)


@pytest.mark.parametrize("measure", [psnr, *SSIMS])
def test_a_measure_falls_as_the_noise_rises(measure):
    clean, noisy = _scene()
    assert measure(clean, (clean + noisy) / 2) > measure(clean, noisy)


@pytest.mark.parametrize("measure", [psnr, *SSIMS])
def test_a_measure_is_the_same_for_mirrored_images(measure):
    clean, noisy = _scene()
    mirrored = measure(clean[::-1, ::-1], noisy[::-1, ::-1])
    assert mirrored == pytest.approx(measure(clean, noisy), rel=1e-12)


@pytest.mark.parametrize("shape", [(11, 11), (11, 30), (48, 33)])
def test_ssim_wang_equals_its_definition_window_by_window(shape):
    a, b = _noise(shape), (_noise(shape) // 2 + _noise(shape, seed=1) // 2).astype(np.uint8)
    assert ssim_wang(a, b) == pytest.approx(_wang_by_definition(a, b), abs=1e-12)


def _wang_by_definition(a, b):
    """Return eq. 13 of Wang et al. (2004), averaged over all windows of 11 × 11."""
    line = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    weights = np.outer(line, line) / line.sum() ** 2
    found = []
    windows = [sliding_window_view(x.astype(float), (11, 11)).reshape(-1, 11, 11) for x in (a, b)]
    for one, other in zip(*windows, strict=True):
        mean, other_mean = float((weights * one).sum()), float((weights * other).sum())
        variance = float((weights * (one - mean) ** 2).sum())
        other_variance = float((weights * (other - other_mean) ** 2).sum())
        covariance = float((weights * (one - mean) * (other - other_mean)).sum())
        c1, c2 = 2.55**2, 7.65**2
        alike = (2 * mean * other_mean + c1) * (2 * covariance + c2)
        found.append(alike / ((mean**2 + other_mean**2 + c1) * (variance + other_variance + c2)))
    return np.mean(found)


@pytest.mark.parametrize("shape", [(18, 12), (40, 23), (64, 9)])
def test_ssim_daala_equals_its_definition_pixel_by_pixel(shape):
    clean, noisy = _scene(*shape)
    assert ssim_daala(clean, noisy) == pytest.approx(_daala_by_definition(clean, noisy), abs=1e-12)


def test_ssim_of_constant_images_is_the_luminance_term_alone():
    a, b = np.full((20, 30), 100.0), np.full((20, 30), 150.0)
    expected = (2 * 100 * 150 + 2.55**2) / (100**2 + 150**2 + 2.55**2)
    assert ssim_daala(a, b) == pytest.approx(expected)
    assert ssim_wang(a, b) == pytest.approx(expected)


@pytest.mark.parametrize("measure", [psnr, *SSIMS])
def test_a_measure_refuses_images_of_two_shapes(measure):
    with pytest.raises(ValueError, match=r"\(20, 31\).*\(31, 20\)"):
        measure(np.zeros((31, 20)), np.zeros((20, 31)))


@pytest.mark.parametrize("measure", [psnr, *SSIMS])
@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.bool_])
def test_a_measure_refuses_pixels_whose_peak_is_not_255(measure, dtype):
    with pytest.raises(TypeError, match=np.dtype(dtype).name):
        measure(np.zeros((20, 31), dtype), np.zeros((20, 31), dtype))


@pytest.mark.parametrize("measure", SSIMS)
def test_ssim_refuses_colour(measure):
    with pytest.raises(ValueError, match="luminance"):
        measure(np.zeros((20, 31, 3)), np.zeros((20, 31, 3)))


def test_psnr_refuses_to_compare_nothing():
    with pytest.raises(ValueError, match="no pixels"):
        psnr(np.zeros((0, 5)), np.zeros((0, 5)))


@pytest.mark.parametrize("shape", [(10, 30), (30, 10)])
def test_ssim_wang_refuses_images_smaller_than_its_window(shape):
    with pytest.raises(ValueError, match=f"11 × 11.*{shape[0]} × {shape[1]}"):
        ssim_wang(np.zeros(shape), np.zeros(shape))


def test_ssim_daala_refuses_a_height_that_leaves_no_window():
    with pytest.raises(ValueError, match="17 pixels high"):
        ssim_daala(np.zeros((17, 40)), np.zeros((17, 40)))


@given(st.integers(0, 5), st.integers(11, 20), st.integers(11, 20))
def test_crop_border_leaves_the_middle(border, h, w):
    image = np.arange(h * w * 3).reshape(h, w, 3)
    cropped = crop_border(image, border)
    assert cropped.shape == (h - 2 * border, w - 2 * border, 3)
    assert cropped[0, 0, 0] == image[border, border, 0]
    assert cropped[-1, -1, 2] == image[h - 1 - border, w - 1 - border, 2]


@pytest.mark.parametrize("shape", [(8, 30), (30, 7)])
def test_crop_border_refuses_an_image_that_is_all_border(shape):
    with pytest.raises(ValueError, match=f"{shape[0]} × {shape[1]}"):
        crop_border(np.zeros(shape), 4)


def test_crop_border_refuses_a_negative_border():
    with pytest.raises(ValueError, match="-1"):
        crop_border(np.zeros((8, 30)), -1)


def test_score_is_blind_to_the_border_and_to_nothing_else():
    reference = _noise((40, 29, 3))
    framed = reference.copy()
    framed[:4] = framed[-4:] = framed[:, :4] = framed[:, -4:] = 0
    exact = score(reference, framed)
    assert exact.psnr == math.inf
    assert exact.ssim_daala == exact.ssim_wang == pytest.approx(1)
    assert score(reference, framed, border=3).psnr < 40
    framed[4, 4] ^= 255
    assert score(reference, framed).psnr < 60


def test_score_measures_the_cropped_luminance():
    reference, upscaled = _noise((40, 29, 3)), _noise((40, 29, 3), seed=1)
    a, b = (luminance(image)[4:-4, 4:-4] for image in (reference, upscaled))
    expected = Scores(psnr(a, b), ssim_daala(a, b), ssim_wang(a, b))
    assert score(reference, upscaled) == expected


def test_score_refuses_grey_against_colour():
    with pytest.raises(ValueError, match="one shape"):
        score(_noise((40, 29)), _noise((40, 29, 3)))
