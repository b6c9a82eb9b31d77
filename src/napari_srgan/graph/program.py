"""What a network is made of and what a stream of it keeps: how much memory that takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from napari_srgan.graph.bfloat16 import in_bfloat16
from napari_srgan.graph.ops import (
    Cast,
    Convolution,
    Enlarge,
    Join,
    Layer,
    NotStreamableError,
    Shuffle,
    Sum,
    moved,
    sources_of,
)
from napari_srgan.graph.split_kernel import with_columns_apart
from napari_srgan.graph.trace import read_layers

# Values as large as the largest that are about while a layer works: what it takes and gives, and
# the copies that libraries make. Measured with oneDNN: 5.9.
_WORK = 6

__all__ = ["NotStreamableError", "Place", "Program"]


@dataclass(frozen=True)
class Place:
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
    places : tuple of Place
        Of the input, then of each layer's value.
    """

    layers: tuple[Layer, ...]
    places: tuple[Place, ...]

    @classmethod
    def of(cls, network: nn.Module, precision: torch.dtype = torch.float32) -> Program:
        """Return the program of a float32 network in an arithmetic.

        Raises
        ------
        NotStreamableError
            If the network has a layer that needs more than a few rows.
        """
        return cls.of_layers(read_layers(network), precision)

    @classmethod
    def of_layers(
        cls, layers: tuple[Layer, ...], precision: torch.dtype = torch.float32
    ) -> Program:
        """Return the program of a network's float32 layers in an arithmetic.

        Raises
        ------
        NotStreamableError
            If they do not begin with convolutions, or put different sizes together.
        """
        if precision == torch.bfloat16:
            layers = in_bfloat16(layers)
        else:
            layers = tuple(moved(layer, precision) for layer in with_columns_apart(layers))
        first = next((c for c in _convolutions(layers) if c.source == 0), None)
        if first is None:
            raise NotStreamableError("The network has no convolution of its input.")
        places = [Place(1, 0, 0, first.weight.shape[1] * first.groups, first.weight.dtype)]
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

    def on(self, device: torch.device) -> Program:
        """Return the same on a device."""
        return replace(self, layers=tuple(moved(layer, device) for layer in self.layers))

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(_convolutions(self.layers)).weight.device

    def placed(self, rows: Tensor) -> Tensor:
        """Return rows ``(1, c, h, w)`` where the network is, as it takes them."""
        rows = rows.to(self.device, self.places[0].dtype)
        return rows.contiguous(memory_format=torch.channels_last)

    def memory(self, width: int, band: int) -> int:
        """Return about how many bytes a stream of this width takes, a band at work included."""
        held = sum(p.bytes_per_column(p.kept + band * p.scale) for p in self.places if p.kept)
        working = max(place.bytes_per_column(band * place.scale) for place in self.places)
        return width * (held + _WORK * working)


def _place_of(layer: Layer, sources: list[Place]) -> Place:
    """Return what a layer's value is, of which nothing is kept yet."""
    first, *others = sources
    lag = max(source.lag for source in sources)
    if any(source.scale != first.scale for source in others):
        raise NotStreamableError("The network puts images of different sizes together.")
    if isinstance(layer, Convolution):
        channels, dtype = int(layer.weight.shape[0]), layer.weight.dtype
        return Place(first.scale, lag + layer.reach[0], 0, channels, dtype)
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
