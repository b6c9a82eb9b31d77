"""Operations of a generator as data: a list in the order they are computed, each naming its inputs.

Value 0 is the network's input and value ``i`` the result of layer ``i - 1``; the last layer's value
is the output. All values are ``(n, c, h, w)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_srgan.models.layers.reflection import reflected
from napari_srgan.models.layers.unshuffle import cropped, padded_to_multiple


class NotStreamableError(ValueError):
    """A network has an operation that needs more than a few rows; the message names it."""


@dataclass(frozen=True)
class Convolution:
    """Convolution with stride 1, padded to keep its size.

    Attributes
    ----------
    source : int
        The value it takes.
    weight, bias : Tensor
        ``(outputs, inputs / groups, kh, kw)``, ``(outputs,)``.
    reach : tuple of int
        Rows and columns that an output sees to each side.
    dilation : tuple of int
        Of the kernel, along rows and columns.
    groups : int
        Independent parts of the channels.
    border : {"zeros", "reflect"}
        What it sees beyond the image.
    """

    source: int
    weight: Tensor
    bias: Tensor | None
    reach: tuple[int, int]
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    border: Literal["zeros", "reflect"] = "zeros"


@dataclass(frozen=True)
class Pointwise:
    """Function of each pixel alone: an activation, a norm, a constant added or multiplied.

    Attributes
    ----------
    source : int
        The value it takes.
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
class Add:
    """Sum of two values: a skip connection."""

    sources: tuple[int, int]


@dataclass(frozen=True)
class Multiply:
    """Product of two values, number by number."""

    sources: tuple[int, int]


@dataclass(frozen=True)
class PixelShuffle:
    """Channels to pixels: ``(f² · c, h, w)`` to ``(c, f · h, f · w)``."""

    source: int
    factor: int


@dataclass(frozen=True)
class PixelUnshuffle:
    """Pixels to channels: ``(c, f · h, f · w)`` to ``(f² · c, h, w)``."""

    source: int
    factor: int


@dataclass(frozen=True)
class Interpolate:
    """Enlargement by an interpolation: ``(c, h, w)`` to ``(c, f · h, f · w)``.

    Pixels are areas (``align_corners=False``); beyond the image its border is repeated.
    """

    source: int
    factor: int
    mode: Literal["nearest", "bilinear", "bicubic"] = "nearest"

    @property
    def reach(self) -> int:
        """Rows and columns of the input that an output sees beside its own."""
        return {"nearest": 0, "bilinear": 1, "bicubic": 2}[self.mode]


@dataclass(frozen=True)
class Concat:
    """Values side by side: their channels, in this order."""

    sources: tuple[int, ...]


@dataclass(frozen=True)
class Cast:
    """A value in another floating type."""

    source: int
    dtype: torch.dtype


Layer: TypeAlias = (
    Convolution
    | Pointwise
    | Add
    | Multiply
    | PixelShuffle
    | PixelUnshuffle
    | Interpolate
    | Concat
    | Cast
)
Layers: TypeAlias = tuple[Layer, ...]
_FRESH = (Convolution, Add, PixelShuffle)  # their values are memory of their own


def sources_of(layer: Layer) -> tuple[int, ...]:
    """Return the values that a layer takes."""
    return layer.sources if isinstance(layer, (Add, Multiply, Concat)) else (layer.source,)


def with_sources(layer: Layer, at: Callable[[int], int]) -> Layer:
    """Return a layer that takes value ``at(i)`` where it took value ``i``."""
    if isinstance(layer, (Add, Multiply)):
        first, second = layer.sources
        return replace(layer, sources=(at(first), at(second)))
    if isinstance(layer, Concat):
        return replace(layer, sources=tuple(map(at, layer.sources)))
    return replace(layer, source=at(layer.source))


def append(layers: list[Layer], layer: Layer) -> int:
    """Append a layer to a list that is being written, and return the place of its value."""
    layers.append(layer)
    return len(layers)


def users_of(layers: Layers) -> list[int]:
    """Return how many layers take each value; the output has one more."""
    users = [0] * (len(layers) + 1)
    for layer in layers:
        for source in sources_of(layer):
            users[source] += 1
    users[-1] += 1
    return users


def is_of_any_channel(layer: Pointwise) -> bool:
    """Return whether a function is the same for all channels."""
    tensors = [value for value in layer.options.values() if isinstance(value, Tensor)]
    return all(tensor.numel() == 1 for tensor in tensors)


def last_uses(layers: Layers) -> list[int]:
    """Return for every value the place of the last layer that takes it; the output's is the end."""
    last = [-1] * (len(layers) + 1)
    for place, layer in enumerate(layers):
        for source in sources_of(layer):
            last[source] = place
    last[-1] = len(layers)
    return last


def moved(layer: Layer, to: torch.device | torch.dtype) -> Layer:
    """Return a layer whose weights are on a device, or in a floating type."""
    is_type = isinstance(to, torch.dtype)
    if isinstance(layer, Convolution):
        bias = None if layer.bias is None else layer.bias.detach().to(to)
        weight = layer.weight.detach().to(to).contiguous(memory_format=torch.channels_last)
        return replace(layer, weight=weight, bias=bias)
    if isinstance(layer, Pointwise):
        options = {
            name: value.detach().to(to)
            if isinstance(value, Tensor) and (value.is_floating_point() or not is_type)
            else value
            for name, value in layer.options.items()
        }
        return replace(layer, options=options)
    return layer


def interpolated(x: Tensor, factor: int, mode: str) -> Tensor:
    """Return ``x`` enlarged as :class:`Interpolate` says."""
    if mode == "nearest":
        return x.repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    return F.interpolate(x, scale_factor=float(factor), mode=mode, align_corners=False)


