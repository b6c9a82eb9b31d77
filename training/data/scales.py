"""Crops at several scales: one is drawn for each batch, whose crops are then reduced by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_srgan.resampling import shrink
from napari_srgan.training.data.crops import CropPlaces, Crops, Places, turned
from napari_srgan.training.data.decoding import Samples
from napari_srgan.training.data.pack import Entry, Pack

_BORDER = 2  # low-resolution pixels: how far the reduction's kernel reaches


@dataclass(frozen=True)
class _AtScale:
    """A pack's images as :class:`CropPlaces` is to see them at another scale."""

    pack: Pack
    entries: tuple[Entry, ...]
    scale: int

    @classmethod
    def of(cls, pack: Pack, scale: int) -> _AtScale:
        """Return a pack's images, their low-resolution sides rounded down."""
        entries = (
            replace(
                entry,
                low_height=pack.scale * entry.low_height // scale,
                low_width=pack.scale * entry.low_width // scale,
            )
            for entry in pack.entries
        )
        return cls(pack, tuple(entries), scale)

    def texture(self, index: int, y: int, x: int, side: int) -> float:
        """Return how much texture is in a square, as it is at the pack's own scale."""
        y, x, side = (self.scale * length // self.pack.scale for length in (y, x, side))
        return self.pack.texture(index, y, x, max(1, side))


class ScalesSampler:
    """Random crops of distinct images at a scale that each batch draws (MDSR).

    The low-resolution crops are as large at every scale, and what the whole image's reduction has
    there. (Lim et al. 2017, arXiv:1707.02921v1, §4.2: a scale drawn for each update.)

    Parameters
    ----------
    pack : Pack
        Where the images are; of its reductions none is used.
    scales : sequence of int
        Those that are drawn from, with equal chances.
    crops : Crops
        How many are drawn, of which size at the pack's scale: high-resolution ones of the other
        scales are larger or smaller.

    Raises
    ------
    ValueError
        If there are fewer images than crops in a batch, or smaller ones than a crop.
    """

    in_threads = True

    def __init__(self, pack: Pack, scales: Sequence[int], crops: Crops) -> None:
        self._pack, self._scales, self.batch = pack, tuple(scales), crops.batch
        self._low_crop = crops.side // pack.scale
        self._places = [
            CropPlaces(_AtScale.of(pack, scale), replace(crops, side=scale * self._low_crop))
            for scale in self._scales
        ]

    def draw(self, rng: np.random.Generator) -> tuple[Samples, Samples]:
        """Return a batch: low ``(n, c, c, k)`` and high ``(n, s·c, s·c, k)``, k the channels."""
        return self.cut(self.places(rng))

    def places(self, rng: np.random.Generator) -> Places:
        """Return where the crops of a batch are, and in a further column their scale."""
        chosen = int(rng.integers(len(self._scales)))
        places = self._places[chosen].draw(rng)
        return np.column_stack([places, np.full(len(places), self._scales[chosen])])

    def cut(self, places: Places) -> tuple[Samples, Samples]:
        """Return the crops at these places, as :meth:`draw` does."""
        pairs = [self._pair(*place) for place in places.tolist()]
        lows, highs = zip(*pairs, strict=True)
        return np.stack(lows), np.stack(highs)

    def _pair(self, image: int, y: int, x: int, turn: int, scale: int) -> tuple[Samples, Samples]:
        _low, high = self._pack.pair(image)
        low, high = reduced_crop(high, y, x, self._low_crop, scale)
        return turned(low, turn), turned(high, turn)


def reduced_crop(high: Samples, y: int, x: int, side: int, scale: int) -> tuple[Samples, Samples]:
    """Return a crop of ``shrink(high, scale)`` and of ``high``, without reducing all of it.

    Parameters
    ----------
    high : ndarray
        ``(h, w, k)``, uint8 or uint16; what is beyond a multiple of the scale is left out.
    y, x, side : int
        First corner and side of the low-resolution crop.
    scale : int
        Factor of the reduction.
    """
    sides = [length // scale for length in high.shape[:2]]
    begins = [max(0, first - _BORDER) for first in (y, x)]
    ends = [min(last, first + side + _BORDER) for first, last in zip((y, x), sides, strict=True)]
    rows, columns = (slice(scale * b, scale * e) for b, e in zip(begins, ends, strict=True))
    top, left = y - begins[0], x - begins[1]
    low = shrink(high[rows, columns], scale)[top : top + side, left : left + side]
    return low, high[scale * y : scale * (y + side), scale * x : scale * (x + side)]
