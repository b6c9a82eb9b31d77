"""A network run as a stream of bands of rows: nothing is computed twice, memory is the width's.

Every layer is given the rows that have become known. A convolution keeps the last rows of its
input, a skip connection waits for the sum's other half: both are one buffer behind the layer they
read from. Rows beyond the image are zeros, as padding is. All layers work on bands of the same
height, each a few rows behind the layer before it, and only on rows inside the image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_srgan.models.bfloat16 import in_bfloat16
from napari_srgan.models.layers import (
    Cast,
    Convolution,
    Enlarge,
    Join,
    Layer,
    NotStreamableError,
    Shuffle,
    Sum,
    read_layers,
    sources_of,
)

# Values as large as the largest that are about while a layer works: what it takes and gives, and
# the copies that libraries make. Measured with oneDNN: 5.9.
_WORK = 6

__all__ = ["NotStreamableError", "Program", "RowStream"]


@dataclass(frozen=True)
class _Place:
    """What one value is: how it lies to the input, and what a stream of it has to keep.

    Attributes
    ----------
    scale : int
        Rows to an input row.
    lag : int
        Rows that it is behind the input.
    kept : int
        Rows before its newest band that layers read again.
    channels, dtype
        Of its pixels.
    """

    scale: int
    lag: int
    kept: int
    channels: int
    dtype: torch.dtype

    def bytes_per_column(self, rows: int) -> int:
        """Return the bytes of some of its rows, for a column of the input."""
        return rows * self.scale * self.channels * self.dtype.itemsize


@dataclass(frozen=True)
class Program:
    """A network's layers and, for each value, what a stream of them has to keep.

    Attributes
    ----------
    layers : tuple of Layer
        In the order they are computed.
    places : tuple of _Place
        Of the input, then of each layer's value.
    """

    layers: tuple[Layer, ...]
    places: tuple[_Place, ...]

    @classmethod
    def of(cls, network: nn.Module, precision: torch.dtype = torch.float32) -> Program:
        """Return the program of a float32 network in an arithmetic, on the device of its weights.

        Raises
        ------
        NotStreamableError
            If the network has a layer that needs more than a few rows.
        """
        layers = read_layers(network)
        first = next((c for c in _convolutions(layers) if c.source == 0), None)
        if first is None:
            raise NotStreamableError("The network has no convolution of its input.")
        if precision == torch.bfloat16:
            layers = in_bfloat16(layers)
        places = [_Place(1, 0, 0, first.weight.shape[1] * first.groups, first.weight.dtype)]
        kept = [0] * (len(layers) + 1)
        for layer in layers:
            sources = sources_of(layer)
            place = _place_of(layer, [places[source] for source in sources])
            for source in sources:
                kept[source] = max(kept[source], _needed(layer, places[source].lag, place.lag))
            places.append(place)
        return cls(
            layers,
            tuple(replace(place, kept=rows) for place, rows in zip(places, kept, strict=True)),
        )

    def placed(self, pixels: NDArray[np.float32]) -> Tensor:
        """Return pixels ``(c, h, w)`` as the network takes them, ``(1, c, h, w)``."""
        like = next(_convolutions(self.layers)).weight
        rows = torch.from_numpy(pixels)[None].to(like.device, like.dtype)
        return rows.contiguous(memory_format=torch.channels_last)

    def memory(self, width: int, band: int) -> int:
        """Return about how many bytes a stream of this width takes, a band at work included."""
        held = sum(p.bytes_per_column(p.kept + band * p.scale) for p in self.places if p.kept)
        working = max(place.bytes_per_column(band * place.scale) for place in self.places)
        return width * (held + _WORK * working)


def _place_of(layer: Layer, sources: list[_Place]) -> _Place:
    """Return what a layer's value is, of which nothing is kept yet."""
    first, *others = sources
    lag = max(source.lag for source in sources)
    if any(source.scale != first.scale for source in others):
        raise NotStreamableError("The network puts images of different sizes together.")
    if isinstance(layer, Convolution):
        channels, dtype = int(layer.weight.shape[0]), layer.weight.dtype
        return _Place(first.scale, lag + layer.reach[0], 0, channels, dtype)
    if isinstance(layer, (Shuffle, Enlarge)):
        shuffled = layer.factor**2 if isinstance(layer, Shuffle) else 1
        return replace(
            first,
            scale=first.scale * layer.factor,
            lag=lag * layer.factor,
            channels=first.channels // shuffled,
        )
    if isinstance(layer, Cast):
        return replace(first, dtype=layer.dtype)
    if isinstance(layer, Join):
        return replace(first, lag=lag, channels=sum(source.channels for source in sources))
    dtype = first.dtype
    for source in others:
        dtype = torch.promote_types(dtype, source.dtype)
    return replace(first, lag=lag, dtype=dtype)


def _convolutions(layers: tuple[Layer, ...]) -> Iterator[Convolution]:
    return (layer for layer in layers if isinstance(layer, Convolution))


def _needed(layer: Layer, source_lag: int, lag: int) -> int:
    """Return how many rows before its newest band a layer reads of a value."""
    if isinstance(layer, Convolution):
        return 2 * layer.reach[0]
    return lag - source_lag if isinstance(layer, (Sum, Join)) else 0


