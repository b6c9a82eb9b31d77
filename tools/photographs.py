"""Measure models on photographs as they are: clean, degraded once, and degraded twice.

    python tools/photographs.py SCENES OUT --model srresnet-x4 --model MINE.safetensors

The middle of each image, 512 × 512 pixels, is reduced in three ways: by the benchmarks' kernel; by
a random kernel with noise (σ 0 … 15 levels) and JPEG (quality 40 … 90); and as the recipe
srresnet-photo does, none of it clean. What happens to an image follows from its name. The pairs
stay in OUT; the table is the one that `evaluate --data OUT` prints, with the time that each took.
`--real-esrgan FOLDER` measures Real-ESRGAN ×4plus besides, in the same way (tools/real_esrgan.py).
"""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image
from real_esrgan import NAME, real_esrgan

from napari_srgan.inference.run import upscale_array
from napari_srgan.inference.settings import Settings, finish
from napari_srgan.resampling import Pixels
from napari_srgan.store.load import load_model
from napari_srgan.training.config import load_recipe
from napari_srgan.training.data.degradations.reduce import reduction_of
from napari_srgan.training.data.sources import find_sources
from napari_srgan.training.data.write_pairs import iter_write_pairs, matching
from napari_srgan.training.metrics.evaluate import Upscaler, as_table, iter_evaluate
from napari_srgan.training.metrics.learned import find_distances
from napari_srgan.training.metrics.pairs import find_data_sets
from napari_srgan.training.metrics.table import measures_of

SIDE = 512
SEED = 2024
RECIPE = "srresnet-photo"
_DIRTY = {"degradation.clean_share": 0, "degradation.quality_min": 40}
SETS: dict[str, dict[str, Any]] = {
    "clean": {"data.degradation": "bicubic"},
    "once": {
        **_DIRTY,
        "data.degradation": "first-order",
        "degradation.quality_max": 90,
        "degradation.blur_share": 1,
        "degradation.noise_share": 1,
        "degradation.noise_poisson": 0,
        "degradation.noise_salt_and_pepper": 0,
        "degradation.sharpen_share": 0,
        "degradation.compression_share": 1,
        "degradation.compression_webp": 0,
    },
    "twice": {**_DIRTY, "data.degradation": "second-order", "degradation.quality_max": 90},
}


def main() -> int:
    """Write the pairs, print the table, and return the exit status."""
    parser = argparse.ArgumentParser(description="Measure models on degraded photographs.")
    parser.add_argument("scenes", type=Path, help="a folder of images, none of them trained on")
    parser.add_argument("out", type=Path, help="where the pairs go")
    parser.add_argument("--only", action="append", default=[], help="images to take: a pattern")
    parser.add_argument("--model", action="append", default=[], help="a name or a file")
    parser.add_argument("--perceptual-weights", type=Path, help="for LPIPS: a folder or a file")
    parser.add_argument("--real-esrgan", type=Path, help="where its package is unpacked")
    parser.add_argument("--side", type=int, default=SIDE, help="of what is measured, pixels")
    given = parser.parse_args()
    write_sets(given.scenes, given.out, given.only, given.side)
    models = [load_model(name) for name in given.model]
    upscalers: dict[str, Upscaler] = {
        model.name: partial(upscale_array, model=model, settings=Settings(precision="float32"))
        for model in models
    }
    if given.real_esrgan is not None:
        upscalers[NAME] = real_esrgan(given.real_esrgan)
    clocks = {name: Clock(upscale) for name, upscale in upscalers.items()}
    also = measures_of(find_distances(given.perceptual_weights))
    print(as_table(finish(iter_evaluate(find_data_sets(given.out), clocks, also=also)).results))
    for name, clock in clocks.items():
        print(f"{name}: {clock.median:.2f} s an image")
    return 0


class Clock:
    """An upscaler, and how long it has taken."""

    def __init__(self, upscale: Upscaler) -> None:
        self._upscale, self._taken = upscale, list[float]()

    def __call__(self, image: Pixels) -> Pixels:
        """Enlarge an image."""
        began = time.perf_counter()
        result = self._upscale(image)
        self._taken.append(time.perf_counter() - began)
        return result

    @property
    def median(self) -> float:
        """Seconds that half of the images took less than."""
        return float(np.median(self._taken))


def write_sets(scenes: Path, out: Path, only: list[str], side: int = SIDE) -> None:
    """Write the three data sets of the images that match."""
    with TemporaryDirectory() as middles:
        for source in matching(find_sources(scenes).training, only):
            name = source.name.replace("/", "_")
            middle_of(source.high, side).save((Path(middles) / name).with_suffix(".png"))
        for name, changes in SETS.items():
            reduction = reduction_of(load_recipe(RECIPE, changes))
            finish(iter_write_pairs(Path(middles), out / name, reduction, seed=SEED))


def middle_of(path: Path, side: int = SIDE) -> Image.Image:
    """Return the middle of an image, of sides that are multiples of 4."""
    with Image.open(path) as picture:
        w, h = (min(side, length) // 4 * 4 for length in picture.size)
        left, top = (picture.width - w) // 2, (picture.height - h) // 2
        return picture.convert("RGB").crop((left, top, left + w, top + h))


if __name__ == "__main__":
    sys.exit(main())
