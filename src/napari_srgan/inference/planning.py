"""What a run needs and how it is cut: tiles or bands, memory, time."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
import torch

from napari_srgan.inference.devices import free_memory
from napari_srgan.inference.images import Layout, ValueRange
from napari_srgan.inference.planes import Units
from napari_srgan.inference.runner import Runner
from napari_srgan.inference.tiling import Span, spans, tiles
from napari_srgan.models.srresnet import SRResNet

SMALLEST_TILE = 16  # pixels; below, the halo is all the work
# A tile takes about a second on two processor cores, and a fraction of one on a GPU: as long as
# "cancel" may take.
LARGEST_TILE = {"cpu": 256, "cuda": 1024, "mps": 512}
# On a CPU a band stays in its caches; a GPU wants enough work at a time.
PIXELS_A_BAND = {"cpu": 2**13, "cuda": 2**19, "mps": 2**17}
FEWEST_ROWS, MOST_ROWS = 4, 256  # of a band
LARGEST_STREAM = 448 * 2**20  # bytes; wider images are cut into strips
MEMORY_SHARE = 0.4  # of what is free
TRIAL_EDGE = 96  # pixels


def rows_of_a_band(device: str, width: int) -> int:
    """Return the input rows of a band on a type of device, for an image of this width."""
    pixels = PIXELS_A_BAND.get(device, PIXELS_A_BAND["cpu"])
    return max(FEWEST_ROWS, min(MOST_ROWS, pixels // width))


def halo_of(network: SRResNet) -> int:
    """Return how many input pixels a result depends on, on each side."""
    return math.ceil(network.body_radius + network.tail_radius)


@dataclass(frozen=True)
class Tiles:
    """A plane cut into tiles, each computed alone with all that it depends on.

    Attributes
    ----------
    edge, halo : int
        Of a tile, and what is read beyond it on each side, in input pixels.
    bytes_per_pixel : int
        About what a run takes for each pixel of a window.
    """

    edge: int
    halo: int
    bytes_per_pixel: int

    @classmethod
    def of(cls, tile: int | str, runner: Runner) -> Tiles:
        """Return the tiles of this edge; for ``auto``, what the free memory allows."""
        network, halo = runner.network, halo_of(runner.network)
        per_pixel = memory_per_pixel(network, runner.precision)
        if not isinstance(tile, str):
            return cls(int(tile), halo, per_pixel)
        window = math.isqrt(int(MEMORY_SHARE * free_memory(runner.device) / per_pixel))
        largest = LARGEST_TILE.get(runner.device.type, LARGEST_TILE["cpu"])
        return cls(max(SMALLEST_TILE, min(largest, window - 2 * halo)), halo, per_pixel)

    def hold(self, layout: Layout) -> bool:
        """Return whether a plane is one tile."""
        return max(layout.height, layout.width) <= self.edge + 2 * self.halo

    def pixels(self, layout: Layout) -> int:
        """Return how many pixels the network is given for an image, halos included."""
        windows = (t.window for t in tiles(layout.height, layout.width, self.edge, self.halo))
        return layout.planes * sum(h * w for h, w in windows)

    def memory(self, layout: Layout) -> int:
        """Return about how many bytes of the device's memory a run takes."""
        reach = self.edge + 2 * self.halo
        return min(layout.height, reach) * min(layout.width, reach) * self.bytes_per_pixel


@dataclass(frozen=True)
class Bands:
    """A plane cut into strips, wide ones, each computed as a stream of bands of rows.

    Attributes
    ----------
    rows : int
        Input rows of a band.
    width : int
        Of the widest strip, halos included, in input pixels.
    halo : int
        What is read beyond a strip on each side.
    bytes_per_column : int
        About what a stream takes for each column of its strip.
    """

    rows: int
    width: int
    halo: int
    bytes_per_column: int

    @classmethod
    def of(cls, layout: Layout, runner: Runner) -> Bands | None:
        """Return the bands for an image, or None where it is to be tiled.

        It is where one tile holds a whole plane, where the network has layers that cannot be
        streamed, and where memory is too short for a strip.
        """
        program = runner.program
        if program is None or Tiles.of("auto", runner).hold(layout):
            return None
        halo = halo_of(runner.network)
        share = MEMORY_SHARE * free_memory(runner.device)
        budget = min(share, LARGEST_STREAM) if runner.device.type == "cpu" else share
        rows = rows_of_a_band(runner.device.type, layout.width)
        per_column = program.memory(1, rows)
        width = min(layout.width, int(budget / per_column))
        if width < min(layout.width, 4 * halo):
            return None
        return cls(rows, width, halo, per_column)

    def strips(self, width: int) -> list[Span]:
        """Return the strips of an image of this width."""
        return spans(width, max(1, self.width - 2 * self.halo), self.halo)

    def pixels(self, layout: Layout) -> int:
        """Return how many pixels the network is given for an image, halos included."""
        columns = sum(strip.read_length for strip in self.strips(layout.width))
        return layout.planes * layout.height * columns

    def memory(self, layout: Layout) -> int:
        """Return about how many bytes of the device's memory a run takes."""
        return min(self.width, layout.width) * self.bytes_per_column


def cut(tile: int | str, layout: Layout, runner: Runner) -> Tiles | Bands:
    """Return how an image is cut: into tiles of a given edge, or as ``auto`` finds best."""
    bands = Bands.of(layout, runner) if tile == "auto" else None
    return bands or Tiles.of(tile, runner)


def memory_per_pixel(network: SRResNet, precision: torch.dtype) -> int:
    """Return about how many bytes a run takes for each input pixel of a tile's window.

    The most is held in the last stage: its convolution's output, the activation's, and the copy
    that a convolution makes of its input.
    """
    return 3 * network.features * network.scale**2 * precision.itemsize


def check_tile(tile: int | str) -> None:
    """Refuse what is neither ``auto`` nor a tile's edge.

    Raises
    ------
    ValueError
        If it is neither.
    """
    whole = isinstance(tile, (int, np.integer)) and not isinstance(tile, bool)
    if tile != "auto" and not (whole and int(tile) > 0):
        raise ValueError(f"tile must be 'auto' or a whole number of pixels above 0; got {tile!r}.")


def seconds_per_pixel(runner: Runner) -> float:
    """Return the time that one pixel of a window takes, from a short trial run."""
    channels = runner.network.channels
    window = np.zeros((TRIAL_EDGE, TRIAL_EDGE, *([channels] if channels > 1 else [])), np.uint8)
    units = Units(ValueRange(0, 255, 0, 255), window.dtype)
    runner(window, units)  # the first run chooses algorithms and allocates
    began = time.perf_counter()
    runner(window, units)
    return (time.perf_counter() - began) / TRIAL_EDGE**2
