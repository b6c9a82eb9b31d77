import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_srgan.inference.tiling import spans, tiles

sizes = st.integers(1, 400)
edges = st.integers(1, 120)
halos = st.integers(0, 50)


@given(size=sizes, tile=edges, halo=halos)
def test_spans_write_every_pixel_once_and_in_order(size, tile, halo):
    written = [pixel for span in spans(size, tile, halo) for pixel in range(*span.write)]

    assert written == list(range(size))


def sees_its_halo(span, size, halo):
    (first, last), (start, stop) = span.read, span.write
    return first <= max(0, start - halo) and last >= min(size, stop + halo)


@given(size=sizes, tile=edges, halo=halos)
def test_spans_read_their_halo_or_reach_the_border(size, tile, halo):
    for span in spans(size, tile, halo):
        assert 0 <= span.read[0] <= span.write[0] < span.write[1] <= span.read[1] <= size
        assert sees_its_halo(span, size, halo)


@given(size=sizes, tile=edges, halo=halos)
def test_spans_read_equally_many_pixels_within_the_bound(size, tile, halo):
    lengths = {span.read[1] - span.read[0] for span in spans(size, tile, halo)}

    assert len(lengths) == 1
    assert lengths.pop() <= min(size, tile + 2 * halo)


@given(size=sizes, tile=edges, halo=halos)
def test_no_fewer_spans_would_do(size, tile, halo):
    count = len(spans(size, tile, halo))

    # Those at the two borders write a halo more than those between.
    assert count == 1 or (count - 1) * tile + 2 * halo < size


@pytest.mark.parametrize(
    ("size", "tile", "halo"), [(0, 4, 1), (-3, 4, 1), (9, 0, 1), (9, -2, 1), (9, 4, -1)]
)
def test_numbers_out_of_range_are_refused(size, tile, halo):
    with pytest.raises(ValueError, match=f"got {size}, {tile} and {halo}"):
        spans(size, tile, halo)


@given(size=sizes, tile=edges, halo=halos, scale=st.integers(1, 8))
def test_slices_pick_the_same_pixels_from_the_window_and_for_the_output(size, tile, halo, scale):
    high = np.repeat(np.arange(size), scale)
    out = np.full_like(high, -1)

    for span in spans(size, tile, halo):
        window = np.repeat(np.arange(size)[span.read_slice], scale)
        out[slice(*(scale * edge for edge in span.write))] = window[span.crop_slice(scale)]

    assert (out == high).all()


small = st.integers(1, 60)


def times_written(parts, height, width):
    count = np.zeros((height, width), int)
    for part in parts:
        count[slice(*part.rows.write), slice(*part.columns.write)] += 1
        assert part.pixels == part.rows.length * part.columns.length > 0
    return count


@given(height=small, width=small, tile=st.integers(1, 20), halo=st.integers(0, 9))
def test_tiles_write_every_pixel_of_an_image_once(height, width, tile, halo):
    cut = list(tiles(height, width, tile, halo))

    assert (times_written(cut, height, width) == 1).all()
    assert {t.window for t in cut} == {cut[0].window}
    assert max(cut[0].window) <= tile + 2 * halo


@given(height=small, width=small, tile=st.integers(1, 20), halo=st.integers(0, 9))
def test_quarters_write_what_their_tile_writes_with_the_same_halo(height, width, tile, halo):
    for whole in tiles(height, width, tile, halo):
        parts = whole.quarters()
        written = times_written(parts, height, width)

        assert written.sum() == whole.pixels
        assert (written[slice(*whole.rows.write), slice(*whole.columns.write)] == 1).all()
        assert all(sees_its_halo(part.rows, height, halo) for part in parts)
        assert all(sees_its_halo(part.columns, width, halo) for part in parts)


@given(height=small, width=small, halo=st.integers(0, 9))
def test_quartering_ends_at_single_pixels(height, width, halo):
    (tile,) = tiles(height, width, max(height, width), halo)

    steps = 0
    while tile.pixels > 1:
        parts = tile.quarters()
        assert all(part.pixels < tile.pixels for part in parts)
        tile = parts[-1]
        steps += 1

    assert steps <= 6  # ⌈log₂ 60⌉
    assert tile.quarters() == [tile]
    assert max(tile.window) <= 1 + 2 * halo


@given(start=st.integers(0, 9), length=st.integers(2, 30), halo=st.integers(0, 9))
def test_halves_differ_by_a_pixel_at_most(start, length, halo):
    size = start + length
    (span,) = spans(size, size, halo)

    one, other = span.halves(size, halo)

    assert 0 <= other.length - one.length <= 1
    assert one.write[1] == other.write[0]


@given(st.integers(1, 400), st.integers(1, 60), st.integers(0, 30), st.integers(2, 4))
def test_spans_of_a_step_begin_at_its_multiples_and_write_every_pixel_once(size, tile, halo, step):
    parts = spans(size, tile, halo, step)
    assert [x for part in parts for x in range(*part.write)] == list(range(size))
    for part in parts:
        assert part.read[0] % step == part.write[0] % step == 0
        assert part.read[1] % step == 0 or part.read[1] == size
        assert part.read[0] <= max(0, part.write[0] - halo)
        assert part.read[1] >= min(size, part.write[1] + halo)
