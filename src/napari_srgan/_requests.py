"""What the widget asks of a thread: the pixels, the choices, and the answers that are no result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_srgan.images import Array, Layout, Normalize, layout_of
from napari_srgan.inference import Settings


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
        return layout_of(self.pixels.shape, self.pixels.dtype, self.rgb)

    @property
    def in_memory(self) -> bool:
        """Whether looking at all of the array costs neither memory nor a disk's time."""
        return isinstance(self.pixels, np.ndarray) and not isinstance(self.pixels, np.memmap)

    def read(self) -> Array:
        """Return the pixels; a single plane keeps the leading axes, each of length 1."""
        if self.plane is None:
            return np.asarray(self.pixels)
        return np.asarray(self.pixels[self.plane]).reshape(self.layout.shape())
