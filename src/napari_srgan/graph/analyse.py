"""What a network needs, read off its layers: receptive radius, multiply-adds, memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from napari_srgan.graph.ops import (
    Concat,
    Convolution,
    Interpolate,
    Layer,
    Layers,
    NotStreamableError,
    PixelShuffle,
    PixelUnshuffle,
    input_channels,
    last_uses,
    sources_of,
    step_of,
)


@dataclass(frozen=True)
class Extent:
    """Size of one value and how far its pixels see.

    Attributes
    ----------
    scale : fractions.Fraction
        Pixels to a pixel of the input, along one axis.
    channels : int
        Of a pixel.
    radius : tuple of fractions.Fraction
        How far a pixel sees into the input, to each side along rows and columns, in pixels of the
        input.
    """

    scale: Fraction
    channels: int
    radius: tuple[Fraction, Fraction] = (Fraction(0), Fraction(0))

    @property
    def numbers(self) -> int:
        """Numbers to a pixel of the input, rounded up."""
        return math.ceil(self.channels * self.scale**2)


def extents(layers: Layers) -> tuple[Extent, ...]:
    """Return the extent of the input and of every layer's value.

    Raises
    ------
    NotStreamableError
        If values of different sizes are put together, or no convolution takes the input.
    """
    found = [Extent(Fraction(1), input_channels(layers))]
    for layer in layers:
        found.append(_extent(layer, [found[source] for source in sources_of(layer)]))
    return tuple(found)


def _extent(layer: Layer, sources: list[Extent]) -> Extent:
    first, *others = sources
    if any(source.scale != first.scale for source in others):
        raise NotStreamableError("The network puts images of different sizes together.")
    down, across = (max(source.radius[axis] for source in sources) for axis in (0, 1))
    if isinstance(layer, Convolution):
        rows, columns = (reach / first.scale for reach in layer.reach)
        return Extent(first.scale, int(layer.weight.shape[0]), (down + rows, across + columns))
    if isinstance(layer, PixelShuffle):
        factor = layer.factor
        return Extent(factor * first.scale, first.channels // factor**2, (down, across))
    if isinstance(layer, PixelUnshuffle):
        factor = layer.factor
        pixel = factor / first.scale  # which now has all that those put into it see
        seen = math.ceil(down / pixel) * pixel, math.ceil(across / pixel) * pixel
        return Extent(first.scale / factor, first.channels * factor**2, seen)
    if isinstance(layer, Interpolate):
        beside = layer.reach / first.scale
        seen = down + beside, across + beside
        return Extent(layer.factor * first.scale, first.channels, seen)
    if isinstance(layer, Concat):
        channels = sum(source.channels for source in sources)
        return Extent(first.scale, channels, (down, across))
    return Extent(first.scale, first.channels, (down, across))


def receptive_radius(layers: Layers) -> int:
    """Return how many input pixels a result depends on, to each side, rounded up."""
    # Pixels that are computed together see what the first and the last of them see.
    return math.ceil(max(extents(layers)[-1].radius)) + step_of(layers) - 1


def multiply_adds(layers: Layers) -> int:
    """Return the multiply-adds of the convolutions for each pixel of the input.

    Norms, activations and sums are left out: in the paper's network, a few thousandths of it all.
    """
    return math.ceil(
        sum(
            extent.scale**2 * layer.weight.numel()
            for layer, extent in zip(layers, extents(layers)[1:], strict=True)
            if isinstance(layer, Convolution)
        )
    )


def numbers_at_once(layers: Layers) -> int:
    """Return the most numbers that are held at a time, for each pixel of the input.

    Held are all values that are still needed, the one computed, and a copy of what it is computed
    from, which libraries make.
    """
    sizes, last = [extent.numbers for extent in extents(layers)], last_uses(layers)
    most = 0
    for place, layer in enumerate(layers):
        held = sum(size for value, size in enumerate(sizes[: place + 1]) if last[value] >= place)
        copied = max(sizes[source] for source in sources_of(layer))
        most = max(most, held + sizes[place + 1] + copied)
    return most
