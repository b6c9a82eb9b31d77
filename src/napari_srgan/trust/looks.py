"""How an image looks before it is upscaled: its noise, and the blocks that JPEG leaves."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FOR_PHOTOGRAPHS = "srresnet-photo-x4"  # what is worth a try where the faithful one is not
NOISY = 4.0  # levels of 255: clean photographs stay below
BLOCKY = 0.15  # in parts of a mean step between neighbours: uncompressed ones stay below

_BLOCK = 8  # pixels along a side of JPEG's blocks
_LEAST_SIDE = 32  # pixels; in less there are too few blocks to tell
_LARGEST_STEP = 0.1  # of the range: edges of what is shown are no edges of blocks
_FLATTEST = 0.2  # share of blocks that noise is measured in: those of least texture
_NORM = 6  # root of the sum of squares of the mask below
_LEVELS = 255

Grey = NDArray[np.floating]


@dataclass(frozen=True)
class Looks:
    """What was measured on an image.

    Attributes
    ----------
    noise : float
        Standard deviation of the noise in levels of 255, where the image is flattest.
    blocks : float
        How much greater steps between neighbours are every eight pixels than elsewhere, in parts
        of a mean step: about 0 without compression.
    """

    noise: float
    blocks: float

    def advice(self) -> Iterator[str]:
        """Yield sentences on what else might be tried; none where nothing is to be seen."""
        seen = []
        if self.blocks > BLOCKY:
            seen.append("compressed, in blocks of 8 pixels")
        if self.noise > NOISY:
            seen.append(f"noisy (σ about {self.noise:.0f} of 255)")
        if seen:
            yield f"This image looks {' and '.join(seen)}: {FOR_PHOTOGRAPHS} is worth a try."


def looks_of(grey: Grey) -> Looks:
    """Return what can be seen of noise and compression.

    Parameters
    ----------
    grey : ndarray
        ``(h, w)``, black 0 and white 1. Of sides below 32 pixels nothing is said.
    """
    if min(grey.shape) < _LEAST_SIDE:
        return Looks(0.0, 0.0)
    return Looks(_LEVELS * noise_of(grey), (blocks_of(grey) + blocks_of(grey.T)) / 2)


def noise_of(grey: Grey) -> float:
    """Return the standard deviation of noise, as the flattest parts of an image show it.

    References
    ----------
    Immerkær, "Fast noise variance estimation", 1996, eq. 3: the mask, which neither constants nor
    slopes nor straight edges along the axes get through.
    """
    rows = grey[:-2] - 2 * grey[1:-1] + grey[2:]
    masked = np.abs(rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:]) / _NORM
    h, w = (side // _BLOCK * _BLOCK for side in masked.shape)
    blocks = masked[:h, :w].reshape(h // _BLOCK, _BLOCK, w // _BLOCK, _BLOCK).mean((1, 3)).ravel()
    flattest = np.sort(blocks)[: max(1, round(_FLATTEST * len(blocks)))]
    return float(flattest.mean()) * math.sqrt(math.pi / 2)


def blocks_of(grey: Grey) -> float:
    """Return by how much steps along rows are greater every eight pixels, wherever these begin.

    References
    ----------
    Wang, Sheikh & Bovik, "No-reference perceptual quality assessment of JPEG compressed images",
    2002, eq. 1 and 2: differences across the edges of blocks, beside those within.
    """
    steps = np.minimum(np.abs(np.diff(grey, axis=1)), _LARGEST_STEP)
    beyond = (steps[:, 1:-1] - (steps[:, :-2] + steps[:, 2:]) / 2).mean(0)
    phases = np.array([beyond[phase::_BLOCK].mean() for phase in range(_BLOCK)])
    mean = float(steps.mean())
    return float(phases.max() - np.median(phases)) / mean if mean > 0 else 0.0
