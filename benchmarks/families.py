"""Every family of generators against its own arithmetic, and RRDB against tiles.

The arithmetic's own time is a network's multiply-adds at the rate of SRResNet, which is measured in
turns with it. Weights are random: they cost as much as trained ones.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from engines import PAD, PADDED_TILE, WHOLE, ours, padded_tiles
from memory import MIB
from samples import photograph
from texts import say, table
from upscaling import LEVELS, difference
from workers import Load, Worker

from napari_srgan.graph.analyse import multiply_adds
from napari_srgan.graph.trace import trace
from napari_srgan.models.drcn import DRCN
from napari_srgan.models.edsr import EDSR
from napari_srgan.models.espcn import ESPCN
from napari_srgan.models.generator import Generator
from napari_srgan.models.mdsr import MDSR
from napari_srgan.models.rrdb import RRDBNet
from napari_srgan.models.srcnn import SRCNN
from napari_srgan.models.srvgg import SRVGG
from napari_srgan.store.checkpoint import save_checkpoint
from napari_srgan.store.load import load_model

REFERENCE = "srresnet-x4"  # whose rate is 1
TIME_GOAL, MEMORY_GOAL = 1.15, 1024  # of RRDB's stream: its arithmetic's time, MiB
# The edge of the image that each is given: seconds of work, not minutes.
EDGES: dict[str, tuple[Callable[[], Generator], int]] = {
    "rrdb, 23 blocks": (RRDBNet, 512),
    "edsr, 16 blocks": (EDSR, 384),
    "mdsr, 16 blocks": (MDSR, 256),
    "srvgg, 16 blocks": (SRVGG, 512),
    "srcnn": (SRCNN, 384),
    "espcn": (ESPCN, 512),
    "drcn, 16 recursions": (DRCN, 64),
}
TILED = "rrdb, 23 blocks"  # whose stream is also compared with tiles


@dataclass(frozen=True)
class Found:
    """What a way to compute a family took.

    Attributes
    ----------
    name : str
        The family's, and the way's if it is not ours.
    edge : int
        Of the square image, in pixels.
    multiply_adds : int
        Of the network for each input pixel.
    of_arithmetic : float
        Time, of the arithmetic's own.
    growth : int
        Bytes at the peak, beyond those taken before any run.
    largest : float
        Largest difference, in levels of 255, to the network run on the whole image at once.
    """

    name: str
    edge: int
    multiply_adds: int
    of_arithmetic: float
    growth: int
    largest: float


def measure(names: Sequence[str] = tuple(EDGES), rounds: int = 3) -> tuple[Found, ...]:
    """Measure families, each in processes of its own, in turns with SRResNet.

    Parameters
    ----------
    names : sequence of str
        Keys of ``EDGES``.
    rounds : int
        Runs that are timed, after one that is not.
    """
    found: list[Found] = []
    for name in names:
        make, edge = EDGES[name]
        with tempfile.TemporaryDirectory() as folder:
            found += _measure(name, make, edge, rounds, Path(folder))
    return tuple(found)


def _measure(
    name: str, make: Callable[[], Generator], edge: int, rounds: int, folder: Path
) -> list[Found]:
    torch.manual_seed(0)
    network, weights = make().eval(), str(folder / "model.safetensors")
    save_checkpoint(weights, network, {"name": name})
    np.save(folder / "image.npy", photograph(edge, edge).astype(np.float32) / LEVELS)
    ways: dict[str, Load] = {name: partial(ours, weights, "float32", "auto")}
    if name == TILED:
        ways[f"{name}, exact tiles of 256"] = partial(ours, weights, "float32", 256)
        tiles = partial(padded_tiles, weights, PADDED_TILE, PAD)
        ways[f"{name}, tiles of {PADDED_TILE}, pad {PAD}"] = tiles
    whole = _result(partial(ours, weights, "float32", WHOLE), network.scale, folder)
    with ExitStack() as stack:

        def start(load: Load, scale: int) -> Worker:
            worker = Worker(load, folder / "image.npy", scale)
            stack.callback(worker.close)
            return worker

        base = start(partial(ours, REFERENCE, "float32", "auto"), load_model(REFERENCE).scale)
        workers = {way: start(load, network.scale) for way, load in ways.items()}
        runs = _take_turns({"": base, **workers}, rounds)
        cost, found = multiply_adds(trace(network)), []
        rate = _cost_of(REFERENCE) / statistics.median(run[0] for run in runs[""])
        for way, worker in workers.items():
            worker.save(folder / "result.npy")
            off, _share = difference(np.load(folder / "result.npy", mmap_mode="r"), whole)
            seconds = statistics.median(run[0] for run in runs[way])
            growth = max(run[1] for run in runs[way])
            found.append(Found(way, edge, cost, seconds * rate / cost, growth, off))
    return found


def _cost_of(weights: str) -> int:
    return multiply_adds(trace(load_model(weights).network))


def _result(load: Load, scale: int, folder: Path) -> np.ndarray:
    """Return what comes of a run in a process that then ends, with all its memory."""
    say("the whole image at once")
    worker = Worker(load, folder / "image.npy", scale)
    worker.run()
    worker.save(folder / "whole.npy")
    worker.close()
    whole: np.ndarray = np.load(folder / "whole.npy", mmap_mode="r")
    return whole


def _take_turns(workers: dict[str, Worker], rounds: int) -> dict[str, list[tuple[float, int]]]:
    """Return seconds and memory of each worker's runs, the first of which is not counted."""
    runs: dict[str, list[tuple[float, int]]] = {name: [] for name in workers}
    for turn in range(rounds + 1):
        for name, worker in workers.items():
            say(f"{name or REFERENCE}: {turn} of {rounds}")
            run = worker.run()
            runs[name].append((run.seconds, run.growth))
    return {name: each[1:] for name, each in runs.items()}


def report(found: Sequence[Found]) -> str:
    """Return the figures as a table, with the goals where they are due."""
    head = ("", "pixels", "MMAC / pixel", "of arithmetic", "MiB", "largest error")
    rows = [
        (
            one.name,
            f"{one.edge}²",
            f"{one.multiply_adds / 1e6:.3f}",
            f"{one.of_arithmetic:.2f}",
            f"{one.growth / MIB:.0f}",
            f"{one.largest:.2g}",
        )
        for one in found
    ]
    goals = [
        f"{one.name}: {one.of_arithmetic:.2f} (goal {TIME_GOAL}), "
        f"{one.growth / MIB:.0f} MiB (goal {MEMORY_GOAL})."
        for one in found
        if one.name == TILED
    ]
    return "\n".join([table(head, rows), *goals])
