"""What a microscope counts stays countable: intensities are kept, whatever the camera's units."""

from __future__ import annotations

import numpy as np
import pytest

from napari_srgan import upscale

MODEL = "srresnet-small-x4"
_WITHIN = 0.02


def field(spots: list[tuple[float, float, float]], side: int = 48) -> np.ndarray:
    """Return light of spots, each with its place and its sum, on nothing."""
    y, x = np.mgrid[:side, :side]
    light = np.zeros((side, side))
    for top, left, total in spots:
        spot = np.exp(-((y - top) ** 2 + (x - left) ** 2) / (2 * 1.6**2))
        light += total * spot / spot.sum()
    return light


def counted(light: np.ndarray, offset: float, gain: float) -> np.ndarray:
    return np.rint(offset + gain * light).astype(np.uint16)


@pytest.mark.parametrize(("offset", "gain"), [(100, 1.0), (2000, 15.0), (300, 0.5)])
def test_the_sum_over_a_spot_is_kept(offset, gain):
    spots = [(14.3, 13.8, 60_000), (33.0, 30.4, 25_000)]
    image = counted(field(spots), offset, gain)
    result = upscale(image, model=MODEL).astype(float)
    assert result.shape == (192, 192)
    for top, left, total in spots:
        part = np.s_[int(4 * top) - 32 : int(4 * top) + 36, int(4 * left) - 32 : int(4 * left) + 36]
        low = np.s_[int(top) - 8 : int(top) + 9, int(left) - 8 : int(left) + 9]
        measured = (result[part] - offset).sum() / 16
        given = (image[low].astype(float) - offset).sum()
        assert measured == pytest.approx(given, rel=_WITHIN)
        assert measured == pytest.approx(gain * total, rel=_WITHIN)


def test_results_follow_offset_and_gain():
    light = field([(14.3, 13.8, 60_000), (33.0, 30.4, 25_000)])
    one = upscale(counted(light, 100, 1), model=MODEL).astype(float)
    other = upscale(counted(light, 900, 7), model=MODEL).astype(float)
    np.testing.assert_allclose(other, 900 + 7 * (one - 100), atol=0.01 * np.ptp(other))
