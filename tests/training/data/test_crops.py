from __future__ import annotations

import threading
from collections import Counter
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_srgan.training.data.crops import CropPlaces, Crops, CropSampler, iter_batches
from napari_srgan.training.data.pack import Entry, Pack

SCALE = 4
SIZES = [(10, 13), (8, 11), (16, 9), (10, 22)]  # of low images


def located(h: int, w: int, image: int, dtype: type, channels: int) -> np.ndarray:
    """An image whose pixels say where they are: which image, y and x; more channels repeat."""
    values = np.stack([np.full((h, w), image), *np.indices((h, w))], axis=-1)
    return np.tile(values, channels // 3 + 1)[..., :channels].astype(dtype)


def pack_of(sizes: list[tuple[int, int]], dtype: type = np.uint8, channels: int = 3) -> Pack:
    lows = [located(h, w, i, dtype, channels) for i, (h, w) in enumerate(sizes)]
    highs = [located(SCALE * h, SCALE * w, i, dtype, channels) for i, (h, w) in enumerate(sizes)]
    low_ends, high_ends = (np.cumsum([0, *(a.size for a in group)]) for group in (lows, highs))
    entries = tuple(
        Entry(f"{i}", h, w, int(low_ends[i]), int(high_ends[i])) for i, (h, w) in enumerate(sizes)
    )
    low, high = (np.concatenate([a.ravel() for a in group]) for group in (lows, highs))
    return Pack(high, low, entries, SCALE, "d" * 64, channels)


@pytest.fixture
def sampler() -> CropSampler:
    return CropSampler(pack_of(SIZES), Crops(3, 32))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_crops_have_the_depth_and_the_channels_of_the_pack(dtype, channels):
    pack = pack_of(SIZES, dtype, channels)
    low, high = CropSampler(pack, Crops(3, 32)).draw(np.random.default_rng(0))
    assert (low.shape, high.shape) == ((3, 8, 8, channels), (3, 32, 32, channels))
    assert low.dtype == high.dtype == dtype
    assert low.flags.c_contiguous
    assert high.flags.c_contiguous


def test_low_crops_are_where_the_high_ones_are(sampler):
    rng = np.random.default_rng(0)
    for _ in range(50):
        low, high = sampler.draw(rng)
        # Each low pixel says the same place as the 4 × 4 high ones under it, in units of its own.
        coarse = high.reshape(3, 8, 4, 8, 4, 3).astype(int)
        np.testing.assert_array_equal(coarse[..., 0].min((2, 4)), low[..., 0])
        np.testing.assert_array_equal(coarse[..., 1:].min((2, 4)), 4 * low[..., 1:].astype(int))


def test_crops_of_a_batch_are_of_distinct_images(sampler):
    rng = np.random.default_rng(0)
    for _ in range(50):
        assert len({int(crop[0, 0, 0]) for crop in sampler.draw(rng)[1]}) == 3


def test_crops_come_in_all_eight_orientations_alike_often():
    sampler = CropSampler(pack_of([(8, 8)]), Crops(1, 32))
    rng = np.random.default_rng(0)
    counts = Counter(sampler.draw(rng)[1].tobytes() for _ in range(800))
    assert len(counts) == 8
    assert min(counts.values()) > 60


def test_every_place_of_an_image_is_cropped():
    sampler = CropSampler(pack_of([(9, 11)]), Crops(1, 32))
    rng = np.random.default_rng(0)
    corners = {tuple(sampler.draw(rng)[0][0, ..., 1:].min((0, 1)).tolist()) for _ in range(300)}
    assert corners == {(y, x) for y in range(2) for x in range(4)}


def test_an_image_is_drawn_as_often_as_its_area_says():
    places = CropPlaces(pack_of([(8, 12), (16, 18), (24, 40)]), Crops(1, 32))
    rng = np.random.default_rng(0)
    counts = np.bincount([places.draw(rng)[0, 0] for _ in range(3000)], minlength=3)
    areas = np.array([8 * 12, 16 * 18, 24 * 40])
    assert np.abs(counts / 3000 - areas / areas.sum()).max() < 0.03


def test_two_images_are_drawn_as_often_as_one_after_another_without_putting_back():
    areas = np.array([8 * 9, 8 * 18, 8 * 36])
    places = CropPlaces(pack_of([(8, 9), (8, 18), (8, 36)]), Crops(2, 32))
    rng = np.random.default_rng(0)
    counts = Counter(tuple(places.draw(rng)[:, 0].tolist()) for _ in range(6000))
    p = areas / areas.sum()
    for (i, j), times in counts.items():
        assert times / 6000 == pytest.approx(p[i] * p[j] / (1 - p[i]), abs=0.025)


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 300)), min_size=1, max_size=9),
    st.integers(0, 2**32),
)
def test_a_batch_of_all_images_has_each_once_however_unequal(sizes, seed):
    entries = tuple(Entry(f"{i}", h, w, 0, 0) for i, (h, w) in enumerate(sizes))
    pack = Pack(np.zeros(0, np.uint8), np.zeros(0, np.uint8), entries, SCALE, "d")
    places = CropPlaces(pack, Crops(len(sizes), 4)).draw(np.random.default_rng(seed))
    assert sorted(places[:, 0].tolist()) == list(range(len(sizes)))
    for image, y, x, turn in places.tolist():
        assert 0 <= y <= sizes[image][0] - 1
        assert 0 <= x <= sizes[image][1] - 1
        assert 0 <= turn < 8


