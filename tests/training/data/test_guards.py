from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_srgan.resampling import shrink
from napari_srgan.training.data.guards import find_doubles, shift_of, warnings_of
from napari_srgan.training.data.pack import Entry, Pack


def picture(seed: int, h: int = 96, w: int = 128) -> np.ndarray:
    """A smooth random image with all values."""
    noise = gaussian_filter(np.random.default_rng(seed).random((h, w, 3)), (3, 3, 0))
    low, high = noise.min(), noise.max()
    return (255 * (noise - low) / (high - low)).astype(np.uint8)


def pack_of(highs: list[np.ndarray], lows: list[np.ndarray] | None = None) -> Pack:
    lows = [shrink(high, 4) for high in highs] if lows is None else lows
    ends = [np.cumsum([0, *(a.size for a in group)]).tolist() for group in (lows, highs)]
    entries = tuple(
        Entry(f"{i}.png", *low.shape[:2], ends[0][i], ends[1][i]) for i, low in enumerate(lows)
    )
    low, high = (np.concatenate([a.ravel() for a in group]) for group in (lows, highs))
    return Pack(high, low, entries, 4, "d" * 64)


def told(pack: Pack, held: tuple[int, ...] = ()) -> str:
    return "\n".join(warnings_of(pack, held))


MANY = [picture(seed) for seed in range(12)]


def test_nothing_is_said_of_images_that_are_well():
    assert told(pack_of(MANY), held=(0, 5)) == ""


def test_few_images_are_counted_without_those_held_back():
    assert "There are 9 images to train on" in told(pack_of(MANY), held=(0, 1, 2))


@pytest.mark.parametrize(
    "changed",
    [
        lambda image: image,
        lambda image: np.rot90(image),
        lambda image: image[:, ::-1],
        lambda image: 0.8 * image + 20 + np.random.default_rng(0).normal(0, 6, image.shape),
    ],
    ids=["same", "turned", "flipped", "noisy and paler"],
)
def test_an_image_that_is_there_twice_is_found_whatever_was_done_to_it(changed):
    twin = np.ascontiguousarray(changed(MANY[3]).clip(0, 255).astype(np.uint8))
    pack = pack_of([*MANY, twin])
    assert find_doubles(pack) == [(3, 12)]
    assert "Doubles among the 13 images, as they are or turned: 3.png and 12.png." in told(pack)
    leak = "Images held back that are also trained on, as they are or turned: 3.png and 12.png."
    assert leak in told(pack, held=(12,))
    assert told(pack, held=(3, 12)) == ""


def test_an_image_at_half_its_size_teaches_more_but_must_not_be_validated_on():
    small = picture(20, 128, 192)
    pack = pack_of([*MANY, small, small.repeat(2, 0).repeat(2, 1)])
    assert find_doubles(pack) == [(12, 13)]
    assert told(pack) == ""
    assert "12.png and 13.png" in told(pack, held=(13,))


def test_flat_images_are_no_doubles():
    flat = [np.full((64, 64, 3), value, np.uint8) for value in (10, 100)]
    assert find_doubles(pack_of([*MANY, *flat])) == []


def test_saturated_images_are_named_with_their_share():
    burnt = MANY[0].copy()
    burnt[:, :72] = 255
    said = told(pack_of([*MANY[1:], burnt]))
    assert "Saturated images: 1 of 12," in said
    assert "% of 11.png" in said


@pytest.mark.parametrize("shift", [(0, 0), (3, 0), (0, -6), (5, 4), (1, 1)])
def test_a_shift_is_measured_to_a_part_of_a_pixel(shift):
    large = picture(5, 256, 320)
    high = large[40:-40, 40:-40]
    moved = np.roll(large, shift, (0, 1))[40:-40, 40:-40]
    assert shift_of(shrink(moved, 4), high, 4) == pytest.approx(np.hypot(*shift), abs=0.6)


def test_pairs_that_are_more_than_two_pixels_off_are_told_of():
    rolled = [np.roll(image, 5, 1) for image in MANY]
    said = told(pack_of(MANY, [shrink(image, 4) for image in rolled]))
    assert "do not lie where their high-resolution ones do: 12 of 12." in said
    near = [np.roll(image, 1, 1) for image in MANY]
    assert told(pack_of(MANY, [shrink(image, 4) for image in near])) == ""
