"""One network on one device: a window in, the upscaled window out."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Generator, Iterator
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor

from napari_srgan.graph.fold import folded, single_channel, with_unit_output
from napari_srgan.graph.ops import Layer
from napari_srgan.graph.program import NotStreamableError, Program
from napari_srgan.graph.trace import read_layers
from napari_srgan.inference.devices import exact_float32
from napari_srgan.inference.images import Array
from napari_srgan.inference.planes import Units
from napari_srgan.inference.streaming import RowStream
from napari_srgan.inference.transfers import Link, behind, recorded
from napari_srgan.models.srresnet import SRResNet
from napari_srgan.store.checkpoint import Model

log = logging.getLogger(__name__)

_NOT_FINITE = (
    "The network gave values that are not finite. Check the image's value range (normalize) and "
    "the model."
)
_PIXELS = 2**13  # of a band, where a window is computed in bands


def inference_network(model: Model, *, colour: bool) -> SRResNet:
    """Return a model's network for colour or for grey images: folded, from [0, 1] to [0, 1].

    Raises
    ------
    ValueError
        If the model's number of channels does not suit.
    """
    channels = model.network.channels
    if channels not in (1, 3):
        raise ValueError(f"The model {model.name} has {channels} channels; images have 1 or 3.")
    if colour and channels == 1:
        raise ValueError(f"The model {model.name} is for grey images only. Choose another one.")
    return with_unit_output(folded(model.network) if colour else single_channel(model.network))


class Runner:
    """A network on a device: pixels in, upscaled pixels out.

    Parameters
    ----------
    network : SRResNet
        Folded, with unit output, float32, on the CPU.
    device : torch.device
        Where to compute.
    precision : torch.dtype
        In which arithmetic; for bfloat16 see :mod:`napari_srgan.graph.bfloat16`. A result that is
        not finite is computed again in float32.
    """

    def __init__(self, network: SRResNet, device: torch.device, precision: torch.dtype) -> None:
        self.network, self.device, self.precision = network, device, precision
        self._link = Link(device)
        self._placed: SRResNet | None = None
        self._placed_program: Program | None = None

    def elsewhere(self, device: torch.device) -> Runner:
        """Return a runner of the same on another device. The network is read once for all."""
        runner = Runner(self.network, device, self.precision)
        if self.program is not None:
            runner.program, runner._layers = self.program, self._layers
        return runner

    @cached_property
    def program(self) -> Program | None:
        """How the network is streamed, on the CPU; None where it cannot be."""
        try:
            return Program.of_layers(self._layers, self.precision)
        except NotStreamableError as error:
            log.info("tiles, for the network cannot be streamed: %s", error)
            return None

    @cached_property
    def _layers(self) -> tuple[Layer, ...]:
        return read_layers(self.network)

    def __call__(self, window: Array, units: Units) -> Array:
        """Return a window ``(h, w)`` or ``(h, w, c)`` of pixels upscaled, alone.

        Raises
        ------
        FloatingPointError
            If the result is not finite in float32 either.
        """
        if self.precision == torch.bfloat16 and self.program is not None:
            return self._in_bands(window, units)
        high = self._compute(window, units, self._ready(), self.precision)
        if high is None and self.precision != torch.float32:
            log.info("a tile was not finite in %s: computed again in float32", self.precision)
            high = self._compute(window, units, self._place(torch.float32), torch.float32)
        if high is None:
            raise FloatingPointError(_NOT_FINITE)
        return high

    def iter_bands(
        self, read: Callable[[int, int], Array], units: Units, height: int, width: int, band: int
    ) -> Iterator[tuple[int, Array]]:
        """Yield the upscaled image as it becomes known: its first row, ``(rows, scale·w[, c])``.

        Where half precision overflows, it begins again at row 0 in float32.

        Parameters
        ----------
        read : callable
            ``read(start, stop)`` returns rows of the image, ``(rows, width)`` or
            ``(rows, width, c)``.
        units : Units
            What the pixels are to the network.
        height, width : int
            Of the image, in input pixels.
        band : int
            Input rows at a time.

        Raises
        ------
        FloatingPointError
            If the result is not finite in float32 either.
        """
        if self._placed_program is None:
            program = self.program or Program.of_layers(self._layers, self.precision)
            self._placed_program = program.on(self.device)
        program = self._placed_program
        finite = yield from self._iter_bands(program, read, units, height, width, band)
        if not finite and self.precision != torch.float32:
            log.info("a band was not finite in %s: begun again in float32", self.precision)
            program = Program.of_layers(self._layers).on(self.device)
            finite = yield from self._iter_bands(program, read, units, height, width, band)
        if not finite:
            raise FloatingPointError(_NOT_FINITE)

    def _iter_bands(
        self,
        program: Program,
        read: Callable[[int, int], Array],
        units: Units,
        height: int,
        width: int,
        band: int,
    ) -> Generator[tuple[int, Array], None, bool]:
        """Yield the upscaled image; return whether all of it was finite."""

        def placed(start: int, stop: int) -> Tensor:
            return program.placed(units.to_unit(self._link.send(read(start, stop))))

        record = partial(recorded, self.device) if self.device.type == "cuda" else None
        stream = RowStream(program, height, width, band, record)
        begun = self._iter_begun(stream.iter_rows(placed), units)
        for first, fetch in behind(begun, self._link.ahead):
            high = fetch()
            if high is None:
                return False
            yield first, high
        return True

    def _iter_begun(
        self, bands: Iterator[tuple[int, Tensor]], units: Units
    ) -> Iterator[tuple[int, Callable[[], Array | None]]]:
        """Compute bands, and yield for each what waits for its pixels."""
        while True:
            with exact_float32(self.device):
                item = next(bands, None)
            if item is None:
                return
            first, high = item
            yield first, self._fetched(high, units)

    def _fetched(self, high: Tensor, units: Units) -> Callable[[], Array | None]:
        """Return what waits for a result and gives its pixels, or None if it is not finite."""
        finite = torch.isfinite(high).all()
        wait = self._link.fetch(units.from_unit(high.to(self._link.end)), finite)

        def fetch() -> Array | None:
            pixels, is_finite = wait()
            return pixels.numpy() if bool(is_finite) else None

        return fetch

    def _in_bands(self, window: Array, units: Units) -> Array:
        height, width, *channels = window.shape
        scale = self.network.scale
        out = np.empty((scale * height, scale * width, *channels), units.dtype)
        band = max(1, _PIXELS // width)
        for first, high in self.iter_bands(lambda i, j: window[i:j], units, height, width, band):
            out[first : first + len(high)] = high
        return out

    def _ready(self) -> SRResNet:
        if self._placed is None:  # not before: a full device is met where running out is handled
            self._placed = self._place(self.precision)
        return self._placed

    def _place(self, precision: torch.dtype) -> SRResNet:
        placed = copy.deepcopy(self.network).to(self.device, precision)
        placed.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # as documented
        return placed

    @torch.inference_mode()
    def _compute(
        self, window: Array, units: Units, network: SRResNet, precision: torch.dtype
    ) -> Array | None:
        low = units.to_unit(self._link.send(window)).to(self.device, precision)
        with exact_float32(self.device):
            high: Tensor = network(low.contiguous(memory_format=torch.channels_last))
        return self._fetched(high, units)()
