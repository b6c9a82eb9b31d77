"""Measure models on micrographs in 16 bits: photons counted behind a lens, as a recipe has it.

    python benchmarks/microscopy.py IMAGES OUT --model srresnet-x4 --model MINE.safetensors

Each image is given its own black and white and made low-resolution as the recipe
srresnet-microscopy does, never cleanly; what happens to it follows from its name. The pairs stay in
OUT. PSNR is that of 16-bit values; the second figure is the error of sums over 64 x 64 pixels, in
per cent of the mean, which tells whether intensities are kept.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from napari_srgan import upscale
from napari_srgan.files import read_picture
from napari_srgan.inference.settings import finish
from napari_srgan.training.config import load_recipe
from napari_srgan.training.data.degradations.reduce import reduction_of
from napari_srgan.training.data.write_pairs import iter_write_pairs

RECIPE = "srresnet-microscopy"
WHITE = 65535
SIDE = 64  # pixels whose sum is compared


def main() -> None:
    """Write the pairs and print a row for each model."""
    parser = argparse.ArgumentParser(description="Measure models on micrographs.")
    parser.add_argument("images", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", action="append", default=[], help="a name or a file")
    given = parser.parse_args()
    reduction = reduction_of(load_recipe(RECIPE, {"degradation.clean_share": 0}))
    writing = iter_write_pairs(given.images, given.out, reduction, channels=1, normalize="auto")
    finish(writing)
    pairs = [(read(path), read(partner_of(path))) for path in sorted(given.out.rglob("*_LR.png"))]
    print(f"{len(pairs)} images                     PSNR, dB   sums, %")
    for method in ("bicubic", *given.model):
        made = [enlarged(low, method) for low, _ in pairs]
        truth = [high for _, high in pairs]
        psnrs = [psnr(*both) for both in zip(made, truth, strict=True)]
        sums = [error_of_sums(*both) for both in zip(made, truth, strict=True)]
        print(f"{Path(method).stem:28} {np.mean(psnrs):9.2f} {np.mean(sums):9.2f}")


def read(path: Path) -> np.ndarray:
    return np.asarray(read_picture(path).data, np.uint16)


def partner_of(low: Path) -> Path:
    return low.with_name(low.name.replace("_LR.", "_HR."))


def enlarged(low: np.ndarray, method: str) -> np.ndarray:
    if method != "bicubic":
        return np.asarray(upscale(low, model=method, normalize="auto"), np.float64)
    size = 4 * low.shape[1], 4 * low.shape[0]
    image = Image.fromarray(low.astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
    return np.clip(np.asarray(image, np.float64), 0, WHITE)


def psnr(image: np.ndarray, reference: np.ndarray) -> float:
    return float(10 * np.log10(WHITE**2 / ((image - reference.astype(float)) ** 2).mean()))


def error_of_sums(image: np.ndarray, reference: np.ndarray) -> float:
    h, w = (side // SIDE * SIDE for side in reference.shape)
    one, other = (
        each[:h, :w].astype(float).reshape(h // SIDE, SIDE, w // SIDE, SIDE).sum((1, 3))
        for each in (image, reference)
    )
    return float(100 * np.abs(one - other).mean() / other.mean())


if __name__ == "__main__":
    main()
