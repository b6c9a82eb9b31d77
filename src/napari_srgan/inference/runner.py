"""A network on a device, in a floating type: whole windows or streams of rows. Kept for reuse."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from threading import Lock, RLock
from typing import TypeAlias

import torch
from torch import Tensor

from napari_srgan.graph import network as graph
from napari_srgan.graph.back_project import FREE, Bounds
from napari_srgan.graph.network import Function, InferenceNetwork
from napari_srgan.graph.refine import NOT_REFINED, Refinement, refined
from napari_srgan.graph.stream_plan import StreamPlan
from napari_srgan.graph.streaming import RowStream
from napari_srgan.inference.devices import exact_float32
from napari_srgan.inference.transfers import DeviceTransfer, recorded
from napari_srgan.models.generator import Generator
from napari_srgan.processes import compute_after_fork
from napari_srgan.store.checkpoint import Model

log = logging.getLogger(__name__)

PIXELS_OF_A_BAND = 2**13  # where a window is computed in bands
MOST_RUNNERS = 8
MOST_BYTES = 2**29  # of the weights of all of them


@dataclass(frozen=True)
class Pass:
    """One window on its way through a network: fed rows, it returns the rows then known.

    Attributes
    ----------
    steps : sequence of tuple of int
        The rows ``(start, stop)`` of the window that each call of :meth:`feed` takes, in order.
    device : torch.device
        Where it is computed.
    """

    steps: Sequence[tuple[int, int]]
    device: torch.device
    _feed: Callable[[Tensor], Tensor]

    @torch.inference_mode()
    def feed(self, low: Tensor) -> Tensor:
        """Return the next rows of the result.

        Parameters
        ----------
        low : Tensor
            ``(1, channels, n, w)`` in [0, 1], float32: the n rows of the next step.

        Returns
        -------
        Tensor
            ``(1, channels, m, scale · w)`` on the device, m ≥ 0; the next call may overwrite it.
        """
        # Whatever the caller's own program has set up, this is computed as it was asked for.
        with exact_float32(self.device), torch.autocast(self.device.type, enabled=False):
            return self._feed(low)


class Runner:
    """Runs a network on a device, in a floating type.

    Parameters
    ----------
    network : InferenceNetwork
        What is run.
    device : torch.device
        Where to compute. Nothing is placed there before the first pass.
    precision : torch.dtype
        In which floating type; for bfloat16 see :mod:`napari_srgan.graph.bfloat16`.
    """

    def __init__(
        self, network: InferenceNetwork, device: torch.device, precision: torch.dtype
    ) -> None:
        self.network, self.device, self.precision = network, device, precision
        self.transfer = DeviceTransfer(device)
        self._placing = Lock()
        self._function: Function | None = None
        self._placed_plan: StreamPlan | None = None

    def on(self, device: torch.device, precision: torch.dtype | None = None) -> Runner:
        """Return a runner of the same network elsewhere, or in another floating type."""
        return Runner(self.network, device, precision or self.precision)

    @cached_property
    def plan(self) -> StreamPlan | None:
        """How the network is streamed, on the CPU; None where it cannot be."""
        return self.network.stream_plan(self.precision)

    def begin(
        self, height: int, width: int, band: int | None = None, bounds: Bounds = FREE
    ) -> Pass:
        """Begin a pass over a window of this size.

        Parameters
        ----------
        height, width : int
            Of the window, in input pixels.
        band : int, optional
            Input rows of a step, for a network that has a :attr:`plan`. Left out, the window is
            computed whole, or in bands that give the same where that is the only way.
        bounds : tuple of float
            Of the result, black being 0 and white 1, where it is held to the image.
        """
        if band is None and self.precision == torch.bfloat16 and self.plan is not None:
            band = max(1, PIXELS_OF_A_BAND // width)
        if band is None:
            return Pass([(0, height)], self.device, partial(self._whole, bounds=bounds))
        record = partial(recorded, self.device) if self.device.type == "cuda" else None
        plan = self._plan_on_device().within(bounds)
        stream = RowStream(plan, height, width, band, record)
        return Pass(stream.steps, self.device, stream.feed)

    def run(self, low: Tensor) -> Tensor:
        """Return a window ``(1, c, h, w)`` in [0, 1] upscaled, on the device."""
        work = self.begin(low.shape[2], low.shape[3])
        return torch.cat([work.feed(low[:, :, a:b]).clone() for a, b in work.steps], 2)

    def _whole(self, low: Tensor, bounds: Bounds) -> Tensor:
        with self._placing:
            if self._function is None:
                self._function = self.network.placed(self.device, self.precision)
        low = low.to(self.device, torch.float32)
        return self._function(low.contiguous(memory_format=torch.channels_last), bounds)

    def _plan_on_device(self) -> StreamPlan:
        with self._placing:
            if self._placed_plan is None:
                if self.plan is None:
                    raise ValueError("This network cannot be streamed: leave out band.")
                self._placed_plan = self.plan.on(self.device)
        return self._placed_plan


def check_channels(model: Model, *, colour: bool) -> None:
    """Refuse a model that does not suit colour, or grey, images.

    Raises
    ------
    ValueError
        If it has another number of channels.
    """
    channels = model.network.channels
    if channels not in (1, 3):
        raise ValueError(f"The model {model.name} has {channels} channels; images have 1 or 3.")
    if colour and channels == 1:
        raise ValueError(f"The model {model.name} is for grey images only. Choose another one.")


Key: TypeAlias = tuple[int, bool, torch.device, torch.dtype, Refinement]
Weights: TypeAlias = tuple[object, ...]


@dataclass(frozen=True)
class _Kept:
    generator: Generator  # kept, so that no other takes its id
    weights: Weights
    runner: Runner


class RunnerCache:
    """Runners by model, grey or colour, device, floating type and refinement: the last ones kept.

    A model whose weights have been changed since is read anew.

    Parameters
    ----------
    most : int
        Runners that are kept.
    most_bytes : int
        Bytes of their networks' weights, of all of them; the newest is kept in any case.
    """

    def __init__(self, most: int = MOST_RUNNERS, most_bytes: int = MOST_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._lock = RLock()

    def __len__(self) -> int:
        return len(self._kept)

    def get(
        self,
        generator: Generator,
        *,
        grey: bool,
        device: torch.device,
        precision: torch.dtype,
        refinement: Refinement = NOT_REFINED,
    ) -> Runner:
        """Return what runs a generator, making it if need be."""
        key = id(generator), grey, device, precision, refinement
        weights = _versions(generator)
        with self._lock:
            kept = self._kept.pop(key, None)
            if kept is None or kept.weights != weights:
                network = self._network_of(generator, weights, grey, refinement)
                kept = _Kept(generator, weights, Runner(network, device, precision))
            self._kept[key] = kept
            self._drop_oldest()
            return kept.runner

    def _network_of(
        self, generator: Generator, weights: Weights, grey: bool, refinement: Refinement
    ) -> InferenceNetwork:
        """Return the network, of another device's runner if there is one."""
        for (_, grey_too, _, _, other), kept in self._kept.items():
            same = kept.generator is generator and kept.weights == weights
            if same and (grey_too, other) == (grey, refinement):
                return kept.runner.network
        return refined(graph.inference_network(generator, grey=grey), refinement)

    def _drop_oldest(self) -> None:
        def size() -> int:
            return sum(kept.runner.network.nbytes for kept in self._kept.values())

        while len(self._kept) > 1 and (len(self._kept) > self._most or size() > self._most_bytes):
            self._kept.popitem(last=False)

    def clear(self) -> None:
        """Release all of them, and what they hold on devices."""
        with self._lock:
            self._kept.clear()


def _versions(generator: Generator) -> Weights:
    """Return what tells changed weights: each tensor, and how often it was written to in place."""
    tensors = [*generator.parameters(), *generator.buffers()]
    versions = ((id(t), 0 if t.is_inference() else t._version) for t in tensors)
    return generator.value_range, *versions


runners = RunnerCache()


def runner_for(
    model: Model,
    *,
    colour: bool,
    device: torch.device,
    precision: torch.dtype,
    refinement: Refinement = NOT_REFINED,
) -> Runner:
    """Return what runs a model on colour or on grey images, kept since its last use.

    Raises
    ------
    ValueError
        If the model does not suit such images.
    """
    check_channels(model, colour=colour)
    compute_after_fork()
    grey = not colour and model.network.channels > 1
    return runners.get(
        model.network, grey=grey, device=device, precision=precision, refinement=refinement
    )
