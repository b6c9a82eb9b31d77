"""The dock of the queue: what stands in it, its progress, pause, cancel, and what came of it."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from magicgui.widgets import CheckBox, Container, Label, ProgressBar, PushButton, Widget
from napari.utils.notifications import show_info
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QListWidget

from napari_srgan.inference.settings import Progress
from napari_srgan.plugin import controls
from napari_srgan.plugin.layers import (
    source_of,
    standing_for,
    upscaled_layer,
)
from napari_srgan.plugin.messages import Choices, Done, Failed, Stopped
from napari_srgan.plugin.preferences import draw_in_background
from napari_srgan.plugin.queue.items import Item, LayerWork, State, Summary, items_of_folder
from napari_srgan.plugin.running import Running
from napari_srgan.plugin.texts import time_text
from napari_srgan.plugin.worker import not_loaded

if TYPE_CHECKING:
    import napari.layers
    import napari.viewer

DOCK = "SRGAN queue"
GONE = "It was removed before its turn."
CANCELLED = "The queue was cancelled."


class Queue(Container[Widget]):
    """Upscale several images, one after the other; one that fails stops none of the others.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Where layers' results go.
    """

    shared: CheckBox
    summary: Label
    start: PushButton
    pause: PushButton
    cancel: PushButton
    tidy: PushButton
    running: Label
    progress: ProgressBar
    left: Label
    problem: Label
    notes: Label

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(labels=False)
        self._viewer = viewer
        self.items: list[Item] = []
        self._values: Any = None  # black and white for all, once they are found
        self._going = Event()
        self._going.set()
        self._rows = QListWidget()
        self._rows.setWordWrap(True)  # a reason is read without scrolling
        self._rows.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.extend(
            [
                CheckBox(
                    name="shared",
                    text="One value range for all",
                    tooltip="As the images of a time series need it, so that they do not flicker; "
                    "channels keep their own. The planes of a layer share theirs in any case.",
                ),
                controls.text_line("summary"),
                PushButton(name="start", text="Start"),
                PushButton(name="pause", text="Pause"),
                PushButton(name="cancel", text="Cancel"),
                PushButton(name="tidy", text="Clear what is over"),
                *controls.status(),
            ]
        )
        self.native.layout().insertWidget(1, self._rows)
        self._work = Running(self.running, self.progress, self.left, self._say)
        self.start.changed.connect(self.begin)
        self.pause.changed.connect(self.hold)
        self.cancel.changed.connect(self.stop)
        self.tidy.changed.connect(self._tidy_up)
        self._alive = True
        self.native_parent_changed.connect(self._move)
        self.native.destroyed.connect(self._leave)
        self._update()

    @property
    def busy(self) -> bool:
        """Whether an item is being upscaled."""
        return self._work.busy

    @property
    def paused(self) -> bool:
        """Whether the next step waits to be let go on."""
        return not self._going.is_set()

    def add_layers(self, layers: Iterable[napari.layers.Image], choices: Choices) -> None:
        """Put layers, all of their planes, at the end of the queue."""
        for layer in layers:
            work = LayerWork(source_of(layer), layer, standing_for(layer))
            self.items.append(Item(layer.name, choices, work))
        self._update()

    def add_folder(self, folder: Path, output: Path, choices: Choices) -> None:
        """Put the image files of a folder at the end of the queue.

        Raises
        ------
        OSError, ValueError
            As :func:`~napari_srgan.plugin.queue.items.items_of_folder` does.
        """
        self.items += items_of_folder(folder, output, choices)
        self._update()

    # The work

    def begin(self) -> None:
        """Work on what waits; items that are added meanwhile come last."""
        waiting = self._waiting()
        if self.busy or not waiting:
            return
        controls.show_text(self.notes, "")
        controls.show_text(self.problem, "")
        self._values = None
        if self.shared.value:
            self._work.begin(
                "Looking for black and white of all",
                partial(_iter_shared_values, waiting, self._going),
                self._take_values,
            )
            self._update()
        else:
            self._next()

    def hold(self) -> None:
        """Pause after the tile or band that is computed now, or go on."""
        if self.paused:
            self._going.set()
        else:
            self._going.clear()
        self._update()

    def stop(self) -> None:
        """Cancel what runs and all that waits; what is done stays."""
        for item in self._waiting():
            item.state, item.reason = State.SKIPPED, CANCELLED
        self._work.stop()
        self._going.set()
        self._update()

    def _waiting(self) -> list[Item]:
        return [item for item in self.items if item.state == State.WAITING]

    def _take_values(self, outcome: Any) -> None:
        if isinstance(outcome, Failed):
            controls.show_text(self.problem, f"⚠ {outcome.reason}")
        elif not isinstance(outcome, Stopped):
            self._values = outcome
            self._next()
        self._update()

    def _next(self) -> None:
        """Begin the next item, or tell that it was the last one."""
        for item in self._waiting():
            if isinstance(item.work, LayerWork) and item.work.layer not in self._viewer.layers:
                item.state, item.reason = State.SKIPPED, GONE
                continue
            item.state = State.RUNNING
            step = partial(_iter_item, item, self._values, self._going)
            self._work.begin(f"{item.name}, {item.choices.model}", step, partial(self._end, item))
            self._update()
            return
        self._update()
        show_info(f"SRGAN queue: {Summary.of(self.items)}.")

    def _end(self, item: Item, outcome: Done | str | Failed | Stopped) -> None:
        if isinstance(outcome, Failed):
            item.state, item.reason = State.FAILED, outcome.reason
        elif isinstance(outcome, Stopped):
            item.state, item.reason = State.SKIPPED, CANCELLED
        else:
            item.state = State.DONE
            item.reason = outcome if isinstance(outcome, str) else self._add(item, outcome)
        item.work = None  # lets go of the pixels
        self._next()

    def _add(self, item: Item, done: Done) -> str:
        """Add a layer's result to the viewer, and return what to say of it."""
        assert isinstance(item.work, LayerWork)
        if done.choices.is_deferred(done.source) and (note := draw_in_background()):
            self._say(note)
        layer = upscaled_layer(item.work.stands_for, done.pixels, done.scale, done.provenance())
        self._viewer.add_layer(layer)
        return f"in {time_text(done.seconds)}"

    # What is seen

    def _tidy_up(self) -> None:
        """Take what is done, failed or skipped off the list."""
        over = {State.DONE, State.FAILED, State.SKIPPED}
        self.items = [item for item in self.items if item.state not in over]
        self._update()

    def _update(self) -> None:
        if not self._alive:
            return
        summary = Summary.of(self.items)
        self._rows.clear()
        self._rows.addItems([str(item) for item in self.items])
        self.summary.value = f"{summary}{', paused' if self.paused else ''}"
        self.start.enabled = bool(self._waiting()) and not self.busy
        self.shared.enabled = not self.busy
        self.pause.enabled, self.cancel.enabled = self.busy, self.busy
        self.pause.text = "Go on" if self.paused else "Pause"

    def _say(self, note: str) -> None:
        controls.add_line(self.notes, note)

    def _move(self, parent: object) -> None:
        if parent is None:
            self._leave()

    def _leave(self, *_: object) -> None:
        """Stop when the dock or the viewer is closed."""
        self._alive = False
        self._work.close()
        self._going.set()


def _iter_item(
    item: Item, values: Any, going: Event, stop: Event
) -> Generator[Progress, None, Done | str | Failed | Stopped]:
    """Upscale an item; what needs torch is imported here, in the thread."""
    try:
        from napari_srgan.plugin.queue import work
    except (ImportError, OSError) as error:
        return not_loaded(error)
    return (yield from work.iter_item(item, values, going, stop))


def _iter_shared_values(
    items: list[Item], going: Event, stop: Event
) -> Generator[Progress, None, Any]:
    """Find black and white of all, in the thread too."""
    try:
        from napari_srgan.plugin.queue import work
    except (ImportError, OSError) as error:
        return not_loaded(error)
    return (yield from work.iter_shared_values(items, going, stop))
