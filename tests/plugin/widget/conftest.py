"""The widget with a small model: in a live window, or alone, where no window is needed."""

from __future__ import annotations

import threading
import weakref
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

# napari is imported in the fixtures: the conftest above first turns it away from the user's files.
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from magicgui.widgets import Widget
    from napari.components import ViewerModel
    from pytestqt.qtbot import QtBot

    from napari_srgan.plugin.widget import Upscale

    Maker = Callable[..., tuple[Any, Upscale]]

MINUTE = 60_000  # milliseconds
TILE = 16


def is_settled(widget: Upscale) -> bool:
    """Tell whether the devices are found, the choices tried out and the work is done."""
    known = bool(widget.devices_found.choices) and "estimating" not in widget.summary.value
    return known and not widget.busy and not widget._looks.busy


@pytest.fixture
def preferences() -> Any:
    """Return the plugin's page in napari's preferences."""
    from napari.settings import get_plugin_settings

    return get_plugin_settings("napari-srgan").inference


@pytest.fixture
def tiny(own_model: Callable[..., str], preferences: Any) -> str:
    """Make a small model the one that the widget starts with."""
    preferences.model = own_model()
    return str(preferences.model)


@pytest.fixture
def settled(qtbot: QtBot) -> Callable[[Upscale], None]:
    """Return a waiter for the end of all that a widget does."""
    return lambda widget: qtbot.waitUntil(lambda: is_settled(widget), timeout=MINUTE)


@pytest.fixture
def docked(
    make_napari_viewer_proxy: Callable[..., Any], tiny: str, settled: Callable[[Upscale], None]
) -> Iterator[Maker]:
    """Return a maker of live viewers with some images and with the widget in its dock."""
    from napari_srgan.plugin import docks as module

    made = []

    def make(*images: Any, **options: Any) -> tuple[Any, Upscale]:
        viewer = make_napari_viewer_proxy(**options)
        for image in images:
            viewer.add_image(image, name="source")
        _dock, widget = viewer.window.add_plugin_dock_widget("napari-srgan", "SRGAN upscale")
        settled(widget)
        made.append(weakref.ref(widget))
        return viewer, widget

    yield make
    for ref in made:  # a thread at work would keep the widget, and so the viewer
        widget = ref()
        if widget in module.open_widgets:
            settled(widget)


@pytest.fixture
def alone(
    qtbot: QtBot,
    tiny: str,
    settled: Callable[[Upscale], None],
    monkeypatch: pytest.MonkeyPatch,
) -> Maker:
    """Return a maker of viewers without a window, with some images and with the widget."""
    from napari.components import ViewerModel

    from napari_srgan.plugin.widget import Upscale

    def make(*images: Any) -> tuple[ViewerModel, Upscale]:
        viewer = ViewerModel()
        monkeypatch.setattr("napari.viewer.current_viewer", lambda: viewer)
        for image in images:
            viewer.add_image(image, name="source")
        widget = Upscale(viewer)
        qtbot.addWidget(widget.native)
        for event in ("inserted", "removed", "reordered", "renamed"):  # as a dock connects them
            getattr(viewer.layers.events, event).connect(widget.reset_choices)
        settled(widget)
        return viewer, widget

    return make


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """Let tiles through only when told to, and count those that were begun."""
    from qtpy.QtCore import QThreadPool

    from napari_srgan.inference.planes import Plane

    allowed, read = threading.Semaphore(0), Plane.read
    gate = SimpleNamespace(begun=0, threads=set(), let=lambda n: allowed.release(n))

    def gated(*args: Any) -> Any:
        gate.begun += 1
        gate.threads.add(threading.current_thread())
        if not allowed.acquire(timeout=MINUTE / 1000):
            raise TimeoutError("the test let no more tiles through")
        return read(*args)

    monkeypatch.setattr(Plane, "read", gated)
    yield gate
    gate.let(1000)
    QThreadPool.globalInstance().waitForDone(MINUTE)


@pytest.fixture
def grey(preferences: Any) -> Any:
    """Return an image that the widget cuts into 12 tiles."""
    preferences.tile = TILE
    return np.random.default_rng(0).integers(0, 256, (60, 84), dtype=np.uint8)


@pytest.fixture
def begin(gate: SimpleNamespace, qtbot: QtBot) -> Callable[[Upscale], None]:
    """Return what runs a widget until three tiles are done and the fourth is being computed."""

    def run(widget: Upscale) -> None:
        widget.run.native.click()
        gate.let(3)
        qtbot.waitUntil(lambda: gate.begun == 4 and "left" in widget.left.value, timeout=MINUTE)

    return run


@pytest.fixture
def messages() -> Callable[[], list[str]]:
    """Return what gives the texts that were shown to the user in this test."""
    from napari.utils.notifications import notification_manager

    before = len(notification_manager.records)
    return lambda: [record.message for record in notification_manager.records[before:]]


@pytest.fixture
def is_shown() -> Callable[[Widget], bool]:
    """Return what tells whether a control would be on the screen if the window was."""
    return lambda control: (
        not (control.native.isHidden() or control.native.parentWidget().isHidden())
    )
