from __future__ import annotations

from collections import Counter
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_srgan.resampling import shrink
from napari_srgan.training.config import Recipe, from_settings, load_recipe
from napari_srgan.training.data.degradations.draw import draw_steps
from napari_srgan.training.data.degradations.reduce import Reduction, reduction_of
from napari_srgan.training.data.degradations.settings import Degradation

NO_CLEAN = {"clean_share": 0.0}
ALL = {"blur_share": 1.0, "noise_share": 1.0, "sharpen_share": 1.0, "compression_share": 1.0}


def image(h: int = 64, w: int = 48, channels: int = 3, dtype: type = np.uint8) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, np.iinfo(dtype).max, (h, w, channels), dtype, endpoint=True)


def test_the_default_is_the_benchmarks_kernel_bit_for_bit():
    reduction = reduction_of(Recipe())
    assert not reduction.is_drawn
    for dtype in (np.uint8, np.uint16):
        high = image(dtype=dtype)
        for seed in range(3):
            np.testing.assert_array_equal(reduction(high, seed)[0], shrink(high, 4))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["first-order", "second-order"]),
    st.sampled_from([2, 3, 4]),
    st.integers(1, 9),
    st.integers(1, 9),
    st.sampled_from([np.uint8, np.uint16]),
    st.sampled_from([1, 3]),
    st.integers(0, 2**63 - 1),
)
def test_any_image_becomes_one_of_its_kind_as_small_as_asked(kind, scale, h, w, dtype, c, seed):
    high = image(scale * h, scale * w, c, dtype)
    reduction = Reduction(kind, scale, Degradation(**NO_CLEAN))
    low, words = reduction(high, seed)
    assert (low.shape, low.dtype) == ((h, w, c), high.dtype)
    again, same = reduction(high, seed)
    np.testing.assert_array_equal(low, again)
    assert words == same


def test_another_seed_degrades_otherwise():
    reduction = Reduction("second-order", 4, Degradation(**NO_CLEAN))
    assert len({reduction(image(), seed)[1] for seed in range(20)}) == 20


def test_the_clean_share_is_clean():
    reduction = Reduction("first-order", 4, Degradation(clean_share=0.3))
    high = image(16, 16)
    words = [reduction(high, seed)[1] for seed in range(400)]
    assert words.count("bicubic alone") / 400 == pytest.approx(0.3, abs=0.07)


def kinds(order: int, **changes: float) -> list[str]:
    chosen = Degradation(**changes)
    rng = np.random.default_rng(1)
    return [type(step).__name__ for step in draw_steps(chosen, order, (64, 48), 4, rng)]


def test_an_image_is_blurred_reduced_noisy_sharpened_and_compressed_in_that_order():
    ways = {"resize_nearest": 0.0, "noise_poisson": 0.0, "noise_salt_and_pepper": 0.0}
    once = ["Blur", "Resize", "GaussianNoise"]
    assert kinds(1, **ALL, **ways) == [*once, "Sharpen", "Compress"]
    assert kinds(2, **ALL, **ways) == [*once, "Compress", *once, "Sharpen", "Compress"]
    assert kinds(2, **dict.fromkeys(ALL, 0.0), **ways) == ["Resize", "Resize"]


def test_all_ways_are_drawn_as_often_as_their_weights_say():
    chosen = Degradation(blur_isotropic=3, blur_anisotropic=1, blur_airy=0, blur_motion=0)
    rng = np.random.default_rng(0)
    words = [str(draw_steps(chosen, 1, (64, 48), 4, rng)[0]) for _ in range(800)]
    counts = Counter("oval" if "," in each else "round" for each in words if "blur" in each)
    assert counts["round"] / counts.total() == pytest.approx(0.75, abs=0.05)


@pytest.mark.parametrize("setting", fields(Degradation), ids=lambda one: one.name)
def test_every_setting_has_bounds_and_nan_is_beyond_them(setting):
    least, most = setting.metadata["least"], setting.metadata["most"]
    assert least <= setting.default <= most
    for value in (least - 1, most + 1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"degradation.{setting.name} must be"):
            Degradation(**{setting.name: value})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"quality_min": 90, "quality_max": 60}, "quality_min, 90, is above degradation.quality"),
        (
            {"blur_isotropic": 0, "blur_anisotropic": 0, "blur_airy": 0, "blur_motion": 0},
            "set degradation.blur_share=0",
        ),
        ({"numerical_aperture_min": 0.01}, "radius of 248 pixels"),
    ],
)
def test_what_cannot_be_drawn_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Degradation(**changes)


def test_a_recipe_refuses_to_compress_five_channels():
    channels = {"network.channels": 5, "data.degradation": "first-order"}
    with pytest.raises(ValueError, match=r"set degradation\.compression_share=0"):
        from_settings(channels)
    assert from_settings(channels | {"degradation.compression_share": 0}).network.channels == 5


def test_the_recipe_for_photographs_is_of_second_order():
    recipe = load_recipe("srresnet-photo", {"degradation.noise_sigma_max": 5})
    assert reduction_of(recipe).kind == "second-order"
    assert reduction_of(recipe).settings.noise_sigma_max == 5
