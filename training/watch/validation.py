"""Validate a generator on held-back images: measures, and panels to look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType

import numpy as np
from PIL import Image

from napari_srgan.inference.run import upscale_array
from napari_srgan.inference.settings import Settings
from napari_srgan.models.generator import Generator
from napari_srgan.resampling import Pixels, enlarge
from napari_srgan.store.checkpoint import Model
from napari_srgan.training.data.degradations.reduce import Reduction
from napari_srgan.training.data.pack import Pack
from napari_srgan.training.metrics.drawing import Cell, draw_rows, in_words
from napari_srgan.training.metrics.fidelity import score
from napari_srgan.training.metrics.learned import Distance
from napari_srgan.training.metrics.table import FURTHER, Outcome

LARGEST = 384  # high-resolution pixels of a panel's images: four of them fit a wide screen
SIDE = 512  # high-resolution pixels that are looked at of an image, in its middle
PANELS = 4  # images that are shown
# Of the measures beside the protocol's, those that a run is watched by.
FOLLOWED = ("perceptual", "high_frequency", "colour_drift", "checkerboard")
NO_DISTANCES: Mapping[str, Distance] = MappingProxyType({})


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
        Cell(bicubic, ("bicubic", in_words(score(high, bicubic, scale)))),
        Cell(upscaled, ("SR", in_words(score(high, upscaled, scale)))),
        Cell(high, ("HR", f"{scale * h} x {scale * w}")),
    ]
    return draw_rows([[Cell(_centre(cell.image, largest), cell.caption) for cell in cells]])


def _centre(image: Pixels, largest: int) -> Pixels:
    h, w = (min(side, largest) for side in image.shape[:2])
    top, left = (image.shape[0] - h) // 2, (image.shape[1] - w) // 2
    return image[top : top + h, left : left + w]


@dataclass(frozen=True)
class Held:
    """An image that is not trained on, 8-bit: low ``(h, w, 3)``, high ``scale`` times that."""

    name: str
    low: Pixels
    high: Pixels


@dataclass(frozen=True)
class Measured:
    """Means over the images held back, and the first of them side by side.

    Attributes
    ----------
    values : dict of str to float
        ``psnr`` and both SSIMs by the paper's protocol; ``perceptual`` (0 is best),
        ``high_frequency`` (1 is HR's), ``colour_drift`` (levels) and ``checkerboard``.
    panels : dict of str to ndarray
        Images by name, ``(h, w, 3)`` uint8.
    """

    values: dict[str, float]
    panels: dict[str, Pixels]


def held_images(pack: Pack, indices: Iterable[int], reduction: Reduction) -> list[Held]:
    """Return images of a pack, the middle of large ones, in 8 bits.

    Where low-resolution images are drawn, an image's is the same each time.
    """
    return [_middle(pack, index, reduction) for index in indices]


def _middle(pack: Pack, index: int, reduction: Reduction) -> Held:
    low, high = pack.pair(index)
    if reduction.is_drawn:
        low = reduction(high, index)[0]
    side = SIDE // pack.scale
    top, left = (max(0, length - side) // 2 for length in low.shape[:2])
    s = pack.scale
    return Held(
        pack.entries[index].name,
        _eight_bits(low[top : top + side, left : left + side]),
        _eight_bits(high[s * top : s * (top + side), s * left : s * (left + side)]),
    )


def _eight_bits(pixels: np.ndarray) -> Pixels:
    deep = pixels.dtype == np.uint16
    eight = np.rint(pixels / 257).astype(np.uint8) if deep else np.ascontiguousarray(pixels)
    return eight[..., 0] if eight.shape[-1] == 1 else eight


def measure(
    network: Generator,
    images: list[Held],
    device: str,
    distances: Mapping[str, Distance] = NO_DISTANCES,
) -> Measured:
    """Upscale the images with a generator, and return what the results measure.

    Learned ``distances``, by name, are measured besides.
    """
    model = Model("validated", network, {})
    settings = Settings(device=device, precision="float32")
    rows: list[dict[str, float]] = []
    panels: dict[str, Pixels] = {}
    for held in images:
        upscaled = upscale_array(held.low, model, rgb=held.low.ndim == 3, settings=settings)
        made = Outcome(held.low, upscaled, held.high)
        rows.append(
            asdict(score(held.high, upscaled, made.scale))
            | {name: FURTHER[name](made) for name in FOLLOWED}
            | {name: distance(upscaled, held.high) for name, distance in distances.items()}
        )
        if len(panels) < PANELS:
            panels[held.name] = draw_panel(held.low, upscaled, held.high)
    means = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
    return Measured(means, panels)
