"""A generator as the list of its layers, read off its ``forward``: what row streaming can run."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from napari_srgan.models.subpixel import (
    convolve_before_shuffle,
    kernel_before_shuffle,
    low_resolution_reach,
)


class NotStreamableError(ValueError):
    """A network has a layer that needs more than a few rows; the message names it."""


@dataclass(frozen=True)
class Convolution:
    """A convolution with stride 1, zero-padded to keep its size.

    Attributes
    ----------
    source : int
        Which value it takes: 0 is the network's input, ``i`` the result of layer ``i - 1``.
    weight, bias : Tensor
        ``(outputs, inputs / groups, kh, kw)``, ``(outputs,)``.
    reach : tuple of int
        Rows and columns that an output sees to each side.
    dilation : tuple of int
        Of the kernel, along rows and columns.
    groups : int
        Independent parts of the channels.
    """

    source: int
    weight: Tensor
    bias: Tensor | None
    reach: tuple[int, int]
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1


@dataclass(frozen=True)
class Pointwise:
    """A function of each value, or of the channels at each pixel: an activation, a norm.

    ``slope`` is that of a leaky rectifier, which can be written in place; None for all others.
    """

    source: int
    function: Callable[[Tensor], Tensor]
    slope: float | None = None


@dataclass(frozen=True)
class Sum:
    """Two values added: a skip connection."""

    sources: tuple[int, int]


@dataclass(frozen=True)
class Shuffle:
    """Channels to pixels: ``(f² · c, h, w)`` to ``(c, f · h, f · w)``."""

    source: int
    factor: int


@dataclass(frozen=True)
class Enlarge:
    """Every pixel repeated: ``(c, h, w)`` to ``(c, f · h, f · w)``."""

    source: int
    factor: int


@dataclass(frozen=True)
class Join:
    """Two values side by side: their channels, in this order."""

    sources: tuple[int, int]


@dataclass(frozen=True)
class Cast:
    """A value in another floating type."""

    source: int
    dtype: torch.dtype


Layer: TypeAlias = Convolution | Pointwise | Sum | Shuffle | Enlarge | Join | Cast


def sources_of(layer: Layer) -> tuple[int, ...]:
    """Return the values that a layer takes."""
    return layer.sources if isinstance(layer, (Sum, Join)) else (layer.source,)


def moved(layer: Layer, to: torch.device | torch.dtype) -> Layer:
    """Return a layer whose weights are on a device, or in a floating type."""
    if isinstance(layer, Convolution):
        bias = None if layer.bias is None else layer.bias.detach().to(to)
        weight = layer.weight.detach().to(to).contiguous(memory_format=torch.channels_last)
        return replace(layer, weight=weight, bias=bias)
    if isinstance(layer, Pointwise) and isinstance(layer.function, nn.Module):
        return replace(layer, function=copy.deepcopy(layer.function).to(to))
    return layer


_POINTWISE = (
    nn.PReLU,
    nn.ReLU,
    nn.LeakyReLU,
    nn.ELU,
    nn.GELU,
    nn.SiLU,
    nn.Sigmoid,
    nn.Tanh,
)


def read_layers(network: nn.Module) -> tuple[Layer, ...]:
    """Return the layers of a network in evaluation mode, in the order they are computed.

    Convolutions, activations, batch norms, sums, pixel shuffles, concatenations and nearest
    enlargement are understood, in any arrangement. The last layer's value is the output.

    Raises
    ------
    NotStreamableError
        If there is anything else in it.
    """
    tracer = fx.Tracer(autowrap_functions=(convolve_before_shuffle,))
    try:
        graph = tracer.trace(network)
    except (fx.proxy.TraceError, TypeError) as error:
        raise NotStreamableError(f"The network's forward cannot be read: {error}") from error
    reader = _Reader(network)
    for node in graph.nodes:
        reader.read(node)
    return tuple(reader.layers)


class _Reader:
    """Turns the nodes of a traced network into layers."""

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self.layers: list[Layer] = []
        self._places: dict[fx.Node, int] = {}
        self._tensors: dict[fx.Node, Tensor] = {}

    def read(self, node: fx.Node) -> None:
        if node.op == "placeholder":
            self._places[node] = 0
        elif node.op == "get_attr":
            self._tensors[node] = operator.attrgetter(str(node.target))(self._network)
        elif node.op == "call_module":
            module = self._network.get_submodule(str(node.target))
            if isinstance(module, nn.Identity):
                self._places[node] = self._source(node)
            else:
                self._add(node, self._of_module(module, node))
        elif node.op == "output":
            if self._places.get(node.args[0]) != len(self.layers):  # type: ignore[arg-type]
                raise NotStreamableError("The network's output is not what it computes last.")
        else:
            self._of_function(node)

    def _add(self, node: fx.Node, layer: Layer) -> None:
        self.layers.append(layer)
        self._places[node] = len(self.layers)

    def _source(self, node: fx.Node, argument: int = 0) -> int:
        place = self._places.get(node.args[argument])  # type: ignore[arg-type]
        if place is None:
            raise NotStreamableError(f"{_named(node)} takes {node.args[argument]!r}.")
        return place

    def _of_module(self, module: nn.Module, node: fx.Node) -> Layer:
        source = self._source(node)
        if isinstance(module, nn.Conv2d):
            return _convolution(module, source, node)
        if isinstance(module, nn.PixelShuffle):
            return Shuffle(source, module.upscale_factor)
        if isinstance(module, nn.Upsample):
            return Enlarge(
                source, _whole_factor(module.mode, module.size, module.scale_factor, node)
            )
        if isinstance(module, _POINTWISE):
            return Pointwise(source, module, _slope(module))
        if isinstance(module, nn.BatchNorm2d) and not module.training:
            return Pointwise(source, module)
        raise NotStreamableError(f"{_named(node)} is a {type(module).__name__}.")

    def _of_function(self, node: fx.Node) -> None:
        if node.target in (operator.add, torch.add) and len(node.args) == 2:
            self._add(node, Sum((self._source(node, 0), self._source(node, 1))))
        elif node.target is F.pixel_shuffle:
            factor: Any = node.args[1]
            self._add(node, Shuffle(self._source(node), factor))
        elif node.target is torch.cat:
            self._add(node, Join(self._joined(node)))
        elif node.target is F.interpolate:
            chosen = {"mode": "nearest", "size": None, "scale_factor": None, **node.kwargs}
            mode, size, factor = (chosen[name] for name in ("mode", "size", "scale_factor"))
            self._add(node, Enlarge(self._source(node), _whole_factor(mode, size, factor, node)))
        elif node.target is convolve_before_shuffle:
            self._read_before_shuffle(node)
        else:
            raise NotStreamableError(f"{_named(node)} is not understood.")

    def _joined(self, node: fx.Node) -> tuple[int, int]:
        parts: Any = node.args[0]
        along = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
        places = [self._places.get(part) for part in parts]
        if along != 1 or len(places) != 2 or None in places:
            raise NotStreamableError(
                f"{_named(node)} joins other things than two sets of channels."
            )
        return places[0], places[1]  # type: ignore[return-value]  # None was refused

    def _read_before_shuffle(self, node: fx.Node) -> None:
        _x, weight, bias, factor = node.args
        kernel = self._tensors[weight]  # type: ignore[index]
        offset = self._tensors.get(bias)  # type: ignore[arg-type]
        count: Any = factor
        reach = low_resolution_reach(kernel.shape[-1], count)
        self.layers.append(
            Convolution(
                self._source(node),
                kernel_before_shuffle(kernel, count).contiguous(memory_format=torch.channels_last),
                None if offset is None else offset.repeat_interleave(count**2),
                (reach, reach),
            )
        )
        self._add(node, Shuffle(len(self.layers), count))


def _convolution(module: nn.Conv2d, source: int, node: fx.Node) -> Convolution:
    extents = [d * (k - 1) for d, k in zip(module.dilation, module.kernel_size, strict=True)]
    padding = module.padding
    same = padding == "same" or [2 * p for p in padding if not isinstance(p, str)] == extents
    if module.stride != (1, 1) or not same or module.padding_mode != "zeros":
        raise NotStreamableError(f"{_named(node)} does not keep the image's size by zeros.")
    if any(extent % 2 for extent in extents):
        raise NotStreamableError(f"{_named(node)} has a kernel of even size.")
    dilation = (module.dilation[0], module.dilation[1])
    reach = (extents[0] // 2, extents[1] // 2)
    return Convolution(source, module.weight, module.bias, reach, dilation, module.groups)


def _whole_factor(mode: Any, size: Any, factor: Any, node: fx.Node) -> int:
    factors = set(factor) if isinstance(factor, tuple) else {factor}
    (whole,) = factors if len(factors) == 1 else (None,)
    if mode != "nearest" or size is not None or whole is None or whole != int(whole):
        raise NotStreamableError(
            f"{_named(node)} enlarges in another way than by repeating pixels."
        )
    return int(whole)


def _slope(module: nn.Module) -> float | None:
    if isinstance(module, nn.PReLU) and module.weight.numel() == 1:
        return float(module.weight.detach())
    if isinstance(module, nn.LeakyReLU):
        return float(module.negative_slope)
    return 0.0 if isinstance(module, nn.ReLU) else None


def _named(node: fx.Node) -> str:
    return f"The network's layer {node.target}"
