"""Rewrites of a list of layers for inference: the same function in fewer operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.fusion import fuse_conv_bn_weights

from napari_srgan.graph.ops import (
    Convolution,
    Layer,
    Layers,
    PixelShuffle,
    Pointwise,
    is_of_any_channel,
    sources_of,
    users_of,
    with_sources,
)
from napari_srgan.models.subpixel import kernel_before_shuffle, low_resolution_reach


def fold_affine(layers: Layers) -> Layers:
    """Return the layers with norms and constants folded into the convolutions before them.

    A batch norm with fixed statistics, and a constant multiplied or added, are affine maps of their
    convolution's output (Ledig et al., §3.2: at test time the statistics are fixed). They are
    folded in float64 and rounded once.
    """
    new: list[Layer] = []
    at = [0]  # where the values of the old list are in the new one
    users = users_of(layers)
    exact: dict[int, Convolution] = {}  # new places of convolutions folded so far, in float64
    for old in layers:
        layer = with_sources(old, at.__getitem__)
        before = new[layer.source - 1] if isinstance(layer, Pointwise) and layer.source else None
        if (
            isinstance(layer, Pointwise)
            and isinstance(before, Convolution)
            and users[sources_of(old)[0]] == 1
            and layer.function in _FOLDED_BY
        ):
            double = exact.get(layer.source) or _in_float64(before)
            exact[layer.source] = _FOLDED_BY[layer.function](double, layer)
            at.append(layer.source)
            continue
        new.append(layer)
        at.append(len(new))
    for place, conv in exact.items():
        new[place - 1] = _as(conv, torch.float32)
    return tuple(new)


def _as(conv: Convolution, dtype: torch.dtype) -> Convolution:
    bias = None if conv.bias is None else conv.bias.to(dtype)
    return replace(conv, weight=conv.weight.to(dtype), bias=bias)


def _in_float64(conv: Convolution) -> Convolution:
    return _as(conv, torch.float64)


def _fold_batch_norm(conv: Convolution, norm: Pointwise) -> Convolution:
    mean, var = (norm.options[name].double() for name in ("running_mean", "running_var"))
    scale, shift = (
        None if norm.options[name] is None else norm.options[name].double()
        for name in ("weight", "bias")
    )
    weight, bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, mean, var, norm.options["eps"], scale, shift
    )
    return replace(conv, weight=weight.detach(), bias=bias.detach())


def _of_channels(conv: Convolution, value: float | Tensor) -> Tensor:
    """Return a constant for each of a convolution's outputs."""
    constant = torch.as_tensor(value, dtype=torch.float64, device="cpu").detach().flatten()
    return constant.expand(conv.weight.shape[0])


def _bias(conv: Convolution) -> Tensor:
    return conv.weight.new_zeros(conv.weight.shape[0]) if conv.bias is None else conv.bias


def _scaled(conv: Convolution, factor: Tensor) -> Convolution:
    bias = None if conv.bias is None else conv.bias * factor
    return replace(conv, weight=conv.weight * factor.view(-1, 1, 1, 1), bias=bias)


def _fold_mul(conv: Convolution, layer: Pointwise) -> Convolution:
    return _scaled(conv, _of_channels(conv, layer.options["other"]))


def _fold_div(conv: Convolution, layer: Pointwise) -> Convolution:
    return _scaled(conv, 1 / _of_channels(conv, layer.options["other"]))


def _fold_add(conv: Convolution, layer: Pointwise) -> Convolution:
    return replace(conv, bias=_bias(conv) + _of_channels(conv, layer.options["other"]))


def _fold_sub(conv: Convolution, layer: Pointwise) -> Convolution:
    return replace(conv, bias=_bias(conv) - _of_channels(conv, layer.options["other"]))


_FOLDED_BY: Mapping[Callable[..., Tensor], Callable[[Convolution, Pointwise], Convolution]] = {
    F.batch_norm: _fold_batch_norm,
    torch.mul: _fold_mul,
    torch.div: _fold_div,
    torch.add: _fold_add,
    torch.sub: _fold_sub,
}


def for_grey(layers: Layers, channels: int) -> Layers:
    """Return the layers for grey images: one channel in, one channel out.

    It equals replicating the grey plane to every channel and averaging the channels that come out.
    Where convolutions begin and end the network, the first one's weights are summed over their
    inputs and the last one's averaged over its outputs; elsewhere a 1 × 1 convolution does it.
    """
    return _with_grey_output(_with_grey_input(layers, channels), channels)


def _with_grey_input(layers: Layers, channels: int) -> Layers:
    direct = [
        isinstance(layer, Convolution) and layer.groups == 1
        for layer in layers
        if 0 in sources_of(layer)
    ]
    if all(direct):
        return tuple(
            replace(layer, weight=layer.weight.sum(1, keepdim=True))
            if isinstance(layer, Convolution) and layer.source == 0
            else layer
            for layer in layers
        )
    replicate = Convolution(0, torch.ones(channels, 1, 1, 1, dtype=torch.float32), None, (0, 0))
    return (replicate, *(with_sources(layer, lambda source: source + 1) for layer in layers))


