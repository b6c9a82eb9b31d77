"""Random crops of packed images: where they lie, and batches of them read ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_srgan.training.data.decoding import Samples
from napari_srgan.training.data.pack import Entry, Pack

Item = TypeVar("Item")
Result = TypeVar("Result")
# A row for each crop: image, low-resolution y and x of its first corner, orientation 0 … 7.
Places = NDArray[np.int64]
ORIENTATIONS = 8
Array = TypeVar("Array", covariant=True)
Values = TypeVar("Values", bound=np.generic)


def iter_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], *, ahead: int, workers: int = 1
) -> Generator[Result, None, None]:
    """Yield ``function(item)`` for every item, in order, up to ``ahead`` of them beforehand.

    What the function raises is raised where its result would be yielded. Closing the generator
    waits for the calls that run, drops the others, and ends the threads. With ``ahead`` 0 there
    are no threads.
    """
    if ahead < 1:
        yield from map(function, items)
        return
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="ahead") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


@dataclass(frozen=True)
class Crops:
    """What is drawn at once.

    Attributes
    ----------
    batch : int
        Crops a draw, each of another image.
    side : int
        Of the high-resolution crops, in pixels: a multiple of the scale.
    busiest_of : int
        Places tried for each crop, of which the one with most texture is taken.
    """

    batch: int
    side: int
    busiest_of: int = 1


class Images(Protocol):
    """What places of crops are drawn from: a pack, or one as it is at another scale."""

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What lies where."""

    @property
    def scale(self) -> int:
        """High-resolution pixels to a low-resolution one, along each axis."""

    def texture(self, index: int, y: int, x: int, side: int) -> float:
        """Return how much texture is in a square of a low-resolution image."""


class Sampler(Protocol[Array]):
    """What batches come from: it chooses places, then cuts them out."""

    @property
    def batch(self) -> int:
        """Crops a draw."""

    @property
    def in_threads(self) -> bool:
        """Whether crops may be cut beside the training; not on a device that trains."""

    def places(self, rng: np.random.Generator) -> Places:
        """Return where the crops of a batch are."""

    def cut(self, places: Places) -> tuple[Array, Array]:
        """Return the low and the high crops at these places."""