def joined(parts: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
    """Return values side by side, channels last in memory.

    Left to choose, ``torch.cat`` takes a part of one channel for one whose channels are first, has
    the others follow it, and so the convolution behind it: thirty times the time.
    """
    n, _, height, width = parts[0].shape
    made = torch.empty(
        (n, sum(part.shape[1] for part in parts), height, width),
        dtype=dtype,
        device=parts[0].device,
        memory_format=torch.channels_last,
    )
    return torch.cat([part.to(dtype) for part in parts], 1, out=made)


def convolved(layer: Convolution, x: Tensor, padding: tuple[int, int]) -> Tensor:
    """Return a convolution of ``x`` with so many rows and columns of zeros beyond it."""
    return F.conv2d(
        x,
        layer.weight,
        layer.bias,
        padding=padding,
        dilation=layer.dilation,
        groups=layer.groups,
    )


def compute(layer: Layer, inputs: list[Tensor]) -> Tensor:
    """Return a layer's value for whole inputs, as many as it has sources."""
    first, *others = inputs
    if isinstance(layer, Convolution):
        rows, columns = layer.reach
        if layer.border == "reflect":
            return convolved(layer, reflected(first, rows, rows, columns, columns), (0, 0))
        return convolved(layer, first, layer.reach)
    if isinstance(layer, Add):
        return torch.add(first, *others)
    if isinstance(layer, Multiply):
        return torch.mul(first, *others)
    if isinstance(layer, PixelShuffle):
        return F.pixel_shuffle(first, layer.factor)
    if isinstance(layer, PixelUnshuffle):
        return F.pixel_unshuffle(first, layer.factor)
    if isinstance(layer, Interpolate):
        return interpolated(first, layer.factor, layer.mode)
    if isinstance(layer, Concat):
        return joined(inputs, first.dtype)
    if isinstance(layer, Cast):
        return first.to(layer.dtype)
    return layer.function(first, **layer.options)


def _in_place(layer: Layer, inputs: list[Tensor]) -> Tensor:
    """Return a layer's value, written over its first input where that can be.

    Memory of many megabytes is new to the process each time, and costs as much as the arithmetic.
    """
    first, *others = inputs
    alike = all((x.shape, x.dtype) == (first.shape, first.dtype) for x in others)
    if isinstance(layer, Add) and alike:  # else the sum has another shape, or a wider type
        return first.add_(*others)
    if isinstance(layer, Pointwise) and layer.slope is not None:
        return F.leaky_relu_(first, layer.slope)
    return compute(layer, inputs)


def run_layers(layers: Layers, x: Tensor) -> Tensor:
    """Return what the layers make of an image ``(n, c, h, w)``; values go at their last use.

    An image that is short of a multiple of :func:`step_of` the layers is reflected.
    """
    last, step = last_uses(layers), step_of(layers)
    values: dict[int, Tensor] = {0: x if step == 1 else padded_to_multiple(x, step)}
    for place, layer in enumerate(layers):
        inputs = [values[source] for source in sources_of(layer)]
        for source in set(sources_of(layer)):
            if last[source] == place:
                del values[source]
        first = sources_of(layer)[0]
        is_free = last[first] == place and first > 0 and isinstance(layers[first - 1], _FRESH)
        values[place + 1] = _in_place(layer, inputs) if is_free else compute(layer, inputs)
    result = values[len(layers)]
    return result if step == 1 else cropped(result, x, scale_of(layers))


def input_channels(layers: Layers) -> int:
    """Return the channels of the input.

    Raises
    ------
    NotStreamableError
        If no convolution takes it, or something that keeps its channels for one.
    """
    images = {0}
    for place, layer in enumerate(layers, 1):
        if isinstance(layer, Convolution) and layer.source in images:
            return int(layer.weight.shape[1]) * layer.groups
        if isinstance(layer, (Pointwise, Cast, Interpolate)) and layer.source in images:
            images.add(place)
        if isinstance(layer, PixelUnshuffle) and layer.source in images:
            return _channels_of_unshuffled(layers, place) // layer.factor**2
    raise NotStreamableError("The network has no convolution of its input.")


def _channels_of_unshuffled(layers: Layers, value: int) -> int:
    """Return the channels of a value that a convolution takes."""
    for layer in layers:
        if isinstance(layer, Convolution) and layer.source == value:
            return int(layer.weight.shape[1]) * layer.groups
    raise NotStreamableError("The network has no convolution of its unshuffled input.")


def scales_of(layers: Layers) -> list[Fraction]:
    """Return how many pixels, along an axis, each value has to a pixel of the input."""
    scales = [Fraction(1)]
    for layer in layers:
        scale = scales[sources_of(layer)[0]]
        if isinstance(layer, (PixelShuffle, Interpolate)):
            scale *= layer.factor
        elif isinstance(layer, PixelUnshuffle):
            scale /= layer.factor
        scales.append(scale)
    return scales


def scale_of(layers: Layers) -> int:
    """Return the factor between the sizes of the input and of the output."""
    return int(scales_of(layers)[-1])


def step_of(layers: Layers) -> int:
    """Return how many pixels of the input, along an axis, are computed together: mostly 1.

    It is the factor by which the input itself is unshuffled.
    """
    step, images = 1, {0}
    for place, layer in enumerate(layers, 1):
        if sources_of(layer)[0] not in images:
            continue
        if isinstance(layer, PixelUnshuffle):
            step = math.lcm(step, layer.factor)
        elif isinstance(layer, Cast) or (isinstance(layer, Convolution) and layer.reach == (0, 0)):
            images.add(place)
    return step
