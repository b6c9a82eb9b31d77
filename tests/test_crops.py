"""The README's comparison: details are chosen without the models that are compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def crops(tool):
    return tool("crops")


@pytest.fixture
def image():
    """Smooth but for a corner, and of sides that 4 does not divide."""
    coarse = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    image = np.array(Image.fromarray(coarse).resize((263, 231), Image.Resampling.BICUBIC))
    image[170:, 190:] = np.random.default_rng(1).integers(0, 256, (61, 73, 3), dtype=np.uint8)
    return image


def test_models_stand_between_bicubic_and_the_original_with_no_say_in_the_detail(
    crops, image, random_model
):
    models = [replace(random_model(seed=seed), name=f"model {seed}") for seed in (0, 1)]
    both, none = (crops.upscaled("a", image, some) for some in (models, []))
    assert list(both.upscaled) == ["bicubic", "model 0", "model 1"]
    assert both.box == none.box
    assert both.high.shape == (228, 260, 3)
    assert all(made.shape == both.high.shape for made in both.upscaled.values())


def test_the_detail_is_where_interpolation_is_furthest_from_the_original(crops, image):
    box = crops.upscaled("a", image, []).box
    assert (box.height, box.width) == crops.CROP
    assert box.top > 100
    assert box.left > 120


def test_every_image_has_three_channels_and_room_for_a_detail(crops):
    for load in crops.IMAGES.values():
        h, w, channels = load().shape
        assert channels == 3
        assert h > crops.CROP[0]
        assert w > crops.CROP[1]
