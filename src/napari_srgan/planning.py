"""What a run needs and how it is cut: tile size, memory, time."""

from __future__ import annotations

import math
import time

import numpy as np
import torch

from napari_srgan.devices import free_memory
from napari_srgan.images import Layout
from napari_srgan.models.srresnet import SRResNet
from napari_srgan.runner import Runner
from napari_srgan.tiling import tiles

SMALLEST_TILE = 16  # pixels; below, the halo is all the work
# A tile takes about a second on two processor cores, and a fraction of one on a GPU: as long as
# "cancel" may take.
LARGEST_TILE = {"cpu": 256, "cuda": 1024, "mps": 512}
MEMORY_SHARE = 0.4  # of what is free
TRIAL_EDGE = 96  # pixels


def halo_of(network: SRResNet) -> int:
    """Return how many input pixels a result depends on, on each side."""
    return math.ceil(network.body_radius + network.tail_radius)


def memory_per_pixel(network: SRResNet, precision: torch.dtype) -> int:
    """Return about how many bytes a run takes for each input pixel of a tile's window.

    The most is held in the last pixel shuffle: its input, its output and the activation's.
    """
    return 3 * network.features * network.scale**2 * precision.itemsize


def automatic_tile(network: SRResNet, device: torch.device, precision: torch.dtype) -> int:
    """Return the tile edge, in input pixels, that the free memory of a device allows."""
    budget = MEMORY_SHARE * free_memory(device)
    window = math.isqrt(int(budget / memory_per_pixel(network, precision)))
    largest = LARGEST_TILE.get(device.type, LARGEST_TILE["cpu"])
    return max(SMALLEST_TILE, min(largest, window - 2 * halo_of(network)))


def tile_edge(
    tile: int | str, network: SRResNet, device: torch.device, precision: torch.dtype
) -> int:
    """Return the tile edge that ``tile`` asks for: a number, or ``auto``.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if tile == "auto":
        return automatic_tile(network, device, precision)
    if not isinstance(tile, (int, np.integer)) or isinstance(tile, bool) or tile < 1:
        raise ValueError(f"tile must be 'auto' or a whole number of pixels above 0; got {tile!r}.")
    return int(tile)


def window_pixels(layout: Layout, tile: int, halo: int) -> int:
    """Return how many pixels the network is given for an image, halos included."""
    windows = (t.window for t in tiles(layout.height, layout.width, tile, halo))
    return layout.planes * sum(h * w for h, w in windows)


def seconds_per_pixel(runner: Runner) -> float:
    """Return the time that one pixel of a window takes, from a short trial run."""
    window = np.zeros((runner.network.channels, TRIAL_EDGE, TRIAL_EDGE), np.float32)
    runner(window)  # the first run chooses algorithms and allocates
    began = time.perf_counter()
    runner(window)
    return (time.perf_counter() - began) / TRIAL_EDGE**2