class CropPlaces:
    """Chooses where crops are, of distinct images (§3.2), a larger image more often.

    Parameters
    ----------
    images : Images
        What there is to crop.
    crops : Crops
        How many are drawn, of which size.

    Raises
    ------
    ValueError
        If there are fewer images than crops in a batch, or smaller ones than a crop.
    """

    def __init__(self, images: Images, crops: Crops) -> None:
        batch, side = crops.batch, crops.side
        if batch < 1 or side < 1 or side % images.scale:
            raise ValueError(
                f"A batch is 1 or more crops, whose side is a multiple of the scale "
                f"{images.scale}; got a batch of {batch}, crops of {side}."
            )
        if len(images.entries) < batch:
            raise ValueError(
                f"A batch takes {batch} distinct images; there are {len(images.entries)}. "
                "Add images or lower the batch."
            )
        self.batch, self.low_crop = batch, side // images.scale
        self._images, self._tried = images, crops.busiest_of
        for entry in images.entries:
            if min(entry.low_height, entry.low_width) < self.low_crop:
                raise ValueError(f"{entry.name} is smaller than a crop of {side} pixels.")
        self._sides = np.array([(e.low_height, e.low_width) for e in images.entries], np.int64)
        self._area = self._sides.prod(axis=1)
        self._upto = np.cumsum(self._area)

    def draw(self, rng: np.random.Generator) -> Places:
        """Return the places of a batch."""
        image = self._distinct(rng)
        free = self._sides[image] - self.low_crop + 1
        tried: Places = rng.integers(free, size=(self._tried, *free.shape))
        corners = self._busiest(image, tried) if self._tried > 1 else tried[0]
        turns = rng.integers(ORIENTATIONS, size=self.batch)
        return np.column_stack([image, corners, turns])

    def _busiest(self, image: Places, tried: Places) -> Places:
        """Return for each image the one of several corners whose crop has most texture."""
        texture = [
            [
                self._images.texture(index, y, x, self.low_crop)
                for index, (y, x) in zip(image.tolist(), corners.tolist(), strict=True)
            ]
            for corners in tried
        ]
        chosen: Places = tried[np.argmax(texture, axis=0), np.arange(len(image))]
        return chosen

    def _distinct(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return images drawn one after another, by area, none of them twice."""
        chosen: list[int] = []
        upto = self._upto
        while True:
            points = rng.integers(upto[-1], size=self.batch - len(chosen))
            chosen += dict.fromkeys(np.searchsorted(upto, points, side="right").tolist())
            if len(chosen) == self.batch:
                return np.array(chosen, np.int64)
            # A repeated draw counts for nothing; the next are among the others.
            area = self._area.copy()
            area[chosen] = 0
            upto = np.cumsum(area)


class CropSampler:
    """Random crops of distinct images (§3.2), flipped and turned, larger images more often.

    Parameters
    ----------
    pack : Pack
        Where the images are.
    crops : Crops
        How many are drawn, of which size.

    Raises
    ------
    ValueError
        If there are fewer images than crops in a batch, or smaller ones than a crop.
    """

    in_threads = True

    def __init__(self, pack: Pack, crops: Crops) -> None:
        self._places = CropPlaces(pack, crops)
        self._pack, self.batch = pack, crops.batch

    def draw(self, rng: np.random.Generator) -> tuple[Samples, Samples]:
        """Return a batch: low ``(n, c, c, k)`` and high ``(n, s·c, s·c, k)``, k the channels."""
        return self.cut(self.places(rng))

    def places(self, rng: np.random.Generator) -> Places:
        """Return where the crops of a batch are."""
        return self._places.draw(rng)

    def cut(self, places: Places) -> tuple[Samples, Samples]:
        """Return the crops at these places, as :meth:`draw` does."""
        n, c, s, k = len(places), self._places.low_crop, self._pack.scale, self._pack.channels
        lows = np.empty((n, c, c, k), self._pack.dtype)
        highs = np.empty((n, s * c, s * c, k), self._pack.dtype)
        for i, (image, y, x, turn) in enumerate(places.tolist()):
            low, high = self._pack.pair(image)
            lows[i] = turned(low[y : y + c, x : x + c], turn)
            highs[i] = turned(high[s * y : s * (y + c), s * x : s * (x + c)], turn)
        return lows, highs


def turned(image: NDArray[Values], turn: int) -> NDArray[Values]:
    """Return one of the eight flips and quarter turns of a square image, a view."""
    image = np.rot90(image, turn % 4)
    return image[:, ::-1] if turn >= 4 else image


def iter_batches(
    sampler: Sampler[Array],
    seed: int,
    first_step: int,
    prefetch: int = 2,
    rank: int = 0,
    world: int = 1,
) -> Generator[tuple[int, Array, Array], None, None]:
    """Yield ``(step, low, high)`` from ``first_step`` on, without end.

    A batch depends on the seed and its step and on nothing before it: training that goes on at a
    step sees what it would have seen, whatever was prefetched. Closing the generator ends its
    thread.

    Parameters
    ----------
    sampler : CropSampler or DeviceCropSampler
        Where batches come from; its batch is the one of all processes together.
    seed, first_step : int
        0 or more.
    prefetch : int
        Batches made beforehand in a thread. On a device none are, for they would only queue up
        behind its other work.
    rank, world : int
        Which process this is of how many. It gets every ``world``-th crop of each batch.

    Raises
    ------
    ValueError
        At once, if a batch cannot be divided equally, or a number is out of range.
    """
    if not 0 <= rank < world or sampler.batch % world:
        raise ValueError(
            f"Process {rank} of {world} cannot get an equal share of {sampler.batch} crops: "
            "take a batch that is a multiple of the number of processes."
        )
    if seed < 0 or first_step < 0:
        raise ValueError(f"Seed and step are 0 or more; got {seed} and {first_step}.")
    make = partial(_batch, sampler, seed, slice(rank, None, world))
    return iter_ahead(make, count(first_step), ahead=prefetch if sampler.in_threads else 0)


def _batch(sampler: Sampler[Array], seed: int, share: slice, step: int) -> tuple[int, Array, Array]:
    places = sampler.places(np.random.default_rng([seed, step]))
    low, high = sampler.cut(places[share])
    return step, low, high
