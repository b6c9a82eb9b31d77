"""A generator made ready for inference: grey or colour images in [0, 1] in, [0, 1] out."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor, nn

from napari_srgan.graph.analyse import numbers_at_once, receptive_radius
from napari_srgan.graph.back_project import FREE, Bounds
from napari_srgan.graph.fold import (
    convolve_before_shuffle,
    fold_affine,
    for_grey,
    to_unit_range,
)
from napari_srgan.graph.ops import (
    Convolution,
    Layer,
    Layers,
    NotStreamableError,
    input_channels,
    moved,
    run_layers,
    scale_of,
    step_of,
)
from napari_srgan.graph.stream_plan import StreamPlan
from napari_srgan.graph.trace import trace
from napari_srgan.models.generator import Generator

log = logging.getLogger(__name__)


class Function(Protocol):
    """Upscales images ``(n, c, h, w)`` in [0, 1], float32 on its device."""

    def __call__(self, low: Tensor, bounds: Bounds = FREE) -> Tensor:
        """Return images upscaled, within bounds where they are held to what they were made of."""


class InferenceNetwork(Protocol):
    """What runs a generator, as far as planning and running need to know it."""

    @property
    def channels(self) -> int:
        """Channels of images, in and out: 1 or 3."""

    @property
    def scale(self) -> int:
        """Upscaling factor."""

    @property
    def step(self) -> int:
        """How many pixels of the input, along an axis, are computed together: mostly 1."""

    @property
    def radius(self) -> int | None:
        """How many input pixels an output depends on, to each side; None for the whole image."""

    @property
    def why_not_rows(self) -> str:
        """Why rows of an image cannot be streamed through it; empty where they can."""

    @property
    def nbytes(self) -> int:
        """Bytes of the weights, in float32."""

    def bytes_per_pixel(self, precision: torch.dtype) -> int:
        """Return about how many bytes a run takes for each input pixel of a window."""

    def placed(self, device: torch.device, precision: torch.dtype) -> Function:
        """Return what computes whole windows on a device, in a floating type."""

    def stream_plan(self, precision: torch.dtype) -> StreamPlan | None:
        """Return the plan by which rows are streamed, on the CPU; None where they cannot be."""


@dataclass(frozen=True)
class LayerNetwork:
    """A generator as a list of layers, folded.

    Attributes
    ----------
    layers : tuple of Layer
        Float32, on the CPU.
    """

    layers: Layers
    why_not_rows = ""

    @cached_property
    def channels(self) -> int:
        """Channels of images, in and out."""
        return input_channels(self.layers)

    @cached_property
    def scale(self) -> int:
        """Upscaling factor."""
        return scale_of(self.layers)

    @cached_property
    def step(self) -> int:
        """How many pixels of the input, along an axis, are computed together."""
        return step_of(self.layers)

    @cached_property
    def radius(self) -> int:
        """How many input pixels an output depends on, to each side."""
        return receptive_radius(self.layers)

    @cached_property
    def nbytes(self) -> int:
        """Bytes of the weights."""
        return sum(x.weight.nbytes for x in self.layers if isinstance(x, Convolution))

    def bytes_per_pixel(self, precision: torch.dtype) -> int:
        """Return about how many bytes a run takes for each input pixel of a window."""
        return numbers_at_once(self.layers) * precision.itemsize

    def placed(self, device: torch.device, precision: torch.dtype) -> Function:
        """Return what computes whole windows on a device, in a floating type."""
        layers = tuple(
            channels_last(moved(moved(layer, precision), device)) for layer in self.layers
        )
        return _unbounded(lambda low: run_layers(layers, low.to(precision)))

    def stream_plan(self, precision: torch.dtype) -> StreamPlan:
        """Return the plan by which rows are streamed, on the CPU."""
        return StreamPlan.of(self.layers, precision)


def _unbounded(compute: Callable[[Tensor], Tensor]) -> Function:
    """Return a function whose results are not held to images, for which bounds are nothing."""

    def run(low: Tensor, bounds: Bounds = FREE) -> Tensor:  # noqa: ARG001
        return compute(low)

    return run


def channels_last(layer: Layer) -> Layer:
    """Return a layer whose weights lie channels-last, strides of single channels included.

    By these libraries choose how a convolution of one channel is computed.
    """
    if not isinstance(layer, Convolution):
        return layer
    return replace(layer, weight=layer.weight.clone(memory_format=torch.channels_last))


class UnitRange(nn.Module):
    """A generator with an output that is 0 for black and 1 for white."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, x: Tensor) -> Tensor:
        """Upscale images in [0, 1]."""
        black, white = self.generator.value_range
        out: Tensor = (self.generator(x) - black) / (white - black)
        return out


