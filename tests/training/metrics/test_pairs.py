from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from napari_srgan.resampling import shrink
from napari_srgan.training.metrics.pairs import Pair, find_data_sets, find_pairs, read_pair


def _noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def _save(path, image=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(_noise(8, 12) if image is None else image).save(path)
    return path


def test_a_folder_of_images_is_of_high_images_in_order(tmp_path):
    for name in ("b.png", "a.JPG", "c.bmp", "d.tif", "._a.png"):
        _save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    assert find_pairs(tmp_path) == [
        Pair("a", tmp_path / "a.JPG", None),
        Pair("b", tmp_path / "b.png", None),
        Pair("c", tmp_path / "c.bmp", None),
        Pair("d", tmp_path / "d.tif", None),
    ]


def test_hr_and_lr_images_are_pairs_and_other_methods_results_are_left_aside(tmp_path):
    for name in ("img_2_HR", "img_2_LR", "img_1_HR", "img_1_LR", "img_1_bicubic"):
        _save(tmp_path / f"{name}.png")
    assert find_pairs(tmp_path) == [
        Pair(f"img_{i}", tmp_path / f"img_{i}_HR.png", tmp_path / f"img_{i}_LR.png") for i in (1, 2)
    ]


@pytest.mark.parametrize("missing", ["a_HR", "b_LR"])
def test_a_missing_partner_is_an_error_that_names_the_one_left(tmp_path, missing):
    names = {"a_HR", "a_LR", "b_HR", "b_LR"} - {missing}
    for name in names:
        _save(tmp_path / f"{name}.png")
    left = {"a_HR": "a_LR.png", "b_LR": "b_HR.png"}[missing]
    with pytest.raises(FileNotFoundError, match=rf"Without a partner .*: {left} \(1 in all"):
        find_pairs(tmp_path)


def test_two_images_of_one_name_are_an_error(tmp_path):
    _save(tmp_path / "a.png")
    _save(tmp_path / "a.bmp")
    with pytest.raises(ValueError, match=r"a\.bmp and a\.png"):
        find_pairs(tmp_path)


def test_a_folder_without_images_is_an_error(tmp_path):
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(FileNotFoundError, match="No images"):
        find_pairs(tmp_path)
    with pytest.raises(FileNotFoundError, match="No images"):
        find_data_sets(tmp_path)


def test_a_folder_that_is_missing_or_a_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        find_data_sets(tmp_path / "absent")
    with pytest.raises(NotADirectoryError, match=r"a\.png"):
        find_data_sets(_save(tmp_path / "a.png"))


def test_folders_of_images_are_data_sets_by_name(tmp_path):
    _save(tmp_path / "SetB" / "x.png")
    _save(tmp_path / "SetA" / "y_HR.png")
    low = _save(tmp_path / "SetA" / "y_LR.png")
    (tmp_path / "results").mkdir()
    assert find_data_sets(tmp_path) == {
        "SetA": [Pair("y", low.with_name("y_HR.png"), low)],
        "SetB": [Pair("x", tmp_path / "SetB" / "x.png", None)],
    }
    assert list(find_data_sets(tmp_path)) == ["SetA", "SetB"]


def test_a_folder_with_images_is_one_data_set_of_its_own_name(tmp_path, monkeypatch):
    _save(tmp_path / "SetA" / "x.png")
    _save(tmp_path / "SetA" / "deeper" / "y.png")
    assert [p.name for p in find_data_sets(tmp_path / "SetA")["SetA"]] == ["x"]
    monkeypatch.chdir(tmp_path / "SetA")
    assert list(find_data_sets(Path())) == ["SetA"]


def test_a_pair_is_read_as_it_is(tmp_path):
    high, low = _noise(32, 20, 3), _noise(8, 5, 3, seed=1)
    pair = Pair("a", _save(tmp_path / "a_HR.png", high), _save(tmp_path / "a_LR.png", low))
    read_low, read_high = read_pair(pair)
    np.testing.assert_array_equal(read_low, low)
    np.testing.assert_array_equal(read_high, high)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_high_image_alone_is_cropped_to_the_scale_and_shrunk(tmp_path, channels):
    image = _noise(35, 22, *channels)
    low, high = read_pair(Pair("a", _save(tmp_path / "a.png", image), None))
    np.testing.assert_array_equal(high, image[:32, :20])
    np.testing.assert_array_equal(low, shrink(image[:32, :20]))
    assert low.shape == (8, 5, *channels)


@pytest.mark.parametrize("low_shape", [(5, 8, 3), (8, 5), (8, 6, 3), (16, 10, 3)])
def test_a_pair_of_other_sizes_or_kinds_is_an_error_that_names_both(tmp_path, low_shape):
    high = _save(tmp_path / "a_HR.png", _noise(32, 20, 3))
    low = _save(tmp_path / "a_LR.png", _noise(*low_shape))
    with pytest.raises(ValueError, match=r"a_HR\.png.*a_LR\.png"):
        read_pair(Pair("a", high, low))


def test_palette_and_black_and_white_pictures_are_read(tmp_path):
    stripes = np.zeros((8, 12), np.uint8)
    stripes[:, ::2] = 255
    rgb = np.stack([stripes, 255 - stripes, stripes], axis=-1)
    Image.fromarray(rgb).convert("P").save(tmp_path / "p.png")
    Image.fromarray(stripes).convert("1").save(tmp_path / "b.png")
    np.testing.assert_array_equal(read_pair(Pair("p", tmp_path / "p.png", None))[1], rgb)
    np.testing.assert_array_equal(read_pair(Pair("b", tmp_path / "b.png", None))[1], stripes)


@pytest.mark.parametrize(
    "image", [_noise(8, 12, 4), _noise(8, 12).astype(np.uint16)], ids=["rgba", "uint16"]
)
def test_pictures_that_are_not_8_bit_grey_or_rgb_are_refused(tmp_path, image):
    with pytest.raises(ValueError, match=r"a\.png is neither"):
        read_pair(Pair("a", _save(tmp_path / "a.png", image), None))


def test_a_file_that_is_no_image_and_a_truncated_one_are_named(tmp_path):
    page, half = tmp_path / "page.png", _save(tmp_path / "half.png", _noise(40, 52))
    page.write_text("<html></html>")
    half.write_bytes(half.read_bytes()[:600])
    with pytest.raises(OSError, match=r"page\.png is not an image"):
        read_pair(Pair("page", page, None))
    with pytest.raises(OSError, match=r"half\.png cannot be read"):
        read_pair(Pair("half", half, None))


@given(st.integers(1, 9), st.integers(1, 9), st.integers(2, 4), st.integers(0, 255))
def test_shrinking_keeps_a_constant_image(h, w, scale, level):
    low = shrink(np.full((scale * h, scale * w), level, np.uint8), scale)
    np.testing.assert_array_equal(low, np.full((h, w), level, np.uint8))


def test_shrinking_keeps_the_place_of_every_pixel():
    y, x = np.mgrid[:48, :64]
    ramp = (2 * x + y).astype(np.uint8)
    # A low pixel is centred on four high ones: 1.5 pixels on from the first of them.
    expected = (2 * x + y)[::4, ::4] + 2 * 1.5 + 1.5
    inside = np.s_[2:-2, 2:-2]
    assert np.abs(shrink(ramp)[inside] - expected[inside]).max() <= 1


def test_shrinking_averages_what_low_pixels_cannot_show():
    checkers = (np.indices((32, 48)).sum(axis=0) % 2 * 255).astype(np.uint8)
    assert np.abs(shrink(checkers).astype(float) - 127.5).max() <= 3


def _weights(low_index, length):
    """Keys' kernel, a = -1/2, stretched by 4 around a low pixel, edge pixels repeated outwards."""
    places = np.arange(-16, length + 16)
    t = np.abs(places - (4 * low_index + 1.5)) / 4
    near, far = 1.5 * t**3 - 2.5 * t**2 + 1, -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    kernel = np.where(t <= 1, near, np.where(t < 2, far, 0))
    inside = np.clip(places, 0, length - 1)
    return np.bincount(inside, kernel / kernel.sum(), minlength=length)


@pytest.mark.parametrize(("y", "x"), [(0, 0), (1, 13), (5, 6), (11, 0), (11, 12)])
def test_shrinking_equals_the_bicubic_kernel_worked_out_at_one_pixel(y, x):
    high = _noise(48, 56)
    column = np.clip(np.rint(_weights(y, 48) @ high.astype(float)), 0, 255)
    expected = np.clip(column @ _weights(x, 56), 0, 255)
    assert shrink(high)[y, x] == pytest.approx(expected, abs=0.51)


@pytest.mark.parametrize("shape", [(10, 12), (12, 10), (0, 12)])
def test_shrinking_refuses_sides_that_are_no_multiple(shape):
    with pytest.raises(ValueError, match=f"{shape[0]} × {shape[1]}"):
        shrink(np.zeros(shape, np.uint8))
