"""Stream plan: for each value of a network, where it lies and which rows a stream of it keeps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from napari_srgan.graph.analyse import Extent, extents
from napari_srgan.graph.back_project import Bounds, within
from napari_srgan.graph.bfloat16 import in_bfloat16
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
    moved,
    sources_of,
    step_of,
    users_of,
)
from napari_srgan.graph.split_kernel import with_columns_apart

# Values as large as the largest that are about while a layer works: what it takes and gives, and
# the copies that libraries make. Measured with oneDNN: 5.9.
_WORK = 6


@dataclass(frozen=True)
class ValueSpec:
    """Shape and delay of one value in a stream.

    Attributes
    ----------
    scale : int
        Rows to a step of input rows, of which there are several where the network computes pixels
        of its input together.
    lag : int
        Rows that it is behind the input.
    kept : int
        Rows before its newest band that layers read again.
    channels, dtype
        Of its pixels.
    joined : tuple of int
        Values that its rows are put together of whenever they are read, so that none are kept;
        empty for a value that is computed.
    """

    scale: int
    lag: int
    kept: int
    channels: int
    dtype: torch.dtype
    joined: tuple[int, ...] = ()

    def bytes_per_column(self, rows: int) -> int:
        """Return the bytes of some of its rows, for a step of columns of the input."""
        return rows * self.scale * self.channels * self.dtype.itemsize


@dataclass(frozen=True)
class StreamPlan:
    """A network's layers and, for each value, what a stream of them has to keep.

    Attributes
    ----------
    layers : tuple of Layer
        In the order they are computed.
    values : tuple of ValueSpec
        Of the input, then of each layer's value.
    """

    layers: Layers
    values: tuple[ValueSpec, ...]

    @classmethod
    def of(cls, layers: Layers, precision: torch.dtype = torch.float32) -> StreamPlan:
        """Return the plan for float32 layers, computed in a floating type.

        Raises
        ------
        NotStreamableError
            If no convolution takes the input, or values of different sizes are put together.
        """
        return cls.of_prepared(prepared(layers, precision))

    @classmethod
    def of_prepared(cls, layers: Layers) -> StreamPlan:
        """Return the plan for layers that are computed as they are; errors as of :meth:`of`."""
        sizes = extents(layers)
        step = step_of(layers)
        values = [ValueSpec(step, 0, 0, sizes[0].channels, input_dtype(layers))]
        kept = [0] * (len(layers) + 1)
        joined = _joined_as_read(layers)
        for place, (layer, size) in enumerate(zip(layers, sizes[1:], strict=True), 1):
            sources = sources_of(layer)
            value = _spec(layer, size, step, [values[source] for source in sources])
            if place in joined:
                values.append(replace(value, joined=sources))
                continue
            for read in _read_by(layer, values):
                kept[read] = max(kept[read], _needed(layer, values[read].lag, value.lag))
            values.append(value)
        kept[0] = max(kept[0], step - 1)  # to be reflected, where the image ends within a step
        return cls(
            layers,
            tuple(replace(value, kept=rows) for value, rows in zip(values, kept, strict=True)),
        )

    @property
    def step(self) -> int:
        """How many rows of the input are computed together: mostly 1."""
        return self.values[0].scale

    def used_up(self) -> list[list[int]]:
        """Return for each layer the values that no later one reads."""
        last: dict[int, int] = {}
        for place, layer in enumerate(self.layers):
            last.update(dict.fromkeys(_read_by(layer, self.values), place))
        found: list[list[int]] = [[] for _ in self.layers]
        for value, place in last.items():
            found[place].append(value)
        return found

    def on(self, device: torch.device) -> StreamPlan:
        """Return the same on a device."""
        return replace(self, layers=tuple(moved(layer, device) for layer in self.layers))

    def within(self, bounds: Bounds) -> StreamPlan:
        """Return the same with bounds for a result that is held to the image."""
        return replace(self, layers=within(self.layers, bounds))

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(_convolutions(self.layers)).weight.device

    def placed(self, rows: Tensor) -> Tensor:
        """Return rows ``(1, c, h, w)`` where the network is, as it takes them."""
        rows = rows.to(self.device, self.values[0].dtype)
        return rows.contiguous(memory_format=torch.channels_last)

    def memory(self, width: int, band: int) -> int:
        """Return about how many bytes a stream of this width takes, a band at work included."""
        steps = -(-band // self.step)
        held = sum(v.bytes_per_column(v.kept + steps * v.scale) for v in self.values if v.kept)
        working = max(value.bytes_per_column(steps * value.scale) for value in self.values)
        return -(-width // self.step) * (held + _WORK * working)


def prepared(layers: Layers, precision: torch.dtype) -> Layers:
    """Return float32 layers as they are computed in a floating type, row by row.

    Raises
    ------
    NotStreamableError
        If no convolution takes the input, or values of different sizes are put together.
    """
    extents(layers)  # for its errors
    if precision == torch.bfloat16:
        return in_bfloat16(layers)
    return tuple(moved(layer, precision) for layer in with_columns_apart(layers))


def input_dtype(layers: Layers) -> torch.dtype:
    """Return the type in which the input is taken: the weights', float32 where any are in that."""
    dtypes = {layer.weight.dtype for layer in _convolutions(layers)}
    cast = any(isinstance(layer, Cast) and layer.source == 0 for layer in layers)
    return torch.float32 if cast or torch.float32 in dtypes else dtypes.pop()


