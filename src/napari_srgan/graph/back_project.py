"""Back-projection as layers: an upscaled image changed so that, reduced, it is the image again.

Irani and Peleg, "Improving resolution by image registration", 1991, with one kernel for reducing
and, transposed, for spreading what is missing. Between the two is an approximate inverse of both in
turn, so that a step leaves a twentieth of the difference. All of it is at the low resolution, on
the sub-pixels of each pixel, which keeps it small beside a network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_srgan.graph.ops import (
    Add,
    Convolution,
    Layer,
    Layers,
    Multiply,
    PixelShuffle,
    PixelUnshuffle,
    Pointwise,
    append,
)
from napari_srgan.resampling import reduction_taps

Bounds: TypeAlias = tuple[float, float]
FREE: Bounds = (-math.inf, math.inf)

_STEPS = (1.0, 1.7, 1.7, 1.7, 1.0, 1.0)
"""How far each step goes, of what would do if there were no bounds.

Two of 1 are enough without. Where the bounds cut off what a step adds, going further gets there
sooner: all pixels of photographs are then met to half a level of 255 (docs/decisions/0032).
"""

_REACH = 3  # of the inverse, in low-resolution pixels
_CELLS = 2  # low-resolution pixels that a reduction, and a spread pixel, reaches to each side
RADIUS = len(_STEPS) * (_REACH + 2 * _CELLS)
"""Input pixels that a result depends on, to each side, beyond what its answer does."""

_FREQUENCIES = 256  # at which it is fitted


@dataclass(frozen=True)
class _Kernels:
    """What reduces, spreads and inverts, for images of some channels.

    Attributes
    ----------
    down, across : Tensor
        ``(c · s, c · s², k, 1)`` and ``(c, c · s, 1, k)``: sub-pixels to pixels, along each axis.
    whole : Tensor
        ``(c, 1, k, k)`` in groups: of an image of ones, what a reduction sees of it.
    spread : Tensor
        ``(c · s², 1, k, k)`` in groups: pixels to sub-pixels.
    invert : Tensor
        ``(c, 1, n, n)`` in groups.
    """

    down: Tensor
    across: Tensor
    whole: Tensor
    spread: Tensor
    invert: Tensor

    @classmethod
    def of(cls, channels: int, scale: int) -> _Kernels:
        kernel = _by_cells(scale)
        seen, inverse = kernel.sum(1), _inverse(kernel)
        back = kernel[::-1]  # to spread is to reduce, read backwards

        def tensor(weights: NDArray[np.float64], *shape: int) -> Tensor:
            return torch.from_numpy(weights.reshape(shape).astype(np.float32))

        def of_each(weights: Tensor) -> Tensor:
            return weights.repeat(channels, 1, 1, 1)

        each, same, cells = np.eye(channels), np.eye(scale), len(kernel)
        down = np.einsum("cd,bf,ia->cbdafi", each, same, kernel)
        across = np.einsum("cd,jb->cdbj", each, kernel)
        spread = np.einsum("ia,jb->abij", back, back)
        return cls(
            down=tensor(down, channels * scale, channels * scale**2, cells, 1),
            across=tensor(across, channels, channels * scale, 1, cells),
            whole=of_each(tensor(np.outer(seen, seen), 1, 1, cells, cells)),
            spread=of_each(tensor(spread, scale**2, 1, cells, cells)),
            invert=of_each(tensor(np.outer(inverse, inverse), 1, 1, *2 * inverse.shape)),
        )


def _by_cells(scale: int) -> NDArray[np.float64]:
    """Return the reduction's taps along one axis, ``(low-resolution pixels seen, sub-pixels)``."""
    first, taps = reduction_taps(scale)
    cells = -(first // scale)
    padded = np.zeros((2 * cells + 1) * scale)
    start = cells * scale + first
    padded[start : start + len(taps)] = taps
    return padded.reshape(-1, scale)


def _inverse(kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return taps that nearly undo spreading and reducing along one axis, by least squares."""
    cells = len(kernel)
    correlation = [float((kernel[lag:] * kernel[: cells - lag]).sum()) for lag in range(cells)]
    angle = 2 * np.pi * np.arange(_FREQUENCIES) / _FREQUENCIES

    def cosines(count: int) -> NDArray[np.float64]:
        waves: NDArray[np.float64] = np.cos(np.outer(angle, np.arange(count)))
        waves[:, 1:] *= 2
        return waves

    response: NDArray[np.float64] = cosines(cells) @ np.array(correlation)
    half, *_ = np.linalg.lstsq(response[:, None] * cosines(_REACH + 1), np.ones(_FREQUENCIES))
    inverse: NDArray[np.float64] = np.concatenate([half[:0:-1], half])
    return inverse


def keep_within(x: Tensor, low: float, high: float) -> Tensor:
    """Return a value kept within bounds, which :func:`within` sets."""
    return x.clamp(low, high)


def within(layers: Layers, bounds: Bounds) -> Layers:
    """Return layers with these bounds for what is back-projected."""
    low, high = bounds
    limits = {"low": low, "high": high}
    return tuple(
        replace(layer, options=limits)
        if isinstance(layer, Pointwise) and layer.function is keep_within
        else layer
        for layer in layers
    )


def append_back_projection(
    layers: list[Layer], image: int, answer: int, channels: int, scale: int
) -> int:
    """Append to layers what makes an answer consistent with its image; return where it comes out.

    Parameters
    ----------
    layers : list of Layer
        Float32; appended to.
    image, answer : int
        The values of the image ``(c, h, w)`` and of what was made of it ``(c, s·h, s·w)``.
    channels, scale : int
        c and s.

    Notes
    -----
    The result is kept within no bounds until :func:`within` sets some.
    """
    kernels = _Kernels.of(channels, scale)

    def convolve(source: int, kernel: Tensor, groups: int = channels) -> int:
        reach = kernel.shape[2] // 2, kernel.shape[3] // 2
        weight = kernel.contiguous(memory_format=torch.channels_last)
        return append(layers, Convolution(source, weight, None, reach, groups=groups))

    def kept(source: int) -> int:
        low, high = FREE
        return append(layers, Pointwise(source, keep_within, {"low": low, "high": high}))

    # At the border a reduction is the mean of what it sees: less than a whole kernel's weight.
    weight = convolve(append(layers, Pointwise(image, torch.ones_like)), kernels.whole)
    wanted = append(layers, Multiply((weight, image)))
    sub_pixels = kept(append(layers, PixelUnshuffle(answer, scale)))
    for length in _STEPS:
        found = convolve(convolve(sub_pixels, -kernels.down, 1), kernels.across, 1)
        missing = append(layers, Add((found, wanted)))
        change = convolve(convolve(missing, length * kernels.invert), kernels.spread)
        sub_pixels = kept(append(layers, Add((sub_pixels, change))))
    return append(layers, PixelShuffle(sub_pixels, scale))
