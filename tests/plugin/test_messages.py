"""Pixels are described without being read, and read as they are described."""

import dask.array as da
import numpy as np
import pytest

from napari_srgan.plugin.messages import Failed, Source

STACK = np.arange(2 * 3 * 5 * 7, dtype=np.uint16).reshape(2, 3, 5, 7)


class Unread:
    """An array that breaks when its pixels are asked for."""

    shape, dtype, ndim = (9, 5, 7), np.dtype(np.float32), 3

    def __array__(self, *args, **kwargs):
        raise AssertionError("the pixels were read")


@pytest.mark.parametrize("wrap", [np.asarray, da.from_array], ids=["numpy", "dask"])
class TestReading:
    def test_all_planes_are_the_array_itself(self, wrap):
        source = Source(wrap(STACK), False, None)

        np.testing.assert_array_equal(source.read(), STACK)
        assert source.layout.shape() == STACK.shape

    def test_one_plane_keeps_its_axes(self, wrap):
        source = Source(wrap(STACK), False, (1, 2))

        np.testing.assert_array_equal(source.read(), STACK[1:2, 2:3])
        assert source.layout.shape() == (1, 1, 5, 7)
        assert source.whole.shape() == STACK.shape

    def test_one_colour_plane_keeps_its_colours(self, wrap):
        colours = STACK[..., :3].copy()
        source = Source(wrap(colours), True, (1,))

        np.testing.assert_array_equal(source.read(), colours[1:2])
        assert source.layout.channels == 3


def test_an_array_in_memory_is_not_copied():
    assert np.shares_memory(Source(STACK, False, None).read(), STACK)
    assert np.shares_memory(Source(STACK, False, (0, 1)).read(), STACK)


def test_describing_pixels_does_not_read_them():
    layout = Source(Unread(), False, (4,)).layout

    assert (layout.planes, layout.width, layout.dtype) == (1, 7, np.float32)


def test_a_file_that_is_mapped_is_not_in_memory(tmp_path):
    mapped = np.memmap(tmp_path / "pixels", dtype=np.uint8, mode="w+", shape=(5, 7))

    assert Source(STACK, False, None).in_memory
    assert not Source(mapped, False, None).in_memory
    assert not Source(da.from_array(STACK), False, None).in_memory


def test_pixels_that_are_none_are_refused():
    with pytest.raises(TypeError, match="complex"):
        _ = Source(np.zeros((5, 7), complex), False, None).layout


def test_an_error_without_a_text_is_told_by_its_kind():
    assert Failed.because(ValueError("a is 3")).reason == "a is 3"
    assert Failed.because(KeyError()).reason == "KeyError"
