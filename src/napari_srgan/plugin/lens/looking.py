"""Follows a viewer: what is in view of the selected image layer is upscaled, and shown over it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Any

import napari.layers
from qtpy.QtCore import QTimer

from napari_srgan.plugin import layers
from napari_srgan.plugin.layers import unwrapped
from napari_srgan.plugin.lens.messages import Look, Picture
from napari_srgan.plugin.lens.overlay import Overlay
from napari_srgan.plugin.lens.ranges import Ranges
from napari_srgan.plugin.lens.regions import NothingSeenError, Region, region_in_view
from napari_srgan.plugin.messages import Choices, Failed, Source, Stopped
from napari_srgan.plugin.slices import plane_name
from napari_srgan.plugin.texts import time_text
from napari_srgan.plugin.worker import Latest, not_loaded

if TYPE_CHECKING:
    from napari.components import ViewerModel


REST = 20  # milliseconds that the view must have rested
NO_LAYER = "Select an image layer."
_MOVING = ("affine", "rotate", "scale", "shear", "translate", "units", "axis_labels", "data")
_SCOPES = {
    "all": "",
    "plane": "Black and white are those of this plane; a result has those of all planes.",
    "part": "Black and white are those of what is in view; a result has those of all planes.",
}


class Looking:
    """Keeps the lens on what is in view.

    Parameters
    ----------
    viewer : ViewerModel
        Which is followed.
    choices : callable
        Gives how to upscale.
    say : callable
        Told how things stand.
    taken : callable
        Called when somebody has taken the lens's layer off the list.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        choices: Callable[[], Choices],
        say: Callable[[str], None],
        taken: Callable[[], None],
    ) -> None:
        self._viewer, self._choices, self._say, self._taken = viewer, choices, say, taken
        self._adding = False
        self._overlay = Overlay(viewer)
        self._latest: Latest[Any] = Latest(self._show)
        self._ranges: dict[int, Ranges] = {}  # by level of the layer
        self._rest = QTimer()
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST)
        self._rest.timeout.connect(self.look)
        self._live = True
        self.layer: napari.layers.Image | None = None
        camera, dims = viewer.scene.camera.events, viewer.dims.events
        self._watched = [
            (camera.center, self.move), (camera.zoom, self.move),
            (dims.point, self.move), (dims.order, self.move), (dims.ndisplay, self.move),
            (viewer.canvas.events.size, self.move), (viewer.canvas.grid.events.enabled, self.move),
            (viewer.layers.selection.events.active, self.choose),
            (viewer.layers.events.removed, self._remove),
        ]  # fmt: skip
        for event, slot in self._watched:
            event.connect(slot)
        self.choose()

    @property
    def overlay(self) -> napari.layers.Image | None:
        """The layer that the lens is seen in, if it is."""
        return self._overlay.layer

    @property
    def region(self) -> Region | None:
        """What the lens shows now."""
        return self._overlay.region

    @property
    def busy(self) -> bool:
        """Whether something is awaited."""
        return self._latest.busy or self._rest.isActive()

    def close(self) -> None:
        """Take the lens away, and follow no longer."""
        for event, slot in self._watched:
            event.disconnect(slot)
        self._watched = []
        self.switch(False)
        self._leave()

    def switch(self, live: bool) -> None:
        """Take the lens away, or put it back."""
        self._live = live
        if live:
            self.move()
        else:
            self._rest.stop()
            self._latest.cancel()
            self._overlay.clear()
            self._say("")

    def choose(self, _event: object = None) -> None:
        """Go to the image layer that is selected; stay where another kind of layer is."""
        if self._adding:
            return
        active = unwrapped(self._viewer.layers.selection.active)
        if isinstance(active, napari.layers.Image) and active not in (self.layer, self.overlay):
            self._leave()
            self.layer = active
            for name in _MOVING:
                getattr(active.events, name).connect(self.begin_anew)
            active.events.visible.connect(self.move)
        self.move()

    def move(self, _event: object = None) -> None:
        """Look again when the view has rested."""
        if not self._live:
            return
        try:
            covers = self.layer is not None and self._overlay.shows(self._in_view(self.layer))
        except NothingSeenError:
            covers = False
        self._overlay.stand_in(covers)
        self._rest.start()

    def look(self) -> None:
        """Upscale what is in view now, unless it is on the screen already."""
        layer = self.layer
        if layer is None or not (layer.visible or self._overlay.hides_source):
            self._latest.cancel()
            self._say(NO_LAYER if layer is None else f"{layer.name} is hidden.")
            return
        try:
            region = self._in_view(layer)
            if self._overlay.shows(region):
                self._overlay.stand_in(True)
                return
            look = self.look_at(region)
        except (TypeError, ValueError) as error:  # NothingSeenError is one
            self._latest.cancel()
            self._say(str(error))
            return
        self._latest.ask(partial(_preview, look))
        self._say(f"Looking at {self._of(region)} …")

    def look_at(self, region: Region, choices: Choices | None = None) -> Look:
        """Return what upscaling a region of the layer takes.

        Raises
        ------
        TypeError, ValueError
            If the layer holds no pixels to upscale.
        """
        assert self.layer is not None
        source = source_of(self.layer, region.level)
        ranges = self._ranges.get(region.level)
        if ranges is None:
            ranges = self._ranges[region.level] = Ranges(source)
        return Look(source, region, choices or self._choices(), ranges)

    def add_beside(self, layer: napari.layers.Image) -> None:
        """Add a layer to the viewer, the lens staying on the one that it is on."""
        selected = set(self._viewer.layers.selection)
        self._adding = True
        try:
            self._viewer.add_layer(layer)
            self._viewer.layers.selection = selected
        finally:
            self._adding = False

    def warm_up(self) -> None:
        """Load the model and run it once, so that the first picture need not wait for that."""
        self._latest.ask(partial(_warm_up, self._choices()))

    def _in_view(self, layer: napari.layers.Image) -> Region:
        """Return what the lens shows of a layer; the middle of what is in view if that is much."""
        return region_in_view(self._viewer, layer).middle()

    def begin_anew(self, _event: object = None) -> None:
        """Show nothing of what was computed before, and look again."""
        self._latest.cancel()
        self._ranges = {}
        self._overlay.clear()
        self.move()

    def _leave(self) -> None:
        """Follow the layer no longer."""
        self._latest.cancel()
        self._ranges = {}
        self._overlay.clear()
        if self.layer is not None:
            for name in _MOVING:
                getattr(self.layer.events, name).disconnect(self.begin_anew)
            self.layer.events.visible.disconnect(self.move)
        self.layer = None

    def _remove(self, event: Any) -> None:
        if event.value is self.layer:
            self._leave()
            self.choose()
        elif event.value is self.overlay:
            self._taken()

    def _show(self, outcome: Picture | Failed | Stopped) -> None:
        layer = self.layer
        if layer is None or isinstance(outcome, Stopped) or not self._live:
            return
        if isinstance(outcome, Failed):
            self._say(f"⚠ {outcome.reason}")
            return
        self._overlay.show(layer, outcome)
        self._say(self._described(layer, outcome))

    def _of(self, region: Region) -> str:
        assert self.layer is not None
        plane = plane_name(self.layer, region.start[:-2])
        height, width = region.shape[-2:]
        level = f"level {region.level}" if self.layer.multiscale else ""
        where = ", ".join(filter(None, (plane, level)))
        return f"{width} × {height} pixels" + (f" of {where}" if where else "")

    def _described(self, layer: napari.layers.Image, picture: Picture) -> str:
        lines = [f"×{picture.scale}: {self._of(picture.region)} in {_short(picture.seconds)}"]
        in_view = region_in_view(self._viewer, layer)
        if picture.region != in_view and in_view.contains(picture.region):
            lines.append("It is the middle of what is in view: zoom in to see all of it.")
        lines.append(_SCOPES[picture.scope])
        return "\n".join(filter(None, lines))


def source_of(layer: napari.layers.Image, level: int) -> Source:
    """Return the pixels of a level of a layer, all planes.

    Raises
    ------
    TypeError, ValueError
        If these are no pixels to upscale.
    """
    source = layers.source_of(layer, level)
    source.whole.shape()  # for its errors
    return source


def _short(seconds: float) -> str:
    return f"{seconds:.2g} s" if seconds < 1 else time_text(seconds)


def _preview(look: Look, stop: Event) -> Picture | Failed | Stopped:
    """Upscale a region within moments; what needs torch is imported here, in the thread."""
    try:
        from napari_srgan.plugin.lens import work
    except (ImportError, OSError) as error:
        return not_loaded(error)
    return work.preview(look, stop)


def _warm_up(choices: Choices, _stop: Event) -> Stopped | Failed:
    try:
        from napari_srgan.plugin.lens import work
    except (ImportError, OSError) as error:
        return not_loaded(error)
    return work.warm_up(choices) or Stopped()
