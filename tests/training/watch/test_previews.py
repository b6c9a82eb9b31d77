import numpy as np
import pytest
from PIL import Image

from napari_srgan.resampling import shrink
from napari_srgan.training.metrics.drawing import LINE_HEIGHT, MARGIN
from napari_srgan.training.watch.validation import draw_panel


def _pair(h, w, *channels):
    """A low image and the high one it is made of."""
    rng = np.random.default_rng(0)
    high = rng.integers(0, 256, (4 * h, 4 * w, *channels), dtype=np.uint8)
    return shrink(high), high


def _shown(panel, number, h, w):
    """Return one of four images of a panel, each wide enough for its caption."""
    left = MARGIN + number * (w + MARGIN)
    return panel[MARGIN : MARGIN + h, left : left + w]


@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_panel_shows_low_bicubic_upscaled_and_high_side_by_side(channels):
    low, high = _pair(20, 45, *channels)
    upscaled = high[::-1].copy()
    panel = draw_panel(low, upscaled, high)
    assert panel.shape == (80 + 2 * LINE_HEIGHT + 2 * MARGIN, 4 * 180 + 5 * MARGIN, 3)
    assert panel.dtype == np.uint8
    bicubic = Image.fromarray(low).resize((180, 80), Image.Resampling.BICUBIC)
    expected = [low.repeat(4, axis=0).repeat(4, axis=1), np.asarray(bicubic), upscaled, high]
    for number, image in enumerate(expected):
        rgb = image if channels else np.stack([image] * 3, axis=-1)
        np.testing.assert_array_equal(_shown(panel, number, 80, 180), rgb)


def test_of_large_images_the_middle_is_shown():
    low, high = _pair(50, 70)
    panel = draw_panel(low, high, high, largest=160)
    assert panel.shape[1] == 4 * 160 + 5 * MARGIN
    middle = high[20:180, 60:220]
    np.testing.assert_array_equal(_shown(panel, 3, 160, 160)[..., 0], middle)


def test_captions_tell_the_score_of_what_was_upscaled():
    low, high = _pair(20, 45)
    good, bad = (draw_panel(low, upscaled, high) for upscaled in (high, high[::-1].copy()))
    below = MARGIN + 80
    np.testing.assert_array_equal(good[below:, :370], bad[below:, :370])  # LR and bicubic
    assert np.any(good[below:, 370:560] != bad[below:, 370:560])  # SR
    np.testing.assert_array_equal(good[below:, 572:], bad[below:, 572:])  # HR


@pytest.mark.parametrize("shape", [(80, 176), (176, 80), (80, 180, 3), (40, 90)])
def test_a_panel_refuses_sizes_that_do_not_belong_together(shape):
    low, high = _pair(20, 45)
    with pytest.raises(ValueError, match=r"\(20, 45\)"):
        draw_panel(low, np.zeros(shape, np.uint8), high)
    with pytest.raises(ValueError, match=r"\(20, 45\)"):
        draw_panel(low, high, np.zeros((81, 181), np.uint8))
