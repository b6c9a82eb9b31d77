"""Noise and blocks are seen where they are, wherever these begin, and not where they are not."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from skimage import data

from napari_srgan.store.registry import registry
from napari_srgan.trust.looks import FOR_PHOTOGRAPHS, looks_of


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    """A photograph made small enough to be free of noise and blocks, ``(h, w)`` in [0, 1]."""
    picture = Image.fromarray(data.astronaut()).convert("L")
    return np.asarray(picture.resize((256, 256), Image.Resampling.BOX)) / 255


def compressed(grey: np.ndarray, quality: int) -> np.ndarray:
    file = BytesIO()
    Image.fromarray((255 * grey).round().astype(np.uint8)).save(file, "JPEG", quality=quality)
    with Image.open(file) as picture:
        return np.asarray(picture) / 255


def test_nothing_is_said_of_a_clean_image(clean):
    assert list(looks_of(clean).advice()) == []


@pytest.mark.parametrize("cut", [(0, 0), (3, 5), (7, 1)])
def test_blocks_are_seen_wherever_they_begin_and_the_more_the_lower_the_quality(clean, cut):
    y, x = cut
    low, high = (looks_of(compressed(clean, quality)[y:, x:]).blocks for quality in (30, 85))
    assert low > 2 * high
    (sentence,) = looks_of(compressed(clean, 30)[y:, x:]).advice()
    assert "looks compressed" in sentence
    assert f"{FOR_PHOTOGRAPHS} is worth a try" in sentence


@pytest.mark.parametrize("sigma", [6, 12, 20])
def test_noise_is_measured_where_there_is_no_texture(clean, sigma):
    noise = np.random.default_rng(0).normal(0, sigma / 255, clean.shape)
    assert looks_of(0.5 + noise).noise == pytest.approx(sigma, rel=0.25)
    looks = looks_of(clean + noise)
    assert looks.noise == pytest.approx(sigma, rel=0.35)
    assert any(f"noisy (σ about {looks.noise:.0f} of 255)" in each for each in looks.advice())


@pytest.mark.parametrize("image", [np.zeros((64, 48)), np.full((5, 7), 0.3), np.eye(31)])
def test_flat_and_tiny_images_look_like_nothing(image):
    looks = looks_of(image)
    assert (looks.noise, looks.blocks) == (0, 0)


def test_what_is_recommended_is_to_be_had():
    assert FOR_PHOTOGRAPHS in {weights.name for weights in registry()}
