"""Images held back from training: upscaled now and then, measured, and shown side by side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np

from napari_srgan.checkpoints import Model
from napari_srgan.inference import upscale_array
from napari_srgan.models.srresnet import SRResNet
from napari_srgan.settings import Settings
from napari_srgan.training.bicubic import Pixels
from napari_srgan.training.measures import FURTHER, Outcome
from napari_srgan.training.metrics import score
from napari_srgan.training.packs import Pack
from napari_srgan.training.previews import draw_panel

SIDE = 512  # high-resolution pixels that are looked at of an image, in its middle
PANELS = 4  # images that are shown
# Of the measures beside the protocol's, those that a run is watched by.
FOLLOWED = ("perceptual", "high_frequency", "colour_drift", "checkerboard")


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


def held_images(pack: Pack, indices: Iterable[int]) -> list[Held]:
    """Return images of a pack, the middle of large ones, in 8 bits."""
    return [_middle(pack, index) for index in indices]


def _middle(pack: Pack, index: int) -> Held:
    low, high = pack.pair(index)
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


def measure(network: SRResNet, images: list[Held], device: str) -> Measured:
    """Upscale the images with a generator, and return what the results measure."""
    model = Model("validated", network, {})
    settings = Settings(device=device, precision="float32")
    rows: list[dict[str, float]] = []
    panels: dict[str, Pixels] = {}
    for held in images:
        upscaled = upscale_array(held.low, model, rgb=held.low.ndim == 3, settings=settings)
        made = Outcome(held.low, upscaled, held.high)
        rows.append(
            asdict(score(held.high, upscaled)) | {name: FURTHER[name](made) for name in FOLLOWED}
        )
        if len(panels) < PANELS:
            panels[held.name] = draw_panel(held.low, upscaled, held.high)
    means = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
    return Measured(means, panels)
