"""Files to upscaled files: what is written where is settled, and checked, before anything runs."""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_srgan.files import read_picture, write_picture
from napari_srgan.files.provenance import caption_in, described, record_in
from napari_srgan.files.reading import images_in, left_out_of, refuse_no_file
from napari_srgan.files.writing import (
    check_can_be_written,
    check_suffix,
    is_named_as_image,
    resolved,
)
from napari_srgan.inference.settings import Progress, Settings, chained, iter_recorded
from napari_srgan.inference.values.ranges import ChannelRanges, ValueRange
from napari_srgan.inference.values.rules import Normalize

if TYPE_CHECKING:
    from napari_srgan.store.checkpoint import Model

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """One image file to upscale, and the file to make of it."""

    source: Path
    target: Path


def plan_tasks(inputs: Sequence[Path], output: Path, *, overwrite: bool = False) -> list[Task]:
    """Return what to make of files and folders, having made sure that nothing would be lost.

    Parameters
    ----------
    inputs : sequence of Path
        Image files, and folders whose image files are taken.
    output : Path
        A folder, made if need be; for a single file it may be a file, known by an image's suffix.
    overwrite : bool
        Whether files that are not inputs may be replaced.

    Raises
    ------
    OSError
        If an input does not exist or is no file, a folder holds no image, a target exists, or
        nothing can be written where it is to be.
    ValueError
        If a target is an input, has the name of no format, or two inputs have one target.
    """
    sources = list({_absolute(file): file for given in inputs for file in _files(given)}.values())
    to_file = is_named_as_image(output) and not output.is_dir()
    if to_file and (len(sources) > 1 or any(given.is_dir() for given in inputs)):
        raise ValueError(f"{output} is one file for {len(sources)} images. Name a folder instead.")
    tasks = [Task(file, output if to_file else output / file.name) for file in sources]
    check_folder(output.parent if to_file else output)
    return _without_losses(tasks, overwrite=overwrite)


def _absolute(path: Path) -> Path:
    """Return a path without detours, links as they are: who asks for two names gets two files."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.absolute keeps "..", and resolve no link


def _files(given: Path) -> Iterable[Path]:
    if given.is_dir():
        if words := left_out_of(given):
            _logger.warning("%s: %s", given, words)
        return images_in(given)
    refuse_no_file(given)
    if not given.exists():
        raise FileNotFoundError(f"There is no file or folder {given}.")
    return [given]


def check_folder(folder: Path) -> None:
    """Refuse a folder that nothing can be written into, whether it is there or is to be made.

    Raises
    ------
    OSError
        If it, or what it is to be made in, is a file, or may not be written.
    """
    there = next(path for path in (folder, *_absolute(folder).parents) if path.exists())
    if not there.is_dir():
        raise NotADirectoryError(f"{there} is a file: there is no folder to write into.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(f"Nothing may be written into {there}.")


def _without_losses(tasks: Sequence[Task], *, overwrite: bool) -> list[Task]:
    """Return the tasks, each once, having made sure that none takes a file from another."""
    sources = {resolved(task.source) for task in tasks}
    kept: dict[Path, Task] = {}
    for task in tasks:
        check_suffix(task.target)
        target = resolved(task.target)
        if target in sources:
            raise ValueError(f"{task.target} is an input and would be lost. Name another output.")
        other = kept.setdefault(target, task)
        if resolved(other.source) != resolved(task.source):
            raise ValueError(
                f"{other.source} and {task.source} would both be written to {task.target}."
            )
        if target.is_dir():
            raise IsADirectoryError(f"{task.target} is a folder, where a file is to be written.")
        if target.exists() and not overwrite:
            raise FileExistsError(f"{task.target} exists. Use --overwrite to replace it.")
    return list(kept.values())


def iter_task(
    task: Task,
    model: Model,
    *,
    normalize: Normalize,
    settings: Settings,
    channel_axis: int | None = None,
    values: ValueRange | ChannelRanges | None = None,
) -> Generator[Progress, None, None]:
    """Upscale one file, yielding progress; its target appears when it is complete.

    The axis of channels is what the file says, where none is given. ``values`` are those that the
    file shares with others, in place of its own.

    Raises
    ------
    OSError
        If the file cannot be read, or the target not written.
    ValueError, TypeError, MemoryError
        As :func:`napari_srgan.upscale` does; or if the format cannot hold the pixels.
    """
    from napari_srgan.inference.run import iter_upscale_array  # torch: planning needs none

    picture = read_picture(task.source)
    check_can_be_written(task.target, picture, model.scale)
    task.target.parent.mkdir(parents=True, exist_ok=True)
    steps = iter_upscale_array(
        picture.data,
        model,
        rgb=picture.rgb,
        normalize=normalize if values is None else values,
        channel_axis=picture.channel_axis if channel_axis is None else channel_axis,
        settings=settings,
    )
    pixels, made_by = yield from iter_recorded(steps, model, normalize, settings)
    stated = picture.metadata.description
    record = chained({**made_by, "source": task.source.name}, record_in(stated))
    described_so = described(caption_in(stated), record)
    write_picture(task.target, picture.upscaled(pixels, model.scale, described_so))