class _Value:
    """The rows of one value that are at hand: the newest band, and those kept before it."""

    def __init__(
        self, place: _Place, band: int, height: int, width: int, device: torch.device
    ) -> None:
        self._place, self._height = place, height * place.scale
        self._new = band * place.scale
        self._first = 0  # row of the image that what is held begins with
        self._held: Tensor | None = None
        if place.kept:
            shape = (1, place.channels, place.kept + self._new, width * place.scale)
            held = torch.zeros(shape, dtype=place.dtype, device=device)
            self._held = held.contiguous(memory_format=torch.channels_last)

    def begin(self, step: int) -> tuple[int, int]:
        """Make room for the rows of a step; return which they are, of those inside the image."""
        first = step * self._new - self._place.lag
        start, stop = max(0, first), min(self._height, first + self._new)
        if self._place.kept and self._held is not None:
            self._first = first - self._place.kept
            if step > 0:
                self._move_up(self._held)
            if stop - start < self._new:
                self._held[:, :, self._place.kept :].zero_()
        return start, stop

    def _move_up(self, held: Tensor) -> None:
        for at in range(0, self._place.kept, self._new):  # piecewise: the two must not overlap
            until = min(at + self._new, self._place.kept)
            held[:, :, at:until] = held[:, :, at + self._new : until + self._new]

    def room(self, start: int, stop: int) -> Tensor | None:
        """Return where rows can be written; None where none are kept."""
        return self.rows(start, stop) if self._place.kept else None

    def put(self, rows: Tensor, start: int) -> None:
        """Take rows that were not written into their room."""
        if self._place.kept:
            self.rows(start, start + rows.shape[2]).copy_(rows)
        else:
            self._held, self._first = rows, start

    def rows(self, start: int, stop: int) -> Tensor:
        """Return rows of the image, a view; those beyond its borders are zero."""
        if self._held is None:
            raise RuntimeError(f"Rows {start} to {stop} were asked for before they were computed.")
        return self._held[:, :, start - self._first : stop - self._first]


class RowStream:
    """An image, or a strip of it, on its way through a network.

    Parameters
    ----------
    program : Program
        The network's.
    height, width : int
        Of the image, in input pixels.
    band : int
        Input rows of a step, 1 or more. It changes speed and memory, and no value.
    """

    def __init__(self, program: Program, height: int, width: int, band: int) -> None:
        self._layers = program.layers
        device = next(_convolutions(program.layers)).weight.device
        self._input, *self._values = (
            _Value(place, band, height, width, device) for place in program.places
        )
        last = program.places[-1]
        self.steps = -(-(height * last.scale + last.lag) // (band * last.scale))

    @torch.inference_mode()
    def iter_rows(self, read: Callable[[int, int], Tensor]) -> Iterator[tuple[int, Tensor]]:
        """Yield what becomes known of the output: its first row, and rows ``(1, c, n, width)``.

        Parameters
        ----------
        read : callable
            ``read(start, stop)`` returns rows ``(1, channels, n, width)`` of the input, on the
            network's device. It is called for all of them, in order.
        """
        values = [self._input, *self._values]
        for step in range(self.steps):
            start, stop = self._input.begin(step)
            if start < stop:
                self._input.put(read(start, stop), start)
            for layer, value in zip(self._layers, self._values, strict=True):
                start, stop = value.begin(step)
                if start < stop:
                    _compute(layer, values, value, start, stop)
            if start < stop:
                yield start, value.rows(start, stop)


def _compute(layer: Layer, values: list[_Value], value: _Value, start: int, stop: int) -> None:
    """Compute rows of a layer's value from the values before it."""
    if isinstance(layer, Convolution):
        reach, beside = layer.reach
        seen = values[layer.source].rows(start - reach, stop + reach)
        value.put(
            F.conv2d(
                seen,
                layer.weight,
                layer.bias,
                padding=(0, beside),
                dilation=layer.dilation,
                groups=layer.groups,
            ),
            start,
        )
    elif isinstance(layer, Shuffle):
        factor = layer.factor
        rows = values[layer.source].rows(start // factor, stop // factor)
        value.put(F.pixel_shuffle(rows, factor), start)
    elif isinstance(layer, Enlarge):
        _enlarge(values[layer.source], value, layer.factor, start, stop)
    elif isinstance(layer, Join):
        parts = [values[source].rows(start, stop) for source in layer.sources]
        _join(parts, value, start, stop)
    elif isinstance(layer, Cast):
        value.put(values[layer.source].rows(start, stop).to(layer.dtype), start)
    elif isinstance(layer, Sum):
        first, second = (values[source].rows(start, stop) for source in layer.sources)
        _written(torch.add(first, second, out=value.room(start, stop)), value, start)
    elif layer.slope is not None:
        rows, room = values[layer.source].rows(start, stop), value.room(start, stop)
        _written(_leaky_relu(rows, layer.slope, room), value, start)
    else:
        value.put(layer.function(values[layer.source].rows(start, stop)), start)


def _enlarge(source: _Value, value: _Value, factor: int, start: int, stop: int) -> None:
    first = start // factor
    rows = source.rows(first, -(-stop // factor))
    rows = rows.repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    value.put(rows[:, :, start - factor * first : stop - factor * first], start)


def _join(parts: list[Tensor], value: _Value, start: int, stop: int) -> None:
    room = value.room(start, stop)
    if room is None:
        value.put(torch.cat([part.to(parts[0].dtype) for part in parts], 1), start)
        return
    channel = 0
    for part in parts:
        room[:, channel : channel + part.shape[1]].copy_(part)
        channel += part.shape[1]


def _leaky_relu(rows: Tensor, slope: float, room: Tensor | None) -> Tensor:
    if room is None:
        return F.leaky_relu(rows, slope)
    written: Tensor = torch.ops.aten.leaky_relu.out(rows, slope, out=room)
    return written


def _written(rows: Tensor, value: _Value, start: int) -> None:
    """Hand over what was computed, unless it was written into its room already."""
    if value.room(start, start + rows.shape[2]) is None:
        value.put(rows, start)
