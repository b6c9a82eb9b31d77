from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from napari_srgan.resampling import CONTROLS, enlarge, shrink

# Keys' kernel at 15/8, 13/8 … 1/8, in 1/1024, worked out by hand, and mirrored; in all 4096.
HALF = [-7, -45, -75, -49, 93, 399, 745, 987]
TAPS = np.array([*HALF, *HALF[::-1]])


def noise(*shape: int, dtype: type = np.uint8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, shape, dtype)


def by_hand(row: np.ndarray) -> list[int]:
    """Shrink a row by 4: 16 taps a low pixel, of which six are before its own four pixels."""
    padded = np.concatenate([[row[0]] * 6, row, [row[-1]] * 6]).astype(np.int64)
    sums = [int(padded[4 * i : 4 * i + 16] @ TAPS) for i in range(len(row) // 4)]
    return [min(max((total + 2048) // 4096, 0), np.iinfo(row.dtype).max) for total in sums]


def test_a_step_is_shrunk_to_the_numbers_worked_out_by_hand():
    # Beyond the step lie taps of -7 - 45 = -52 for the first low pixel, and of
    # -7 - 45 - 75 - 49 + 93 + 399 = 316 for the second: 50 - 1.27 and 50 + 7.71.
    step = np.repeat(np.array([50, 150], np.uint8), 8)
    assert shrink(np.tile(step, (4, 1))).tolist() == [[49, 58, 142, 151]]
    assert shrink(np.tile(step, (4, 1)).T).T.tolist() == [[49, 58, 142, 151]]


def test_a_16_bit_step_keeps_the_steps_between_the_8_bit_ones():
    step = np.repeat(np.array([50, 150], np.uint16), 8) * np.uint16(256)
    exact = [50 - 5200 / 4096, 50 + 31600 / 4096, 150 - 31600 / 4096, 150 + 5200 / 4096]
    assert shrink(np.tile(step, (4, 1))).tolist() == [[round(256 * v) for v in exact]]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("h", "w"), [(4, 8), (12, 4), (68, 52), (20, 84)])
def test_columns_then_rows_are_shrunk_and_each_rounded(dtype, h, w):
    image = noise(h, w, dtype=dtype)
    columns = np.array([by_hand(column) for column in image.T], dtype).T
    assert shrink(image).tolist() == [by_hand(row) for row in columns]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_each_channel_is_shrunk_by_itself(dtype, channels):
    image = noise(24, 36, channels, dtype=dtype)
    low = shrink(image)
    assert low.shape == (6, 9, channels)
    assert low.dtype == dtype
    assert low.flags.c_contiguous
    for i in range(channels):
        np.testing.assert_array_equal(low[..., i], shrink(image[..., i]))


def test_long_images_are_shrunk_as_their_parts_are():
    image = noise(400, 12, 2)
    # Two low pixels in from where it was cut, the edge is not seen any more.
    np.testing.assert_array_equal(shrink(image)[20:60], shrink(image[72:248])[2:42])


@given(
    st.integers(1, 7),
    st.integers(1, 7),
    st.integers(1, 9),
    st.sampled_from([np.uint8, np.uint16]),
    st.floats(0, 1),
)
def test_a_constant_image_stays_constant_at_any_scale_and_depth(h, w, scale, dtype, share):
    level = round(share * np.iinfo(dtype).max)
    low = shrink(np.full((scale * h, scale * w), level, dtype), scale)
    np.testing.assert_array_equal(low, np.full((h, w), level, dtype))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_eight_bits_agree_with_an_independent_bicubic_reduction_inside(scale):
    image = noise(scale * 14, scale * 17, 3)
    independent = np.asarray(
        Image.fromarray(image).resize((17, 14), Image.Resampling.BICUBIC), np.int64
    )
    inside = np.s_[2:-2, 2:-2]
    assert np.abs(shrink(image, scale)[inside] - independent[inside]).max() <= 1


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_sixteen_bits_agree_with_eight_within_a_level(scale):
    image = noise(scale * 14, scale * 17, 3)
    deep = shrink(image.astype(np.uint16) * np.uint16(257), scale) / 257
    assert np.abs(deep - shrink(image, scale)).max() <= 1


def test_shrinking_by_1_changes_nothing():
    image = noise(9, 14, 3)
    np.testing.assert_array_equal(shrink(image, 1), image)


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.bool_, np.uint32])
def test_other_pixels_are_refused(dtype):
    with pytest.raises(TypeError, match=np.dtype(dtype).name):
        shrink(np.zeros((8, 12), dtype))


@pytest.mark.parametrize("shape", [(10, 12), (12, 10), (0, 12)])
def test_sides_that_are_no_multiple_are_refused(shape):
    with pytest.raises(ValueError, match=f"{shape[0]} × {shape[1]}"):
        shrink(np.zeros(shape, np.uint16))


@pytest.mark.slow
def test_reductions_are_within_a_level_of_the_published_ones():
    folder = os.environ.get("NAPARI_SRGAN_BENCHMARKS")
    if not folder:
        pytest.skip("NAPARI_SRGAN_BENCHMARKS does not name a folder with Set5 and Set14")
    highs = sorted(Path(folder).rglob("*_HR.png"))
    assert highs
    for path in highs:
        high = np.asarray(Image.open(path))
        published = np.asarray(Image.open(path.with_name(path.name.replace("_HR", "_LR"))))
        difference = np.abs(shrink(high).astype(int) - published)
        assert difference.max() <= 1, path.name
        deep = shrink(high.astype(np.uint16) * np.uint16(257))
        assert np.abs(deep / 257 - published).max() <= 1.5, path.name


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(5, 8), (5, 8, 3)])
def test_enlarged_images_have_the_size_and_nearest_repeats_pixels(shape, dtype):
    image = noise(*shape, dtype=dtype)
    larger = enlarge(image, 3, CONTROLS["nearest"])
    np.testing.assert_array_equal(larger, image.repeat(3, axis=0).repeat(3, axis=1))
    assert larger.dtype == dtype
    assert enlarge(image, 4, CONTROLS["bicubic"]).shape == (20, 32, *shape[2:])


@pytest.mark.parametrize("shape", [(7, 9), (7, 9, 3)])
def test_sixteen_bits_are_enlarged_as_eight_bits_are_within_their_rounding(shape):
    image = noise(*shape) // 4 + np.uint8(96)  # nothing overshoots: Pillow clips 8 bits halfway
    deep = enlarge(image.astype(np.uint16) * np.uint16(257), 4, CONTROLS["bicubic"]) / 257
    # Eight bits are rounded twice, between rows and columns.
    assert np.abs(deep - enlarge(image, 4, CONTROLS["bicubic"])).max() <= 1.5
