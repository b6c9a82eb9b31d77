"""Files to upscaled files: what is written where is settled, and checked, before anything runs."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_srgan.files import IMAGE_SUFFIXES, Picture, read_picture, write_picture
from napari_srgan.files.reading import images_in
from napari_srgan.files.writing import check_can_be_written
from napari_srgan.inference.images import Normalize
from napari_srgan.inference.run import iter_upscale_array
from napari_srgan.inference.settings import Progress, Settings, iter_recorded
from napari_srgan.store.checkpoint import Model


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
        If an input does not exist, a folder holds no image, or a target exists.
    ValueError
        If a target is an input, or two inputs have one target.
    """
    found = {file.resolve(): file for given in inputs for file in _files(given)}
    sources = list(found.values())
    to_file = output.suffix.lower() in IMAGE_SUFFIXES and not output.is_dir()
    if to_file and (len(sources) > 1 or any(given.is_dir() for given in inputs)):
        raise ValueError(f"{output} is one file for {len(sources)} images. Name a folder instead.")
    tasks = [Task(file, output if to_file else output / file.name) for file in sources]
    _refuse_losses(tasks, overwrite=overwrite)
    return tasks


def _files(given: Path) -> Iterable[Path]:
    if given.is_dir():
        return images_in(given)
    if not given.exists():
        raise FileNotFoundError(f"There is no file or folder {given}.")
    return [given]


def _refuse_losses(tasks: Sequence[Task], *, overwrite: bool) -> None:
    sources = {task.source.resolve() for task in tasks}
    targets: dict[Path, Path] = {}
    for task in tasks:
        target = task.target.resolve()
        if target in sources:
            raise ValueError(f"{task.target} is an input and would be lost. Name another output.")
        other = targets.setdefault(target, task.source)
        if other != task.source:
            raise ValueError(f"{other} and {task.source} would both be written to {task.target}.")
        if target.exists() and not overwrite:
            raise FileExistsError(f"{task.target} exists. Use --overwrite to replace it.")


def iter_task(
    task: Task, model: Model, *, normalize: Normalize, settings: Settings
) -> Generator[Progress, None, None]:
    """Upscale one file, yielding progress; its target appears when it is complete.

    Raises
    ------
    OSError
        If the file cannot be read, or the target not written.
    ValueError, TypeError, MemoryError
        As :func:`napari_srgan.upscale` does; or if the format cannot hold the pixels.
    """
    picture = read_picture(task.source)
    check_can_be_written(task.target, picture, model.scale)
    task.target.parent.mkdir(parents=True, exist_ok=True)
    steps = iter_upscale_array(
        picture.data,
        model,
        rgb=picture.rgb,
        normalize=normalize,
        channel_axis=_channel_axis(picture),
        settings=settings,
    )
    pixels, made_by = yield from iter_recorded(steps, model, normalize, settings)
    description = json.dumps({"napari-srgan": {**made_by, "source": task.source.name}})
    write_picture(task.target, picture.upscaled(pixels, model.scale, description))


def _channel_axis(picture: Picture) -> int | None:
    """Return the axis that a file calls its channels."""
    labels = (picture.axis_labels or ())[:-2]
    return labels.index("c") if "c" in labels else None
