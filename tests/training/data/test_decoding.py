from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_srgan.files import Picture, write_picture
from napari_srgan.training.data.decoding import deepened, read_image


def noise(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, shape, dtype)


def save(path: Path, data: np.ndarray) -> Path:
    write_picture(path, Picture(data, rgb=data.ndim == 3))
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_colours_keep_their_depth(tmp_path, dtype, suffix):
    data = noise(10, 14, 3, dtype=dtype)
    image = read_image(save(tmp_path / f"a{suffix}", data), 3)
    assert image.dtype == dtype
    np.testing.assert_array_equal(image, data)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_grey_is_repeated_for_three_channels_and_kept_for_one(tmp_path, dtype, suffix):
    data = noise(10, 14, dtype=dtype)
    path = save(tmp_path / f"a{suffix}", data)
    np.testing.assert_array_equal(read_image(path, 3), np.dstack([data] * 3))
    np.testing.assert_array_equal(read_image(path, 1), data[..., np.newaxis])
    assert read_image(path, 1).dtype == dtype


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_colours_become_luminance_for_one_channel(tmp_path, dtype):
    data = noise(10, 14, 3, dtype=dtype)
    grey = read_image(save(tmp_path / "a.png", data), 1)
    assert grey.shape == (10, 14, 1)
    assert grey.dtype == dtype
    exact = data.astype(np.float64) @ [0.299, 0.587, 0.114]
    assert np.abs(grey[..., 0] - exact).max() <= 0.51 + np.iinfo(dtype).max * 1e-5


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_equal_colours_are_their_own_luminance(tmp_path, dtype):
    top = np.iinfo(dtype).max
    levels = np.linspace(0, top, 15).astype(dtype).reshape(3, 5)
    path = save(tmp_path / "a.png", np.dstack([levels] * 3))
    np.testing.assert_array_equal(read_image(path, 1)[..., 0], levels)


def test_alpha_is_dropped(tmp_path):
    data = noise(10, 14, 4)
    path = save(tmp_path / "a.png", data)
    np.testing.assert_array_equal(read_image(path, 3), data[..., :3])
    opaque = save(tmp_path / "b.png", data[..., :3])
    np.testing.assert_array_equal(read_image(path, 1), read_image(opaque, 1))


def test_black_and_white_and_palettes_are_read(tmp_path):
    stripes = np.zeros((8, 12), bool)
    stripes[:, ::2] = True
    Image.fromarray(stripes).save(tmp_path / "b.png")
    expected = np.where(stripes, 255, 0)[..., np.newaxis]
    np.testing.assert_array_equal(read_image(tmp_path / "b.png", 1), expected)
    Image.fromarray(np.uint8(expected[..., 0])).convert("P").save(tmp_path / "p.png")
    np.testing.assert_array_equal(read_image(tmp_path / "p.png", 3), np.repeat(expected, 3, -1))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [2, 4, 5])
def test_channels_are_taken_from_the_first_axis_or_the_last(tmp_path, dtype, channels):
    data = noise(10, 14, channels, dtype=dtype)
    tifffile.imwrite(tmp_path / "last.tif", data, photometric="minisblack")
    tifffile.imwrite(tmp_path / "first.tif", np.moveaxis(data, -1, 0), photometric="minisblack")
    tifffile.imwrite(
        tmp_path / "ome.ome.tif",
        np.moveaxis(data, -1, 0),
        photometric="minisblack",
        metadata={"axes": "CYX"},
    )
    for path in tmp_path.iterdir():
        np.testing.assert_array_equal(read_image(path, channels), data, err_msg=path.name)


def test_four_channels_may_be_colours_and_alpha(tmp_path):
    data = noise(10, 14, 4)
    np.testing.assert_array_equal(read_image(save(tmp_path / "a.png", data), 4), data)


@pytest.mark.parametrize(
    ("shape", "channels", "told"),
    [
        ((10, 14, 3), 5, "3 channels, not 5"),
        ((10, 14, 4), 5, "4 channels, not 5"),
        ((10, 14, 3), 2, "3 channels, not 2"),
        ((10, 14), 2, "1 channel, not 2"),
    ],
)
def test_other_numbers_of_channels_are_refused(tmp_path, shape, channels, told):
    with pytest.raises(ValueError, match=told):
        read_image(save(tmp_path / "a.png", noise(*shape)), channels)


def test_stacks_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise(7, 10, 14), photometric="minisblack")
    with pytest.raises(ValueError, match=r"\(7, 10, 14\)"):
        read_image(tmp_path / "a.tif", 3)
    z = tmp_path / "z.ome.tif"
    tifffile.imwrite(z, noise(5, 10, 14), photometric="minisblack", metadata={"axes": "ZYX"})
    with pytest.raises(ValueError, match=r"\(5, 10, 14\)"):
        read_image(z, 5)
    tifffile.imwrite(tmp_path / "c.tif", noise(2, 10, 14, 3), photometric="rgb")
    with pytest.raises(ValueError, match="stack of colour images"):
        read_image(tmp_path / "c.tif", 3)


def test_a_stack_of_one_is_an_image(tmp_path):
    data = noise(1, 10, 14)
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="minisblack")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif", 1), data[0][..., np.newaxis])


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.uint32])
def test_other_pixels_are_refused(tmp_path, dtype):
    tifffile.imwrite(tmp_path / "a.tif", np.ones((10, 14), dtype))
    with pytest.raises(ValueError, match=np.dtype(dtype).name):
        read_image(tmp_path / "a.tif", 3)


@pytest.mark.parametrize("content", [b"", b"<html></html>", b"\x89PNG\r\n\x1a\nnot really"])
def test_what_is_no_image_is_an_error_that_names_the_file(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(OSError, match=r"a\.png"):
        read_image(tmp_path / "a.png", 3)


def test_white_stays_white_when_it_is_deepened():
    data = np.arange(256, dtype=np.uint8).reshape(8, 32, 1)
    deep = deepened(data, np.dtype(np.uint16))
    assert deep.dtype == np.uint16
    np.testing.assert_array_equal(deep, data.astype(int) * 257)
    assert deepened(deep, np.dtype(np.uint16)) is deep
    assert deepened(data, np.dtype(np.uint8)) is data
