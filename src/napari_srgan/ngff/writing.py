"""Images of any kind written as OME-Zarr pyramids, a part at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from napari_srgan.ngff.arrays import Arrays
from napari_srgan.ngff.image import NgffImage
from napari_srgan.ngff.levels import Level, create_levels
from napari_srgan.ngff.making import made_whole
from napari_srgan.ngff.stored import NEEDS_ZARR, put_image
from napari_srgan.pyramid import SMALLEST_LEVEL


def write_image(
    path: Path, image: NgffImage, levels: Sequence[Any], record: Mapping[str, Any] | None = None
) -> None:
    """Write an image as a new store, which appears when it is whole.

    Parameters
    ----------
    path : Path
        Of the store.
    image : NgffImage
        Its finest level, and what is to be said of it.
    levels : sequence of array
        The finest and, where there are some, coarser ones that cover the same area. Halves of the
        last are made down to 1024 pixels.
    record : mapping, optional
        How it was made.

    Raises
    ------
    FileExistsError
        If there is something.
    ImportError
        If the package zarr is missing.
    """
    if path.exists():
        raise FileExistsError(f"{path} exists. Choose another name.")
    try:
        import zarr
    except ImportError as error:
        raise ImportError(NEEDS_ZARR) from error
    made = [replace(image, array=array) for array in levels]
    given = [Level(str(n), each.sides, 1) for n, each in enumerate(made)]
    coarser = _halves(given[-1])
    with made_whole(path, {"one": uuid4().hex}) as making:
        create: Any = zarr.create_group
        group = create(making.store, overwrite=True, zarr_format=image.zarr_format)
        arrays = Arrays(group, image.colour_axis)
        for one, level in zip(made, given, strict=True):
            create_levels(group, one, [level])
            arrays.copy(one.array, level, one.leading)
        create_levels(group, made[-1], coarser)
        arrays.make_coarser([given[-1], *coarser], made[-1].leading)
        every = [*given, *coarser]
        put_image(group, image, [_placed(image, group, level) for level in every], "", record)


def _halves(level: Level) -> list[Level]:
    made = [level]
    while max(made[-1].sides) > SMALLEST_LEVEL:
        height, width = (-(-side // 2) for side in made[-1].sides)
        made.append(Level(str(int(made[-1].path) + 1), (height, width), 0))
    return made[1:]


def _placed(image: NgffImage, group: Any, level: Level) -> dict[str, Any]:
    """Return where a level lies that covers what the finest does, along every axis."""
    finest, shape = group["0"].shape, group[level.path].shape
    scale, translation = image.own_scale, image.own_translation
    for axis, (many, few) in enumerate(zip(finest, shape, strict=True)):
        step = scale[axis]
        scale[axis] = step * many / few
        translation[axis] += (scale[axis] - step) / 2
    transforms = [
        {"type": "scale", "scale": scale},
        {"type": "translation", "translation": translation},
    ]
    return {"path": level.path, "coordinateTransformations": transforms}
