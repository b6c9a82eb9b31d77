import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_srgan.training.metrics.drawing import LINE_HEIGHT, MARGIN
from napari_srgan.training.metrics.figures import Box, Example, choose_box, draw_figure

RED = (230, 30, 30)
CROP, MAGNIFIED = (40, 70), 3


def _noise(h, w, *channels, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (h, w, *channels), dtype=np.uint8)


def _changed(image, box, seed=1):
    """The image with noise in a box of it."""
    changed = image.copy()
    part = box.cut(changed)
    part[...] = _noise(*part.shape, seed=seed)
    return changed


def _draw(*examples):
    return draw_figure(examples, crop=CROP, magnified=MAGNIFIED)


def _is_red(picture):
    return (picture == RED).all(axis=-1)


@given(st.integers(0, 60), st.integers(0, 50), st.sampled_from([(40, 70), (39, 71), (1, 2)]))
def test_the_box_is_where_methods_differ(top, left, size):
    high = _noise(100, 120)
    box = Box(min(top, 100 - size[0]), left if left + size[1] <= 120 else 0, *size)
    found = choose_box(high, {"a": _changed(high, box), "b": high}, size)
    assert (found.height, found.width) == size
    overlap_h = min(found.top, box.top) + size[0] - max(found.top, box.top)
    overlap_w = min(found.left, box.left) + size[1] - max(found.left, box.left)
    assert overlap_h >= 0.8 * size[0]
    assert overlap_w >= 0.8 * size[1]


def test_nearest_has_no_say_in_where_the_box_is():
    high = _noise(100, 120)
    corner, middle = Box(0, 0, 20, 30), Box(50, 60, 20, 30)
    methods = {"nearest": _changed(high, corner), "bicubic": _changed(high, middle)}
    assert choose_box(high, methods, (20, 30)) == middle


@given(st.integers(20, 60), st.integers(20, 90))
def test_the_box_is_inside_the_image_and_no_larger(h, w):
    high = _noise(h, w)
    box = choose_box(high, {"a": _noise(h, w, seed=1)}, CROP)
    assert (box.height, box.width) == (min(h, CROP[0]), min(w, CROP[1]))
    assert 0 <= box.top <= h - box.height
    assert 0 <= box.left <= w - box.width


def test_a_box_cuts_rows_then_columns():
    image = _noise(30, 50, 3)
    np.testing.assert_array_equal(Box(4, 9, 10, 20).cut(image), image[4:14, 9:29])


@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_row_has_the_image_each_methods_detail_and_the_originals(channels):
    high, other = _noise(120, 180, *channels), _noise(120, 180, *channels, seed=1)
    box = Box(30, 100, *CROP)
    picture = _draw(Example("a", high, {"bicubic": other, "x": high}, box))
    h, w = CROP[0] * MAGNIFIED, CROP[1] * MAGNIFIED
    whole = 180 * h // 120
    assert picture.shape == (h + 2 * LINE_HEIGHT + 2 * MARGIN, whole + 3 * w + 5 * MARGIN, 3)
    left = MARGIN + whole + MARGIN
    for number, image in enumerate([other, high, high]):
        shown = picture[MARGIN : MARGIN + h, left + number * (w + MARGIN) :][:, :w]
        detail = box.cut(image).repeat(MAGNIFIED, axis=0).repeat(MAGNIFIED, axis=1)
        expected = detail if channels else np.stack([detail] * 3, axis=-1)
        np.testing.assert_array_equal(shown, expected)


def test_the_frame_is_around_the_detail():
    high = np.full((120, 180), 200, np.uint8)
    picture = _draw(Example("a", high, {}, Box(30, 100, *CROP)))
    rows, columns = np.nonzero(_is_red(picture))  # the image is as high as the detail: 120 pixels
    assert (rows.min() - MARGIN, rows.max() - MARGIN) == (30, 30 + CROP[0] - 1)
    assert (columns.min() - MARGIN, columns.max() - MARGIN) == (100, 100 + CROP[1] - 1)
    assert not _is_red(picture)[MARGIN + 50, MARGIN + 130]


def test_every_example_has_a_row_and_a_box_of_its_own_choice():
    high = _noise(120, 180)
    examples = [
        Example("a", high, {"x": _changed(high, Box(0, 0, *CROP))}),
        Example("b", high, {"x": _changed(high, Box(80, 110, *CROP))}),
    ]
    picture, single = _draw(*examples), _draw(examples[0])
    assert picture.shape[0] == 2 * single.shape[0] - MARGIN
    frames = [np.argwhere(_is_red(row)) for row in np.split(picture[MARGIN:], 2)]
    assert frames[0].min(axis=0)[0] < 30
    assert frames[1].min(axis=0)[0] > 60


def test_captions_have_the_methods_scores():
    high = _noise(120, 180)
    box = Box(30, 60, *CROP)
    elsewhere = _changed(high, Box(0, 0, 20, 20))  # the details are equal, the scores are not
    same, worse = (_draw(Example("a", high, {"x": image}, box)) for image in (high, elsewhere))
    below = MARGIN + CROP[0] * MAGNIFIED
    np.testing.assert_array_equal(same[:below], worse[:below])
    assert np.any(same[below:] != worse[below:])


def test_an_image_of_another_shape_is_refused_by_its_name():
    with pytest.raises(ValueError, match=r"butterfly by x .*\(180, 120\).*\(120, 180\)"):
        _draw(Example("butterfly", _noise(120, 180), {"x": _noise(180, 120)}))


@pytest.mark.parametrize("box", [(-1, 0), (0, -1), (81, 0), (0, 111)])
def test_a_box_outside_the_image_is_refused(box):
    with pytest.raises(ValueError, match="not inside a, which has 120 × 180"):
        _draw(Example("a", _noise(120, 180), {}, Box(*box, *CROP)))


def test_a_figure_of_nothing_is_refused():
    with pytest.raises(ValueError, match="nothing to draw"):
        _draw()
