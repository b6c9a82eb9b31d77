from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_srgan.resampling import shrink
from napari_srgan.training.data.crops import Crops
from napari_srgan.training.data.pack import Entry, Pack
from napari_srgan.training.data.scales import ScalesSampler, reduced_crop


@given(st.data(), st.sampled_from((2, 3, 4)), st.sampled_from((np.uint8, np.uint16)))
def test_a_crop_is_what_the_whole_images_reduction_has_there(data, scale, dtype) -> None:
    height, width = data.draw(st.integers(12, 40)), data.draw(st.integers(12, 40))
    rng = np.random.default_rng(height * width)
    high = rng.integers(0, np.iinfo(dtype).max, (height, width, 3), dtype, endpoint=True)
    side = data.draw(st.integers(1, min(height, width) // scale))
    y = data.draw(st.integers(0, height // scale - side))
    x = data.draw(st.integers(0, width // scale - side))

    low, crop = reduced_crop(high, y, x, side, scale)

    whole = high[: height // scale * scale, : width // scale * scale]
    np.testing.assert_array_equal(low, shrink(whole, scale)[y : y + side, x : x + side])
    rows, columns = (slice(scale * first, scale * (first + side)) for first in (y, x))
    np.testing.assert_array_equal(crop, high[rows, columns])


def pack_of(*sides: tuple[int, int]) -> Pack:
    """Return a pack at ×4 of noise, of these low-resolution sizes."""
    entries, low, high = [], 0, 0
    for n, (h, w) in enumerate(sides):
        entries.append(Entry(str(n), h, w, low, high))
        low, high = low + 3 * h * w, high + 48 * h * w
    rng = np.random.default_rng(0)
    return Pack(
        high=rng.integers(0, 256, high, np.uint8),
        low=rng.integers(0, 256, low, np.uint8),
        entries=tuple(entries),
        scale=4,
        digest="",
    )


def test_each_batch_has_one_scale_and_crops_of_one_size_and_all_scales_occur() -> None:
    sampler = ScalesSampler(pack_of((9, 11), (7, 8), (12, 7)), (2, 3, 4), Crops(2, 4 * 7))
    seen = set()
    for step in range(30):
        low, high = sampler.draw(np.random.default_rng(step))
        assert low.shape == (2, 7, 7, 3)
        scale = high.shape[1] // 7
        assert high.shape == (2, 7 * scale, 7 * scale, 3)
        seen.add(scale)
    assert seen == {2, 3, 4}


def test_an_image_that_is_too_small_for_one_of_the_scales_is_named() -> None:
    with pytest.raises(ValueError, match="1 is smaller than a crop of 32 pixels"):
        ScalesSampler(pack_of((9, 11), (7, 8)), (2, 4), Crops(2, 4 * 8))


def test_the_busiest_place_is_the_same_part_of_an_image_at_every_scale() -> None:
    pack = pack_of((24, 24))
    low = pack.low.reshape(24, 24, 3)
    low[:12] = low[:, :12] = 0
    sampler = ScalesSampler(pack, (2, 3, 4), Crops(1, 4 * 6, 40))
    seen = set()
    for seed in range(20):
        _image, y, x, _turn, scale = sampler.places(np.random.default_rng(seed))[0].tolist()
        seen.add(scale)
        assert scale * (y + 6) > 4 * 12
        assert scale * (x + 6) > 4 * 12
        assert pack.texture(0, scale * y // 4, scale * x // 4, max(1, scale * 6 // 4)) > 0
    assert seen == {2, 3, 4}
