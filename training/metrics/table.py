"""What upscalers are measured by: the protocol's scores and further measures, and their columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from napari_srgan.resampling import Pixels
from napari_srgan.training.metrics.perceptual import (
    checkerboard,
    colour_drift,
    flat_noise,
    high_frequency_ratio,
    outside_share,
    perceptual_distance,
)


@dataclass(frozen=True)
class Outcome:
    """What an upscaler made of an image, 8-bit, all ``(h, w)`` or ``(h, w, 3)``.

    Attributes
    ----------
    low : ndarray
        What it was given.
    upscaled : ndarray
        What it made of it, a whole number of times as large.
    high : ndarray
        What it should have been, of that size.
    """

    low: Pixels
    upscaled: Pixels
    high: Pixels

    @property
    def scale(self) -> int:
        """Upscaling factor."""
        return int(self.high.shape[0] // self.low.shape[0])


Measure = Callable[[Outcome], float]

# Beside PSNR and both SSIMs, which are the protocol's.
FURTHER: Mapping[str, Measure] = MappingProxyType(
    {
        "perceptual": lambda made: perceptual_distance(made.upscaled, made.high).total,
        "high_frequency": lambda made: high_frequency_ratio(made.upscaled, made.high),
        "colour_drift": lambda made: colour_drift(made.upscaled, made.low).worst,
        "checkerboard": lambda made: checkerboard(made.upscaled, made.high, made.scale),
        "flat_noise": lambda made: flat_noise(made.upscaled, made.high),
        "outside": lambda made: 100 * outside_share(made.upscaled, made.high),
    }
)


def measures_of(distances: Mapping[str, Callable[[Pixels, Pixels], float]]) -> dict[str, Measure]:
    """Return distances of two images as measures of an outcome, to its original."""
    return {name: partial(_to_original, distance) for name, distance in distances.items()}


def _to_original(distance: Callable[[Pixels, Pixels], float], made: Outcome) -> float:
    return distance(made.upscaled, made.high)


@dataclass(frozen=True)
class Column:
    """How a measure is shown in a table: its title, and digits after the point."""

    title: str
    decimals: int


_COLUMNS = {
    "psnr": Column("PSNR dB", 2),
    "ssim_daala": Column("SSIM daala", 4),
    "ssim_wang": Column("SSIM Wang", 4),
    "perceptual": Column("perceptual", 4),
    "high_frequency": Column("high frequency", 3),
    "colour_drift": Column("colour drift", 2),
    "checkerboard": Column("checkerboard", 3),
    "flat_noise": Column("flat noise", 2),
    "outside": Column("out of range %", 2),
    "lpips_alex": Column("LPIPS-Alex", 4),
    "lpips_vgg": Column("LPIPS-VGG", 4),
    "dists": Column("DISTS", 4),
}


def column_of(measure: str) -> Column:
    """Return how a measure is shown; one that is not known here, by its own name."""
    return _COLUMNS.get(measure, Column(measure, 4))
