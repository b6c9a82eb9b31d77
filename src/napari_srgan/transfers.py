"""Pixels on their way to a device and back. A card computes on while they travel."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import torch
from torch import Tensor

from napari_srgan.images import Array
from napari_srgan.units import as_tensor

Item = TypeVar("Item")


class Link:
    """The way between the computer's memory and a device.

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
        """Begin to bring tensors back; return what waits for them and gives them.

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


def _pinned_copy(tensor: Tensor, stream: torch.cuda.Stream) -> Tensor:
    copy = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    copy.copy_(tensor, non_blocking=True)
    tensor.record_stream(stream)  # its memory is not given to another before that
    return copy


def behind(items: Iterable[Item], count: int) -> Iterator[Item]:
    """Yield items in order, each when ``count`` more have been begun, or all."""
    begun: deque[Item] = deque()
    for item in items:
        begun.append(item)
        if len(begun) > count:
            yield begun.popleft()
    yield from begun
