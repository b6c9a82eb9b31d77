"""Pixel unshuffle of images of any size: what is short of a multiple is reflected."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from napari_srgan.models.layers.reflection import reflected


def padded_to_multiple(x: Tensor, step: int) -> Tensor:
    """Return images ``(n, c, h, w)`` that go on as their own reflections, below and to the right.

    Their height and width are then multiples of ``step``.
    """
    height, width = x.shape[2:]
    return reflected(x, 0, -height % step, 0, -width % step)


def unshuffled(x: Tensor, factor: int) -> Tensor:
    """Return a network's input, its pixels put into channels ``factor`` by ``factor``.

    Maps ``(n, c, h, w)`` to ``(n, c · factor², ⌈h / factor⌉, ⌈w / factor⌉)``; what a network makes
    of it is to be :func:`cropped`.
    """
    if has_torch_function((x,)):  # as torch's own functions do for what stands in for a tensor
        result: Tensor = handle_torch_function(unshuffled, (x,), x, factor)
        return result
    return F.pixel_unshuffle(padded_to_multiple(x, factor), factor)


def cropped(y: Tensor, x: Tensor, scale: int) -> Tensor:
    """Return of a network's output what is of its input ``x``, without what was reflected."""
    if has_torch_function((y, x)):
        result: Tensor = handle_torch_function(cropped, (y, x), y, x, scale)
        return result
    return y[..., : scale * x.shape[2], : scale * x.shape[3]]
