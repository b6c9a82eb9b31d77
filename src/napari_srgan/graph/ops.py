"""The layers that a generator is made of, in order: what row streaming can run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import torch
from torch import Tensor


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

    Attributes
    ----------
    source : int
        Which value it takes.
    function : callable
        What is computed: ``function(value, **options)``.
    options : dict of str to object
        Weights among them.
    slope : float or None
        That of a leaky rectifier, which can be written in place; None for all others.
    """

    source: int
    function: Callable[..., Tensor]
    options: Mapping[str, Any] = field(default_factory=dict)
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


def with_sources(layer: Layer, at: Callable[[int], int]) -> Layer:
    """Return a layer that takes value ``at(i)`` where it took value ``i``."""
    if isinstance(layer, (Sum, Join)):
        first, second = layer.sources
        return replace(layer, sources=(at(first), at(second)))
    return replace(layer, source=at(layer.source))


def moved(layer: Layer, to: torch.device | torch.dtype) -> Layer:
    """Return a layer whose weights are on a device, or in a floating type."""
    if isinstance(layer, Convolution):
        bias = None if layer.bias is None else layer.bias.detach().to(to)
        weight = layer.weight.detach().to(to).contiguous(memory_format=torch.channels_last)
        return replace(layer, weight=weight, bias=bias)
    if isinstance(layer, Pointwise):
        options = {
            name: value.detach().to(to) if isinstance(value, Tensor) else value
            for name, value in layer.options.items()
        }
        return replace(layer, options=options)
    return layer