class Grey(nn.Module):
    """A network for grey images: the plane replicated to its channels, the result averaged."""

    def __init__(self, network: nn.Module, channels: int) -> None:
        super().__init__()
        self.network, self.channels = network, channels

    def forward(self, x: Tensor) -> Tensor:
        """Upscale one channel."""
        out: Tensor = self.network(x.expand(-1, self.channels, -1, -1)).mean(1, keepdim=True)
        return out


@dataclass(frozen=True)
class OpaqueNetwork:
    """A generator that cannot be read as layers: run as it is, between wrappers.

    Attributes
    ----------
    module : nn.Module
        In evaluation mode, float32, on the CPU.
    channels, scale, radius, why_not_rows
        See :class:`InferenceNetwork`.
    """

    module: nn.Module
    channels: int
    scale: int
    radius: int | None
    why_not_rows: str = ""
    step = 1

    @cached_property
    def nbytes(self) -> int:
        """Bytes of the weights."""
        return sum(value.nbytes for value in self.module.state_dict().values())

    @cached_property
    def _numbers_at_once(self) -> int:
        """Numbers held at a time to a pixel of the input: three times the largest value's."""
        edge, largest = 32, 1

        def look(_module: nn.Module, _inputs: object, output: object) -> None:
            nonlocal largest
            if isinstance(output, Tensor):
                largest = max(largest, output.numel())

        module = copy.deepcopy(self.module)
        for each in module.modules():
            each.register_forward_hook(look)
        with torch.inference_mode():
            module(torch.zeros(1, self.channels, edge, edge))
        return 3 * -(-largest // edge**2)

    def bytes_per_pixel(self, precision: torch.dtype) -> int:
        """Return about how many bytes a run takes for each input pixel of a window."""
        return self._numbers_at_once * precision.itemsize

    def placed(self, device: torch.device, precision: torch.dtype) -> Function:
        """Return what computes whole windows on a device, in a floating type."""
        placed = copy.deepcopy(self.module).to(device, precision)
        placed.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # as documented
        return _unbounded(lambda low: placed(low.to(precision)))

    def stream_plan(self, precision: torch.dtype) -> None:  # noqa: ARG002
        """Return None: rows of what cannot be read cannot be streamed."""
        return


@torch.no_grad()
def inference_network(generator: Generator, *, grey: bool = False) -> LayerNetwork | OpaqueNetwork:
    """Return what runs a generator on images, in [0, 1] in and out.

    Parameters
    ----------
    generator : Generator
        In any mode, which is left; on any device. Norms take their running statistics.
    grey : bool
        Whether images have one channel while the generator has more: the result is that of the
        plane in every channel, the channels that come out averaged.
    """
    with torch.device("cpu"), torch.autocast("cpu", enabled=False):  # whatever the caller has set
        return _inference_network(generator, grey=grey)


def _inference_network(generator: Generator, *, grey: bool) -> LayerNetwork | OpaqueNetwork:
    network = copy.deepcopy(generator).to("cpu", torch.float32).eval().requires_grad_(False)
    grey = grey and network.channels > 1
    try:
        layers = fold_affine(trace(network))
        if grey:
            layers = fold_affine(for_grey(layers, network.channels))
        layers = convolve_before_shuffle(to_unit_range(layers, network.value_range))
        # Views of weights become tensors of their own, and the cost of finding out is paid here.
        layers = tuple(moved(layer, torch.float32) for layer in layers)
        receptive_radius(layers)
    except NotStreamableError as error:
        log.info("a network of %s is run in tiles, not in rows: %s", network.family, error)
        module: nn.Module = UnitRange(network)
        module = Grey(module, network.channels) if grey else module
        channels = 1 if grey else network.channels
        return OpaqueNetwork(module.eval(), channels, network.scale, network.radius, str(error))
    return LayerNetwork(layers)
