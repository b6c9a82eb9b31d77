"""Exact tiles against the whole image and against tiles that overlap by too little.

Every row is measured in the same run, interleaved, on the same image and weights. Times are given
as ratios to the whole image in float32; errors are in grey levels of 255 against it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
from skimage.data import astronaut

from napari_srgan.devices import choose_device, half_precision
from napari_srgan.inference import Settings, upscale_array
from napari_srgan.library import load_model
from napari_srgan.planning import halo_of
from napari_srgan.tiling import tiles

ROUNDS = 3
SIZE = 256
SHORT_PAD = 10  # what upscalers without an exact halo commonly ship


def main() -> None:
    """Print a table."""
    model, low = load_model("srresnet-x4"), astronaut()[:SIZE, :SIZE]
    halo = halo_of(model.network)

    def run(precision: str, tile: int) -> np.ndarray:
        return upscale_array(low, model, settings=Settings("auto", precision, tile))

    def short() -> np.ndarray:
        out = np.empty((4 * SIZE, 4 * SIZE, 3), np.uint8)
        for part in tiles(SIZE, SIZE, 64, SHORT_PAD):
            window = low[part.rows.read_slice, part.columns.read_slice]
            high = upscale_array(window, model, settings=Settings("auto", "float32", SIZE))
            kept = high[part.rows.crop_slice(4), part.columns.crop_slice(4)]
            out[part.rows.write_slice(4), part.columns.write_slice(4)] = kept
        return out

    half = str(half_precision(choose_device())).removeprefix("torch.")
    rows: dict[str, Callable[[], np.ndarray]] = {
        "whole image, float32": lambda: run("float32", SIZE),
        f"tiles of 64, halo {halo}, float32": lambda: run("float32", 64),
        f"tiles of 128, halo {halo}, float32": lambda: run("float32", 128),
        f"tiles of 64, pad {SHORT_PAD}, float32": short,
        f"whole image, {half}": lambda: run(half, SIZE),
        f"tiles of 128, halo {halo}, {half}": lambda: run(half, 128),
    }
    times: dict[str, list[float]] = {name: [] for name in rows}
    results: dict[str, np.ndarray] = {}
    for _ in range(ROUNDS):
        for name, upscale in rows.items():
            began = time.perf_counter()
            results[name] = upscale()
            times[name].append(time.perf_counter() - began)
    first, *_ = rows
    print(f"{'':40} time  largest error  pixels changed")
    for name in rows:
        error = np.abs(results[name].astype(int) - results[first])
        ratio = statistics.median(times[name]) / statistics.median(times[first])
        print(f"{name:40} {ratio:4.2f}  {error.max():13d}  {np.mean(error > 0):14.2%}")


if __name__ == "__main__":
    main()
