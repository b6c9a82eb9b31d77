"""Packs that lie in a device's memory, and crops cut out of them there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_srgan.inference.devices import free_memory
from napari_srgan.training.data.crops import (
    ORIENTATIONS,
    CropPlaces,
    Crops,
    CropSampler,
    Places,
    turned,
)
from napari_srgan.training.data.decoding import Samples
from napari_srgan.training.data.pack import Pack

# Of what is free before training begins; networks, gradients and activations need the rest.
RESIDENT_SHARE = 0.5

CHUNK = 2**26  # values copied at a time


@dataclass(frozen=True)
class DevicePack:
    """A pack on a device.

    Attributes
    ----------
    high, low : Tensor
        ``(pixels, channels)``, uint8, or int16 with the bits of uint16, which few operations of
        torch know.
    host : Pack
        What they were copied from, which says where everything lies.
    """

    high: Tensor
    low: Tensor
    host: Pack


def choose_sampler(
    pack: Pack, device: torch.device, crops: Crops
) -> CropSampler | DeviceCropSampler:
    """Return a sampler that crops on the device if that is CUDA and has room, else on the host."""
    if device.type == "cuda" and pack.nbytes <= RESIDENT_SHARE * free_memory(device):
        return DeviceCropSampler(to_device(pack, device), crops)
    return CropSampler(pack, crops)


def to_device(pack: Pack, device: torch.device) -> DevicePack:
    """Return a copy of a pack in a device's memory."""
    return DevicePack(
        high=_copied(pack.high, device).view(-1, pack.channels),
        low=_copied(pack.low, device).view(-1, pack.channels),
        host=pack,
    )


def _copied(values: Samples, device: torch.device) -> Tensor:
    bits = values.view(np.int16) if values.dtype == np.uint16 else values
    copy = torch.empty(len(bits), dtype=_bits_dtype(bits), device=device)
    for start in range(0, len(bits), CHUNK):
        # A true array: torch warns of mapped files, which cannot be written to.
        chunk = np.array(bits[start : start + CHUNK])
        copy[start : start + CHUNK].copy_(torch.from_numpy(chunk))
    return copy


def _bits_dtype(bits: NDArray[np.generic]) -> torch.dtype:
    return torch.int16 if bits.dtype == np.int16 else torch.uint8


class DeviceCropSampler:
    """The crops of :class:`CropSampler`, bit for bit, cut on the device that the pack lies on.

    Parameters
    ----------
    pack : DevicePack
        Where the images are.
    crops : Crops
        How many are drawn, of which size.

    Raises
    ------
    ValueError
        As for :class:`CropSampler`.
    """

    in_threads = False

    def __init__(self, pack: DevicePack, crops: Crops) -> None:
        host = pack.host
        self._places = CropPlaces(host, crops)
        self._pack, self.batch = pack, crops.batch
        self._low_sides = np.array([(e.low_height, e.low_width) for e in host.entries], np.int64)
        offsets = np.array([(e.low_offset, e.high_offset) for e in host.entries], np.int64)
        self._offsets = offsets // host.channels

    def draw(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return a batch: low ``(n, c, c, k)`` and high ``(n, s·c, s·c, k)``, k the channels."""
        return self.cut(self.places(rng))

    def places(self, rng: np.random.Generator) -> Places:
        """Return where the crops of a batch are."""
        return self._places.draw(rng)

    def cut(self, places: Places) -> tuple[Tensor, Tensor]:
        """Return the crops at these places, as :meth:`draw` does."""
        image, corner, turn = places[:, 0], places[:, 1:3], places[:, 3]
        width = self._low_sides[image, 1]
        c, s = self._places.low_crop, self._pack.host.scale
        low = _walks(self._offsets[image, 0], corner, turn, width, c)
        high = _walks(self._offsets[image, 1], s * corner, turn, s * width, s * c)
        # One transfer for both, from memory that need not wait for the device's other work.
        walks = torch.from_numpy(np.stack([low, high]))
        device = self._pack.low.device
        if device.type == "cuda":
            walks = walks.pin_memory()
        walks = walks.to(device, non_blocking=True)
        return _gathered(self._pack.low, walks[0], c), _gathered(self._pack.high, walks[1], s * c)


def _orientation_steps() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return for each orientation where a crop begins, and what a step down and right are.

    The first as (y, x) in crop sides less one; the second as ((y, x), (y, x)).
    """
    corners = np.indices((2, 2)).transpose(1, 2, 0)  # [y, x] of a square before turning
    turns = [turned(corners, turn) for turn in range(ORIENTATIONS)]
    starts = np.array([square[0, 0] for square in turns])
    steps = np.array([(sq[1, 0] - sq[0, 0], sq[0, 1] - sq[0, 0]) for sq in turns])
    return starts, steps


_STARTS, _STEPS = _orientation_steps()


def _walks(
    offset: NDArray[np.int64],
    corner: NDArray[np.int64],
    turn: NDArray[np.int64],
    width: NDArray[np.int64],
    side: int,
) -> NDArray[np.int64]:
    """Return ``(n, 3)``: the pixel each crop begins at, and the strides of its rows and columns."""
    start = corner + (side - 1) * _STARTS[turn]
    begin = offset + start[:, 0] * width + start[:, 1]
    strides = _STEPS[turn][..., 0] * width[:, np.newaxis] + _STEPS[turn][..., 1]
    return np.column_stack([begin, strides])


def _gathered(pixels: Tensor, walks: Tensor, side: int) -> Tensor:
    along = torch.arange(side, device=pixels.device)
    begin, down, right = walks[:, :, None, None].unbind(1)
    crops = pixels[begin + down * along[:, None] + right * along]
    return crops.view(torch.uint16) if crops.dtype == torch.int16 else crops
