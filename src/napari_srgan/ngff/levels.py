"""The levels of a store that is made of an upscaled image: sizes, chunks, and where they lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from napari_srgan.ngff.stored import VERSIONS, StoredImage
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
    sizes = [((height * factor, width * factor), factor) for factor in (*factors, 1)]
    sides = height, width
    while max(sides) > SMALLEST_LEVEL:
        sides = -(-sides[0] // 2), -(-sides[1] // 2)
        sizes.append((sides, 0))
    return [Level(str(n), sides, factor) for n, (sides, factor) in enumerate(sizes)]


def attributes_of(
    image: StoredImage, levels: Sequence[Level], record: Mapping[str, Any], key: str
) -> dict[str, Any]:
    """Return the attributes of the group: axes and levels, channels as they were, and the record.

    The outer edges of all levels are those of the image: a pixel that is ``f`` times as small
    begins its row of centres ``(1/f − 1)/2`` of the image's pixels earlier.
    """
    others = dict(image.others)
    ome: dict[str, Any] = {"omero": others.pop("omero")} if "omero" in others else {}
    datasets = [
        {"path": level.path, "coordinateTransformations": _placed(image, level)} for level in levels
    ]
    multiscale = {**image.multiscale, "datasets": datasets}
    version = VERSIONS[image.zarr_format]
    if image.zarr_format == 2:
        ome["multiscales"] = [{**multiscale, "version": version}]
        return {**others, **ome, key: dict(record)}
    ome |= {"version": version, "multiscales": [multiscale]}
    return {**others, "ome": ome, key: dict(record)}


def _placed(image: StoredImage, level: Level) -> list[dict[str, Any]]:
    scale, translation = list(image.scale), list(image.translation)
    for axis, side in zip((-2, -1), level.sides, strict=True):
        scale[axis] *= image.array.shape[axis] / side
        translation[axis] += (scale[axis] - image.scale[axis]) / 2
    return [
        {"type": "scale", "scale": scale},
        {"type": "translation", "translation": translation},
    ]
