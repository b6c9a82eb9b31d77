"""Convolutions at whose borders the image is reflected, where others see zeros."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import handle_torch_function, has_torch_function_unary


def reflected_index(start: int, stop: int, size: int) -> Tensor:
    """Return the places in ``[0, size)`` that ``[start, stop)`` reflect to, as often as it takes.

    The border pixel itself is not repeated, but where it is the only one.
    """
    period = max(1, 2 * (size - 1))
    place = torch.arange(start, stop).remainder(period)
    return torch.where(place < size, place, period - place)


def reflected(x: Tensor, above: int, below: int, left: int, right: int) -> Tensor:
    """Return images ``(n, c, h, w)`` with reflections of themselves added at their borders."""
    for dim, before, after in ((2, above, below), (3, left, right)):
        if before or after:
            size = x.shape[dim]
            index = reflected_index(-before, size + after, size).to(x.device)
            x = x.index_select(dim, index)
    return x


def convolve_reflected(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return the convolution of images that go on as their own reflections; it keeps their size.

    Parameters
    ----------
    x : Tensor
        ``(n, inputs, h, w)`` of any size.
    weight, bias : Tensor
        ``(outputs, inputs, kh, kw)``, kh and kw odd, and ``(outputs,)``.
    """
    if has_torch_function_unary(x):  # as torch's own functions do for what stands in for a tensor
        result: Tensor = handle_torch_function(convolve_reflected, (x,), x, weight, bias)
        return result
    rows, columns = (side // 2 for side in weight.shape[2:])
    return F.conv2d(reflected(x, rows, rows, columns, columns), weight, bias)


class ReflectedConv2d(nn.Conv2d):
    """Convolution of images that go on as their own reflections, ``(n, c, h, w)`` of any size."""

    def forward(self, x: Tensor) -> Tensor:
        return convolve_reflected(x, self.weight, self.bias)
