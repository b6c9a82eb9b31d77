"""OME-Zarr to OME-Zarr: an image of any size, upscaled window by window into a pyramid."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from napari_srgan.inference.devices import precision_name
from napari_srgan.inference.run import set_up
from napari_srgan.inference.settings import Progress, Settings, chained, iter_mapped, iter_recorded
from napari_srgan.inference.values.ranges import ValueRange, value_ranges
from napari_srgan.inference.values.rules import Normalize
from napari_srgan.ngff.arrays import Arrays
from napari_srgan.ngff.image import NgffImage
from napari_srgan.ngff.levels import (
    create_levels,
    datasets_of,
)
from napari_srgan.ngff.making import Making, hidden_folder, made_whole
from napari_srgan.ngff.stored import open_image, put_image
from napari_srgan.store.checkpoint import Model
from napari_srgan.volume.labels import copy_labels
from napari_srgan.volume.plan import Part, Pixels, Plan, job_of, layout_for, plan_of
from napari_srgan.volume.window import iter_part

Windows: TypeAlias = Callable[[Plan, Making], Generator[Progress, None, None]]
"""What does all windows of a plan that are not done, and notes each in the journal."""


def check_target(source: Path, target: Path, *, overwrite: bool) -> None:
    """Refuse a place where a store cannot be, or where something would be lost.

    Raises
    ------
    OSError
        If the folder is missing, or something is there that may not be replaced.
    ValueError
        If it is the source, lies within it, or is not called ``.zarr``.
    """
    place, origin = target.resolve(), source.resolve()
    if target.suffix != ".zarr":
        raise ValueError(f"An OME-Zarr image becomes one: name the output .ome.zarr, not {target}.")
    if place == origin or origin in place.parents or place in origin.parents:
        raise ValueError(f"{target} is the input, or lies within it. Name another output.")
    if not place.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {place.parent} to write {target.name} into.")
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target} exists. Use --overwrite to replace it.")


def is_unfinished(target: Path) -> bool:
    """Tell whether a job for a target was interrupted, and can be gone on with."""
    return hidden_folder(target).is_dir()


def iter_windows_here(plan: Plan, making: Making) -> Generator[Progress, None, None]:
    """Do all windows that are not done yet, one after the other, yielding progress."""
    runner = set_up(plan.layout, plan.model, plan.settings)
    where = str(runner.device), precision_name(runner.precision)
    pixels = Pixels(plan.image, plan.layout, fill=plan.settings.nan == "fill")
    arrays, total = arrays_of(plan, making.store), plan.layout.pixels
    done = kept = 0
    for part in plan.parts():
        known = making.done.get(part.key, "")
        of_all = partial(_of_all, part=part, before=done, total=total, kept=kept)
        digest = yield from iter_mapped(iter_part(plan, pixels, arrays, part, known), of_all)
        done += part.tile.pixels
        if digest == known:
            kept += part.tile.pixels
            yield Progress(done, total, *where, kept=kept)
        else:
            making.mark(part.key, digest)


def _of_all(step: Progress, *, part: Part, before: int, total: int, kept: int) -> Progress:
    """Return the progress of an image from that within a window, of which some is read twice."""
    height, width = part.tile.window
    inside = part.tile.pixels * step.done // (height * width)
    return replace(step, done=before + inside, total=total, kept=kept)


def iter_upscale_store(
    source: Path,
    target: Path,
    model: Model,
    *,
    normalize: Normalize,
    settings: Settings,
    channel_axis: int | None = None,
    windows: Windows = iter_windows_here,
) -> Generator[Progress, None, None]:
    """Upscale an OME-Zarr image into a pyramid; see :func:`iter_upscale_image`.

    Raises
    ------
    OSError
        If the source cannot be read, or the target not written.
    ValueError, TypeError, MemoryError
        As :func:`napari_srgan.upscale` does; and if ``channel_axis`` is another axis than the store
        says holds channels.
    """
    image = open_image(source)
    _check_channel_axis(image, channel_axis)
    yield from iter_upscale_image(
        image, target, model, normalize=normalize, settings=settings, windows=windows
    )


def iter_upscale_image(
    image: NgffImage,
    target: Path,
    model: Model,
    *,
    normalize: Normalize,
    settings: Settings,
    values: ValueRange | None = None,
    windows: Windows = iter_windows_here,
) -> Generator[Progress, None, dict[str, Any]]:
    """Upscale an image into a pyramid in an OME-Zarr store, yielding progress.

    The target appears when it is whole. What was done before an interruption, even a kill, is kept
    beside it, hidden, and is done again only where the input has changed since; the result is the
    same to the bit. Memory is that for a window of 1024 × 1024 pixels, and for a plane of the
    input where it has values that are to be filled. Channels have a value range each. Labels are
    made as many times as large. ``values`` is a range that was worked out before. What is returned
    is the record of how the result was made.

    Raises
    ------
    OSError
        If the source cannot be read, or the target not written.
    ValueError, TypeError, MemoryError
        As :func:`napari_srgan.upscale` does.
    """
    layout = layout_for(image)
    set_up(layout, model, settings)  # for its errors, before the pixels are looked at
    ranges = value_ranges(image.array, layout, normalize if values is None else values)
    plan = plan_of(image, model, ranges, settings)
    with made_whole(target, job_of(plan, image.path)) as making:
        if "arrays" not in making.done:
            import zarr

            create: Any = zarr.create_group
            group = create(making.store, overwrite=True, zarr_format=image.zarr_format)
            create_levels(group, image, plan.levels)
            making.mark("arrays")
        _, made_by = yield from iter_recorded(windows(plan, making), model, normalize, settings)
        arrays = arrays_of(plan, making.store)
        arrays.make_coarser(plan.levels, plan.layout.leading)
        copy_labels(image, making, plan.levels)
        record = chained({**made_by, "source": image.name}, image.record)
        put_image(arrays.group, image, datasets_of(image, plan.levels), "area means", record)
    return record


def arrays_of(plan: Plan, store: Path) -> Arrays:
    """Return the arrays that a plan fills, of a store."""
    import zarr

    return Arrays(zarr.open_group(store, mode="r+"), plan.image.colour_axis)


def _check_channel_axis(image: NgffImage, asked: int | None) -> None:
    """Refuse a channel axis that contradicts what the store says of its axes."""
    if asked is None:
        return
    ndim = int(image.array.ndim)
    place = asked + ndim if asked < 0 else asked
    names = ", ".join(str(axis["name"]) for axis in image.axes)
    if place != image.channel_axis:
        says = (
            "none of them holds channels"
            if image.channel_axis is None
            else f"axis {image.channel_axis} holds channels"
        )
        raise ValueError(
            f"channel_axis={asked} contradicts {image.path}, whose axes are {names}: {says}. "
            "Leave it out: stores say what their axes are."
        )
