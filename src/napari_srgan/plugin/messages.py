"""What the widget asks of a job, what it is answered, and how sizes and times are worded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_srgan.inference.images import (
    Array,
    Layout,
    Normalize,
    check_not_masked,
    layout_of,
)
from napari_srgan.inference.settings import Settings

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def size_text(count: float) -> str:
    """Return a number of bytes: ``18 MiB``, ``3.2 GiB``."""
    power = 0
    while count >= 1000 and power < len(_UNITS) - 1:
        count, power = count / 1024, power + 1
    return (
        f"{count:.0f} {_UNITS[power]}"
        if count >= 10 or power == 0
        else f"{count:.1f} {_UNITS[power]}"
    )


def time_text(seconds: float) -> str:
    """Return a duration as a person says it: ``12 s``, ``3 min 20 s``, ``1.5 h``."""
    if seconds < 1:
        return "under a second"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds / 10) * 10, 60)
    if minutes < 10:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def shape_text(layout: Layout, scale: int = 1) -> str:
    """Return an image's size, width first as people say it: ``3 planes of 640 × 480``."""
    size = f"{scale * layout.width} × {scale * layout.height}"
    return size if layout.planes == 1 else f"{layout.planes} planes of {size}"


def run_text(layout: Layout, scale: int, memory: float, free: float, seconds: float) -> str:
    """Return what a run will make and take."""
    about = "about " if seconds >= 1 else ""
    room = f"{size_text(free)} are free" if memory <= free else f"only {size_text(free)} are free"
    return (
        f"{shape_text(layout)} → {shape_text(layout, scale)} pixels\n"
        f"{about}{time_text(seconds)}\n"
        f"{size_text(memory)} of memory; {room}"
    )


def left_text(done: int, total: int, elapsed: float) -> str:
    """Return the time left at the pace so far."""
    if not done:
        return "starting"
    left = elapsed * (total - done) / done
    percent = math.floor(100 * done / total)
    return f"{percent} %, {time_text(left)} left"


@dataclass(frozen=True)
class Failed:
    """A job ended in an error, which is returned: some workers swallow what is raised in them."""

    reason: str

    @classmethod
    def because(cls, error: Exception) -> Failed:
        """Return the answer that an error is the reason of."""
        return cls(str(error) or type(error).__name__)


@dataclass(frozen=True)
class Stopped:
    """A job ended because it was told to."""


@dataclass(frozen=True)
class Choices:
    """What a person has chosen, apart from the layer."""

    model: str
    normalize: Normalize
    settings: Settings
    cache: Path | None


@dataclass(frozen=True)
class Source:
    """Pixels to upscale: an array that is read in the job, wholly or one plane of it."""

    pixels: Any
    rgb: bool
    plane: tuple[int, ...] | None
    channel_axis: int | None = None

    @property
    def layout(self) -> Layout:
        """What will be upscaled.

        Raises
        ------
        TypeError, ValueError
            If these are no pixels to upscale.
        """
        whole = self.whole
        if self.plane is None:
            return whole
        ones = (1,) * len(whole.leading)
        return Layout(ones, whole.height, whole.width, whole.channels, whole.dtype)

    @property
    def whole(self) -> Layout:
        """The array, of which this may be one plane."""
        check_not_masked(self.pixels)
        return layout_of(self.pixels.shape, self.pixels.dtype, self.rgb, self.channel_axis)

    @property
    def in_memory(self) -> bool:
        """Whether looking at all of the array costs neither memory nor a disk's time."""
        return isinstance(self.pixels, np.ndarray) and not isinstance(self.pixels, np.memmap)

    def read(self) -> Array:
        """Return the pixels; a single plane keeps the leading axes, each of length 1."""
        if self.plane is None:
            return np.asarray(self.pixels)
        return np.asarray(self.pixels[self.plane]).reshape(self.layout.shape())


@dataclass(frozen=True)
class Devices:
    """The devices of this computer, ``auto`` first.

    Attributes
    ----------
    choices : tuple of (label, name)
        What is chosen from.
    descriptions : mapping of str to str
        For each name, the device and its free memory.
    hint : str or None
        What would make a better one usable.
    """

    choices: tuple[tuple[str, str], ...]
    descriptions: Mapping[str, str]
    hint: str | None


@dataclass(frozen=True)
class Done:
    """A result, and what the notice and the new layer's metadata say of it."""

    pixels: Array
    scale: int
    source: Source
    choices: Choices
    made_by: Mapping[str, Any]
    seconds: float

    def summary(self) -> str:
        """Return what was made, where and how fast."""
        layout = self.source.layout
        return (
            f"{shape_text(layout)} → {shape_text(layout, self.scale)} pixels in "
            f"{time_text(self.seconds)} on {self.made_by['device']} with {self.choices.model}."
        )

    def provenance(self) -> dict[str, Any]:
        """Return what the new layer should remember of how it was made."""
        return {**self.made_by, "plane": self.source.plane}
