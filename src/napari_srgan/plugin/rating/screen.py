"""The canvas while someone rates: one nameless image at a time, and keys that rate it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut  # type: ignore[attr-defined]
from qtpy.QtWidgets import QWidget

from napari_srgan.files import read_picture
from napari_srgan.rating.sitting import Item

if TYPE_CHECKING:
    import napari.layers
    import napari.viewer

LAYER = "rated image"


class Screen:
    """Shows versions on a viewer's canvas, everything else hidden for as long.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Whose canvas it is.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self._viewer = viewer
        self._layer: napari.layers.Image | None = None
        self._before: _View | None = None

    def show(self, item: Item) -> None:
        """Show a version as any other of its image is shown: same place, size and limits.

        Raises
        ------
        OSError
            If its file is missing or damaged.
        """
        picture = read_picture(item.path)
        self._take_away()
        if self._before is None:
            self._before = _View.of(self._viewer)
        # A layer of its own for each: one that changes would keep what was done to it.
        self._layer = self._viewer.add_image(
            picture.data,
            name=LAYER,
            rgb=picture.rgb,
            contrast_limits=None if picture.rgb else item.version.photo.limits,
            interpolation2d="nearest",
        )
        self._viewer.reset_view()
        # Pixel by pixel where it fits: enlarged, all versions would be blurred or blocky alike.
        camera = self._viewer.scene.camera
        camera.zoom = min(1.0, camera.zoom)

    def clear(self) -> None:
        """Take the image away, and show what was there before as it was."""
        self._take_away()
        if self._before is not None:
            self._before.restore(self._viewer)
        self._before = None

    def _take_away(self) -> None:
        if self._layer is not None and self._layer in self._viewer.layers:
            self._viewer.layers.remove(self._layer)
        self._layer = None


@dataclass(frozen=True)
class _View:
    """What a viewer shows, and which layer is chosen."""

    visible: list[napari.layers.Layer]
    active: napari.layers.Layer | None
    centre: tuple[float, ...]
    zoom: float

    @classmethod
    def of(cls, viewer: napari.viewer.Viewer) -> _View:
        """Return what is shown, and hide it."""
        visible = [layer for layer in viewer.layers if layer.visible]
        for layer in visible:
            layer.visible = False
        camera = viewer.scene.camera
        return cls(visible, viewer.layers.selection.active, camera.center, camera.zoom)

    def restore(self, viewer: napari.viewer.Viewer) -> None:
        """Show it again, but for what has been removed meanwhile."""
        for layer in self.visible:
            if layer in viewer.layers:
                layer.visible = True
        if self.active in viewer.layers:
            viewer.layers.selection.active = self.active
        viewer.scene.camera.center, viewer.scene.camera.zoom = self.centre, self.zoom


def shortcuts(window: QWidget, keys: dict[str, Callable[[], None]]) -> list[QShortcut]:
    """Return shortcuts that hold wherever in a window the focus is; they end by `deleteLater`."""
    made = []
    for key, action in keys.items():
        shortcut = QShortcut(QKeySequence(key), window)
        shortcut.setContext(Qt.ShortcutContext.WindowShortcut)
        shortcut.setAutoRepeat(False)  # a key held down rates once
        shortcut.activated.connect(action)
        made.append(shortcut)
    return made
