"""Engine: runs a network over planes, in less memory, on the CPU or in float32 where it must."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import torch

from napari_srgan.inference.devices import is_out_of_memory, release_memory
from napari_srgan.inference.images import Array, Layout
from napari_srgan.inference.planes import NotFiniteError, Plane
from napari_srgan.inference.planning import Bands, Cut, Tiles, cut
from napari_srgan.inference.runner import Runner
from napari_srgan.inference.tiling import Tile
from napari_srgan.inference.transfers import lookahead

log = logging.getLogger(__name__)

Rows: TypeAlias = tuple[int, int]
Result: TypeAlias = tuple[Callable[[], list[Array]], Rows, Rows]
"""What waits for pixels, and their rows and columns in the plane's result."""


@dataclass(frozen=True)
class Step:
    """Something was done to a plane.

    Attributes
    ----------
    pixels : int
        Input pixels that are done since the step before; 0 where work is done again.
    device : torch.device
        Where.
    precision : torch.dtype
        In which floating type.
    note : str
        What the user should know; mostly empty.
    """

    pixels: int
    device: torch.device
    precision: torch.dtype
    note: str = ""


class Engine:
    """Runs a network over planes of one size, part by part.

    Where memory runs out it goes on with tiles in place of strips, with smaller tiles, then on the
    CPU, and then gives up; where half precision overflows, in float32. It stays with what it has
    come to for the planes that follow.

    Parameters
    ----------
    runner : Runner
        What to begin with.
    layout : Layout
        Of the planes.
    tile : int or str
        Edge of a tile in input pixels, or ``auto``.
    """

    def __init__(self, runner: Runner, layout: Layout, tile: int | str) -> None:
        self.runner = runner
        self._layout, self._tile = layout, tile
        self._cut: Cut = cut(tile, layout, runner)

    def iter_plane(self, plane: Plane) -> Iterator[Step]:
        """Upscale a plane, yielding what is done.

        Raises
        ------
        MemoryError
            If not even a small tile fits in memory.
        NotFiniteError
            If the result is not finite in float32 either.
        """
        parts = deque(self._cut.parts(self._layout))
        done = told = 0  # input pixels: of the present attempt, and the most of any
        while parts:
            part, before, failed = parts.popleft(), done, ""
            if not self._cut.allow(part):
                parts.extendleft(reversed(part.quarters()))
                continue
            try:
                for pixels in self._iter_part(plane, part):
                    done += pixels
                    if done > told:
                        yield self._step(done - told)
                        told = done
            except (MemoryError, RuntimeError, NotFiniteError) as error:
                if not self._can_help(error):
                    raise
                failed = str(error) or type(error).__name__
                overflowed = isinstance(error, NotFiniteError)
            # Not before the error is gone, which holds on to the memory of what failed.
            if failed:
                log.info("%s, %s: %s", self.runner.device, part.window, failed)
                release_memory(self.runner.device)
                in_strips = isinstance(self._cut, Bands)
                note = self._in_float32() if overflowed else self._in_less_memory(part)
                if in_strips:
                    parts, done = deque(self._cut.parts(self._layout)), 0
                else:
                    parts.appendleft(part)
                    done = before
                if note:
                    yield self._step(0, note)

    def _step(self, pixels: int, note: str = "") -> Step:
        return Step(pixels, self.runner.device, self.runner.precision, note)

    def _iter_part(self, plane: Plane, part: Tile) -> Iterator[int]:
        """Read, run and write a part of a plane, yielding input pixels done."""
        results = self._iter_results(plane, part)
        (first, _), scale, done = part.rows.write, plane.scale, 0
        for arrived, rows, columns in lookahead(results, self.runner.transfer.ahead):
            plane.write(arrived(), rows, columns)
            whole_rows = rows[1] // scale - first
            if whole_rows > done:
                yield (whole_rows - done) * part.columns.length
                done = whole_rows

    def _iter_results(self, plane: Plane, part: Tile) -> Iterator[Result]:
        """Read and run a part of a plane, yielding each result and where it belongs."""
        scale, transfer = plane.scale, self.runner.transfer
        work = self.runner.begin(*part.window, self._cut.band, plane.bounds)
        top, known = part.rows.read[0], scale * part.rows.read[0]
        columns = scaled(part.columns.write, scale)
        for start, stop in work.steps:
            low = plane.read((top + start, top + stop), part.columns.read, transfer)
            high = work.feed(low)
            above, known = known, known + high.shape[2]
            first, last = scaled(part.rows.write, scale)
            rows = max(first, above), min(last, known)
            if rows[0] < rows[1]:
                kept = high[:, :, rows[0] - above : rows[1] - above, part.columns.crop_slice(scale)]
                yield plane.fetch(kept, transfer), rows, columns

    def _can_help(self, error: Exception) -> bool:
        if isinstance(error, NotFiniteError):
            return self.runner.precision != torch.float32
        return is_out_of_memory(error)

    def _in_float32(self) -> str:
        """Go on in float32, of which nobody needs to be told: the result is as it should be."""
        log.info("a result was not finite in %s: begun again in float32", self.runner.precision)
        self.runner = self.runner.on(self.runner.device, torch.float32)
        if isinstance(self._cut, Bands):
            self._cut = cut(self._tile, self._layout, self.runner)
        return ""

    def _in_less_memory(self, failed: Tile) -> str:
        """Change how planes are cut, or the device; return what to tell the user.

        Raises
        ------
        MemoryError
            If there is nothing left to try.
        """
        device = self.runner.device
        if isinstance(self._cut, Bands):
            self._cut = Tiles.of("auto", self.runner)
            note = f"{device} is out of memory: going on with tiles instead of bands."
        elif (smaller := self._cut.smaller(failed)) is not None:
            self._cut = smaller
            note = f"{device} is out of memory: going on with tiles of {smaller.edge} pixels."
        elif device.type != "cpu":
            self.runner = self.runner.on(torch.device("cpu"), torch.float32)
            self._cut = Tiles.of("auto", self.runner)
            note = f"{device} is out of memory: going on with the CPU, which is slower."
        else:
            raise MemoryError(
                f"Not even a tile of {max(failed.window)} pixels fits in memory: "
                "close other programs, or use a smaller model."
            )
        log.warning(note)
        return note


def scaled(span: Rows, scale: int) -> Rows:
    """Return where the result of a stretch of the input lies."""
    return scale * span[0], scale * span[1]
