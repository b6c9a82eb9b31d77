from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch

from napari_srgan.resampling import shrink
from napari_srgan.training.data.crops import Crops, CropSampler, iter_batches
from napari_srgan.training.data.degradations.reduce import Reduction
from napari_srgan.training.data.degradations.settings import Degradation
from napari_srgan.training.data.degraded_crops import DegradedCropSampler, sampler_for
from napari_srgan.training.data.pack import Entry, Pack

SIZES = [(10, 13), (8, 11), (16, 9), (30, 22)]  # of low images
CROPS = Crops(3, 32)


@pytest.fixture(scope="module")
def pack() -> Pack:
    rng = np.random.default_rng(0)
    highs = [rng.integers(0, 256, (4 * h, 4 * w, 3), dtype=np.uint8) for h, w in SIZES]
    lows = [shrink(high, 4) for high in highs]
    ends = [np.cumsum([0, *(a.size for a in group)]).tolist() for group in (lows, highs)]
    entries = tuple(Entry(f"{i}", h, w, ends[0][i], ends[1][i]) for i, (h, w) in enumerate(SIZES))
    low, high = (np.concatenate([a.ravel() for a in group]) for group in (lows, highs))
    return Pack(high, low, entries, 4, "d" * 64)


def degraded(pack: Pack, kind: str = "second-order", **changes: float) -> DegradedCropSampler:
    return DegradedCropSampler(pack, CROPS, Reduction(kind, 4, Degradation(**changes)))


def taken(sampler, first: int, count: int, **how: int) -> list[tuple]:
    batches = iter_batches(sampler, 7, first, **how)
    found = list(islice(batches, count))
    batches.close()
    return found


def test_without_degradation_batches_are_what_they_were(pack):
    sampler = sampler_for(pack, torch.device("cpu"), CROPS, Reduction("bicubic", 4, Degradation()))
    assert type(sampler) is CropSampler
    for mine, its in zip(taken(sampler, 0, 3), taken(CropSampler(pack, CROPS), 0, 3), strict=True):
        for one, other in zip(mine, its, strict=True):
            np.testing.assert_array_equal(one, other)


def test_high_crops_are_those_without_degradation(pack):
    plain, drawn = taken(CropSampler(pack, CROPS), 0, 4), taken(degraded(pack), 0, 4)
    for (_, _, high), (_, low, same) in zip(plain, drawn, strict=True):
        np.testing.assert_array_equal(high, same)
        assert low.shape == (3, 8, 8, 3)


def test_a_batch_follows_from_seed_and_step_alone(pack):
    sampler = degraded(pack)
    whole, later = taken(sampler, 0, 5), taken(sampler, 3, 2, prefetch=0)
    for (step, *batch), (same_step, *same) in zip(whole[3:], later, strict=True):
        assert step == same_step
        for one, other in zip(batch, same, strict=True):
            np.testing.assert_array_equal(one, other)
    assert not np.array_equal(whole[0][1], whole[1][1])


def test_processes_share_out_the_batch_of_one(pack):
    sampler = degraded(pack)
    whole = taken(sampler, 0, 1)[0][1]
    shares = [taken(sampler, 0, 1, rank=rank, world=3)[0][1] for rank in range(3)]
    np.testing.assert_array_equal(np.concatenate(shares), whole)


def test_a_low_crop_lies_where_its_high_one_does(pack):
    """Reduced by area and no more, each low pixel is the mean of the 4 × 4 above it."""
    alone = {f"resize_{way}": 0.0 for way in ("bilinear", "bicubic", "nearest")}
    none = dict.fromkeys(
        ("clean_share", "blur_share", "noise_share", "sharpen_share", "compression_share"), 0.0
    )
    for _, low, high in taken(degraded(pack, "first-order", **alone, **none), 0, 6):
        means = high.reshape(3, 8, 4, 8, 4, 3).mean((2, 4))
        np.testing.assert_allclose(low, means, atol=0.51)


def test_blocks_of_jpeg_begin_anywhere_in_a_crop(pack):
    """Of a ramp so coarsely compressed that a block is one level, it rises where blocks begin."""
    ramp = np.linspace(40, 215, 4 * 8 * 40).astype(np.uint8)
    high = np.tile(ramp[np.newaxis, :, np.newaxis], (4 * 8 * 4, 1, 3))
    entry = Entry("ramp", len(high) // 4, len(ramp) // 4, 0, 0)
    image = Pack(high.ravel(), high.ravel(), (entry,), 4, "d")
    only = dict.fromkeys(("clean_share", "blur_share", "noise_share", "sharpen_share"), 0.0)
    always = {"compression_share": 1.0, "compression_webp": 0.0}
    always |= {"quality_min": 5.0, "quality_max": 5.0}
    settings = Degradation(**only, **always)
    sampler = DegradedCropSampler(image, Crops(1, 64), Reduction("first-order", 4, settings))
    begins = set()
    for seed in range(100):
        places = sampler.places(np.random.default_rng(seed))
        places[:, 3] = 0  # not turned
        row = sampler.cut(places)[0][0, 8, :, 1].astype(int)
        begins |= {int(at + 1) % 8 for at in np.flatnonzero(np.diff(row))}
    assert begins == set(range(8))
