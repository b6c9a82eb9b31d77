"""Work that a CUDA card is to do again and again, launched as one."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch

from napari_srgan.devices import is_out_of_memory

log = logging.getLogger(__name__)


def recorded(device: torch.device, work: Callable[[], None]) -> Callable[[], None]:
    """Return what does a card's work again in the same memory, without doing it now.

    A graph costs the processor one launch in place of one for each of its kernels. Where the
    driver cannot record the work, it is what is returned.

    Parameters
    ----------
    device : torch.device
        The card.
    work : callable
        Done at least once before, with tensors that stay where they are. It must wait for nothing.

    Raises
    ------
    torch.cuda.OutOfMemoryError
        If the card has no memory for what the work allocates.
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
