"""Random crops whose low-resolution versions are made when they are drawn, each in its own way."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from napari_srgan.training.data.crops import CropPlaces, Crops, CropSampler, Places, turned
from napari_srgan.training.data.decoding import Samples
from napari_srgan.training.data.degradations.reduce import Reduction
from napari_srgan.training.data.device_crops import DeviceCropSampler, choose_sampler
from napari_srgan.training.data.pack import Pack

# Low-resolution pixels around a crop that are degraded with it and then cut off: a block of JPEG,
# of which a random part is left out before, so that blocks begin anywhere, and what kernels reach.
MARGIN = 12
_BLOCK = 8
_SEEDS = 2**63


class DegradedCropSampler:
    """Random crops of distinct images (§3.2); the low ones are degraded anew each time.

    The crops are those of :class:`.CropSampler` at the same seed and step, and what is done to each
    follows from the seed and the step as well.

    Parameters
    ----------
    pack : Pack
        Where the images are; its low-resolution ones are not used.
    crops : Crops
        How many are drawn, of which size.
    reduction : Reduction
        How low-resolution crops are made; its scale is the pack's.

    Raises
    ------
    ValueError
        As for :class:`.CropSampler`.
    """

    in_threads = True

    def __init__(self, pack: Pack, crops: Crops, reduction: Reduction) -> None:
        self._places = CropPlaces(pack, crops)
        self._pack, self.batch, self._reduction = pack, crops.batch, reduction

    def draw(self, rng: np.random.Generator) -> tuple[Samples, Samples]:
        """Return a batch: low ``(n, c, c, k)`` and high ``(n, s·c, s·c, k)``, k the channels."""
        return self.cut(self.places(rng))

    def places(self, rng: np.random.Generator) -> Places:
        """Return where the crops of a batch are, and the seed of each one's degradation."""
        places = self._places.draw(rng)  # first, so that they are those without degradation
        return np.column_stack([places, rng.integers(_SEEDS, size=self.batch)])

    def cut(self, places: Places) -> tuple[Samples, Samples]:
        """Return the crops at these places, as :meth:`draw` does."""
        n, c, s, k = len(places), self._places.low_crop, self._pack.scale, self._pack.channels
        lows = np.empty((n, c, c, k), self._pack.dtype)
        highs = np.empty((n, s * c, s * c, k), self._pack.dtype)
        for i, (image, y, x, turn, seed) in enumerate(places.tolist()):
            high = self._pack.pair(image)[1]
            begin = s * (y - MARGIN), s * (x - MARGIN)
            window = turned(_window(high, begin, s * (c + 2 * MARGIN)), turn)
            lows[i], highs[i] = self._pair(window, c, seed)
        return lows, highs

    def _pair(self, window: Samples, side: int, seed: int) -> tuple[Samples, Samples]:
        """Return a crop of ``side`` low-resolution pixels from the middle of a wider window."""
        s = self._pack.scale
        left_out = np.random.default_rng([seed, 1]).integers(_BLOCK, size=2)
        down, right = (MARGIN - left_out).tolist()
        y, x = (s * left_out).tolist()
        low = self._reduction(window[y:, x:], seed)[0][down : down + side, right : right + side]
        first = s * MARGIN
        return low, window[first : first + s * side, first : first + s * side]


def sampler_for(
    pack: Pack, device: torch.device, crops: Crops, reduction: Reduction
) -> CropSampler | DeviceCropSampler | DegradedCropSampler:
    """Return what crops are drawn by: degraded ones on the host, others where is room."""
    if reduction.is_drawn:
        return DegradedCropSampler(pack, crops, reduction)
    return choose_sampler(pack, device, crops)


def _window(image: Samples, begin: tuple[int, int], side: int) -> Samples:
    """Return a square of an image, which is mirrored at its edges."""
    rows, columns = (
        _mirrored(np.arange(first, first + side), length)
        for first, length in zip(begin, image.shape[:2], strict=True)
    )
    return image[rows[:, np.newaxis], columns]


def _mirrored(places: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Return places on a line that is mirrored at its ends, end pixels twice."""
    folded = places % (2 * length)
    return np.minimum(folded, 2 * length - 1 - folded)