def _spec(layer: Layer, size: Extent, step: int, sources: list[ValueSpec]) -> ValueSpec:
    """Return what a layer's value is, of which nothing is kept yet."""
    first, *others = sources
    lag, dtype = max(source.lag for source in sources), first.dtype
    if isinstance(layer, Convolution):
        lag, dtype = lag + layer.reach[0], layer.weight.dtype
    elif isinstance(layer, PixelShuffle):
        lag *= layer.factor
    elif isinstance(layer, PixelUnshuffle):
        lag = -(-lag // layer.factor)
    elif isinstance(layer, Interpolate):
        lag = (lag + layer.reach) * layer.factor
    elif isinstance(layer, Cast):
        dtype = layer.dtype
    elif isinstance(layer, (Add, Multiply)):
        for source in others:
            dtype = torch.promote_types(dtype, source.dtype)
    return ValueSpec(int(size.scale * step), lag, 0, size.channels, dtype)


def _convolutions(layers: Layers) -> Iterator[Convolution]:
    return (layer for layer in layers if isinstance(layer, Convolution))


def _joined_as_read(layers: Layers) -> frozenset[int]:
    """Return the values that are put together for one convolution.

    A dense block's convolutions read all values before them. To keep those together for each of
    them would take three times the memory, and no fewer copies: a library wants each apart.
    """
    users, convolved = users_of(layers), {layer.source for layer in _convolutions(layers)}
    return frozenset(
        place
        for place, layer in enumerate(layers, 1)
        if isinstance(layer, Concat) and place in convolved and users[place] == 1
    )


def _read_by(layer: Layer, values: Sequence[ValueSpec]) -> tuple[int, ...]:
    """Return the values whose rows a layer reads: those that its sources are joined of, if any."""
    return tuple(
        read for source in sources_of(layer) for read in values[source].joined or (source,)
    )


def _needed(layer: Layer, source_lag: int, lag: int) -> int:
    """Return how many rows before its newest band a layer reads of a value."""
    if isinstance(layer, Convolution):
        return lag - source_lag + layer.reach[0]
    if isinstance(layer, Interpolate):
        return 2 * layer.reach
    if isinstance(layer, PixelUnshuffle):
        return lag * layer.factor - source_lag
    return lag - source_lag if isinstance(layer, (Add, Multiply, Concat)) else 0
