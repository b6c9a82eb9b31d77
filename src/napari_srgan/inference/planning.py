"""Plan of a run: an image cut into tiles, or into strips that are streamed; memory and time."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import torch

from napari_srgan.inference.devices import free_memory
from napari_srgan.inference.images import Layout
from napari_srgan.inference.runner import Runner
from napari_srgan.inference.tiling import Span, Tile, spans, tiles

SMALLEST_TILE = 16  # pixels; below, the halo is all the work
# A tile takes about a second on two processor cores, and a fraction of one on a GPU: as long as
# "cancel" may take.
LARGEST_TILE = {"cpu": 256, "cuda": 1024, "mps": 512}
# On a CPU a band stays in its caches; a GPU wants enough work at a time.
PIXELS_A_BAND = {"cpu": 2**13, "cuda": 2**19, "mps": 2**17}
FEWEST_ROWS, MOST_ROWS = 4, 256  # of a band
LARGEST_STREAM = 448 * 2**20  # bytes; wider images are cut into strips
MOST_OF_A_STREAM = 2**30  # bytes that it may take, weights included, to have strips of few halos
HALOS = 20  # widths of a halo that a strip is to have: it then costs a tenth
MEMORY_SHARE = 0.4  # of what is free
TRIAL_EDGE = 96  # pixels
_COPIES_OF_WEIGHTS = 2  # the model's, and those that are computed with
_WHOLE = 2**40  # edge of a tile that holds any image


def rows_of_a_band(device: str, width: int) -> int:
    """Return the input rows of a band on a type of device, for an image of this width."""
    pixels = PIXELS_A_BAND.get(device, PIXELS_A_BAND["cpu"])
    return max(FEWEST_ROWS, min(MOST_ROWS, pixels // width))


def _lower_and_lower(rows: int) -> list[int]:
    """Return heights of bands from so many rows down, in steps of two thirds and three quarters."""
    halves = [rows // 2**n for n in range(rows.bit_length())]
    between = [3 * half // 4 for half in halves]
    return sorted({high for high in halves + between if high >= FEWEST_ROWS}, reverse=True)


@dataclass(frozen=True)
class Tiles:
    """A plane cut into tiles, each computed alone with all that it depends on.

    Attributes
    ----------
    edge, halo : int
        Of a tile, and what is read beyond it on each side, in input pixels.
    bytes_per_pixel : int
        About what a run takes for each pixel of a window.
    step : int
        Of which tiles begin at multiples.
    """

    edge: int
    halo: int
    bytes_per_pixel: int
    step: int = 1

    @classmethod
    def of(cls, tile: int | str, runner: Runner) -> Tiles:
        """Return the tiles of this edge; for ``auto``, what the free memory allows.

        Raises
        ------
        ValueError
            If an edge is given for a network whose every output depends on the whole image.
        """
        per_pixel, halo = runner.network.bytes_per_pixel(runner.precision), runner.network.radius
        if halo is None:
            if tile != "auto":
                raise ValueError(
                    "This model looks at the whole image for every pixel: it cannot be cut into "
                    f"tiles of {tile}. Leave tile at 'auto'."
                )
            return cls(_WHOLE, 0, per_pixel)
        step = runner.network.step
        halo = -(-halo // step) * step
        if not isinstance(tile, str):
            return cls(int(tile), halo, per_pixel, step)
        window = math.isqrt(int(MEMORY_SHARE * free_memory(runner.device) / per_pixel))
        largest = LARGEST_TILE.get(runner.device.type, LARGEST_TILE["cpu"])
        return cls(max(SMALLEST_TILE, min(largest, window - 2 * halo)), halo, per_pixel, step)

    band = None  # a tile is computed whole

    def parts(self, layout: Layout) -> Iterator[Tile]:
        """Yield the tiles of a plane."""
        return tiles(layout.height, layout.width, self.edge, self.halo, self.step)

    def allow(self, part: Tile) -> bool:
        """Return whether a part is no larger than these tiles."""
        return max(part.window) <= self.edge + 2 * self.halo

    def smaller(self, failed: Tile) -> Tiles | None:
        """Return smaller tiles than one that did not fit in memory; None if it was small."""
        beyond_halo = max(failed.window) - 2 * self.halo
        if self.edge == _WHOLE or beyond_halo <= SMALLEST_TILE:
            return None
        return replace(self, edge=max(SMALLEST_TILE, beyond_halo // 2))

    def hold(self, layout: Layout) -> bool:
        """Return whether a plane is one tile."""
        return max(layout.height, layout.width) <= self.edge + 2 * self.halo

    def pixels(self, layout: Layout) -> int:
        """Return how many pixels the network is given for an image, halos included."""
        windows = (part.window for part in self.parts(layout))
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
    band : int
        Input rows of a band.
    width : int
        Of the widest strip, halos included, in input pixels.
    halo : int
        What is read beyond a strip on each side.
    bytes_per_column : int
        About what a stream takes for each column of its strip.
    step : int
        Of which strips begin at multiples.
    """

    band: int
    width: int
    halo: int
    bytes_per_column: int
    step: int = 1

    @classmethod
    def of(cls, layout: Layout, runner: Runner) -> Bands | None:
        """Return the bands for an image, or None where it is to be tiled.

        It is where one tile holds a whole plane and takes no more memory than a stream may, where
        the network has layers that cannot be streamed, and where memory is too short for a strip.
        Of a network that sees far, bands are made lower before strips are made narrow.
        """
        plan, halo, tiles = runner.plan, runner.network.radius, Tiles.of("auto", runner)
        if plan is None or halo is None:
            return None
        if tiles.hold(layout) and tiles.memory(layout) <= MOST_OF_A_STREAM:
            return None
        share = MEMORY_SHARE * free_memory(runner.device)
        rows, least = rows_of_a_band(runner.device.type, layout.width), min(layout.width, 4 * halo)
        heights = _lower_and_lower(rows)
        weights = _COPIES_OF_WEIGHTS * runner.network.nbytes
        for rows in heights:
            per_column = plan.memory(1, rows)
            usual = min(MOST_OF_A_STREAM - weights, max(LARGEST_STREAM, HALOS * halo * per_column))
            budget = min(share, usual) if runner.device.type == "cpu" else share
            width = min(layout.width, int(budget / per_column))
            if width >= least:
                return cls(rows, width, halo, per_column, plan.step)
        # More than a stream usually takes is still less than tiles with such halos would.
        if least * per_column <= share:
            return cls(rows, least, halo, per_column, plan.step)
        return None

    def parts(self, layout: Layout) -> Iterator[Tile]:
        """Yield the strips of a plane: tiles of its whole height."""
        height, rows = layout.height, Span((0, layout.height), (0, layout.height))
        for strip in self.strips(layout.width):
            yield Tile(rows, strip, height, layout.width, self.halo)

    def allow(self, _part: Tile) -> bool:
        """Return True: strips are taken as they come."""
        return True

    def strips(self, width: int) -> list[Span]:
        """Return the strips of an image of this width."""
        return spans(width, max(1, self.width - 2 * self.halo), self.halo, self.step)

    def pixels(self, layout: Layout) -> int:
        """Return how many pixels the network is given for an image, halos included."""
        columns = sum(strip.read_length for strip in self.strips(layout.width))
        return layout.planes * layout.height * columns

    def memory(self, layout: Layout) -> int:
        """Return about how many bytes of the device's memory a run takes."""
        return min(self.width, layout.width) * self.bytes_per_column


Cut: TypeAlias = Tiles | Bands


def cut(tile: int | str, layout: Layout, runner: Runner) -> Cut:
    """Return how an image is cut: into tiles of a given edge, or as ``auto`` finds best."""
    bands = Bands.of(layout, runner) if tile == "auto" else None
    return bands or Tiles.of(tile, runner)


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
    window = torch.zeros(1, runner.network.channels, TRIAL_EDGE, TRIAL_EDGE)
    _finished(runner.run(window))  # the first run chooses algorithms and allocates
    began = time.perf_counter()
    _finished(runner.run(window))
    return (time.perf_counter() - began) / TRIAL_EDGE**2


def _finished(result: torch.Tensor) -> None:
    """Wait for a result, which a device may still be computing."""
    result.cpu()
