"""A photograph of any size: scikit-image's own, mirrored at its borders."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage import data


def photograph(height: int, width: int) -> NDArray[np.uint8]:
    """Return an RGB image ``(height, width, 3)``."""
    picture: NDArray[np.uint8] = data.astronaut()  # type: ignore[no-untyped-call]
    below, beside = max(0, height - picture.shape[0]), max(0, width - picture.shape[1])
    mirrored = np.pad(picture, [(0, below), (0, beside), (0, 0)], mode="symmetric")
    return np.ascontiguousarray(mirrored[:height, :width])