def _with_grey_output(layers: Layers, channels: int) -> Layers:
    def average(conv: Convolution, sub_pixels: int) -> Convolution:
        weight = conv.weight.reshape(channels, sub_pixels, *conv.weight.shape[1:]).mean(0)
        bias = None if conv.bias is None else conv.bias.reshape(channels, sub_pixels).mean(0)
        return replace(conv, weight=weight, bias=bias)

    if (changed := _change_last(layers, average)) is not None:
        return changed
    weight = torch.full((1, channels, 1, 1), 1 / channels, dtype=torch.float32)
    return (*layers, Convolution(len(layers), weight, None, (0, 0)))


def to_unit_range(layers: Layers, value_range: tuple[float, float]) -> Layers:
    """Return the layers with an output that is 0 for black and 1 for white.

    Parameters
    ----------
    layers : tuple of Layer
        As traced or folded.
    value_range : tuple of float
        What their output is for black and for white.
    """
    black, white = value_range
    if (black, white) == (0.0, 1.0):
        return layers

    def to_unit(conv: Convolution, _sub_pixels: int) -> Convolution:
        bias = (_bias(conv) - black) / (white - black)
        return replace(conv, weight=conv.weight / (white - black), bias=bias)

    if (changed := _change_last(layers, to_unit)) is not None:
        return changed
    shifted = Pointwise(len(layers), torch.sub, {"other": black})
    scaled = Pointwise(len(layers) + 1, torch.div, {"other": white - black})
    return (*layers, shifted, scaled)


def _change_last(
    layers: Layers, change: Callable[[Convolution, int], Convolution]
) -> Layers | None:
    """Return the layers with the convolution changed that makes the output, or its sub-pixels.

    ``change`` is given the convolution and its outputs to a channel. None where the output is made
    otherwise, or from a value that has other uses.
    """
    last, sub_pixels = layers[-1], 1
    place = len(layers) - 1
    if isinstance(last, PixelShuffle) and last.source:
        sub_pixels, place = last.factor**2, last.source - 1
        last = layers[place]
    if not isinstance(last, Convolution) or last.groups != 1 or users_of(layers)[place + 1] != 1:
        return None
    return (*layers[:place], change(last, sub_pixels), *layers[place + 1 :])


def convolve_before_shuffle(layers: Layers) -> Layers:
    """Return the layers with convolutions of few outputs done before the pixel shuffle they follow.

    The last layer of a generator makes 3 maps at the full resolution, which leaves most of a vector
    or matrix unit idle, from many that are shuffled for it. Before the shuffle, the same sums make
    3 · f² at the low resolution, and only these are shuffled: :mod:`napari_srgan.models.subpixel`.
    An activation in between is the same on either side.
    """
    users = users_of(layers)
    delayed = {
        place: shuffle
        for place in range(len(layers))
        if (shuffle := _shuffle_before(layers, place, users)) is not None
    }
    new: list[Layer] = []
    at = [0]
    for place, old in enumerate(layers):
        layer = with_sources(old, at.__getitem__)
        if place in delayed.values():
            at.append(at[sources_of(old)[0]])
            continue
        before = layers[delayed[place]] if place in delayed else None
        if isinstance(layer, Convolution) and isinstance(before, PixelShuffle):
            new.append(_before_shuffle(layer, before.factor))
            layer = PixelShuffle(len(new), before.factor)
        new.append(layer)
        at.append(len(new))
    return tuple(new)


_FEW = 4  # outputs; with more of them the vector units are busy enough


def _shuffle_before(layers: Layers, place: int, users: list[int]) -> int | None:
    """Return the place of the pixel shuffle that a convolution can be done before, if any."""
    conv = layers[place]
    if not isinstance(conv, Convolution) or not _gains(conv):
        return None
    value = conv.source
    while value and users[value] == 1:
        layer = layers[value - 1]
        if isinstance(layer, PixelShuffle):
            return value - 1
        if not isinstance(layer, Pointwise) or not is_of_any_channel(layer):
            return None
        value = layer.source
    return None


def _gains(conv: Convolution) -> bool:
    outputs, _, height, width = conv.weight.shape
    plain = conv.groups == 1 and conv.dilation == (1, 1) and conv.border == "zeros"
    return outputs <= _FEW and plain and height == width


def _before_shuffle(conv: Convolution, factor: int) -> Convolution:
    reach = low_resolution_reach(conv.weight.shape[-1], factor)
    bias = None if conv.bias is None else conv.bias.repeat_interleave(factor**2)
    weight = kernel_before_shuffle(conv.weight, factor)
    return Convolution(conv.source, weight, bias, (reach, reach))
