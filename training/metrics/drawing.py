"""Images in rows with captions below them, drawn as one image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from napari_srgan.resampling import Pixels
from napari_srgan.training.metrics.fidelity import Scores

MARGIN = 8  # pixels between cells, and around them
LINE_HEIGHT = 18  # pixels

_FONT_SIZE = 14
_PAPER, _INK = (255, 255, 255), (0, 0, 0)

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Cell:
    """An image, ``(h, w)`` or ``(h, w, 3)`` uint8, and the lines of text below it."""

    image: Pixels
    caption: tuple[str, ...] = ()


def draw_rows(rows: Sequence[Sequence[Cell]]) -> Pixels:
    """Return a picture of the cells, ``(h, w, 3)`` uint8, on white.

    Columns are as wide as the widest image or caption in them, and rows as high as their highest
    image. Images are at the top left of their cell, pixel by pixel as they are.

    Raises
    ------
    ValueError
        If there is no cell.
    """
    if not any(rows):
        raise ValueError("There is nothing to draw: no image was given.")
    font = ImageFont.load_default(_FONT_SIZE)
    widths = [
        max(_width(row[column], font) for row in rows if column < len(row))
        for column in range(max(map(len, rows)))
    ]
    heights = [_height(row) for row in rows]
    size = (MARGIN + sum(MARGIN + w for w in widths), MARGIN + sum(MARGIN + h for h in heights))
    canvas = Image.new("RGB", size, _PAPER)
    top = MARGIN
    for row, height in zip(rows, heights, strict=True):
        left = MARGIN
        for cell, width in zip(row, widths, strict=False):
            _draw_cell(canvas, cell, left, top, font)
            left += width + MARGIN
        top += height + MARGIN
    return np.asarray(canvas)


def in_words(scores: Scores) -> str:
    """Return PSNR and the paper's SSIM as a caption has them: ``28.42 dB / 0.8215``."""
    return f"{scores.psnr:.2f} dB / {scores.ssim_daala:.4f}"


def as_rgb(image: Pixels) -> NDArray[np.uint8]:
    """Return an image as ``(h, w, 3)``: grey in all channels."""
    return np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image


def _draw_cell(
    canvas: Image.Image,
    cell: Cell,
    left: int,
    top: int,
    font: _Font,
) -> None:
    canvas.paste(Image.fromarray(as_rgb(cell.image)), (left, top))
    below = top + cell.image.shape[0]
    for line, text in enumerate(cell.caption):
        ImageDraw.Draw(canvas).text((left, below + line * LINE_HEIGHT), text, _INK, font)


def _width(cell: Cell, font: _Font) -> int:
    texts = [math.ceil(font.getlength(text)) for text in cell.caption]
    return max(int(cell.image.shape[1]), *texts, 0)


def _height(row: Sequence[Cell]) -> int:
    image = max((int(cell.image.shape[0]) for cell in row), default=0)
    return image + LINE_HEIGHT * max((len(cell.caption) for cell in row), default=0)
