"""The widget that results are rated blind in: a session is made, and raters go through it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from magicgui.widgets import Container, Widget
from napari.qt.threading import create_worker
from napari.utils.notifications import show_error, show_info
from qtpy.QtGui import QShortcut  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFileDialog

from napari_srgan.plugin.messages import Failed, Stopped
from napari_srgan.plugin.preferences import preferred_choices
from napari_srgan.plugin.rating.controls import STEPS, Rate, Setup
from napari_srgan.plugin.rating.screen import Screen, shortcuts
from napari_srgan.plugin.rating.work import iter_making
from napari_srgan.rating.plan import PLAN, Plan, is_made, read_plan
from napari_srgan.rating.ratings import HIGHEST, LOWEST
from napari_srgan.rating.sitting import Item, Sitting, raters_of, save_ratings
from napari_srgan.store.registry import MODEL_SUFFIXES

if TYPE_CHECKING:
    import napari.viewer

    from napari_srgan.rating.make import Making

NO_FOLDER = "Choose a folder: a new one, or a session to go on with."
DONE = "Everything is rated. Thank you!"


class RateResults(Container[Widget]):
    """Make a session of blind ratings, and rate.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        On whose canvas images are shown.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(labels=False)
        self._screen = Screen(viewer)
        self._sitting: Sitting | None = None
        self._stop: Event | None = None
        self._alive = True
        self._shortcuts: list[QShortcut] = []
        self.setup, self.rate = Setup(), Rate()
        self.extend([self.setup, self.rate])
        self._connect()
        self.update_state()

    def _connect(self) -> None:
        setup, rate = self.setup, self.rate
        setup.session.changed.connect(self.update_state)
        setup.images.changed.connect(self.update_state)
        setup.rater.changed.connect(self.update_state)
        setup.methods.changed.connect(self.update_state)
        setup.add_model.changed.connect(self._ask_for_model)
        setup.prepare.changed.connect(self.prepare)
        setup.cancel.changed.connect(self.stop)
        setup.begin.changed.connect(self.begin)
        setup.rater.native.returnPressed.connect(self.begin)
        rate.undo.changed.connect(self.undo)
        rate.pause.changed.connect(self.pause)
        self.native_parent_changed.connect(self._move)
        self.native.destroyed.connect(self._leave)

    @property
    def busy(self) -> bool:
        """Whether versions are being computed."""
        return self._stop is not None

    @property
    def sitting(self) -> Sitting | None:
        """Who is rating, if somebody is."""
        return self._sitting

    def _move(self, parent: object) -> None:
        """End when napari takes the widget out of its dock."""
        if parent is None:
            self._leave()
        self._alive = parent is not None

    def _leave(self, *_: object) -> None:
        """End the work and the rating when the dock or the viewer is closed."""
        self._alive = False
        self.stop()
        if self._sitting is not None:
            self.pause()

    # The session

    @property
    def folder(self) -> Path | None:
        """The session's folder, if one is chosen."""
        return _path(self.setup.session.line_edit.value)

    def update_state(self) -> None:
        """Say what is in the session's folder, and offer what can be done with it."""
        if not self._alive:
            return
        setup, plan = self.setup, None
        try:
            plan, setup.state.value = self._look()
        except (OSError, ValueError) as error:
            setup.state.value = str(error)
            ready = preparable = False
        else:
            ready = plan is not None and is_made(plan, self.folder or Path())
            new = bool(self.folder and _path(setup.images.line_edit.value))
            preparable = not ready if plan else new and len(setup.methods.value) > 1
        setup.show_choices(shown=plan is None and not self.busy)
        setup.prepare.visible = not ready and not self.busy
        setup.prepare.enabled = preparable
        setup.cancel.visible = setup.progress.visible = self.busy
        setup.begin.enabled = ready and not self.busy and bool(setup.rater.value.strip())

    def _look(self) -> tuple[Plan | None, str]:
        folder = self.folder
        if folder is None:
            return None, NO_FOLDER
        if not (folder / PLAN).is_file():
            return None, "A new session."
        plan = read_plan(folder)
        lines = [f"{len(plan.photos)} images by {len(plan.methods)} methods."]
        if not is_made(plan, folder):
            lines.append("Not all versions are made yet.")
        total = len(plan.test)
        standing = [f"{one.name}: {len(one.given)} of {total}" for one in raters_of(folder)]
        return plan, "\n".join([*lines, *standing])

    def _ask_for_model(self) -> None:
        """Offer a model file of the user's own as a method."""
        kinds = " ".join(f"*{suffix}" for suffix in MODEL_SUFFIXES)
        path, _ = QFileDialog.getOpenFileName(None, "Add a model", "", f"Models ({kinds})")
        if path:
            self.add_model(Path(path))

    def add_model(self, path: Path) -> None:
        """Add a model file to the methods, chosen."""
        from napari_srgan.store.load import remember

        try:
            name = str(remember(path))
        except (OSError, ValueError) as error:
            show_error(str(error))
            return
        chosen = [*self.setup.methods.value, name]
        self.setup.methods.reset_choices()
        self.setup.methods.value = list(dict.fromkeys(chosen))

    def prepare(self) -> None:
        """Make the session, or what is missing of it, in the background."""
        folder = self.folder
        if folder is None or self.busy:
            return
        self._stop = Event()
        setup = self.setup
        making = create_worker(
            iter_making,
            folder,
            _path(setup.images.line_edit.value),
            _path(setup.calibration.line_edit.value),
            tuple(setup.methods.value),
            preferred_choices().settings.device,
            self._stop,
            _start_thread=False,
            _ignore_errors=True,  # they are returned
        )
        making.yielded.connect(self._show_making)
        making.returned.connect(self._finish)
        setup.progress.value = 0
        self.update_state()
        setup.state.value = "Looking at images and models …"
        making.start()

    def stop(self) -> None:
        """Stop making; what is made is kept."""
        if self._stop is not None:
            self._stop.set()

    def _show_making(self, making: Making) -> None:
        if not self._alive:
            return
        self.setup.progress.value = round(STEPS * (making.done + making.share) / making.total)
        if making.done:
            self.setup.state.value = f"{making.done} of {making.total} versions are made."

    def _finish(self, outcome: Path | Failed | Stopped) -> None:
        self._stop = None
        self.update_state()
        if isinstance(outcome, Failed) and self._alive:
            show_error(outcome.reason)

    # Rating

    def begin(self) -> None:
        """Let the named rater begin, or go on."""
        if self.folder is None or self._sitting is not None or not self.setup.begin.enabled:
            return
        try:
            self._sitting = Sitting(self.folder, self.setup.rater.value)
        except (OSError, ValueError) as error:
            show_error(str(error))
            return
        self.setup.visible, self.rate.visible = False, True
        keys = {str(score): partial(self.give, score) for score in range(LOWEST, HIGHEST + 1)}
        window = self.native.window()
        self._shortcuts = shortcuts(window, {**keys, "Backspace": self.undo, "P": self.pause})
        window.setFocus()  # away from the name, which would take the keys
        self.rate.last.value = ""
        self._show()

    def give(self, score: int) -> None:
        """Rate what is shown."""
        if self._sitting is None:
            return
        try:
            taken = self._sitting.rate(score)
        except (OSError, ValueError) as error:
            show_error(f"Not saved: {error}")
            return
        if taken:
            self.rate.last.value = f"Last: {score}"
            self._show()
        else:
            self.rate.last.value = f"You pressed {score}: this one is an example of another score."

    def undo(self) -> None:
        """Take the last rating back and show its image again."""
        if self._sitting is None:
            return
        try:
            self._sitting.undo()
        except (OSError, ValueError) as error:
            show_error(f"Not saved: {error}")
            return
        self.rate.last.value = ""
        self._show()

    def pause(self) -> None:
        """End the rating for now, or for good, and write the table of all ratings."""
        if self._sitting is None:
            return
        self._sitting = None
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)
            shortcut.deleteLater()
        self._shortcuts = []
        self._screen.clear()
        self._write_table()
        if self._alive:
            self.rate.visible = False
            self.update_state()
            self.setup.visible = True  # last, so that it is laid out for what it says now

    def _write_table(self) -> None:
        folder = self.folder
        try:
            if folder is not None and raters_of(folder):
                show_info(f"All ratings so far are in {save_ratings(folder)}.")
        except (OSError, ValueError) as error:
            show_error(str(error))

    def _show(self) -> None:
        """Show what is to be rated now, or end."""
        item = self._sitting.current if self._sitting else None
        if item is None:
            show_info(DONE)
            self.pause()
            return
        try:
            self._screen.show(item)
        except OSError as error:
            show_error(f"{error} Prepare the session again.")
            self.pause()
            return
        self._describe(item)

    def _describe(self, item: Item) -> None:
        rate = self.rate
        part = "Rating" if item.anchor is None else "Calibration"
        rate.place.value = f"{part}: {item.place} of {item.total}"
        rate.task.value = (
            "How good is this image?"
            if item.anchor is None
            else f"This is an example of {item.anchor}. Press {item.anchor}."
        )
        rate.undo.enabled = self._sitting is not None and self._sitting.can_undo


def _path(text: Any) -> Path | None:
    """Return the path that a field holds, if it holds one."""
    words = str(text).strip()
    return Path(words).expanduser() if words else None
