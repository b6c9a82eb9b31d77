"""What a model would be fine-tuned on: crops of images, and low-resolution ones made of them."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from napari_srgan.files.atomic import check_place, written_whole
from napari_srgan.resampling import Pixels, enlarge
from napari_srgan.store.checkpoint import load_checkpoint
from napari_srgan.store.load import file_of
from napari_srgan.training.config import Recipe
from napari_srgan.training.data.decoding import Samples, read_image
from napari_srgan.training.data.degradations.reduce import reduction_of
from napari_srgan.training.data.levels import levelled, spread
from napari_srgan.training.data.sources import Source, find_sources
from napari_srgan.training.metrics.drawing import Cell, draw_rows
from napari_srgan.training.run.tuning_plan import FineTuning, recipe_of
from napari_srgan.training.watch.patch import SIDE

EXAMPLES = 3
# Pillow's own font has none of these.
_IN_FONT = str.maketrans({"σ": "sigma", "λ": "at", "×": " x ", "°": " deg"})
_LETTERS = 25  # that fit below an image


def draw_preview(job: FineTuning) -> Pixels:
    """Return crops beside what would be made of them, with what was done, ``(h, w, 3)`` uint8.

    They are of up to three images, of the part of each with the greatest contrast.

    Raises
    ------
    OSError
        If there are no images, or they cannot be read.
    ValueError
        If the recipe or the images do not suit.
    """
    recipe = recipe_of(job, load_checkpoint(file_of(job.start)).network)
    scale = recipe.network.scale
    sources = find_sources(job.images, scale=scale).training
    chosen = sources[:: max(1, len(sources) // EXAMPLES)][:EXAMPLES]
    reduction = reduction_of(recipe)
    rows = []
    for number in range(EXAMPLES):
        source = chosen[number % len(chosen)]
        low, high = read_source(source, recipe)
        window = liveliest(high, scale)
        high, low = high[window.of_high(scale)], None if low is None else low[window.of_low()]
        words = "your own"
        if low is None:
            low, words = reduction(high, [recipe.seed, number])
        rows.append(_row(low, high, scale, words))
    return draw_rows(rows)


def write_preview(target: Path, picture: Pixels) -> None:
    """Write a preview as a PNG file.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    check_place(target)
    with written_whole(target) as part:
        Image.fromarray(picture).save(part, format="PNG")


def read_source(source: Source, recipe: Recipe) -> tuple[Samples | None, Samples]:
    """Return an image, cropped to the scale, as it would be trained on, and its own low one."""
    scale, channels = recipe.network.scale, recipe.network.channels
    high = read_image(source.high, channels)
    h, w = (side - side % scale for side in high.shape[:2])
    auto = recipe.data.normalize == "auto"
    high = spread(high[:h, :w]) if auto else high[:h, :w]
    if source.low is None:
        return None, high
    low = read_image(source.low, channels)
    if (scale * low.shape[0], scale * low.shape[1]) != high.shape[:2]:
        raise ValueError(
            f"{source.low.name} is {low.shape[0]} × {low.shape[1]} pixels; a {scale}th of "
            f"{source.high.name} is {h // scale} × {w // scale}."
        )
    if auto and low.dtype == high.dtype == np.uint16:
        low = levelled(low, high, scale)
    return low, high


@dataclass(frozen=True)
class Window:
    """A part of an image, in low-resolution pixels."""

    top: int
    left: int
    height: int
    width: int

    def of_low(self) -> tuple[slice, slice]:
        """Return where it is in the low-resolution image."""
        return self._slices(1)

    def of_high(self, scale: int) -> tuple[slice, slice]:
        """Return where it is in the high-resolution image."""
        return self._slices(scale)

    def _slices(self, by: int) -> tuple[slice, slice]:
        rows = slice(by * self.top, by * (self.top + self.height))
        return rows, slice(by * self.left, by * (self.left + self.width))


def liveliest(high: Samples, scale: int) -> Window:
    """Return the part of an image with the greatest contrast, as large as is shown."""
    h, w = (min(SIDE // scale, side // scale) for side in high.shape[:2])
    places = [
        Window(top, left, h, w)
        for top in range(0, high.shape[0] // scale - h + 1, max(1, h // 2))
        for left in range(0, high.shape[1] // scale - w + 1, max(1, w // 2))
    ]
    return max(places, key=lambda window: float(high[window.of_high(scale)].std()))


def _row(low: Samples, high: Samples, scale: int, words: str) -> list[Cell]:
    shown = enlarge(_shown(low), scale, Image.Resampling.NEAREST)
    lines = tuple(textwrap.wrap(words.translate(_IN_FONT), _LETTERS))
    return [Cell(_shown(high), ("original",)), Cell(shown, lines)]


def _shown(image: Samples) -> Pixels:
    eight = image if image.dtype == np.uint8 else np.rint(image / 257).astype(np.uint8)
    return np.ascontiguousarray(eight[..., 0] if eight.shape[2] == 1 else eight)
