"""The measures, on photographs of scikit-image and on distortions of them made here."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates
from skimage import data

from napari_srgan.resampling import shrink
from napari_srgan.training.metrics.fidelity import luminance, psnr
from napari_srgan.training.metrics.perceptual import (
    ColourDrift,
    PerceptualDistance,
    checkerboard,
    colour_drift,
    flat_noise,
    high_frequency_ratio,
    outside_share,
    perceptual_distance,
)

# PSNR and perceptual distance of bicubic interpolation, and of the photograph with its details
# displaced by a pixel or so: PSNR prefers the former on every one, a viewer the latter.
FIGURES = {
    "astronaut": ((25.51, 0.617), (24.66, 0.285)),
    "camera": ((25.07, 0.690), (24.13, 0.297)),
    "chelsea": ((30.51, 0.563), (29.09, 0.276)),
    "coffee": ((27.58, 0.611), (26.09, 0.284)),
    "rocket": ((32.57, 0.403), (30.26, 0.208)),
}
PHOTOGRAPHS = list(FIGURES)
COLOUR = [name for name in PHOTOGRAPHS if name != "camera"]


@cache
def high(name):
    """The middle of a photograph, 256 × 352 pixels."""
    image = getattr(data, name)()
    top, left = (image.shape[0] - 256) // 2, (image.shape[1] - 352) // 2
    return np.ascontiguousarray(image[top : top + 256, left : left + 352])


def _pixels(values):
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _on_planes(change, image):
    if image.ndim == 2:
        return change(image)
    return np.stack([change(image[..., c]) for c in range(3)], axis=-1)


def _like(plane, image):
    return plane if image.ndim == 2 else plane[..., None]


@cache
def blurred(name):
    """What bicubic interpolation makes of the reduction: every detail is gone."""
    h, w = high(name).shape[:2]
    low = Image.fromarray(shrink(high(name)))
    return np.asarray(low.resize((w, h), Image.Resampling.BICUBIC))


@cache
def displaced(name, pixels=1.3, over=4.0):
    """The photograph with its details moved about: as sharp, and plausible, but elsewhere."""
    rng = np.random.default_rng(0)
    h, w = high(name).shape[:2]
    shifts = [gaussian_filter(rng.normal(size=(h, w)), over) for _ in range(2)]
    places = np.mgrid[:h, :w] + [pixels * shift / shift.std() for shift in shifts]
    base = blurred(name).astype(float)
    details = high(name) - base
    moved = _on_planes(lambda d: map_coordinates(d, places, order=3, mode="reflect"), details)
    return _pixels(base + moved)


def with_checkerboard(image, levels=3.0, period=4):
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    pattern = np.cos(2 * np.pi * y / period) * np.cos(2 * np.pi * x / period)
    return _pixels(image + levels * _like(pattern, image))


def with_dotted_edges(image, levels=18.0):
    """The pattern of 4 pixels where edges are, as of a GAN stopped too early."""
    edges = gaussian_filter(luminance(image), 1.5)
    strength = np.hypot(*np.gradient(edges))
    strength = np.clip(strength / np.percentile(strength, 97), 0, 1)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    pattern = strength * np.cos(np.pi * y / 2) * np.cos(np.pi * x / 2)
    return _pixels(image + levels * _like(pattern, image))


def with_noise_in_flat_regions(image, name, levels=5.0):
    reference = luminance(high(name))
    mean = gaussian_filter(reference, 3)
    flat = gaussian_filter(reference**2, 3) - mean**2 < 9
    noise = np.random.default_rng(1).normal(0, levels, flat.shape) * flat
    return _pixels(image + _like(noise, image))


def with_ringing(image, strength=0.6):
    sigma = (1.5, 1.5) + (0,) * (image.ndim - 2)
    values = image.astype(float)
    return _pixels(values + strength * (values - gaussian_filter(values, sigma)))


def with_colour_shift(image, levels=4.0):
    return _pixels(image + np.array([levels, 0, -levels]))


def total(image, name):
    return perceptual_distance(image, high(name)).total


def _psnr(image, name):
    return psnr(luminance(high(name)), luminance(image))


def _noise(h, w, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (h, w), dtype=np.uint8)


# The distance


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_plausible_details_beat_none_where_psnr_says_the_opposite(name):
    assert _psnr(displaced(name), name) < _psnr(blurred(name), name)
    assert 0 < total(displaced(name), name) < 0.6 * total(blurred(name), name)


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_figures_are_the_documented_ones(name):
    for image, figures in zip((blurred(name), displaced(name)), FIGURES[name], strict=True):
        assert (_psnr(image, name), total(image, name)) == pytest.approx(figures, abs=0.015)


@given(st.integers(16, 40), st.integers(16, 40), st.integers(0, 9))
def test_an_image_has_no_distance_from_itself(h, w, seed):
    image = _noise(h, w, seed)
    distance = perceptual_distance(image, image)
    assert distance.total == pytest.approx(0, abs=1e-5)
    assert distance.grid == distance.colour == 0


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_distance_falls_as_missing_details_come_back(name):
    none, all_of_them = blurred(name).astype(float), high(name)
    totals = [total(_pixels((1 - t) * none + t * all_of_them), name) for t in (0, 0.3, 0.6, 0.9)]
    assert totals == sorted(totals, reverse=True)
    assert totals[-1] < 0.2 * totals[0]


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_distance_rises_as_displaced_details_become_implausible(name):
    wobbling = displaced(name, 1.5, over=2.0)  # lines look drawn with a shaking hand
    assert total(displaced(name), name) < total(wobbling, name) < total(blurred(name), name)
    assert total(displaced(name), name) < total(displaced(name, 2.5), name)


ARTEFACTS = {
    "checkerboard": with_checkerboard,
    "dotted edges": with_dotted_edges,
    "ringing": with_ringing,
}


@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize("artefact", ARTEFACTS)
def test_artefacts_are_minded_on_a_perfect_image_and_on_a_plausible_one(artefact, name):
    spoil = ARTEFACTS[artefact]
    for image in (high(name), displaced(name)):
        assert total(spoil(image), name) > total(image, name) + 0.01


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_noise_in_flat_regions_is_minded(name):
    for image in (high(name), displaced(name)):
        assert total(with_noise_in_flat_regions(image, name), name) > total(image, name) + 0.02


@pytest.mark.parametrize("name", COLOUR)
def test_a_colour_shift_is_minded(name):
    for image in (high(name), displaced(name), blurred(name)):
        assert total(with_colour_shift(image), name) > total(image, name) + 0.02


@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize("spoil", [with_checkerboard, with_dotted_edges])
def test_a_grid_pattern_does_not_pass_for_details(spoil, name):
    assert total(spoil(blurred(name)), name) > total(blurred(name), name) + 0.05


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_nearest_interpolation_is_worse_than_bicubic(name):
    nearest = np.repeat(np.repeat(shrink(high(name)), 4, axis=0), 4, axis=1)
    assert total(nearest, name) > total(blurred(name), name)


@pytest.mark.parametrize("levels", [(2, 3), (3, 6), (6, 12)])
def test_distance_rises_with_the_strength_of_a_checkerboard(levels):
    weak, strong = (total(with_checkerboard(high("coffee"), one), "coffee") for one in levels)
    assert weak < strong


def test_distance_is_the_same_for_images_turned_over_their_diagonal():
    image, reference = blurred("camera"), high("camera")
    turned = perceptual_distance(image.T, reference.T)
    assert turned.total == pytest.approx(perceptual_distance(image, reference).total, rel=1e-4)


def test_total_is_half_of_texture_and_structure_and_all_of_the_artefacts():
    distance = PerceptualDistance(texture=0.2, structure=0.6, grid=0.1, colour=0.03)
    assert distance.total == pytest.approx(0.53)


def test_a_grey_shift_of_one_level_costs_a_fiftieth():
    image = np.full((40, 52), 100, np.uint8)
    distance = perceptual_distance(image + np.uint8(1), image)
    assert distance == PerceptualDistance(0, 0, 0, pytest.approx(0.02))


def test_texture_of_the_right_amount_but_unrelated_is_half_right():
    distance = perceptual_distance(_noise(160, 200, seed=1), _noise(160, 200))
    assert distance.texture < 0.05
    assert distance.structure > 0.6


# Sharpness


def test_high_frequency_ratio_is_one_for_the_reference_and_low_for_a_blurred_image():
    assert high_frequency_ratio(high("coffee"), high("coffee")) == 1
    assert high_frequency_ratio(blurred("coffee"), high("coffee")) < 0.01
    assert high_frequency_ratio(with_ringing(high("coffee")), high("coffee")) > 1.5


def test_high_frequency_ratio_goes_with_the_square_of_the_contrast():
    y, x = np.mgrid[:40, :60]
    weak, strong = ((128 + levels * (-1) ** (x + y)).astype(np.uint8) for levels in (10, 30))
    assert high_frequency_ratio(strong, weak) == pytest.approx(9)


def test_high_frequency_ratio_of_flat_images_is_one():
    flat = np.full((40, 60, 3), 90, np.uint8)
    assert high_frequency_ratio(flat, flat + np.uint8(5)) == 1


# Colour


def test_colour_drift_of_a_shifted_image_is_its_shift():
    low = np.full((10, 15, 3), 100, np.uint8)
    upscaled = np.repeat(np.repeat(low, 4, axis=0), 4, axis=1) + np.array([3, 0, 6], np.uint8)
    assert colour_drift(upscaled, low) == ColourDrift((3.0, 0.0, 6.0))
    assert colour_drift(upscaled, low).worst == 6


def test_colour_drift_of_grey_has_one_channel_and_a_sign():
    low = np.full((10, 15), 100, np.uint8)
    assert colour_drift(np.full((40, 60), 98, np.uint8), low) == ColourDrift((-2.0,))
    assert ColourDrift((-2.0, 1.0)).worst == 2


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_photograph_does_not_drift_from_its_own_reduction(name):
    assert colour_drift(high(name), shrink(high(name))).worst == 0


@pytest.mark.parametrize("shape", [(40, 61, 3), (41, 60, 3), (40, 60), (4, 6, 3), (80, 60, 3)])
def test_colour_drift_refuses_what_is_not_the_input_upscaled(shape):
    with pytest.raises(ValueError, match=r"\(10, 15, 3\)"):
        colour_drift(np.zeros(shape, np.uint8), np.zeros((10, 15, 3), np.uint8))


# Checkerboard


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_photographs_have_no_checkerboard_and_patterned_ones_have(name):
    assert checkerboard(high(name), high(name)) == 0
    assert checkerboard(blurred(name), high(name)) < 0.03
    assert checkerboard(with_checkerboard(high(name)), high(name)) > 0.15
    assert checkerboard(with_checkerboard(high(name), 2, period=2), high(name)) > 0.5


def test_checkerboard_of_a_pattern_on_flat_ground_is_the_one_worked_by_hand():
    # ±2 levels of cos·cos have 2² · (64/4)² / 36 = 28.4 levels² at their frequency; 16 count half.
    patterned = with_checkerboard(np.full((160, 200), 128, np.uint8), 2)
    assert checkerboard(patterned) == pytest.approx(28.4 / (28.4 + 16), abs=0.05)


def test_checkerboard_sees_stripes_of_either_direction():
    x = np.arange(64)
    stripes = np.tile((128 + 6 * np.cos(np.pi * x / 2)).astype(np.uint8), (48, 1))
    assert checkerboard(stripes) > 0.8
    assert checkerboard(stripes.T) > 0.8


def test_checkerboard_of_a_patterned_reference_is_forgiven():
    fence = with_checkerboard(np.full((80, 100), 128, np.uint8), 6)
    assert checkerboard(fence) > 0.8
    assert checkerboard(fence, fence) == 0


def test_checkerboard_takes_other_periods():
    patterned = with_checkerboard(np.full((80, 100), 128, np.uint8), 6, period=3)
    assert checkerboard(patterned, period=3) > 0.5
    assert checkerboard(patterned, period=4) < 0.2


# Flat regions


def test_flat_noise_is_the_standard_deviation_that_was_added():
    flat = np.full((200, 150), 120, np.uint8)
    noisy = _pixels(flat + np.random.default_rng(0).normal(0, 6, flat.shape))
    assert flat_noise(noisy, flat) == pytest.approx(6, rel=0.05)


def test_flat_noise_is_blind_to_textured_regions():
    reference = np.full((80, 120), 120, np.uint8)
    reference[:, 60:] = _noise(80, 60)
    changed = reference.copy()
    changed[:, 70:] = _noise(80, 50, seed=1)
    assert flat_noise(changed, reference) == 0


def test_flat_noise_is_negative_where_grain_is_lost_and_0_where_nothing_is_flat():
    grain = _pixels(120 + np.random.default_rng(0).normal(0, 1, (80, 120)))
    assert flat_noise(np.full((80, 120), 120, np.uint8), grain) < -0.5
    assert flat_noise(_noise(80, 120, seed=1), _noise(80, 120)) == 0


# Refusals


@pytest.mark.parametrize(
    "measure", [high_frequency_ratio, checkerboard, flat_noise, perceptual_distance]
)
def test_measures_refuse_images_of_two_shapes(measure):
    with pytest.raises(ValueError, match=r"\(40, 60\).*\(60, 40\)"):
        measure(np.zeros((40, 60), np.uint8), np.zeros((60, 40), np.uint8))


@pytest.mark.parametrize(
    "measure", [high_frequency_ratio, checkerboard, flat_noise, perceptual_distance]
)
def test_measures_refuse_pixels_that_are_not_uint8(measure):
    with pytest.raises(TypeError, match="float32"):
        measure(np.zeros((40, 60), np.float32), np.zeros((40, 60), np.float32))


@pytest.mark.parametrize("measure", [checkerboard, perceptual_distance])
def test_measures_by_windows_refuse_images_smaller_than_one(measure):
    with pytest.raises(ValueError, match="16 × 16"):
        measure(np.zeros((15, 60), np.uint8), np.zeros((15, 60), np.uint8))


def test_pixels_beyond_the_range_nearby_are_counted_and_others_are_not():
    flat = np.full((40, 50, 3), 100, np.uint8)
    line = flat.copy()
    line[20] = 120
    assert outside_share(line, flat) == 1 / 40
    assert outside_share(flat, flat) == 0
    assert outside_share(flat + np.uint8(7), flat) == 0
    assert outside_share(flat + np.uint8(9), flat) == 1
    assert outside_share(flat[..., 0] + np.uint8(9), flat[..., 0]) == 1
    moved = np.roll(line, 3, axis=0)  # within reach of the line that is there
    assert outside_share(moved, line) == 0
    assert outside_share(np.roll(line, 4, axis=0), line) == 1 / 40