def test_a_crumb_beside_a_giant_is_still_drawn_at_once():
    entries = (Entry("crumb", 8, 8, 0, 0), Entry("giant", 2**15, 2**15, 0, 0))
    pack = Pack(np.zeros(0, np.uint8), np.zeros(0, np.uint8), entries, SCALE, "d")
    places = CropPlaces(pack, Crops(2, 32))
    assert sorted(places.draw(np.random.default_rng(0))[:, 0].tolist()) == [0, 1]


def pack_with_a_busy_corner(side: int = 24) -> Pack:
    """One image that is even but for noise in its last quarter."""
    low = np.zeros((side, side, 3), np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (side // 2, side // 2, 3), np.uint8)
    low[side // 2 :, side // 2 :] = noise
    high = low.repeat(SCALE, axis=0).repeat(SCALE, axis=1)
    return Pack(high.ravel(), low.ravel(), (Entry("0", side, side, 0, 0),), SCALE, "d")


def test_of_several_places_the_one_with_most_texture_is_taken():
    pack = pack_with_a_busy_corner()
    places = CropPlaces(pack, Crops(1, 32, 4))
    for seed in range(20):
        rng = np.random.default_rng(seed)
        rng.integers(24 * 24, size=1)  # which image
        tried = rng.integers(24 - 8 + 1, size=(4, 2)).tolist()
        textures = [pack.texture(0, y, x, 8) for y, x in tried]
        busiest = tried[int(np.argmax(textures))]
        assert places.draw(np.random.default_rng(seed))[0, 1:3].tolist() == busiest


def test_the_more_places_are_tried_the_busier_crops_are():
    pack = pack_with_a_busy_corner()
    means = []
    for tried in (1, 2, 4, 16):
        places = CropPlaces(pack, Crops(1, 32, tried))
        drawn = [places.draw(np.random.default_rng(seed))[0] for seed in range(60)]
        means.append(np.mean([pack.texture(0, int(y), int(x), 8) for _image, y, x, _turn in drawn]))
    assert means == sorted(means)
    assert means[-1] > 2 * means[0]


def test_an_even_square_has_no_texture_whatever_its_brightness():
    pack = pack_with_a_busy_corner()
    assert pack.texture(0, 0, 0, 8) == 0
    assert pack.texture(0, 14, 14, 8) > 20


def test_held_back_images_are_not_drawn():
    sampler = CropSampler(pack_of(SIZES).without([0, 3]), Crops(2, 32))
    rng = np.random.default_rng(0)
    drawn = {int(crop[0, 0, 0]) for _ in range(20) for crop in sampler.draw(rng)[1]}
    assert drawn == {1, 2}


def test_a_batch_larger_than_the_images_is_refused():
    with pytest.raises(ValueError, match="5 distinct images; there are 4"):
        CropSampler(pack_of(SIZES), Crops(5, 32))


def test_a_crop_larger_than_an_image_is_refused():
    with pytest.raises(ValueError, match="1 is smaller than a crop of 36"):
        CropSampler(pack_of(SIZES), Crops(2, 36))


@pytest.mark.parametrize(("batch", "crop"), [(0, 32), (2, 30), (2, 0)])
def test_impossible_batches_are_refused(batch, crop):
    with pytest.raises(ValueError, match=f"got a batch of {batch}, crops of {crop}"):
        CropSampler(pack_of(SIZES), Crops(batch, crop))


# Batches, step by step


def taken(sampler, n, seed=7, first=0, **how):
    batches = iter_batches(sampler, seed, first, **how)
    try:
        return [(step, low.tobytes(), high.tobytes()) for step, low, high in islice(batches, n)]
    finally:
        batches.close()


@pytest.mark.parametrize("prefetch", [0, 1, 2, 5])
def test_batches_are_those_of_seed_and_step_whatever_is_prefetched(sampler, prefetch):
    expected = []
    for step in range(6):
        low, high = sampler.draw(np.random.default_rng([7, step]))
        expected.append((step, low.tobytes(), high.tobytes()))
    assert taken(sampler, 6, prefetch=prefetch) == expected
    assert len(set(expected)) == 6


@given(st.integers(0, 8))
def test_training_that_goes_on_sees_what_it_would_have_seen(first):
    sampler = CropSampler(pack_of(SIZES), Crops(3, 32))
    assert taken(sampler, 3, first=first) == taken(sampler, 11)[first : first + 3]


def test_another_seed_gives_other_batches(sampler):
    assert taken(sampler, 3, seed=8) != taken(sampler, 3, seed=7)


@pytest.mark.parametrize("world", [2, 3])
def test_processes_share_the_batch_of_one(world):
    sampler = CropSampler(pack_of([(8, 9)] * 6), Crops(6, 32))
    whole = list(islice(iter_batches(sampler, 1, 4), 3))
    for rank in range(world):
        shares = islice(iter_batches(sampler, 1, 4, rank=rank, world=world), 3)
        for (step, low, high), (own_step, own_low, own_high) in zip(whole, shares, strict=True):
            assert own_step == step
            np.testing.assert_array_equal(own_low, low[rank::world])
            np.testing.assert_array_equal(own_high, high[rank::world])


@pytest.mark.parametrize(("rank", "world"), [(0, 2), (3, 3), (-1, 3), (0, 0)])
def test_unequal_shares_are_refused_at_once(sampler, rank, world):
    with pytest.raises(ValueError, match=f"{rank} of {world} .* 3 crops"):
        iter_batches(sampler, 0, 0, rank=rank, world=world)


@pytest.mark.parametrize(("seed", "first"), [(-1, 0), (0, -1)])
def test_negative_seeds_and_steps_are_refused_at_once(sampler, seed, first):
    with pytest.raises(ValueError, match=f"got {seed} and {first}"):
        iter_batches(sampler, seed, first)


def test_closing_ends_the_thread(sampler):
    before = set(threading.enumerate())
    batches = iter_batches(sampler, 0, 0)
    next(batches)
    assert set(threading.enumerate()) > before
    batches.close()
    assert set(threading.enumerate()) == before


def test_a_lost_image_file_is_an_error_where_the_batch_is_asked_for(sampler, monkeypatch):
    def failing(places):
        raise OSError("the disk is gone")

    monkeypatch.setattr(sampler, "cut", failing)
    with pytest.raises(OSError, match="disk is gone"):
        next(iter_batches(sampler, 0, 0))
