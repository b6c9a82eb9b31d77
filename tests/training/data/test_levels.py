"""Black and white of 16-bit images, as an image's own values give them."""

from __future__ import annotations

import numpy as np

from napari_srgan.resampling import shrink
from napari_srgan.training.data.levels import levelled, spread


def smooth(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = np.sin(np.linspace(0, 6, 64) + rng.random())[:, np.newaxis]
    return (rows * np.cos(np.linspace(0, 9, 80)))[..., np.newaxis]


def counted(values: np.ndarray, offset: float, gain: float) -> np.ndarray:
    return np.rint(offset + gain * values).astype(np.uint16)


def test_a_cameras_offset_and_gain_go():
    dim, bright = counted(smooth(), 700, 300), counted(smooth(), 25_000, 20_000)
    assert (spread(dim).min(), spread(dim).max()) == (0, 65535)
    np.testing.assert_allclose(spread(dim), spread(bright).astype(float), atol=65535 / 300)


def test_a_hot_pixel_does_not_darken_the_rest():
    image = counted(smooth(), 700, 300)
    hot = image.copy()
    hot[20, 30] = 65535
    others = np.ones(image.shape, bool)
    others[20, 30] = False
    np.testing.assert_allclose(spread(hot)[others], spread(image)[others].astype(float), atol=700)


def test_eight_bits_and_flat_images_stay():
    eight = np.full((8, 9, 3), 7, np.uint8)
    assert spread(eight) is eight
    flat = np.full((8, 9, 1), 700, np.uint16)
    assert np.ptp(spread(flat)) == 0


def test_a_pairs_low_image_gets_the_units_of_its_high_one():
    high = counted(smooth(), 30_000, 25_000)
    low = shrink(high, 4)
    darker = counted((low.astype(float) - 5000) / 40, 90, 1)
    np.testing.assert_allclose(levelled(darker, high, 4), low.astype(float), atol=40)


def test_a_low_image_of_something_else_stays():
    high = counted(smooth(), 30_000, 25_000)
    negative = 65535 - shrink(high, 4)
    assert levelled(negative, high, 4) is negative
