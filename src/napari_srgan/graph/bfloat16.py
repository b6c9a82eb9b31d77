"""Layers in bfloat16, whose 8 bits of precision are spent where they show least.

An 8-bit image has as many bits as bfloat16, and the image itself travels through the network: along
its skip connections and out of the last convolution. Of the paper's network, 93 % of the
multiplications are in bfloat16. What it gives is off by a third of a level of 255 (rms), where all
of it in bfloat16 is off by 0.7 and by up to 8.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from napari_srgan.graph.ops import (
    Add,
    Cast,
    Concat,
    Convolution,
    Interpolate,
    Layer,
    Layers,
    Multiply,
    PixelShuffle,
    PixelUnshuffle,
    Pointwise,
    input_channels,
    moved,
    scale_of,
    sources_of,
    with_sources,
)

_HALF = torch.bfloat16


def in_bfloat16(layers: Layers) -> Layers:
    """Return layers that compute the same, in bfloat16 wherever that does not show.

    Float32 remain: convolutions of the image itself and sums along skip connections. The last sum
    is convolved in two parts, rounded and what that leaves. The last convolution gives the
    difference to the image, repeated pixel by pixel, which is small and therefore fine-grained; the
    image is added in float32. Weights are rounded so that each kernel keeps its sum.
    """
    return _Writer(layers).write()


class _Writer:
    """Writes the new list; knows where the values of the old one are, in full and in half."""

    def __init__(self, layers: Layers) -> None:
        self._old = layers
        self._new: list[Layer] = []
        self._full: dict[int, int] = {0: 0}
        self._half: dict[int, int] = {}
        sums = [place for place, layer in enumerate(layers, 1) if isinstance(layer, Add)]
        self._last_sum = max(sums, default=-1)
        self._last = max(p for p, layer in enumerate(layers, 1) if isinstance(layer, Convolution))
        self._image = {0}  # values that are the image, perhaps shifted by a mean
        for place, layer in enumerate(layers, 1):
            shifted = isinstance(layer, (Pointwise, PixelUnshuffle, Interpolate)) or _makes_colours(
                layer
            )
            if shifted and sources_of(layer)[0] in self._image:
                self._image.add(place)

    def write(self) -> Layers:
        factor = self._sub_pixels()
        for place, layer in enumerate(self._old, 1):
            if place == self._last and isinstance(layer, Convolution) and factor is not None:
                self._difference(layer, factor)
                break
            self._take(place, layer)
        return tuple(self._new)

    def _take(self, place: int, layer: Layer) -> None:
        if isinstance(layer, Convolution):
            self._convolution(place, layer)
            return
        if isinstance(layer, (Add, Multiply)):
            full = True
            if not self._full.keys() & set(layer.sources):
                self._widen(layer.sources[0])
        elif isinstance(layer, Concat):
            full = False
        else:
            full = layer.source not in self._half
        if not full and isinstance(layer, Pointwise):
            layer = moved(layer, _HALF)
        self._add(place, with_sources(layer, partial(self._at, full=full)), full=full)

    def _convolution(self, place: int, layer: Convolution) -> None:
        if layer.source in self._image:
            if layer.source not in self._full:
                self._widen(layer.source)
            self._add(place, replace(layer, source=self._at(layer.source, full=True)), full=True)
            return
        weight = rounded_with_its_sum(layer.weight)
        bias = None if layer.bias is None else layer.bias.to(_HALF)
        source = self._at(layer.source, full=False)
        if layer.source == self._last_sum and layer.groups == 1:
            source = self._in_two_parts(layer.source)
            weight = torch.cat([weight, weight], 1).contiguous(memory_format=torch.channels_last)
        self._add(place, replace(layer, source=source, weight=weight, bias=bias), full=False)

    def _in_two_parts(self, old: int) -> int:
        """Return where a value is rounded, and beside it what that leaves: 16 bits of it."""
        rest = self._append(Pointwise(self._at(old, full=True), _left_by_rounding))
        return self._append(Concat((self._at(old, full=False), self._append(Cast(rest, _HALF)))))

    def _sub_pixels(self) -> int | None:
        """Return the factor of the shuffle that ends the network, 1 where a convolution does.

        None where the last convolution makes something else than the image's sub-pixels.
        """
        last, *after = self._old[self._last - 1 :]
        if not isinstance(last, Convolution) or last.groups != 1 or last.source == 0:
            return None
        if not after:
            factor = 1
        elif len(after) == 1 and isinstance(after[0], PixelShuffle):
            factor = after[0].factor
        else:
            return None
        return factor if last.weight.shape[0] == input_channels(self._old) * factor**2 else None

    def _difference(self, layer: Convolution, factor: int) -> None:
        """Write the last convolution as the difference to the image, and add the image to it."""
        scale = scale_of(self._old[: layer.source])
        features, channels = self._at(layer.source, full=False), input_channels(self._old)
        image = self._append(Cast(0, _HALF))
        beside = self._append(Interpolate(image, scale)) if scale > 1 else image
        joined = self._append(Concat((features, beside)))
        weight = rounded_with_its_sum(layer.weight)
        minus = weight.new_zeros(weight.shape[0], channels, *weight.shape[2:])
        for output in range(weight.shape[0]):
            minus[output, output // factor**2, layer.reach[0], layer.reach[1]] = -1
        kernel = torch.cat([weight, minus], 1).contiguous(memory_format=torch.channels_last)
        bias = None if layer.bias is None else layer.bias.to(_HALF)
        high = self._append(replace(layer, source=joined, weight=kernel, bias=bias))
        if factor > 1:
            high = self._append(PixelShuffle(high, factor))
        low = self._append(Cast(image, torch.float32))
        if scale * factor > 1:
            low = self._append(Interpolate(low, scale * factor))
        self._append(Add((high, low)))

    def _at(self, old: int, *, full: bool) -> int:
        """Return where a value is, rounded if it is wanted so; where only that is there, that."""
        if full and old in self._full:
            return self._full[old]
        if old not in self._half:
            self._half[old] = self._append(Cast(self._full[old], _HALF))
        return self._half[old]

    def _widen(self, old: int) -> None:
        """Have a value in full that is there in half alone: sums of it are not to be rounded."""
        self._full[old] = self._append(Cast(self._half[old], torch.float32))

    def _add(self, old: int, layer: Layer, *, full: bool) -> None:
        (self._full if full else self._half)[old] = self._append(layer)

    def _append(self, layer: Layer) -> int:
        self._new.append(layer)
        return len(self._new)


def _left_by_rounding(x: Tensor) -> Tensor:
    return x - x.to(_HALF).to(x.dtype)


def _makes_colours(layer: Layer) -> bool:
    """Return whether a layer is a 1 × 1 convolution that makes no more than colours."""
    return isinstance(layer, Convolution) and layer.reach == (0, 0) and len(layer.weight) <= 3


def rounded_with_its_sum(weight: Tensor) -> Tensor:
    """Return a convolution's weight in bfloat16, each kernel's sum kept as far as possible.

    The error of each rounding is carried on to the next smaller tap, so that where the input is
    even, which is nearly everywhere, the output is what it was.

    Parameters
    ----------
    weight : Tensor
        ``(outputs, inputs, kh, kw)``, float32.
    """
    kernels = weight.detach().flatten(0, 1).flatten(1)
    order = kernels.abs().argsort(dim=1, descending=True)
    taps = kernels.gather(1, order)
    rounded = torch.empty_like(taps)
    carried = torch.zeros_like(taps[:, 0])
    for tap in range(taps.shape[1]):
        wanted = taps[:, tap] + carried
        rounded[:, tap] = wanted.to(_HALF)
        carried = wanted - rounded[:, tap]
    result = torch.empty_like(kernels).scatter_(1, order, rounded).view(weight.shape)
    return result.to(_HALF).contiguous(memory_format=torch.channels_last)
