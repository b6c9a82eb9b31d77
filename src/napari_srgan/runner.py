"""One network on one device: a window in, the upscaled window out."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Generator, Iterator
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_srgan.checkpoints import Model
from napari_srgan.devices import exact_float32
from napari_srgan.models.fold import folded, single_channel, with_unit_output
from napari_srgan.models.srresnet import SRResNet
from napari_srgan.streaming import NotStreamableError, Program, RowStream

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
    """A network on a device: unit-range pixels in, unit-range pixels out.

    Parameters
    ----------
    network : SRResNet
        Folded, with unit output, float32, on the CPU.
    device : torch.device
        Where to compute.
    precision : torch.dtype
        In which arithmetic; for bfloat16 see :mod:`napari_srgan.models.bfloat16`. A result that is
        not finite is computed again in float32.
    """

    def __init__(self, network: SRResNet, device: torch.device, precision: torch.dtype) -> None:
        self.network, self.device, self.precision = network, device, precision
        self._placed: SRResNet | None = None
        self._placed_program: Program | None = None

    @cached_property
    def program(self) -> Program | None:
        """How the network is streamed; None where it cannot be."""
        try:
            return _program(self.network, self.precision)
        except NotStreamableError as error:
            log.info("tiles, for the network cannot be streamed: %s", error)
            return None

    def __call__(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return ``(c, scale·h, scale·w)`` for a window ``(c, h, w)``.

        Raises
        ------
        FloatingPointError
            If the result is not finite in float32 either.
        """
        if self.precision == torch.bfloat16 and self.program is not None:
            return self._in_bands(window)
        high = self._compute(window, self._ready(), self.precision)
        if high is None and self.precision != torch.float32:
            log.info("a tile was not finite in %s: computed again in float32", self.precision)
            high = self._compute(window, self._place(torch.float32), torch.float32)
        if high is None:
            raise FloatingPointError(_NOT_FINITE)
        return high

    def iter_bands(
        self,
        read: Callable[[int, int], NDArray[np.float32]],
        height: int,
        width: int,
        band: int,
    ) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield the upscaled image as it becomes known: its first row, and ``(c, rows, scale·w)``.

        Where half precision overflows, it begins again at row 0 in float32.

        Parameters
        ----------
        read : callable
            ``read(start, stop)`` returns rows of the image as ``(c, rows, width)``.
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
            self._placed_program = _program(self._ready(), self.precision)
        finite = yield from self._iter_bands(self._placed_program, read, height, width, band)
        if not finite and self.precision != torch.float32:
            log.info("a band was not finite in %s: begun again in float32", self.precision)
            again = _program(self._place(torch.float32), torch.float32)
            finite = yield from self._iter_bands(again, read, height, width, band)
        if not finite:
            raise FloatingPointError(_NOT_FINITE)

    def _iter_bands(
        self,
        program: Program,
        read: Callable[[int, int], NDArray[np.float32]],
        height: int,
        width: int,
        band: int,
    ) -> Generator[tuple[int, NDArray[np.float32]], None, bool]:
        """Yield the upscaled image; return whether all of it was finite."""
        stream = RowStream(program, height, width, band)
        bands = stream.iter_rows(lambda start, stop: program.placed(read(start, stop)))
        while True:
            with exact_float32(self.device):
                item = next(bands, None)
            if item is None:
                return True
            first, high = item
            if not bool(torch.isfinite(high).all()):
                return False
            yield first, high[0].float().cpu().numpy()

    def _in_bands(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        channels, height, width = window.shape
        scale = self.network.scale
        out = np.empty((channels, scale * height, scale * width), np.float32)
        band = max(1, _PIXELS // width)
        for first, high in self.iter_bands(lambda i, j: window[:, i:j], height, width, band):
            out[:, first : first + high.shape[1]] = high
        return out

    def _ready(self) -> SRResNet:
        if self._placed is None:  # not before: a full device is met where running out is handled
            self._placed = self._place(self.precision)
        return self._placed

    def _place(self, precision: torch.dtype) -> SRResNet:
        # A program in bfloat16 is made of float32 weights.
        streamed = precision == torch.bfloat16 and self.program is not None
        placed = copy.deepcopy(self.network)
        placed.to(self.device, torch.float32 if streamed else precision)
        placed.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # as documented
        return placed

    @torch.inference_mode()
    def _compute(
        self, window: NDArray[np.float32], network: SRResNet, precision: torch.dtype
    ) -> NDArray[np.float32] | None:
        low = torch.from_numpy(window)[None].to(self.device, precision)
        with exact_float32(self.device):
            high: Tensor = network(low.contiguous(memory_format=torch.channels_last))
        if not bool(torch.isfinite(high).all()):
            return None
        result: NDArray[np.float32] = high[0].float().cpu().numpy()
        return result


def _program(network: SRResNet, precision: torch.dtype) -> Program:
    if precision == torch.float16:
        return Program.of(copy.deepcopy(network).half())
    return Program.of(network, precision)
