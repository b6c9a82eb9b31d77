"""Pixels to a device and back, overlapped with its work, which CUDA graphs replay."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from napari_srgan.inference.devices import is_out_of_memory
from napari_srgan.inference.images import Array

log = logging.getLogger(__name__)

Item = TypeVar("Item")


def recorded(device: torch.device, work: Callable[[], None]) -> Callable[[], None]:
    """Capture ``work`` in a CUDA graph and return its replay, without doing it now.

    A graph costs the processor one launch in place of one for each of its kernels. Where the
    driver cannot record the work, it is what is returned.

    Parameters
    ----------
    device : torch.device
        The CUDA device.
    work : callable
        Done at least once before, with tensors that stay where they are. It must wait for nothing.

    Raises
    ------
    torch.cuda.OutOfMemoryError
        If the device has no memory for what the work allocates.
    """
    graph = torch.cuda.CUDAGraph()
    aside = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    aside.wait_stream(torch.cuda.current_stream(device))
    try:
        with torch.cuda.stream(aside):
            # Other threads go on using their cards meanwhile.
            graph.capture_begin(capture_error_mode="thread_local")
            try:
                work()
            finally:
                graph.capture_end()
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        log.warning("%s cannot record its work, and is given it piece by piece: %s", device, error)
        return work
    torch.cuda.current_stream(device).wait_stream(aside)
    return graph.replay


class DeviceTransfer:
    """Copies of pixels to a device and back.

    To and from a CUDA card, pixels travel through pinned memory, and results on a stream of their
    own: nobody waits for them before they are asked for.

    Parameters
    ----------
    device : torch.device
        At the other end.

    Attributes
    ----------
    end : torch.device
        Where pixels arrive and leave: the device, or the CPU where the device computes no float64,
        which pixels of many bits need, or shares its memory.
    ahead : int
        How many results should be under way before the first one is waited for.
    """

    def __init__(self, device: torch.device) -> None:
        self._is_card = device.type == "cuda"
        self.end = device if self._is_card else torch.device("cpu")
        self.ahead = 1 if self._is_card else 0
        self._back: torch.cuda.Stream | None = None

    def send(self, pixels: Array) -> Tensor:
        """Return a copy of pixels at the device's end."""
        tensor = as_tensor(pixels)
        if not self._is_card:
            return tensor
        return tensor.pin_memory().to(self.end, non_blocking=True)

    def fetch(self, *tensors: Tensor) -> Callable[[], list[Tensor]]:
        """Start the device-to-host copy; return a function that waits for it and gives the tensors.

        They must not be written to any more.
        """
        if not self._is_card:
            return lambda: [tensor.cpu() for tensor in tensors]
        if self._back is None:
            self._back = torch.cuda.Stream(self.end)  # type: ignore[no-untyped-call]
        self._back.wait_stream(torch.cuda.current_stream(self.end))
        with torch.cuda.stream(self._back):
            copies = [_pinned_copy(tensor, self._back) for tensor in tensors]
            arrived = self._back.record_event()

        def wait() -> list[Tensor]:
            arrived.synchronize()
            return copies

        return wait


def as_tensor(pixels: Array) -> Tensor:
    """Return a copy of an array, of any strides and byte order."""
    return torch.from_numpy(np.array(pixels, pixels.dtype.newbyteorder("="), order="C"))


def _pinned_copy(tensor: Tensor, stream: torch.cuda.Stream) -> Tensor:
    copy = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    copy.copy_(tensor, non_blocking=True)
    tensor.record_stream(stream)  # its memory is not given to another before that
    return copy


def lookahead(items: Iterable[Item], count: int) -> Iterator[Item]:
    """Iterate with a lookahead: yield each item when ``count`` more have been begun, or all."""
    begun: deque[Item] = deque()
    for item in items:
        begun.append(item)
        if len(begun) > count:
            yield begun.popleft()
    yield from begun
