"""Our engine from small images to large ones: time for each pixel, and memory."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from engines import ours
from memory import MIB
from samples import photograph
from texts import say, table
from workers import Bench, Load, Worker

from napari_srgan.store.load import load_model

EDGES = (256, 512, 1024, 2048, 4096, 8192)  # of square images; the first one is computed whole
TIME_GOAL = (2048, 1.03)  # at this edge: time for each pixel, of that at the first
MEMORY_GOAL = (4096, 512)  # at this edge: MiB
_PIXELS = 2**21  # about as many are computed of each size
_MOST_RUNS = 3
_BASE_RUNS = 5  # of the smallest size, before and after each of another: it takes a second or two


@dataclass(frozen=True)
class Size:
    """What images of one size took.

    Attributes
    ----------
    edge : int
        Of the image, height and width, in pixels.
    seconds_per_pixel : tuple of float
        Of each run.
    ratio : float
        Time for each pixel in units of that at the smallest size: the median of runs before and
        after.
    growth : int
        Bytes at the peak, beyond those taken before any run, image and result included in these.
    """

    edge: int
    seconds_per_pixel: tuple[float, ...]
    ratio: float
    growth: int


def measure(weights: str, edges: Sequence[int]) -> tuple[Size, ...]:
    """Upscale uint8 photographs of these sizes in float32, each in a process of its own.

    The first size is what the others are related to.
    """
    load = partial(ours, weights, "float32", "auto")
    scale, base = load_model(weights).scale, edges[0]
    with _bench(load, base, scale) as small:
        small.run()
        return tuple(_measure_one(load, edge, scale, base, small) for edge in edges)


def _measure_one(load: Load, edge: int, scale: int, base: int, small: Bench) -> Size:
    count = max(1, min(_MOST_RUNS, _PIXELS // edge**2))
    times, ratios, growths = [], [], []
    with _bench(load, edge, scale) as bench:
        for number in range(1, count + 1):
            say(f"{edge} × {edge}: {number} of {count}")
            before = _seconds(small)
            run = bench.run()
            after = _seconds(small)
            times.append(run.seconds / edge**2)
            growths.append(run.growth)
            ratios.append(times[-1] / (statistics.median(before + after) / base**2))
    return Size(edge, tuple(times), statistics.median(ratios), max(growths))


def _seconds(small: Bench) -> list[float]:
    return [small.run().seconds for _ in range(_BASE_RUNS)]


@contextmanager
def _bench(load: Load, edge: int, scale: int) -> Iterator[Bench]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.npy"
        np.save(path, photograph(edge, edge))
        worker = Worker(load, path, scale)
    try:
        yield worker
    finally:
        worker.close()


def report(sizes: Sequence[Size]) -> str:
    """Return the sizes as text."""
    head = ("image", "µs a pixel", f"of {sizes[0].edge}²", "goal", "MiB", "goal")
    return table(head, [_cells(size) for size in sizes])


def _cells(size: Size) -> tuple[str, ...]:
    (timed, ratio), (weighed, mib) = TIME_GOAL, MEMORY_GOAL
    return (
        f"{size.edge} × {size.edge}",
        f"{1e6 * statistics.median(size.seconds_per_pixel):.1f}",
        f"{size.ratio:.3f}",
        f"≤ {ratio}" if size.edge == timed else "",
        f"{size.growth / MIB:.0f}",
        f"≤ {mib}" if size.edge == weighed else "",
    )
