"""Crops side by side, as in the paper's Figure 2: an image, and a detail of it by each method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import uniform_filter

from napari_srgan.resampling import Pixels, enlarge
from napari_srgan.training.metrics.drawing import Cell, as_rgb, draw_rows, in_words
from napari_srgan.training.metrics.fidelity import BORDER, luminance, score

CROP = (64, 80)  # high-resolution pixels
MAGNIFIED = 3  # times, so that single pixels can be seen

_NEAREST = "nearest"
_FRAME, _FRAME_WIDTH = (230, 30, 30), 2


@dataclass(frozen=True)
class Box:
    """A part of an image, in high-resolution pixels."""

    top: int
    left: int
    height: int
    width: int

    def cut(self, image: Pixels) -> Pixels:
        """Return the part of ``image``, ``(h, w)`` or ``(h, w, 3)``."""
        return image[self.top : self.top + self.height, self.left : self.left + self.width]


@dataclass(frozen=True)
class Example:
    """A row of the figure.

    Attributes
    ----------
    name : str
        Of the image.
    high : ndarray
        ``(h, w)`` or ``(h, w, 3)``, uint8.
    upscaled : mapping of str to ndarray
        The same by each method, of the same shape, in the figure's order.
    box : Box, optional
        The detail to show; without it, :func:`choose_box` does.
    border : int
        Pixels that scores leave out at each side.
    """

    name: str
    high: Pixels
    upscaled: Mapping[str, Pixels]
    box: Box | None = None
    border: int = BORDER


def choose_box(high: Pixels, upscaled: Mapping[str, Pixels], size: tuple[int, int] = CROP) -> Box:
    """Return the part of an image where the methods and the original differ most.

    It is the one with the largest mean of the luminance's standard deviation over the methods.
    ``nearest`` has no say, for it differs at every edge.

    Parameters
    ----------
    high : ndarray
        ``(h, w)`` or ``(h, w, 3)``, uint8.
    upscaled : mapping of str to ndarray
        The same by each method.
    size : tuple of int
        Height and width of the part; less where the image is smaller.
    """
    judged = [high, *(image for name, image in upscaled.items() if name != _NEAREST)]
    differ = np.std([luminance(image) for image in judged], axis=0)
    h, w = (min(pair) for pair in zip(size, differ.shape, strict=True))
    means = uniform_filter(differ, (h, w))
    # A mean stands in the middle of its window; only windows that are wholly inside count.
    rows, columns = differ.shape[0] - h + 1, differ.shape[1] - w + 1
    inside = means[h // 2 : h // 2 + rows, w // 2 : w // 2 + columns]
    top, left = np.unravel_index(int(np.argmax(inside)), inside.shape)
    return Box(int(top), int(left), h, w)


def draw_figure(
    examples: Sequence[Example], *, crop: tuple[int, int] = CROP, magnified: int = MAGNIFIED
) -> Pixels:
    """Return the figure, ``(h, w, 3)`` uint8: a row for each example.

    A row has the original with a frame around a detail, then the detail by each method, with PSNR
    and the paper's SSIM of the whole image, and the original's.

    Raises
    ------
    ValueError
        If there is no example, an upscaled image has not its original's shape, or a box is not
        inside the image.
    """
    return draw_rows([_row(example, crop, magnified) for example in examples])


def _row(example: Example, crop: tuple[int, int], magnified: int) -> list[Cell]:
    for name, image in example.upscaled.items():
        if image.shape != example.high.shape:
            raise ValueError(
                f"{example.name} by {name} has shape {image.shape}; the original has "
                f"{example.high.shape}."
            )
    box = example.box or choose_box(example.high, example.upscaled, crop)
    _check_inside(box, example)

    def detail(image: Pixels) -> Pixels:
        return enlarge(box.cut(image), magnified, Image.Resampling.NEAREST)

    whole = _framed(example.high, box, magnified * box.height)
    methods = [
        Cell(detail(image), (name, in_words(score(example.high, image, example.border))))
        for name, image in example.upscaled.items()
    ]
    return [Cell(whole, (example.name,)), *methods, Cell(detail(example.high), ("HR",))]


def _framed(high: Pixels, box: Box, height: int) -> Pixels:
    """Return an image at this height, with a frame around the box."""
    h, w = high.shape[:2]
    shown = Image.fromarray(as_rgb(high))
    shown = shown.resize((max(1, round(w * height / h)), height), Image.Resampling.LANCZOS)
    y, x = height / h, shown.width / w
    corners = (x * box.left, y * box.top, x * (box.left + box.width), y * (box.top + box.height))
    ImageDraw.Draw(shown).rectangle(
        (corners[0], corners[1], corners[2] - 1, corners[3] - 1), None, _FRAME, _FRAME_WIDTH
    )
    return np.asarray(shown)


def _check_inside(box: Box, example: Example) -> None:
    h, w = example.high.shape[:2]
    bottom, right = box.top + box.height, box.left + box.width
    if not (0 <= box.top < bottom <= h and 0 <= box.left < right <= w):
        raise ValueError(f"{box} is not inside {example.name}, which has {h} × {w} pixels.")
