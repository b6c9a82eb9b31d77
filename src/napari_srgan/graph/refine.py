"""What is done to a network's answer: the mean over eight orientations, consistency with the image.

Both are layers after the network's own, so that they are streamed and tiled as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

import torch

from napari_srgan.graph.analyse import numbers_at_once, receptive_radius
from napari_srgan.graph.back_project import FREE, RADIUS, append_back_projection, within
from napari_srgan.graph.network import (
    Function,
    InferenceNetwork,
    LayerNetwork,
    OpaqueNetwork,
    channels_last,
)
from napari_srgan.graph.ops import (
    Add,
    Cast,
    Concat,
    Convolution,
    Layer,
    Layers,
    Pointwise,
    append,
    moved,
    run_layers,
    with_sources,
)
from napari_srgan.graph.orient import ORIENTATIONS, Orientation, oriented
from napari_srgan.graph.stream_plan import StreamPlan, input_dtype, prepared


@dataclass(frozen=True)
class Refinement:
    """What is done to a network's answer.

    Attributes
    ----------
    ensemble : bool
        The mean is taken over the eight flips and turns of the image (geometric self-ensemble;
        Lim et al., "Enhanced deep residual networks", 2017, §3.4).
    spread : bool
        One more channel comes out: the standard deviation over the eight, as the root of its mean
        square over the colours.
    consistent : bool
        The result is changed until, reduced, it equals the image (back-projection).
    """

    ensemble: bool = False
    spread: bool = False
    consistent: bool = False

    @property
    def orientations(self) -> tuple[Orientation, ...]:
        """Those in which the network is asked."""
        return ORIENTATIONS if self.ensemble or self.spread else ORIENTATIONS[:1]


NOT_REFINED = Refinement()


def refined(network: LayerNetwork | OpaqueNetwork, refinement: Refinement) -> InferenceNetwork:
    """Return a network whose answers are refined; itself where there is nothing to do."""
    if refinement == NOT_REFINED:
        return network
    if isinstance(network, OpaqueNetwork):
        return RefinedOpaqueNetwork(network, refinement)
    return RefinedNetwork(network, refinement)


Network = TypeVar("Network", LayerNetwork, OpaqueNetwork)


@dataclass(frozen=True)
class _Refined(Generic[Network]):
    """What a network keeps when it is refined.

    Attributes
    ----------
    network : LayerNetwork or OpaqueNetwork
        What is refined.
    refinement : Refinement
        How.
    """

    network: Network
    refinement: Refinement

    @property
    def channels(self) -> int:
        """Channels of images, in and out."""
        return self.network.channels

    @property
    def scale(self) -> int:
        """Upscaling factor."""
        return self.network.scale

    @property
    def step(self) -> int:
        """How many pixels of the input, along an axis, are computed together."""
        return self.network.step

    @property
    def why_not_rows(self) -> str:
        """Why rows of an image cannot be streamed through it."""
        return self.network.why_not_rows

    def _joined(self, members: Sequence[Layers]) -> Layers:
        """Return layers that compute all members and refine what they give, in float32."""
        layers: list[Layer] = []
        answer, spread = _answer(layers, members, self.refinement, self.channels)
        if self.refinement.consistent:
            answer = append_back_projection(layers, 0, answer, self.channels, self.scale)
        if spread is not None:
            append(layers, Concat((answer, spread)))
        return tuple(layers)


@dataclass(frozen=True)
class RefinedNetwork(_Refined[LayerNetwork]):
    """A network of layers, with refinement in more layers."""

    @cached_property
    def _members(self) -> tuple[Layers, ...]:
        return tuple(oriented(self.network.layers, each) for each in self.refinement.orientations)

    @cached_property
    def _layers(self) -> Layers:
        return self._joined(self._members)

    @cached_property
    def radius(self) -> int:
        """How many input pixels an output depends on, to each side."""
        return receptive_radius(self._layers)

    @cached_property
    def nbytes(self) -> int:
        """Bytes of the weights."""
        return sum(x.weight.nbytes for x in self._layers if isinstance(x, Convolution))

    def bytes_per_pixel(self, precision: torch.dtype) -> int:
        """Return about how many bytes a run takes for each input pixel of a window."""
        return numbers_at_once(self._layers) * precision.itemsize

    def placed(self, device: torch.device, precision: torch.dtype) -> Function:
        """Return what computes whole windows on a device, in a floating type."""
        members = [
            _in_float32(tuple(moved(layer, precision) for layer in each)) for each in self._members
        ]
        layers = tuple(channels_last(moved(layer, device)) for layer in self._joined(members))
        return lambda low, bounds=FREE: run_layers(within(layers, bounds), low)

    def stream_plan(self, precision: torch.dtype) -> StreamPlan:
        """Return the plan by which rows are streamed, on the CPU."""
        members = [_in_float32(prepared(each, precision)) for each in self._members]
        return StreamPlan.of_prepared(self._joined(members))


@dataclass(frozen=True)
class RefinedOpaqueNetwork(_Refined[OpaqueNetwork]):
    """The same of a network that cannot be read as layers: the image is turned instead."""

    @property
    def radius(self) -> int | None:
        """How many input pixels an output depends on, to each side; None for the whole image."""
        if self.network.radius is None:
            return None
        return self.network.radius + RADIUS * self.refinement.consistent

    @property
    def nbytes(self) -> int:
        """Bytes of the weights."""
        return self.network.nbytes

    def bytes_per_pixel(self, precision: torch.dtype) -> int:
        """Return about how many bytes a run takes for each input pixel of a window."""
        pixels = self.channels * self.scale**2
        return self.network.bytes_per_pixel(precision) + 6 * pixels * torch.float32.itemsize

    def placed(self, device: torch.device, precision: torch.dtype) -> Function:
        """Return what computes whole windows on a device, in a floating type."""
        function = self.network.placed(device, precision)

        def turned(orientation: Orientation) -> Layers:
            return (
                Pointwise(
                    0, lambda x: orientation.turn_back(function(orientation.turn(x))).float()
                ),
            )

        members = [turned(each) for each in self.refinement.orientations]
        layers = tuple(channels_last(moved(layer, device)) for layer in self._joined(members))
        return lambda low, bounds=FREE: run_layers(within(layers, bounds), low)

    def stream_plan(self, precision: torch.dtype) -> None:  # noqa: ARG002
        """Return None: rows of what cannot be read cannot be streamed."""
        return


def _in_float32(layers: Layers) -> Layers:
    """Return layers that take and give float32, whatever they compute in."""
    dtype = input_dtype(layers)
    if dtype != torch.float32:
        inside = (with_sources(layer, lambda source: source + 1) for layer in layers)
        layers = (Cast(0, dtype), *inside)
    return (*layers, Cast(len(layers), torch.float32))


def _answer(
    layers: list[Layer], members: Sequence[Layers], refinement: Refinement, channels: int
) -> tuple[int, int | None]:
    """Append members; return where the answer is, the first's or the mean, and where the spread.

    Summed are differences to the first, which lose no digits.
    """
    first = _append_member(layers, members[0])
    if len(members) == 1:
        return first, None
    minus = append(layers, Pointwise(first, torch.neg))
    sums, squares = _Sum(layers), _Sum(layers)
    for member in members[1:]:
        difference = append(layers, Add((_append_member(layers, member), minus)))
        sums.add(difference)
        if refinement.spread:
            squares.add(append(layers, Pointwise(difference, torch.square)))
    offset, spread = sums.divided_by(len(members)), None
    if refinement.spread:
        spread = _root(layers, squares.divided_by(len(members)), offset, channels)
    return append(layers, Add((first, offset))) if refinement.ensemble else first, spread


def _root(layers: list[Layer], squares: int, offset: int, channels: int) -> int:
    """Append the standard deviation, of the mean of squares and of that mean; return where it is.

    Over channels it is the root of the mean square.
    """
    less = append(layers, Pointwise(append(layers, Pointwise(offset, torch.square)), torch.neg))
    variance = append(layers, Add((squares, less)))
    average = torch.full((1, channels, 1, 1), 1 / channels, dtype=torch.float32)
    variance = append(layers, Convolution(variance, average, None, (0, 0)))
    positive = append(layers, Pointwise(variance, torch.clamp, {"min": 0}))
    return append(layers, Pointwise(positive, torch.sqrt))


class _Sum:
    """Sum of values, appended to layers term by term."""

    def __init__(self, layers: list[Layer]) -> None:
        self._layers = layers
        self._total: int | None = None

    def add(self, value: int) -> None:
        """Add a value."""
        if self._total is None:
            self._total = value
        else:
            self._total = append(self._layers, Add((self._total, value)))

    def divided_by(self, count: int) -> int:
        """Append the sum's part and return where it is."""
        if self._total is None:
            raise ValueError("There is nothing to divide.")
        return append(self._layers, Pointwise(self._total, torch.mul, {"other": 1 / count}))


def _append_member(layers: list[Layer], member: Layers) -> int:
    """Append a network that takes value 0, and return where its answer is."""
    before = len(layers)
    for layer in member:
        append(layers, with_sources(layer, lambda source: source and source + before))
    return len(layers)
