"""A convolution after a pixel shuffle, done before it: the same result from fewer, fuller products.

The last layer of Fig. 4 makes 3 maps of 64 at the full resolution, which leaves most of a vector or
matrix unit idle. Before the shuffle the same sums make 12 maps of 256 at half the resolution.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function_unary


def kernel_before_shuffle(weight: Tensor, factor: int) -> Tensor:
    """Return the kernel that does before a pixel shuffle what ``weight`` does after it.

    Parameters
    ----------
    weight : Tensor
        ``(outputs, inputs, k, k)``, k odd, of a convolution with stride 1 that keeps the size.
    factor : int
        Of the shuffle, r.

    Returns
    -------
    Tensor
        ``(outputs · r², inputs · r², K, K)``, differentiable with respect to ``weight``; K is the
        least odd side that reaches as far. Zeros are where it reaches further.
    """
    outputs, inputs, side, _ = weight.shape
    reach = side // 2
    low_reach = low_resolution_reach(side, factor)
    low_side = 2 * low_reach + 1
    # Along one axis, output phase a at tap t reads r·q + b = a + t: the kernel, moved by a and cut
    # into low-resolution positions q and phases b.
    phases = []
    for a in range(factor):
        for b in range(factor):
            moved = F.pad(
                weight,
                (*_margins(b, factor, reach, low_reach), *_margins(a, factor, reach, low_reach)),
            )
            phases.append(moved.view(outputs, inputs, low_side, factor, low_side, factor))
    # (phase, outputs, inputs, Kh, rh, Kw, rw) → (outputs, phase, inputs, rh, rw, Kh, Kw)
    kernel = torch.stack(phases).permute(1, 0, 2, 4, 6, 3, 5)
    return kernel.reshape(outputs * factor**2, inputs * factor**2, low_side, low_side)


def low_resolution_reach(side: int, factor: int) -> int:
    """Return how many pixels before the shuffle a kernel of ``side`` after it reaches over."""
    return (factor - 1 + side // 2) // factor


def _margins(phase: int, factor: int, reach: int, low_reach: int) -> tuple[int, int]:
    before = factor * low_reach + phase - reach
    return before, factor * (2 * low_reach + 1) - before - (2 * reach + 1)


def convolve_before_shuffle(x: Tensor, weight: Tensor, bias: Tensor | None, factor: int) -> Tensor:
    """Return ``conv2d(pixel_shuffle(x, factor), weight, bias)``, zero-padded to keep its size.

    Parameters
    ----------
    x : Tensor
        ``(n, inputs · factor², h, w)``, not yet shuffled.
    weight, bias : Tensor
        Of the convolution after the shuffle, ``(outputs, inputs, k, k)`` and ``(outputs,)``.
    factor : int
        Of the shuffle.

    Returns
    -------
    Tensor
        ``(n, outputs, factor · h, factor · w)``.
    """
    if has_torch_function_unary(x):  # as torch's own functions do for what stands in for a tensor
        result: Tensor = handle_torch_function(
            convolve_before_shuffle, (x,), x, weight, bias, factor
        )
        return result
    kernel = kernel_before_shuffle(weight, factor)
    bias = None if bias is None else bias.repeat_interleave(factor**2)
    padding = low_resolution_reach(weight.shape[-1], factor)
    return F.pixel_shuffle(F.conv2d(x, kernel, bias, padding=padding), factor)
