"""A model's self-test: a small picture, and what the model makes of it, beside its weights."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_srgan.models.generator import Generator
from napari_srgan.store.tensors.tensor_file import CheckpointError

SIZE = (24, 32)  # pixels of the picture, height and width
LARGEST_EDGE = 128  # pixels of what a file may bring: it is run at first use, while somebody waits

_LOW = "self_test.low"
_UPSCALED = "self_test.upscaled"
TENSORS = (_LOW, _UPSCALED)  # their names in a file


@dataclass(frozen=True, eq=False)
class SelfTest:
    """A small picture, and what a generator makes of it.

    Attributes
    ----------
    low : ndarray
        ``(c, h, w)``, uint8.
    upscaled : ndarray
        ``(c, scale·h, scale·w)``, float32: the network's output for ``low / 255``, black being 0
        and white 1, before it is clipped to these.
    """

    low: NDArray[np.uint8]
    upscaled: NDArray[np.float32]

    @classmethod
    def from_tensors(
        cls, tensors: Mapping[str, Tensor], network: Generator, path: Path
    ) -> SelfTest | None:
        """Return the self-test of a network that a file has in these of its tensors, or None.

        Raises
        ------
        CheckpointError
            If one half of it is missing, it does not fit the network, or is not finite.
        """
        if not tensors:
            return None
        if len(tensors) == 1:
            raise CheckpointError(f"{path} has half a self-test: {next(iter(tensors))} alone.")
        low, upscaled = tensors[_LOW], tensors[_UPSCALED]
        if not _fits(low, upscaled, network):
            channels, scale = network.channels, network.scale
            raise CheckpointError(
                f"{path} has a self-test that does not fit its network: {low.dtype} "
                f"{tuple(low.shape)} to {upscaled.dtype} {tuple(upscaled.shape)} instead of "
                f"torch.uint8 ({channels}, h, w) to torch.float32 ({channels}, {scale}·h, "
                f"{scale}·w), h and w at most {LARGEST_EDGE}."
            )
        if not bool(torch.isfinite(upscaled).all()):
            raise CheckpointError(f"{path} has a self-test with values that are not finite.")
        # Copies: a file's tensors may share their values.
        return cls(low.numpy().copy(), upscaled.numpy().copy())

    def tensors(self) -> dict[str, Tensor]:
        """Return what a file keeps of this."""
        return {_LOW: torch.from_numpy(self.low), _UPSCALED: torch.from_numpy(self.upscaled)}


def _fits(low: Tensor, upscaled: Tensor, network: Generator) -> bool:
    if low.ndim != 3 or (low.dtype, upscaled.dtype) != (torch.uint8, torch.float32):
        return False
    channels, height, width = low.shape
    return (
        min(height, width) >= 1
        and max(height, width) <= LARGEST_EDGE
        and channels == network.channels
        and upscaled.shape == (channels, network.scale * height, network.scale * width)
    )


def make_self_test(network: Generator) -> SelfTest:
    """Return the self-test of a network: what it makes of :func:`hard_picture`.

    It is computed by the network as it was trained, not as it is rewritten for inference, and in
    float64, so that no processor's rounding is in what all of them are compared with.
    """
    low = hard_picture(network.channels)
    exact = copy.deepcopy(network).to("cpu", torch.float64).eval()
    with torch.inference_mode():
        high = exact(torch.from_numpy(low)[None].double() / 255)[0]
    black, white = network.value_range
    return SelfTest(low, ((high - black) / (white - black)).float().numpy())


def hard_picture(channels: int) -> NDArray[np.uint8]:
    """Return a picture of everything that is hard: ``(channels, h, w)``, uint8.

    A gradient, noise, saturated colours and slanted lines, a quarter each. It is calculated in
    integers, and so is the same everywhere.
    """
    height, width = SIZE
    c, y, x = (axis.astype(np.int64) for axis in np.ogrid[:channels, :height, :width])
    gradient = (6 * x + 2 * y + 60 * c) % 256
    mixed = ((x * 73856093) ^ (y * 19349663) ^ (c * 83492791)) % 2**16
    noise = (mixed * 40503 % 2**16) >> 8
    colours = 255 * ((x // 4 + 3 * (y // 4)) >> (c % 3) & 1)
    lines = 255 * ((x + 2 * y + 0 * c) % 9 < 2)
    upper = np.where(x < width // 2, gradient, noise)
    lower = np.where(x < width // 2, colours, lines)
    return np.where(y < height // 2, upper, lower).astype(np.uint8)
