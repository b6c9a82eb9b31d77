"""How fast this processor multiplies, and how many products a network is."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import torch

from napari_srgan.graph.analyse import multiply_adds
from napari_srgan.graph.ops import Layers
from napari_srgan.graph.stream_plan import StreamPlan

MATRIX_EDGES, CARD_EDGE = (1024, 2048), 8192
# (maps in, maps out, rows, columns) of 3 × 3 convolutions: those of the residual blocks, in a band
# of the stream and in a tile, and those before a pixel shuffle.
CONVOLUTIONS = ((64, 64, 32, 512), (64, 64, 256, 256), (64, 256, 32, 512))
_REPEATS = 3


def peak_rate(precision: str, device: torch.device | None = None) -> float:
    """Return the most floating-point operations a second of products and of convolutions.

    Libraries do not multiply matrices of every shape and type equally well, and some convolutions
    better than matrices: a peak is what the best of them reaches.

    Parameters
    ----------
    precision : str
        A name that torch has, such as ``float32``.
    device : torch.device, optional
        Where; left out, on the CPU. A card is given larger matrices.
    """
    device = device or torch.device("cpu")
    dtype = getattr(torch, precision)
    edges = (CARD_EDGE,) if device.type == "cuda" else MATRIX_EDGES
    products = [_product(edge, dtype, device) for edge in edges]
    convolutions = [_convolution(*sizes, dtype, device) for sizes in CONVOLUTIONS]
    return max(_rate(*work, device) for work in (*products, *convolutions))


Work: TypeAlias = tuple[Callable[[], object], int]  # something to do, and its operations


def _product(edge: int, dtype: torch.dtype, device: torch.device) -> Work:
    first, second = (torch.rand(edge, edge).to(device, dtype) for _ in range(2))
    product = first @ second
    return partial(torch.mm, first, second, out=product), 2 * edge**3


def _convolution(
    inputs: int, outputs: int, rows: int, columns: int, dtype: torch.dtype, device: torch.device
) -> Work:
    images, kernel = (
        torch.rand(shape).to(device, dtype, memory_format=torch.channels_last)
        for shape in ((1, inputs, rows, columns), (outputs, inputs, 3, 3))
    )
    work = partial(torch.nn.functional.conv2d, images, kernel, padding=1)
    return work, 2 * 9 * inputs * outputs * rows * columns


@torch.inference_mode()
def _rate(work: Callable[[], object], operations: int, device: torch.device) -> float:
    """Return the operations a second of the fastest of a few, after one that chooses how."""
    times = []
    for _ in range(1 + _REPEATS):
        wait_for(device)
        began = time.perf_counter()
        work()
        wait_for(device)
        times.append(time.perf_counter() - began)
    return operations / min(times[1:])


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
