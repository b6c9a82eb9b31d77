import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_srgan.graph.network import OpaqueNetwork, inference_network
from napari_srgan.inference import planning
from napari_srgan.inference.images import layout_of
from napari_srgan.inference.planning import Bands, Tiles, check_tile, cut, seconds_per_pixel
from napari_srgan.inference.runner import Runner
from napari_srgan.inference.tiling import tiles
from napari_srgan.models.rrdb import RRDBNet
from napari_srgan.models.srresnet import SRResNet

CPU = torch.device("cpu")


def layout(*shape):
    return layout_of(shape, np.uint8, rgb=False)


def runner_on(network, device=CPU, precision=torch.float32):
    return Runner(inference_network(network), device, precision)


def tile_with_free_memory(monkeypatch, network, gibibytes, device=CPU, precision=torch.float32):
    monkeypatch.setattr(planning, "free_memory", lambda device: int(gibibytes * 2**30))
    return Tiles.of("auto", runner_on(network, device, precision)).edge


@pytest.mark.parametrize("gibibytes", [0.25, 0.5, 1, 2, 4])
def test_an_automatic_tile_fits_in_its_share_of_the_free_memory(
    monkeypatch, random_network, gibibytes
):
    network = random_network(features=64)

    tile = tile_with_free_memory(monkeypatch, network, gibibytes)

    made = inference_network(network)
    window = tile + 2 * made.radius
    needed = window**2 * made.bytes_per_pixel(torch.float32)
    assert needed <= planning.MEMORY_SHARE * gibibytes * 2**30


def test_more_memory_gives_larger_tiles_up_to_what_cancel_may_take(monkeypatch, random_network):
    network = random_network(features=64)
    found = [tile_with_free_memory(monkeypatch, network, 2**i) for i in range(-9, 9)]

    assert found == sorted(found)
    assert found[0] == planning.SMALLEST_TILE
    assert found[-1] == planning.LARGEST_TILE["cpu"]
    card = tile_with_free_memory(monkeypatch, network, 2**9, torch.device("cuda"))
    assert card == planning.LARGEST_TILE["cuda"]


@pytest.mark.parametrize("tile", [1, 64, 100_000, np.int64(7)])
def test_a_tile_that_is_asked_for_is_taken(random_network, tile):
    check_tile(tile)
    found = cut(tile, layout(5000, 5000), runner_on(random_network()))
    assert isinstance(found, Tiles)
    assert found.edge == tile


@pytest.mark.parametrize(
    "tile", [0, -1, 1.5, float("nan"), float("inf"), "128", "Auto", "", None, True, [64]]
)
def test_a_tile_that_is_no_number_of_pixels_is_refused(tile):
    with pytest.raises(ValueError, match="tile must be 'auto' or a whole number of pixels"):
        check_tile(tile)


@given(
    h=st.integers(1, 200), w=st.integers(1, 200), tile=st.integers(1, 90), halo=st.integers(0, 40)
)
def test_the_work_is_that_of_all_windows_of_all_planes(h, w, tile, halo):
    plane = sum(np.prod(t.window) for t in tiles(h, w, tile, halo))

    assert Tiles(tile, halo, 1).pixels(layout(3, h, w)) == 3 * plane
    assert plane >= h * w


# Bands


def test_a_plane_that_one_tile_holds_is_not_cut_and_a_larger_one_is_streamed(random_network):
    runner = runner_on(random_network())
    largest = planning.LARGEST_TILE["cpu"] + 2 * runner.network.radius

    assert isinstance(cut("auto", layout(largest, largest), runner), Tiles)
    for shape in [(largest + 1, 3), (3, largest + 1), (9, largest, largest + 1)]:
        assert isinstance(cut("auto", layout(*shape), runner), Bands)


def test_bands_are_lower_where_the_image_is_wider_and_keep_to_their_memory(random_network):
    runner = runner_on(random_network(features=64, blocks=16))
    heights = []
    for width in (100, 500, 1000, 2000, 4000, 8000, 100_000):
        bands = Bands.of(layout(9999, width), runner)
        heights.append(bands.band)
        assert bands.memory(layout(9999, width)) <= planning.LARGEST_STREAM
        assert {start for start, _ in (s.read for s in bands.strips(width))} >= {0}
    assert heights == sorted(heights, reverse=True)
    assert heights[-1] == planning.FEWEST_ROWS


@pytest.mark.parametrize(("width", "strips"), [(2048, 1), (4096, 2)])
def test_the_papers_network_computes_next_to_nothing_twice(width, strips):
    image = layout(width, width)
    bands = Bands.of(image, runner_on(SRResNet()))

    assert len(bands.strips(width)) == strips
    assert bands.pixels(image) <= 1.03 * width**2


def test_a_large_network_leaves_room_for_its_weights():
    runner = runner_on(RRDBNet())
    bands = Bands.of(layout(512, 512), runner)

    assert [strip.read for strip in bands.strips(512)] == [(0, 512)]
    assert bands.band == 16
    assert bands.memory(layout(512, 512)) + 2 * runner.network.nbytes <= planning.MOST_OF_A_STREAM


@given(width=st.integers(401, 5000), limit=st.integers(200, 400))
def test_strips_read_all_that_they_depend_on(width, limit):
    halo = 40
    strips = Bands(band=4, width=limit, halo=halo, bytes_per_column=1).strips(width)

    assert [s.write[0] for s in strips] == [0, *(s.write[1] for s in strips[:-1])]
    for strip in strips:
        (start, stop), (first, last) = strip.read, strip.write
        assert stop - start <= limit
        assert start == 0 or first - start >= halo
        assert stop == width or stop - last >= halo


def test_the_work_of_strips_is_what_they_read():
    bands = Bands(band=4, width=300, halo=40, bytes_per_column=7)
    image = layout(2, 50, 1000)
    read = sum(stop - start for start, stop in (s.read for s in bands.strips(1000)))

    assert bands.pixels(image) == 2 * 50 * read > 2 * 50 * 1000
    assert bands.memory(image) == 300 * 7
    assert bands.memory(layout(50, 20)) == 20 * 7


def test_without_memory_for_a_strip_there_are_tiles(monkeypatch, random_network):
    runner = runner_on(random_network())
    assert isinstance(cut("auto", layout(999, 999), runner), Bands)

    monkeypatch.setattr(planning, "free_memory", lambda device: 2**18)

    assert isinstance(cut("auto", layout(999, 999), runner), Tiles)


def opaque(radius):
    """Return a network of which nothing is known but how far it sees."""
    module = torch.nn.Upsample(scale_factor=2, mode="area")
    return Runner(OpaqueNetwork(module, 1, 2, radius), CPU, torch.float32)


def test_a_network_that_cannot_be_streamed_is_tiled():
    plan = cut("auto", layout(999, 999), opaque(radius=7))

    assert isinstance(plan, Tiles)
    assert plan.halo == 7
    assert len(list(plan.parts(layout(999, 999)))) > 1


def test_a_network_that_sees_the_whole_image_is_given_it_at_once():
    plan = cut("auto", layout(2, 999, 1999), opaque(radius=None))

    (part,) = plan.parts(layout(2, 999, 1999))
    assert part.window == (999, 1999)
    assert plan.smaller(part) is None
    assert plan.pixels(layout(2, 999, 1999)) == 2 * 999 * 1999
    with pytest.raises(ValueError, match="cannot be cut into tiles of 64"):
        cut(64, layout(999, 999), opaque(radius=None))


def test_a_trial_run_gives_the_time_of_a_pixel(random_network):
    assert seconds_per_pixel(runner_on(random_network())) > 0
