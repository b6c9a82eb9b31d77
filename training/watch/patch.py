"""A patch of an image held back: low-resolution, by the start model, as it is now, and original."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from napari_srgan.files.atomic import written_whole
from napari_srgan.inference.run import upscale_array
from napari_srgan.inference.settings import Settings
from napari_srgan.models.generator import Generator
from napari_srgan.resampling import Pixels, enlarge
from napari_srgan.runs import PATCH, VALIDATED, Asked
from napari_srgan.store.checkpoint import Model
from napari_srgan.training.metrics.drawing import Cell, draw_rows
from napari_srgan.training.watch.validation import Held

SIDE = 176  # high-resolution pixels of a patch: two and their margins fit a narrow dock
THUMBNAIL = 320
_AROUND = 8  # low-resolution pixels that are upscaled with a patch and cut off

log = logging.getLogger(__name__)


class Patches:
    """Draws a patch each time it is asked to, which may be another one than before.

    Parameters
    ----------
    folder : Path
        Where the picture goes.
    images : sequence of Held
        What patches are cut from.
    start : Generator
        What the trained network is compared with.
    device : str
        Where to upscale.
    """

    def __init__(self, folder: Path, images: Sequence[Held], start: Generator, device: str) -> None:
        self._folder, self._images, self._start, self._device = folder, images, start, device
        self._before: tuple[Asked, Pixels] | None = None

    def write_thumbnails(self) -> None:
        """Write a small picture of each image, to choose a patch in."""
        folder = self._folder / VALIDATED
        folder.mkdir(exist_ok=True)
        for number, held in enumerate(self._images):
            picture = Image.fromarray(held.high)
            picture.thumbnail((THUMBNAIL, THUMBNAIL))
            _write(picture, folder / f"{number:03d}.png")

    def draw(self, asked: Asked, network: Generator, step: int) -> None:
        """Write the picture of the patch that is asked for, with a network as it is now.

        A disk that is full stops no training here: it is told where a checkpoint is written.
        """
        held = self._images[min(max(asked.image, 0), len(self._images) - 1)]
        low, high = patch_of(held, asked)
        if self._before is None or self._before[0] != asked:
            self._before = asked, self._upscaled(held, asked, self._start)
        before, now = self._before[1], self._upscaled(held, asked, network)
        scale = high.shape[0] // low.shape[0]
        cells = [
            [
                Cell(enlarge(low, scale, Image.Resampling.NEAREST), ("low resolution",)),
                Cell(high, ("original",)),
            ],
            [
                Cell(before, ("start model", f"{psnr(before, high):.2f} dB")),
                Cell(now, (f"step {step:,}", f"{psnr(now, high):.2f} dB")),
            ],
        ]
        try:
            _write(Image.fromarray(draw_rows(cells)), self._folder / PATCH)
        except OSError:
            log.warning("The picture of a patch could not be written.", exc_info=True)

    def _upscaled(self, held: Held, asked: Asked, network: Generator) -> Pixels:
        low, high = patch_of(held, asked, around=_AROUND)
        scale = high.shape[0] // low.shape[0]
        settings = Settings(device=self._device, precision="float32")
        model = Model("patch", network, {})
        made: Pixels = upscale_array(low, model, rgb=low.ndim == 3, settings=settings)
        top, left, h, w = _place(held, asked)
        first = scale * (top - max(0, top - _AROUND)), scale * (left - max(0, left - _AROUND))
        return made[first[0] : first[0] + scale * h, first[1] : first[1] + scale * w]


def patch_of(held: Held, asked: Asked, *, around: int = 0) -> tuple[Pixels, Pixels]:
    """Return the low and the high pixels of a patch, of an image's edge at most."""
    scale = held.high.shape[0] // held.low.shape[0]
    top, left, h, w = _place(held, asked)
    rows = slice(max(0, top - around), top + h + around)
    columns = slice(max(0, left - around), left + w + around)
    low = held.low[rows, columns]
    t, b = scale * rows.start, scale * rows.start + scale * low.shape[0]
    u, v = scale * columns.start, scale * columns.start + scale * low.shape[1]
    return low, held.high[t:b, u:v]


def _place(held: Held, asked: Asked) -> tuple[int, int, int, int]:
    """Return top, left, height and width in low-resolution pixels."""
    scale = held.high.shape[0] // held.low.shape[0]
    h, w = (min(SIDE // scale, side) for side in held.low.shape[:2])
    first = [
        min(max(0, round(share * length - side / 2)), length - side)
        for share, length, side in zip((asked.y, asked.x), held.low.shape[:2], (h, w), strict=True)
    ]
    return first[0], first[1], h, w


def psnr(image: Pixels, reference: Pixels) -> float:
    """Return the PSNR of 8-bit values, all channels alike."""
    error = float(((image.astype(np.float64) - reference) ** 2).mean())
    return 10 * float(np.log10(255**2 / error)) if error else float("inf")


def _write(picture: Image.Image, path: Path) -> None:
    with written_whole(path) as part:
        picture.save(part)
