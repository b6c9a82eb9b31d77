"""What stands in a queue, and what has become of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from napari_srgan.batch import Task, plan_tasks
from napari_srgan.files.reading import images_in
from napari_srgan.plugin.messages import Choices, Source

if TYPE_CHECKING:
    import napari.layers


class State(StrEnum):
    """What has become of an item."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


_MARKS = {
    State.WAITING: "·",
    State.RUNNING: "▶",
    State.DONE: "✓",
    State.FAILED: "⚠",
    State.SKIPPED: "–",
}


@dataclass(eq=False)
class Item:
    """An image in a queue.

    Attributes
    ----------
    name : str
        By which people know it.
    choices : Choices
        How it is upscaled.
    work : LayerWork, FileWork or None
        What is upscaled, and where to; None of one that nothing can be done for.
    state : State
        What has become of it.
    reason : str
        Why it failed or was skipped; else what there is to say.
    """

    name: str
    choices: Choices
    work: LayerWork | FileWork | None
    state: State = State.WAITING
    reason: str = ""

    def __str__(self) -> str:
        said = "" if self.state in (State.DONE, State.WAITING) else f" {self.state}"
        reason = f": {self.reason}" if self.reason else ""
        return f"{_MARKS[self.state]} {self.name}{said}{reason}"


@dataclass(frozen=True, eq=False)
class LayerWork:
    """A layer's pixels, and what the result is placed by."""

    source: Source
    layer: napari.layers.Image
    stands_for: napari.layers.Image


@dataclass(frozen=True)
class FileWork:
    """A file, and the one to make of it."""

    task: Task


def items_of_folder(folder: Path, output: Path, choices: Choices) -> list[Item]:
    """Return an item for each image file of a folder, to be written into another.

    Files that are there already are skipped, and never replaced.

    Raises
    ------
    OSError, ValueError
        If the folder has no images, or is where they are to be written.
    """
    if folder.resolve() == output.resolve():
        raise ValueError(f"{folder} holds the images. Choose another folder to write into.")
    return [_item_of_file(path, output, choices) for path in images_in(folder)]


def _item_of_file(path: Path, output: Path, choices: Choices) -> Item:
    try:
        (task,) = plan_tasks([path], output)
    except FileExistsError:
        reason = f"{output / path.name} is there already."
        return Item(path.name, choices, None, State.SKIPPED, reason)
    except (OSError, ValueError) as error:
        return Item(path.name, choices, None, State.FAILED, str(error))
    return Item(path.name, choices, FileWork(task))


@dataclass
class Summary:
    """How many items have come to what."""

    counts: Counter[State] = field(default_factory=Counter)

    @classmethod
    def of(cls, items: Sequence[Item]) -> Summary:
        """Return that of a queue."""
        return cls(Counter(item.state for item in items))

    @property
    def over(self) -> bool:
        """Whether nothing is left to do."""
        return not (self.counts[State.WAITING] or self.counts[State.RUNNING])

    def __str__(self) -> str:
        told = [f"{self.counts[state]} {state}" for state in State if self.counts[state]]
        return ", ".join(told) or "The queue is empty."
