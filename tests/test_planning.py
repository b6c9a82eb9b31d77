import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_srgan import planning
from napari_srgan.images import layout_of
from napari_srgan.models.fold import folded
from napari_srgan.models.srresnet import SRResNet
from napari_srgan.planning import (
    automatic_tile,
    halo_of,
    memory_per_pixel,
    seconds_per_pixel,
    tile_edge,
    window_pixels,
)
from napari_srgan.runner import Runner
from napari_srgan.tiling import tiles

CPU = torch.device("cpu")


def tile_with_free_memory(monkeypatch, network, gibibytes, device=CPU, precision=torch.float32):
    monkeypatch.setattr(planning, "free_memory", lambda device: int(gibibytes * 2**30))
    return automatic_tile(network, device, precision)


def test_the_papers_network_needs_a_halo_of_40_pixels():
    with torch.device("meta"):
        assert halo_of(SRResNet()) == 40


@pytest.mark.parametrize("gibibytes", [0.25, 0.5, 1, 2, 4])
def test_an_automatic_tile_fits_in_its_share_of_the_free_memory(
    monkeypatch, random_network, gibibytes
):
    network = random_network(features=64)

    tile = tile_with_free_memory(monkeypatch, network, gibibytes)

    window = tile + 2 * halo_of(network)
    needed = window**2 * memory_per_pixel(network, torch.float32)
    assert needed <= planning.MEMORY_SHARE * gibibytes * 2**30


def test_more_memory_gives_larger_tiles_up_to_what_cancel_may_take(monkeypatch, random_network):
    network = random_network(features=64)
    found = [tile_with_free_memory(monkeypatch, network, 2**i) for i in range(-9, 9)]

    assert found == sorted(found)
    assert found[0] == planning.SMALLEST_TILE
    assert found[-1] == planning.LARGEST_TILE["cpu"]
    card = tile_with_free_memory(monkeypatch, network, 2**9, torch.device("cuda"))
    assert card == planning.LARGEST_TILE["cuda"]


def test_half_precision_takes_half_the_memory_and_wider_networks_more(random_network):
    network = random_network()

    full = memory_per_pixel(network, torch.float32)

    assert 2 * memory_per_pixel(network, torch.float16) == full
    assert memory_per_pixel(random_network(features=16), torch.float32) == 2 * full
    assert memory_per_pixel(random_network(scale=8), torch.float32) == 4 * full


class LargestMoment(torch.utils._python_dispatch.TorchDispatchMode):
    """Records the most bytes that one operation's inputs and output take together."""

    def __init__(self):
        super().__init__()
        self.most = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        tensors = [value for value in (*args, out) if isinstance(value, torch.Tensor)]
        self.most = max(self.most, sum(value.nbytes for value in tensors))
        return out


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_the_memory_estimate_covers_every_operation(random_network, scale):
    network = folded(random_network(scale=scale))

    with LargestMoment() as moment, torch.no_grad():
        network(torch.rand(1, 3, 64, 48))

    assert moment.most <= 64 * 48 * memory_per_pixel(network, torch.float32)


@pytest.mark.parametrize("tile", [1, 64, 100_000, np.int64(7)])
def test_a_tile_that_is_asked_for_is_taken(random_network, tile):
    assert tile_edge(tile, random_network(), CPU, torch.float32) == tile


@pytest.mark.parametrize(
    "tile", [0, -1, 1.5, float("nan"), float("inf"), "128", "Auto", "", None, True, [64]]
)
def test_a_tile_that_is_no_number_of_pixels_is_refused(random_network, tile):
    with pytest.raises(ValueError, match="tile must be 'auto' or a whole number of pixels"):
        tile_edge(tile, random_network(), CPU, torch.float32)


@given(
    h=st.integers(1, 200), w=st.integers(1, 200), tile=st.integers(1, 90), halo=st.integers(0, 40)
)
def test_the_work_is_that_of_all_windows_of_all_planes(h, w, tile, halo):
    layout = layout_of((3, h, w), np.uint8, rgb=False)

    plane = sum(np.prod(t.window) for t in tiles(h, w, tile, halo))

    assert window_pixels(layout, tile, halo) == 3 * plane
    assert plane >= h * w


def test_a_trial_run_gives_the_time_of_a_pixel(random_network):
    runner = Runner(folded(random_network()), CPU, torch.float32)

    assert 0 < seconds_per_pixel(runner) < 0.01
