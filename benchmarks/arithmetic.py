"""How fast this processor multiplies, and how many products a network is."""

from __future__ import annotations

import time

import torch

from napari_srgan.graph.analyse import multiply_adds
from napari_srgan.graph.ops import Layers
from napari_srgan.graph.stream_plan import StreamPlan

MATRIX_EDGE, CARD_EDGE = 2048, 8192
_REPEATS = 3


def matrix_rate(precision: str, device: torch.device | None = None) -> float:
    """Return the floating-point operations a second of a large product of matrices, best of a few.

    Parameters
    ----------
    precision : str
        A name that torch has, such as ``float32``.
    device : torch.device, optional
        Where; left out, on the CPU. A card is given larger matrices.
    """
    device = device or torch.device("cpu")
    edge = CARD_EDGE if device.type == "cuda" else MATRIX_EDGE
    dtype = getattr(torch, precision)
    first, second = (torch.rand(edge, edge).to(device, dtype) for _ in range(2))
    product = first @ second  # chooses an algorithm, and takes the memory
    times = []
    for _ in range(_REPEATS):
        wait_for(device)
        began = time.perf_counter()
        torch.mm(first, second, out=product)
        wait_for(device)
        times.append(time.perf_counter() - began)
    return 2 * edge**3 / min(times)


def wait_for(device: torch.device) -> None:
    """Wait until a device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def computed_multiply_adds(layers: Layers) -> int:
    """Return the multiply-adds that a stream of a network computes for each pixel of its input.

    Parameters
    ----------
    layers : tuple of Layer
        Rewritten for inference. They differ from the network as traced by the zeros in the last
        kernel, which is moved before the last shuffle; a stream adds the sum of its columns.
    """
    return multiply_adds(StreamPlan.of(layers).layers)
