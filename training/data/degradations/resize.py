"""Resizing: by area, bilinearly, bicubically, or by taking single pixels at some phase."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_srgan.training.data.degradations.steps import Light


@dataclass(frozen=True)
class Resize:
    """Interpolation to a size, antialiased where that is smaller; nothing is shifted.

    Attributes
    ----------
    height, width : int
        The size.
    kind : {"area", "bilinear", "bicubic"}
        The mean of what a new pixel covers, or a kernel.

    References
    ----------
    Wang et al., "Real-ESRGAN", arXiv:2107.10833, §3.1: area, bilinear and bicubic, up and down.
    """

    height: int
    width: int
    kind: str

    def __call__(self, image: Light, _rng: np.random.Generator) -> Light:
        """Return the image at that size."""
        return _RESIZED[self.kind](image, self.height, self.width)

    def __str__(self) -> str:
        return f"{self.kind} to {self.height}×{self.width}"


def _by_area(image: Light, height: int, width: int) -> Light:
    """Return means over what each new pixel covers, parts of pixels included.

    Pillow's box takes whole pixels alone, which shifts what is reduced by less than two.
    """
    rows = _means(image, height)
    return _means(rows.swapaxes(0, 1), width).swapaxes(0, 1).astype(np.float32)


def _means(image: NDArray[np.floating], wanted: int) -> NDArray[np.float64]:
    length = len(image)
    upto = np.zeros((length + 1, *image.shape[1:]))
    np.cumsum(image, axis=0, out=upto[1:])
    edges = np.arange(wanted + 1) * (length / wanted)
    whole = np.minimum(edges.astype(np.int64), length - 1)
    part = (edges - whole)[:, np.newaxis, np.newaxis]
    light = upto[whole] + part * (upto[whole + 1] - upto[whole])
    means: NDArray[np.float64] = np.diff(light, axis=0) * (wanted / length)
    return means


def _by_kernel(image: Light, height: int, width: int, *, kernel: Image.Resampling) -> Light:
    """Return Pillow's interpolation, whose kernel grows with the factor and so averages."""
    planes = [Image.fromarray(np.ascontiguousarray(each)) for each in np.moveaxis(image, 2, 0)]
    resized = [np.asarray(plane.resize((width, height), kernel)) for plane in planes]
    return np.stack(resized, axis=-1)


_RESIZED: Mapping[str, Callable[[Light, int, int], Light]] = {
    "area": _by_area,
    "bilinear": partial(_by_kernel, kernel=Image.Resampling.BILINEAR),
    "bicubic": partial(_by_kernel, kernel=Image.Resampling.BICUBIC),
}


@dataclass(frozen=True)
class Pick:
    """Nearest neighbour to a size: one of the pixels that each new one covers.

    It aliases, and shifts the image unless both phases are 0.5.

    Attributes
    ----------
    height, width : int
        The size.
    phase_y, phase_x : float
        Which pixel, from 0, the first that is covered, to below 1, the last.

    References
    ----------
    Zhang et al., "BSRGAN", arXiv:2103.14006, §3.2: nearest, whose shift they take back.
    """

    height: int
    width: int
    phase_y: float = 0.5
    phase_x: float = 0.5

    def __call__(self, image: Light, _rng: np.random.Generator) -> Light:
        """Return the image at that size."""
        rows = _places(image.shape[0], self.height, self.phase_y)
        columns = _places(image.shape[1], self.width, self.phase_x)
        picked: Light = image[rows[:, np.newaxis], columns]
        return picked

    def __str__(self) -> str:
        phase = f"phase {self.phase_y:.2f}, {self.phase_x:.2f}"
        return f"nearest ({phase}) to {self.height}×{self.width}"


def _places(length: int, wanted: int, phase: float) -> NDArray[np.int64]:
    places = np.floor((np.arange(wanted) + phase) * (length / wanted))
    whole: NDArray[np.int64] = places.astype(np.int64)
    return whole
