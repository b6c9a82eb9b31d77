"""The labels of an image, which its result has too: each pixel of a label as many times as large.

The format wants as many levels of labels as of their image. They are the labels, repeated, down to
the input's size, where they are as they were; and of what is coarser, every second pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from napari_srgan.inference.images import Array
from napari_srgan.ngff.arrays import Arrays
from napari_srgan.ngff.image import NgffImage
from napari_srgan.ngff.levels import (
    WINDOW,
    Level,
    coarser_pairs,
    create_levels,
    datasets_of,
    levels_like,
)
from napari_srgan.ngff.making import Making
from napari_srgan.ngff.stored import attributes_in, open_image, put_attributes, put_image
from napari_srgan.pyramid import stretches
from napari_srgan.volume.plan import digest_of


def copy_labels(image: NgffImage, making: Making, levels: Sequence[Level]) -> None:
    """Give a store the labels of the image that it is made of; those done before are not again.

    Parameters
    ----------
    image : NgffImage
        Which has them, or has none.
    making : Making
        The store.
    levels : sequence of Level
        Of the image in it; labels get as many, from whatever size they have.
    """
    import zarr

    folder = None if image.path is None else image.path / "labels"
    if folder is None or not folder.is_dir():
        return
    others, ome = attributes_in(zarr.open_group(folder, mode="r"))
    target: Any = zarr.open_group(making.store, mode="r+")
    group = target.require_group("labels")
    for name in ome.get("labels", ()):
        labels = open_image(folder / name)
        _enlarge(labels, making, group, str(name), levels_like(levels, labels.sides))
    put_attributes(group, others, ome)


def _enlarge(
    labels: NgffImage, making: Making, group: Any, name: str, levels: Sequence[Level]
) -> None:
    key = f"labels/{name}"
    if key not in making.done:
        create_levels(group.create_group(name, overwrite=True), labels, levels)
        making.mark(key)
    arrays, leading = Arrays(group[name]), labels.array.shape[:-2]
    for index in np.ndindex(*leading):
        for rows, columns in product(*(stretches(side, WINDOW) for side in labels.sides)):
            low = np.asarray(labels.array[(*index, slice(*rows), slice(*columns))])
            part, digest = f"{key} {index} {rows} {columns}", digest_of(low)
            if making.done.get(part) != digest:
                _repeat(arrays, levels, index, low, (rows[0], columns[0]))
                making.mark(part, digest)
        for finer, level in coarser_pairs(levels):
            _skip(arrays, index, finer, level)
    put_image(group[name], labels, datasets_of(labels, levels), "nearest")


def _repeat(
    arrays: Arrays,
    levels: Sequence[Level],
    index: tuple[int, ...],
    low: Array,
    start: tuple[int, int],
) -> None:
    """Write labels, repeated, into every level that is as fine as they are or finer."""
    for level in levels:
        factor = level.factor
        if factor:
            rows, columns = (
                slice(factor * first, factor * (first + length))
                for first, length in zip(start, low.shape, strict=True)
            )
            large = low.repeat(factor, 0).repeat(factor, 1)
            arrays.write(level, index, rows, columns, large)


def _skip(arrays: Arrays, index: tuple[int, ...], finer: Level, level: Level) -> None:
    """Write into a level what lies at the middle of each of its pixels."""
    for rows, columns in product(*(stretches(side, WINDOW) for side in level.sides)):
        row, column = (
            (2 * np.arange(*span) + 1) * side // (2 * coarse)
            for span, side, coarse in zip(
                (rows, columns), finer.sides, level.sides, strict=True
            )
        )  # fmt: skip
        seen = slice(row[0], row[-1] + 1), slice(column[0], column[-1] + 1)
        window = arrays.read(finer, index, *seen)
        picked = window[np.ix_(row - row[0], column - column[0])]
        arrays.write(level, index, slice(*rows), slice(*columns), picked)
