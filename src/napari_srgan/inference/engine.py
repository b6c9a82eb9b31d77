"""Compute a plane as a stream of bands or tile by tile, in less memory where it runs out."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator

import torch

from napari_srgan.inference.devices import is_out_of_memory, release_memory
from napari_srgan.inference.images import Array, Layout
from napari_srgan.inference.planes import Plane, scaled
from napari_srgan.inference.planning import SMALLEST_TILE, Bands, Tiles
from napari_srgan.inference.runner import Runner
from napari_srgan.inference.tiling import Span, Tile, tiles

log = logging.getLogger(__name__)


class NoMemoryForBandsError(MemoryError):
    """A band did not fit; tiles, which are smaller, may."""


def iter_streamed(plane: Plane, runner: Runner, bands: Bands) -> Iterator[int]:
    """Upscale a plane strip by strip and band by band, yielding input pixels done.

    Raises
    ------
    NoMemoryForBandsError
        If memory runs out. What has been written is right, and may be written again.
    """
    for strip in bands.strips(plane.layout.width):
        try:
            yield from _iter_strip(plane, strip, runner, bands.rows)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise NoMemoryForBandsError(str(error)) from error


def _iter_strip(plane: Plane, strip: Span, runner: Runner, band: int) -> Iterator[int]:
    scale, height = plane.scale, plane.layout.height
    columns = scaled(strip, scale)
    rows_done = 0
    stream = runner.iter_bands(
        lambda start, stop: plane.read((start, stop), strip.read),
        plane.units,
        height,
        strip.read_length,
        band,
    )
    for first, high in stream:
        last = first + len(high)
        plane.write(high[:, strip.crop_slice(scale)], (first, last), columns)
        if last // scale > rows_done:
            yield (last // scale - rows_done) * strip.length
            rows_done = last // scale


class Ladder:
    """What to do when memory runs out: tiles, smaller tiles, then the CPU, then give up.

    Parameters
    ----------
    runner : Runner
        Where to begin.
    tiles : Tiles
        The first tiles.
    bands : Bands or None
        What to begin with in place of tiles, if anything.
    """

    def __init__(self, runner: Runner, tiles: Tiles, bands: Bands | None = None) -> None:
        self.runner, self.bands = runner, bands
        self._tile, self._halo = tiles.edge, tiles.halo

    def leave_bands(self) -> str:
        """Go on with tiles, which are smaller; return what to tell the user."""
        release_memory(self.runner.device)
        self.bands = None
        note = f"{self.runner.device} is out of memory: going on with tiles instead of bands."
        log.warning(note)
        return note

    def cut(self, layout: Layout) -> Iterator[Tile]:
        """Yield the tiles of a plane."""
        return tiles(layout.height, layout.width, self._tile, self._halo)

    def fits(self, tile: Tile) -> bool:
        """Whether a tile is no larger than what is tried at present."""
        return max(tile.window) <= self._tile + 2 * self._halo

    def step_down(self, failed: Tile) -> str:
        """Change tile size or device after ``failed`` did not fit; return what to tell the user.

        Raises
        ------
        MemoryError
            If there is nothing left to try.
        """
        device = self.runner.device
        release_memory(device)
        beyond_halo = max(failed.window) - 2 * self._halo
        if beyond_halo > SMALLEST_TILE:
            self._tile = max(SMALLEST_TILE, beyond_halo // 2)
            note = f"{device} is out of memory: going on with tiles of {self._tile} pixels."
        elif device.type != "cpu":
            network, cpu = self.runner.network, torch.device("cpu")
            self.runner = Runner(network, cpu, torch.float32)
            self._tile = Tiles.of("auto", self.runner).edge
            note = f"{device} is out of memory: going on with the CPU, which is slower."
        else:
            raise MemoryError(
                f"Not even a tile of {max(failed.window)} pixels fits in memory: "
                "close other programs, or use a smaller model."
            )
        log.warning(note)
        return note


def iter_tiled(plane: Plane, ladder: Ladder) -> Iterator[tuple[int, str]]:
    """Upscale a plane tile by tile, yielding input pixels done and what the user should know."""
    pending = deque(ladder.cut(plane.layout))
    while pending:
        tile = pending.popleft()
        if not ladder.fits(tile):
            pending.extendleft(reversed(tile.quarters()))
            continue
        high = _try_tile(plane, tile, ladder.runner)
        if high is None:
            pending.appendleft(tile)
            yield 0, ladder.step_down(tile)
            continue
        rows, columns, scale = tile.rows, tile.columns, plane.scale
        kept = high[rows.crop_slice(scale), columns.crop_slice(scale)]
        plane.write(kept, scaled(rows, scale), scaled(columns, scale))
        yield tile.pixels, ""


def _try_tile(plane: Plane, tile: Tile, runner: Runner) -> Array | None:
    """Return a tile's upscaled window, or None where there was no memory for it."""
    window = plane.read(tile.rows.read, tile.columns.read)
    try:
        return runner(window, plane.units)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        log.info("no memory for a window of %s pixels: %s", tile.window, error)
        return None
