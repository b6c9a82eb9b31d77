"""The time that is left, from the work that a run has done itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_srgan.inference.settings import Progress
from napari_srgan.volume.budget import Budget, in_words


@given(
    bands=st.integers(60, 400),
    kept=st.integers(0, 40),
    seconds=st.floats(0.5, 50),
    waves=st.lists(st.floats(0.8, 1.2), min_size=7, max_size=7),
)
def test_it_is_right_within_a_quarter_once_it_is_told(bands, kept, seconds, waves):
    """Bands take a fifth more or less than each other; what was kept takes a thousandth."""
    took = [seconds * waves[band % 7] * (0.001 if band < kept else 1) for band in range(bands)]
    budget, now, told = Budget(), 1000.0, 0
    for band in range(bands):
        now += took[band]
        progress = Progress(100 * (band + 1), 100 * bands, "cpu", "float32",
                            kept=100 * min(kept, band + 1))  # fmt: skip
        left = budget.seconds_left(progress, now)
        if left is not None and band < bands - 1:
            told += 1
            assert sum(took[: band + 1]) + left == pytest.approx(sum(took), rel=0.25)
    assert told > (bands - kept) / 3 - 12 / seconds


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (40, "40 s"), (720, "12 min"), (10_700, "3 h"), (9_000, "2.5 h"),
     (200_000, "2.3 days")],
)  # fmt: skip
def test_it_is_said_as_people_say_it(seconds, words):
    assert in_words(seconds) == words
