import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_srgan.training.metrics.drawing import (
    LINE_HEIGHT,
    MARGIN,
    Cell,
    as_rgb,
    draw_rows,
    in_words,
)
from napari_srgan.training.metrics.fidelity import Scores


def _image(h, w, value):
    return np.full((h, w), value, np.uint8)


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 4))
def test_images_of_one_row_are_side_by_side_pixel_by_pixel(h, w, n):
    picture = draw_rows([[Cell(_image(h, w, 50 * (i + 1))) for i in range(n)]])
    assert picture.shape == (h + 2 * MARGIN, n * w + (n + 1) * MARGIN, 3)
    for i in range(n):
        left = MARGIN + i * (w + MARGIN)
        assert np.all(picture[MARGIN : MARGIN + h, left : left + w] == 50 * (i + 1))


def test_rows_are_as_high_as_their_highest_image_and_columns_as_wide():
    picture = draw_rows(
        [[Cell(_image(10, 30, 0)), Cell(_image(20, 5, 0))], [Cell(_image(8, 7, 0))]]
    )
    assert picture.shape == (20 + 8 + 3 * MARGIN, 30 + 5 + 3 * MARGIN, 3)
    assert np.all(picture[20 + 2 * MARGIN : -MARGIN, MARGIN : MARGIN + 7] == 0)


def test_captions_are_below_their_image_and_nowhere_else():
    plain = draw_rows([[Cell(_image(20, 90, 255)), Cell(_image(20, 90, 255))]])
    assert np.all(plain == 255)
    picture = draw_rows([[Cell(_image(20, 90, 255)), Cell(_image(20, 90, 255), ("HR", "gyp"))]])
    assert picture.shape[0] == plain.shape[0] + 2 * LINE_HEIGHT
    inked = np.argwhere((picture < 128).any(axis=-1))
    assert inked[:, 0].min() >= MARGIN + 20
    assert inked[:, 0].max() < MARGIN + 20 + 2 * LINE_HEIGHT
    assert inked[:, 1].min() >= MARGIN + 90 + MARGIN


def test_a_long_caption_widens_its_column():
    short, long = (draw_rows([[Cell(_image(20, 30, 0), (text,))]]) for text in ("HR", "HR " * 20))
    assert short.shape[1] == 30 + 2 * MARGIN
    assert long.shape[1] > 200


def test_colours_are_kept_and_grey_becomes_rgb():
    orange = np.full((4, 6, 3), (250, 120, 10), np.uint8)
    picture = draw_rows([[Cell(orange), Cell(_image(4, 6, 77))]])
    np.testing.assert_array_equal(picture[MARGIN, MARGIN], (250, 120, 10))
    np.testing.assert_array_equal(picture[MARGIN, -MARGIN - 1], (77, 77, 77))
    assert as_rgb(orange) is orange


@pytest.mark.parametrize("rows", [[], [[]], [[], []]])
def test_nothing_to_draw_is_refused(rows):
    with pytest.raises(ValueError, match="nothing to draw"):
        draw_rows(rows)


def test_scores_in_words_have_the_papers_ssim():
    assert in_words(Scores(28.416, 0.82149, 0.8)) == "28.42 dB / 0.8215"
