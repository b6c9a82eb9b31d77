"""Convolutions that make few maps, computed as ones that make more: each column of a kernel apart.

A processor's vector unit makes 16 maps at a time, a card's matrix unit more. The last layer's 12
leave a quarter of the one idle, the 4 of a grey image three quarters. So each column of its kernel
makes maps of its own, 5 · 12 of them, and a convolution of ones and zeros moves them to their
places and adds them: the same products, and a few more.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from napari_srgan.graph.ops import Convolution, Layer, Layers, with_sources

_LANES = 16  # values of float32 in a register of AVX-512
_PART = 8  # adding the columns costs at most this part of the convolution


def with_columns_apart(layers: Layers) -> Layers:
    """Return layers that compute the same, up to rounding, with no such convolution among them.

    Of 12 maps from 256 by 5 × 5, on two cores with AVX-512 in float32, it took 0.77 of the time;
    of the paper's network with it 0.95, for grey images 0.92 (medians of 7 and more, in turns).
    """
    new: list[Layer] = []
    at = [0]  # where the values of the old list are in the new one
    for old in layers:
        layer = with_sources(old, at.__getitem__)
        if isinstance(layer, Convolution) and _pays(layer):
            new.append(_columns(layer))
            layer = _added(layer, source=len(new))
        new.append(layer)
        at.append(len(new))
    return tuple(new)


def _pays(layer: Convolution) -> bool:
    outputs, inputs, _, columns = layer.weight.shape
    return layer.groups == 1 and columns > 1 and outputs < _LANES and _PART * outputs <= inputs


def _columns(layer: Convolution) -> Convolution:
    """Return what makes the maps of each column: all of the first, then all of the second."""
    outputs, inputs, rows, columns = layer.weight.shape
    weight = layer.weight.permute(3, 0, 1, 2).reshape(columns * outputs, inputs, rows, 1)
    return replace(
        layer,
        weight=weight,
        bias=None,
        reach=(layer.reach[0], 0),
        dilation=(layer.dilation[0], 1),
    )


def _added(layer: Convolution, source: int) -> Convolution:
    """Return what adds them."""
    outputs, _, _, columns = layer.weight.shape
    identity = torch.eye(columns * outputs, dtype=torch.float32, device=layer.weight.device)
    ones = identity.view(columns, outputs, columns * outputs, 1)
    weight = ones.permute(1, 2, 3, 0).to(layer.weight)
    return replace(
        layer,
        source=source,
        weight=weight,
        reach=(0, layer.reach[1]),
        dilation=(1, layer.dilation[1]),
    )
