"""The levels of a store that is made of an upscaled image: sizes, chunks, and where they lie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from napari_srgan.ngff.image import NgffImage
from napari_srgan.pyramid import SMALLEST_LEVEL

WINDOW = 1024  # pixels of the input along an edge, of which all levels are written at once
_CHUNK = {2: 1024, 3: 512}  # pixels along an edge; in Zarr 3 many share a file, a shard


@dataclass(frozen=True)
class Level:
    """One level of a pyramid.

    Attributes
    ----------
    path : str
        Of its array in the store.
    sides : tuple of int
        Height and width.
    factor : int
        Pixels along an edge for each of the input's; 0 for levels that are coarser than that.
    """

    path: str
    sides: tuple[int, int]
    factor: int

    def storage(self, zarr_format: int) -> Mapping[str, tuple[int, int]]:
        """Return the shapes of a chunk and of a shard, which no two windows share."""
        at_once = WINDOW * max(1, self.factor)
        edge = _CHUNK[zarr_format]
        height, width = (min(edge, side) for side in self.sides)
        if zarr_format == 2:
            return {"chunks": (height, width)}
        files = (
            min(at_once, -(-side // chunk) * chunk) if side > chunk else chunk
            for side, chunk in zip(self.sides, (height, width), strict=True)
        )
        shard_height, shard_width = files
        return {"chunks": (height, width), "shards": (shard_height, shard_width)}


def levels_for(height: int, width: int, scale: int) -> list[Level]:
    """Return the levels of an image upscaled by a factor, the finest first.

    The result and its halves, the image itself, and halves of it down to 1024 pixels.
    """
    factors = [scale]
    while factors[-1] % 2 == 0 and factors[-1] > 2:
        factors.append(factors[-1] // 2)
    factors.append(1)
    largest = max(height, width)
    while largest > SMALLEST_LEVEL:
        largest = -(-largest // 2)
        factors.append(0)
    return _levels(factors, (height, width))


def levels_like(levels: Sequence[Level], sides: tuple[int, int]) -> list[Level]:
    """Return as many levels, as fine and as coarse, of an image of another size."""
    return _levels([level.factor for level in levels], sides)


def _levels(factors: Iterable[int], sides: tuple[int, int]) -> list[Level]:
    made: list[Level] = []
    for number, factor in enumerate(factors):
        height, width = (
            tuple(factor * side for side in sides)
            if factor
            else (-(-side // 2) for side in made[-1].sides)
        )
        made.append(Level(str(number), (height, width), factor))
    return made


def coarser_pairs(levels: Sequence[Level]) -> list[tuple[Level, Level]]:
    """Return each level that is coarser than the input, after the one that it is made of."""
    return [(finer, level) for finer, level in pairwise(levels) if not level.factor]


def create_levels(group: Any, image: NgffImage, levels: Sequence[Level]) -> None:
    """Create the arrays of all levels, empty; they are no image until the group says so."""
    leading = list(image.leading)
    if image.colour_axis is not None:
        leading.insert(image.colour_axis, image.array.shape[-1])
    format_3 = image.zarr_format == 3
    names = {"dimension_names": [axis["name"] for axis in image.axes]} if format_3 else {}
    for level in levels:
        shapes = level.storage(image.zarr_format)
        group.create_array(
            level.path,
            shape=(*leading, *level.sides),
            dtype=image.array.dtype,
            chunk_key_encoding={"name": "default" if format_3 else "v2", "separator": "/"},
            **{key: (*(1,) * len(leading), *sides) for key, sides in shapes.items()},
            **names,
        )


def datasets_of(image: NgffImage, levels: Sequence[Level]) -> list[dict[str, Any]]:
    """Return where the levels lie.

    The outer edges of all are those of the image: a pixel that is ``f`` times as small begins its
    row of centres ``(1/f − 1)/2`` of the image's pixels earlier.
    """
    return [
        {"path": level.path, "coordinateTransformations": _placed(image, level)} for level in levels
    ]


def _placed(image: NgffImage, level: Level) -> list[dict[str, Any]]:
    scale, translation = image.own_scale, image.own_translation
    for axis, side, low in zip((-2, -1), level.sides, image.sides, strict=True):
        step = scale[axis]
        scale[axis] = step * low / side
        translation[axis] += (scale[axis] - step) / 2
    return [
        {"type": "scale", "scale": scale},
        {"type": "translation", "translation": translation},
    ]
