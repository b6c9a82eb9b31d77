"""What a degradation is made of: steps from an image to an image, one after another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_srgan.training.data.decoding import Samples

Light = NDArray[np.float32]  # (h, w, channels); black 0, white 1, and beyond before it is stored


class Step(Protocol):
    """One thing that happens to an image; shown as text, it says what and how much."""

    def __call__(self, image: Light, rng: np.random.Generator, /) -> Light:
        """Return the image degraded, ``(h, w, c)``; what is random in it is drawn from ``rng``."""


def degrade(image: Samples, steps: Sequence[Step], rng: np.random.Generator) -> Samples:
    """Return an image after all steps, rounded to its own depth.

    Parameters
    ----------
    image : ndarray
        ``(h, w, channels)``, uint8 or uint16.
    steps : sequence of Step
        In order; none of them gives the image back as it is.
    rng : numpy.random.Generator
        What noise is drawn from. The same state gives the same result.

    Returns
    -------
    ndarray
        Of the same dtype and channels, of the size that the steps make.
    """
    white = np.iinfo(image.dtype).max
    light = image.astype(np.float32) / np.float32(white)
    for step in steps:
        light = step(light, rng)
    stored: Samples = np.rint(np.clip(light, 0, 1) * np.float64(white)).astype(image.dtype)
    return stored
