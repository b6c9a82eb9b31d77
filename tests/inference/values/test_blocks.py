"""What is known of a plane does not depend on how much of it is read at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_srgan.inference.images import layout_of
from napari_srgan.inference.values import blocks
from napari_srgan.inference.values.ranges import value_ranges

RULES = st.sampled_from(["auto", "data", "10%, 90%"])


class OnDisk:
    """An array that gives slices, and remembers how many pixels the largest had."""

    def __init__(self, pixels):
        self.pixels, self.shape, self.dtype = pixels, pixels.shape, pixels.dtype
        self.chunks, self.largest = (1,) * pixels.ndim, 0

    def __getitem__(self, part):
        found = self.pixels[part]
        self.largest = max(self.largest, found.size)
        return found


@settings(max_examples=60)
@given(
    height=st.integers(1, 23),
    width=st.integers(1, 17),
    colours=st.sampled_from([(), (3,), (4,)]),
    dtype=st.sampled_from(["u2", "i4", "f2", "f4"]),
    far=st.integers(0, 3),
    rule=RULES,
    block=st.integers(1, 9),
    seed=st.integers(0, 99),
)
def test_a_range_is_the_same_in_blocks_of_any_size(
    height, width, colours, dtype, far, rule, block, seed
):
    source = np.random.default_rng(seed)
    pixels = source.integers(100, 900, (2, height, width, *colours)).astype(dtype)
    for _ in range(far):  # hot and dead pixels, codes of no data
        place = tuple(source.integers(side) for side in pixels.shape)
        pixels[place] = source.choice([0, 30_000])
    if pixels.dtype.kind == "f":
        pixels[0, -1, -1] = np.nan
        pixels[1, 0, 0] = np.inf
    layout = layout_of(pixels.shape, pixels.dtype, bool(colours), channel_axis=0)

    def found(image, edge):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(blocks, "BLOCK", edge)
            try:
                ranges = value_ranges(image, layout, rule)
            except ValueError as error:
                return str(error)
        return [(values, values.warning) for values in ranges]

    stored = OnDisk(pixels)
    assert found(stored, block) == found(pixels, 1000)
    assert stored.largest <= (block + 2) ** 2 * (colours or (1,))[0]
