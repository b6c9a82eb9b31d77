"""Draw fluorescence micrographs to train on: nuclei, filaments and spots, 16-bit, in one channel.

    python tools/micrographs.py OUT [--count 24] [--seed 0]

They stand in for a microscope's own images where there are none that may be used. Each is a sample
of chance shapes, seen by a lens and a camera: blurred by about a pixel, with the camera's offset, a
gain of its own, a background and some shot noise. An image's brightest value is anywhere between
2 000 and 40 000 of 65 535, as exposures are.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_srgan.files import Picture, write_picture

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Light = NDArray[np.float64]

SIDE = 512  # pixels
LENS = (0.7, 1.2)  # σ of its blur, pixels
OFFSET = (90, 600)  # of the camera, in its units
BRIGHTEST = (2_000, 40_000)
BACKGROUND = (0.01, 0.12)  # light beside the sample, in parts of its brightest
PHOTONS = (2_000, 20_000)  # of the brightest pixel: hardly any noise, for these are the originals


def main() -> int:
    """Draw the images, and return the exit status."""
    parser = argparse.ArgumentParser(description="Draw micrographs to train on.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    if chosen.count < 1:
        parser.error(f"--count must be at least 1; got {chosen.count}.")
    folder: Path = chosen.out
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(chosen.count):
        image = drawn(number, chosen.seed)
        write_picture(folder / f"micrograph_{number:03d}.tif", Picture(image, rgb=False))
    print(f"{folder}  {chosen.count} images of {SIDE} × {SIDE} pixels")
    return 0


def drawn(number: int, seed: int = 0) -> NDArray[np.uint16]:
    """Return one image, ``(SIDE, SIDE)``; kinds take turns, and all else follows from the seed."""
    rng = np.random.default_rng((seed, number))
    sample = KINDS[number % len(KINDS)](rng)
    return photographed(sample, rng)


def photographed(sample: Light, rng: np.random.Generator) -> NDArray[np.uint16]:
    """Return a sample, of light from 0 on, as lens and camera show it."""
    seen = gaussian_filter(sample, rng.uniform(*LENS))
    seen = seen / seen.max() + rng.uniform(*BACKGROUND) * haze(rng)
    photons = rng.uniform(*PHOTONS)
    counted = rng.poisson(seen * photons) / photons
    offset, brightest = rng.uniform(*OFFSET), np.exp(rng.uniform(*np.log(BRIGHTEST)))
    values = np.clip(np.rint(offset + brightest * counted), 0, 65535)
    return np.asarray(values, np.uint16)


def haze(rng: np.random.Generator) -> Light:
    """Return smooth light between 0 and 1, as from beyond the focus."""
    light = gaussian_filter(rng.standard_normal((SIDE, SIDE)), SIDE / 8, mode="wrap")
    return np.asarray((light - light.min()) / np.ptp(light))


def draw_nuclei(rng: np.random.Generator) -> Light:
    """Return ovals with grain inside, some with bright bodies, as stained chromatin has them."""
    grain = gaussian_filter(rng.standard_normal((SIDE, SIDE)), 1.5)
    coarse = gaussian_filter(rng.standard_normal((SIDE, SIDE)), 5.0)
    texture = np.clip(1 + 0.35 * grain / grain.std() + 0.3 * coarse / coarse.std(), 0.1, None)
    sample = np.zeros((SIDE, SIDE))
    for _ in range(rng.integers(15, 60)):
        inside = np.clip(8 * (1 - oval(rng, rng.uniform(8, 32), rng.uniform(0.6, 1.0))), 0, 1)
        sample = np.maximum(sample, rng.uniform(0.25, 1) * inside * texture)
    return sample


def draw_filaments(rng: np.random.Generator) -> Light:
    """Return thin curved lines that cross, as those of a cell's skeleton."""
    sample = np.zeros((SIDE, SIDE))
    for _ in range(rng.integers(40, 160)):
        y, x = walk(rng, steps=int(rng.integers(200, 900)), bend=rng.uniform(0.01, 0.06))
        brightness = rng.uniform(0.2, 1)
        inside = (y >= 0) & (y < SIDE - 1) & (x >= 0) & (x < SIDE - 1)
        spread(sample, y[inside], x[inside], brightness)
    return gaussian_filter(sample, rng.uniform(0.3, 0.9))


def draw_spots(rng: np.random.Generator) -> Light:
    """Return points of unequal brightness, alone and in clusters, on dim cells."""
    count = int(rng.integers(150, 900))
    centres = rng.uniform(0, SIDE - 1.001, (int(rng.integers(5, 20)), 2))
    clustered = centres[rng.integers(len(centres), size=count)] + rng.normal(0, 25, (count, 2))
    places = np.where(rng.random((count, 1)) < 0.6, clustered, rng.uniform(0, SIDE, (count, 2)))
    y, x = np.clip(places, 0, SIDE - 1.001).T
    sample = np.zeros((SIDE, SIDE))
    spread(sample, y, x, rng.gamma(2.0, 0.5, count))
    sample = gaussian_filter(sample, rng.uniform(0.6, 1.6))
    cells = gaussian_filter((haze(rng) > 0.55).astype(float), 4)
    return np.asarray(sample / sample.max() + rng.uniform(0, 0.15) * cells)


def draw_cells(rng: np.random.Generator) -> Light:
    """Return nuclei, filaments and spots in one channel, as bleed-through mixes them."""
    shares = rng.uniform(0.2, 1, 3)
    layers = [draw(rng) for draw in (draw_nuclei, draw_filaments, draw_spots)]
    mixed = [share * layer / layer.max() for share, layer in zip(shares, layers, strict=True)]
    return np.asarray(np.sum(mixed, axis=0))


KINDS: tuple[Callable[[np.random.Generator], Light], ...] = (
    draw_nuclei,
    draw_filaments,
    draw_spots,
    draw_cells,
)


def oval(rng: np.random.Generator, radius: float, flatness: float) -> Light:
    """Return how far pixels are from a chance centre, 1 on an ellipse's edge."""
    y0, x0 = rng.uniform(0, SIDE, 2)
    angle = rng.uniform(0, np.pi)
    y, x = np.ogrid[:SIDE, :SIDE]
    along = (x - x0) * np.cos(angle) + (y - y0) * np.sin(angle)
    across = (y - y0) * np.cos(angle) - (x - x0) * np.sin(angle)
    return np.asarray(np.hypot(along / radius, across / (radius * flatness)))


def walk(rng: np.random.Generator, steps: int, bend: float) -> tuple[Light, Light]:
    """Return the places of a line of half-pixel steps whose direction wanders."""
    direction = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, bend, steps))
    y0, x0 = rng.uniform(0, SIDE, 2)
    return y0 + np.cumsum(np.sin(direction)) / 2, x0 + np.cumsum(np.cos(direction)) / 2


def spread(sample: Light, y: Light, x: Light, light: Light | float) -> None:
    """Add light at places between pixels, to the four around each."""
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    down, right = y - top, x - left
    for dy, share_y in ((0, 1 - down), (1, down)):
        for dx, share_x in ((0, 1 - right), (1, right)):
            np.add.at(sample, (top + dy, left + dx), light * share_y * share_x)


if __name__ == "__main__":
    raise SystemExit(main())
