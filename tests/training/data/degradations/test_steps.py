from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from napari_srgan.training.data.degradations.blur import Blur, Sharpen
from napari_srgan.training.data.degradations.compress import Compress
from napari_srgan.training.data.degradations.kernels import airy, gaussian, motion
from napari_srgan.training.data.degradations.noise import (
    GaussianNoise,
    PoissonGaussianNoise,
    SaltAndPepper,
)
from napari_srgan.training.data.degradations.resize import Pick, Resize
from napari_srgan.training.data.degradations.steps import Step, degrade

SIZE = (48, 64)
BLURS = [
    Blur(gaussian(1.7, 1.7), "round"),
    Blur(gaussian(0.6, 2.5, 0.7), "oval"),
    Blur(airy(0.7, 550, 160), "lens"),
    Blur(motion(6.3, 2.0), "motion"),
    Sharpen(1.2, 0.8),
]
KINDS = ["area", "bilinear", "bicubic"]
RESIZES = [Resize(h, w, kind) for kind in KINDS for h, w in [(12, 16), (31, 41), (60, 80)]]


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def spot(size: tuple[int, int], y: float, x: float, sigma: float) -> np.ndarray:
    """A Gaussian at a place given from 0 to 1 along each axis."""
    rows, columns = ((np.arange(n) + 0.5) for n in size)
    along = np.exp(-0.5 * ((rows - y * size[0]) / sigma) ** 2)
    across = np.exp(-0.5 * ((columns - x * size[1]) / sigma) ** 2)
    return np.repeat((along[:, None] * across)[..., None], 3, axis=-1).astype(np.float32)


def centroid(image: np.ndarray) -> np.ndarray:
    """The place of what is light, from 0 to 1 along each axis."""
    light = image[..., 1].astype(np.float64)
    sizes = np.array(light.shape)
    return (np.indices(light.shape).reshape(2, -1) + 0.5) @ light.ravel() / light.sum() / sizes


@pytest.mark.parametrize("step", [*BLURS, *RESIZES, Pick(12, 16, 0.1, 0.9)], ids=str)
def test_a_constant_stays_constant(step: Step):
    image = np.full((*SIZE, 3), [0.2, 0.5, 0.9], np.float32)
    made = step(image, rng())
    np.testing.assert_allclose(made, np.broadcast_to(image[0, 0], made.shape), atol=2e-6)


@pytest.mark.parametrize("step", [*BLURS, *RESIZES], ids=str)
def test_nothing_is_shifted(step: Step):
    image = spot(SIZE, 0.46, 0.53, 4.0)
    made = step(image, rng())
    shift = (centroid(made) - centroid(image)) * SIZE
    # By a broken factor new pixels beat with old ones: places waver by thousandths of a pixel.
    broken = isinstance(step, Resize) and SIZE[0] % step.height
    np.testing.assert_allclose(shift, 0, atol=5e-3 if broken else 1e-3)


@pytest.mark.parametrize("phase", [0.0, 0.25, 0.5, 0.75])
def test_nearest_shifts_by_its_phase(phase):
    image = spot(SIZE, 0.43, 0.56, 4.0)
    shift = (centroid(Pick(12, 16, phase, 0.5)(image, rng())) - centroid(image)) * SIZE
    taken = np.floor(4 * phase) + 0.5 - 2  # of four pixels, from the middle of all
    assert shift[0] == pytest.approx(-taken, abs=0.02)


def test_a_resize_to_the_same_size_is_none():
    image = rng().random((*SIZE, 3), dtype=np.float32)
    for kind in KINDS:
        np.testing.assert_allclose(Resize(*SIZE, kind)(image, rng()), image, atol=1e-6)


def test_sharpening_makes_halos_on_either_side_of_an_edge():
    image = np.full((16, 32, 1), 0.25, np.float32)
    image[:, 16:] = 0.75
    made = Sharpen(1.0, 1.0)(image, rng())
    assert made.min() < 0.15
    assert made.max() > 0.85
    np.testing.assert_allclose(made[:, [0, -1]], image[:, [0, -1]], atol=1e-4)


def test_gaussian_noise_has_its_moments_and_channels_are_independent_unless_grey():
    image = np.full((200, 250, 3), 0.5, np.float32)
    noise = 255 * (GaussianNoise(8.0)(image, rng()) - image)
    assert noise.mean() == pytest.approx(0, abs=0.1)
    assert noise.std() == pytest.approx(8, rel=0.02)
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.02
    grey = GaussianNoise(8.0, grey=True)(image, rng()) - image
    np.testing.assert_array_equal(grey[..., 0], grey[..., 2])


@pytest.mark.parametrize("excess", [1.0, 2.0])
@pytest.mark.parametrize("value", [0.05, 0.6])
def test_shot_noise_keeps_the_mean_and_has_its_variance(value, excess):
    image = np.full((200, 250, 1), value, np.float32)
    made = PoissonGaussianNoise(300.0, 5.0, excess)(image, rng())
    assert made.mean() == pytest.approx(value, rel=0.01)
    assert made.var() == pytest.approx(value * excess / 300 + (5 / 300) ** 2, rel=0.05)


def test_salt_and_pepper_are_alike_many_and_white_or_black_in_all_channels():
    image = np.full((200, 250, 3), 0.5, np.float32)
    made = SaltAndPepper(0.1)(image, rng())
    assert (made == 1).all(-1).mean() == pytest.approx(0.05, abs=0.005)
    assert (made == 0).all(-1).mean() == pytest.approx(0.05, abs=0.005)
    assert (made == 0.5).all(-1).mean() == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("codec", ["JPEG", "WEBP"])
def test_a_codec_leaves_what_pillow_writes_and_reads(codec, channels):
    pixels = rng().integers(0, 256, (*SIZE, channels), dtype=np.uint8)
    file = BytesIO()
    Image.fromarray(pixels.squeeze()).save(file, codec, quality=60)
    with Image.open(file) as picture:
        expected = np.asarray(picture.convert("L" if channels == 1 else "RGB"))
    made = degrade(pixels, [Compress(codec, 60)], rng())
    np.testing.assert_array_equal(made, expected.reshape(pixels.shape))


def test_a_codec_refuses_five_channels():
    with pytest.raises(ValueError, match="JPEG takes 1 channel or 3; got 5"):
        Compress("JPEG", 60)(np.zeros((8, 8, 5), np.float32), rng())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_an_image_keeps_its_depth_and_no_steps_leave_it_as_it_is(dtype):
    white = np.iinfo(dtype).max
    image = rng().integers(0, white, (*SIZE, 3), dtype, endpoint=True)
    np.testing.assert_array_equal(degrade(image, [], rng()), image)
    made = degrade(image, [GaussianNoise(200.0)], rng())
    assert made.dtype == dtype
    assert (made.min(), made.max()) == (0, white)  # beyond either is cut off, none wraps round
