"""Panels of validation images: what went in, what came out, and what it should have been."""

from __future__ import annotations

from PIL import Image

from napari_srgan.training.bicubic import Pixels
from napari_srgan.training.drawing import Cell, draw_rows, enlarge, in_words
from napari_srgan.training.metrics import score

LARGEST = 384  # high-resolution pixels of a panel's images: four of them fit a wide screen


def draw_panel(low: Pixels, upscaled: Pixels, high: Pixels, *, largest: int = LARGEST) -> Pixels:
    """Return LR (by nearest), bicubic, SR and HR side by side with captions, ``(h, w, 3)`` uint8.

    Of large images the middle is shown, at 100 %. PSNR and the paper's SSIM are those of the whole
    images.

    Parameters
    ----------
    low : ndarray
        ``(h, w)`` or ``(h, w, 3)``, uint8.
    upscaled, high : ndarray
        The same number of times as high and wide, uint8.
    largest : int
        Height and width beyond which images are cut, in high-resolution pixels.

    Raises
    ------
    ValueError
        If the sizes do not belong together, or the images are too small to be scored.
    """
    scale = high.shape[0] // low.shape[0]
    expected = (scale * low.shape[0], scale * low.shape[1], *low.shape[2:])
    if upscaled.shape != expected or high.shape != expected:
        raise ValueError(
            f"A panel of {low.shape} takes images a whole number of times as large; got "
            f"{upscaled.shape} upscaled and {high.shape} as the reference."
        )
    bicubic = enlarge(low, scale, Image.Resampling.BICUBIC)
    h, w = low.shape[:2]  # Pillow's own font has no ×
    cells = [
        Cell(enlarge(low, scale, Image.Resampling.NEAREST), ("LR", f"{h} x {w}")),
        Cell(bicubic, ("bicubic", in_words(score(high, bicubic)))),
        Cell(upscaled, ("SR", in_words(score(high, upscaled)))),
        Cell(high, ("HR", f"{scale * h} x {scale * w}")),
    ]
    return draw_rows([[Cell(_middle(cell.image, largest), cell.caption) for cell in cells]])


def _middle(image: Pixels, largest: int) -> Pixels:
    h, w = (min(side, largest) for side in image.shape[:2])
    top, left = (image.shape[0] - h) // 2, (image.shape[1] - w) // 2
    return image[top : top + h, left : left + w]
