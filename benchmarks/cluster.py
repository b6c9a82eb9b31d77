"""How much two workers of a cluster make of what one makes, on this computer.

    python benchmarks/cluster.py [--planes 16] [--edge 512] [--model NAME]

A stack in OME-Zarr is upscaled by a dask.distributed cluster of one process, then of two, each of
one thread that computes with half of the processors, so that one alone does not have them all.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from kills import stack

from napari_srgan import load_model
from napari_srgan.inference.settings import Settings, finish
from napari_srgan.store.reference import ModelReference
from napari_srgan.volume.cluster import windows_on
from napari_srgan.volume.upscale import iter_upscale_store

PLANES, EDGE, MODEL = 16, 512, "srresnet-small-x4"


@dataclass(frozen=True)
class Scaled:
    """Seconds that one worker and two take for the same store, workers and model being ready."""

    one: float
    two: float

    @property
    def efficiency(self) -> float:
        """Which share of twice as much two make."""
        return self.one / (2 * self.two)


def measure(planes: int, edge: int, name: str) -> Scaled:
    """Upscale a stack by one worker and by two."""
    with tempfile.TemporaryDirectory() as folder:
        source = stack(Path(folder) / "in.ome.zarr", planes, edge)
        return Scaled(*(_seconds(source, workers, name) for workers in (1, 2)))


def _seconds(source: Path, workers: int, name: str) -> float:
    from distributed import LocalCluster

    threads = str(max(1, (os.cpu_count() or 2) // 2))
    model = load_model(name)
    reference = ModelReference(name, model.scale, model.sha256)
    with LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None,
                      env={"OMP_NUM_THREADS": threads}) as cluster:  # fmt: skip
        windows = windows_on(cluster.scheduler_address, reference)
        seconds = 0.0
        for run in range(2):  # the first one has the workers load what they need
            began = time.perf_counter()
            finish(iter_upscale_store(
                source, source.with_name(f"{workers}-{run}.ome.zarr"), model,
                normalize="0, 4095", settings=Settings(device="cpu"), windows=windows,
            ))  # fmt: skip
            seconds = time.perf_counter() - began
        return seconds


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--planes", type=int, default=PLANES)
    parser.add_argument("--edge", type=int, default=EDGE, metavar="PIXELS")
    parser.add_argument("--model", default=MODEL)
    options = parser.parse_args()
    found = measure(options.planes, options.edge, options.model)
    rate = options.planes * options.edge**2
    print(
        f"One worker: {found.one:.1f} s, {rate / found.one:,.0f} pixels/s. "
        f"Two: {found.two:.1f} s, {rate / found.two:,.0f} pixels/s, "
        f"{100 * found.efficiency:.0f} % of twice as many."
    )


if __name__ == "__main__":
    main()
