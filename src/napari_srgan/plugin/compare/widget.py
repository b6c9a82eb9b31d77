"""The dock of *Plugins → SRGAN → SRGAN compare*: two layers in one picture, and that saved."""

from __future__ import annotations

import logging
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari.layers
from magicgui.widgets import CheckBox, ComboBox, Container, FloatSlider, Label, PushButton, Widget
from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFileDialog

from napari_srgan.files import Metadata, Picture, write_picture
from napari_srgan.plugin import controls
from napari_srgan.plugin.compare.annotations import annotated, bar_length, bar_text
from napari_srgan.plugin.compare.colours import Looks, Pixels
from napari_srgan.plugin.compare.controls import main
from napari_srgan.plugin.compare.modes import BESIDE, BLINK, DIFFERENCE, SWIPE, beside, swiped
from napari_srgan.plugin.compare.sampling import Grid, Sampler, grid_in_view
from napari_srgan.plugin.compare.screen import Screen
from napari_srgan.plugin.compare.work import Drawn, Request, draw, sampled_on
from napari_srgan.plugin.layers import unwrapped
from napari_srgan.plugin.messages import Failed, Stopped
from napari_srgan.plugin.worker import Latest

if TYPE_CHECKING:
    import napari.viewer

log = logging.getLogger(__name__)

REST = 30  # milliseconds that the view must have rested
NEAR = 12  # screen pixels from the line: it is dragged
TWO = "Choose two image layers that overlap."
NOWHERE = "None of the two is in view, or the screen shows a volume."
# What of a layer changes how it is drawn.
_DRAWN_BY = (
    *("affine", "colormap", "contrast_limits", "data", "gamma", "interpolation2d", "rotate"),
    *("scale", "shear", "translate", "units"),
)


class Compare(Container[Widget]):
    """Compare two image layers on the canvas, all others and their own looks left as they are.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Where the layers are.
    """

    live: CheckBox
    before: ComboBox
    after: ComboBox
    swap: PushButton
    mode: ComboBox
    share: FloatSlider
    seconds: FloatSlider
    unit: ComboBox
    bar: CheckBox
    state: Label
    save: PushButton

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self.extend(main())
        controls.align(self, 3.5)
        controls.let_shrink(self)
        self.screen = Screen(viewer)
        self._latest: Latest[Drawn | Failed | Stopped] = Latest(self._take)
        self._drawn: Drawn | None = None
        self._grid: Grid | None = None
        self._turn = False  # whether the second is shown, where they take turns
        self._alive = True
        self._rest, self._turns = QTimer(), QTimer()
        self._rest.setSingleShot(True)
        self._rest.timeout.connect(self.look)
        self._turns.timeout.connect(self._next_turn)
        self._followed: tuple[napari.layers.Image, ...] = ()
        self._choose_layers()
        self._connect()
        self._change()

    def _connect(self) -> None:
        for control in (self.live, self.mode, self.unit, self.before, self.after, self.seconds):
            control.changed.connect(self._change)
        for control in (self.share, self.bar):
            control.changed.connect(self._join)
        self.swap.changed.connect(self._swap)
        self.save.changed.connect(self.ask_and_save)
        viewer = self._viewer
        camera, dims, layers = viewer.scene.camera.events, viewer.dims.events, viewer.layers.events
        moves = camera.center, camera.zoom, dims.point, dims.order, dims.ndisplay
        self._watched: list[tuple[Any, Any]] = [
            *((event, self._move) for event in (*moves, viewer.canvas.events.size)),
            *((event, self._renew) for event in (layers.inserted, layers.renamed)),
            (layers.removed, self._remove),
        ]
        for event, slot in self._watched:
            event.connect(slot)
        viewer.mouse_drag_callbacks.append(self._drag)
        self.native_parent_changed.connect(self._move_dock)
        self.native.destroyed.connect(self.close_comparison)

    @property
    def busy(self) -> bool:
        """Whether something is awaited."""
        return self._latest.busy or self._rest.isActive()

    def close_comparison(self, *_: object) -> None:
        """Leave the viewer as it was, when the dock or the viewer is closed."""
        if not self._alive:
            return
        self._alive = False
        self._end()
        self._follow(())
        for event, slot in self._watched:
            event.disconnect(slot)
        if self._drag in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self._drag)

    def _move_dock(self, parent: object) -> None:
        if parent is None:
            self.close_comparison()

    def _end(self) -> None:
        self._rest.stop()
        self._turns.stop()
        self._latest.cancel()
        self._drawn = None
        self.screen.clear()

    # Which layers

    def _images(self, _: object = None) -> list[tuple[str, napari.layers.Image]]:
        own = self.screen.layer
        return [
            (layer.name, layer)
            for layer in map(unwrapped, self._viewer.layers)
            if isinstance(layer, napari.layers.Image) and layer is not own
        ]

    def _choose_layers(self) -> None:
        """Begin with the topmost two, the upper one as what came of the lower."""
        for control in (self.before, self.after):
            control.choices = self._images
        images = [layer for _, layer in self._images()]
        if len(images) > 1:
            self.before.value, self.after.value = images[-2:]

    def _renew(self, _event: object = None) -> None:
        for control in (self.before, self.after):
            controls.renew(control)
        self._change()

    def _remove(self, event: Any) -> None:
        if event.value is self.screen.layer:  # by somebody
            self.live.value = False
        else:
            self._renew()

    def _swap(self) -> None:
        before, after = self.before.value, self.after.value
        with self.before.changed.blocked():
            self.before.value = after
        self.after.value = before

    def _pair(self) -> tuple[napari.layers.Image, napari.layers.Image] | None:
        first, second = self.before.value, self.after.value
        if first is None or second is None or first is second:
            return None
        return first, second

    def _follow(self, layers: tuple[napari.layers.Image, ...]) -> None:
        """Draw anew when one of these is drawn otherwise."""
        for layer in self._followed:
            for name in _DRAWN_BY:
                getattr(layer.events, name).disconnect(self._move)
        self._followed = layers
        for layer in layers:
            for name in _DRAWN_BY:
                getattr(layer.events, name).connect(self._move)

    # What is seen

    def _change(self, _value: object = None) -> None:
        """Begin to show what is chosen."""
        if not self._alive:
            return
        mode, pair = self.mode.value, self._pair()
        self.share.visible, self.seconds.visible = mode == SWIPE, mode == BLINK
        self.unit.visible = mode == DIFFERENCE
        self._follow(pair or ())
        self._end()
        if pair is None or not self.live.value:
            self.state.value = TWO if pair is None else ""
            self.save.enabled = False
            return
        if mode == BLINK:
            self._turns.start(round(1000 * self.seconds.value))
        self._move()

    def _move(self, _event: object = None) -> None:
        if self._pair() is not None and self.live.value and self._alive:
            self._rest.start(REST)

    def look(self) -> None:
        """Draw the two as they are in view now."""
        pair = self._pair()
        if pair is None:
            return
        grid = grid_in_view(self._viewer, pair)
        if grid is None:
            self._latest.cancel()
            self.screen.clear()
            self.state.value, self.save.enabled = NOWHERE, False
            return
        mode = self.mode.value
        sampled = sampled_on(grid, mode)
        request = Request(
            sampled,
            (Sampler(pair[0], sampled), Sampler(pair[1], sampled)),
            (Looks.of(pair[0]), Looks.of(pair[1])),
            (_is_smooth(pair[0]), _is_smooth(pair[1])),
            mode,
            self.unit.value,
        )
        self._latest.ask(partial(self._begin, grid, request))

    def _begin(self, grid: Grid, request: Request, stop: Any) -> Drawn | Failed | Stopped:
        self._grid = grid
        return draw(request, stop)

    def _take(self, outcome: Drawn | Failed | Stopped) -> None:
        if isinstance(outcome, Failed):
            self.state.value = f"⚠ {outcome.reason}"
        elif isinstance(outcome, Drawn) and self._alive and self.live.value:
            self._drawn = outcome
            self._join()

    def _next_turn(self) -> None:
        self._turn = not self._turn
        self._join()

    def _join(self, _value: object = None) -> None:
        """Show what is drawn, as one picture."""
        drawn, grid, pair = self._drawn, self._grid, self._pair()
        if drawn is None or grid is None or pair is None:
            return
        if drawn.request.mode == DIFFERENCE and drawn.difference is None:
            self.screen.clear()
            self.state.value, self.save.enabled = "They do not overlap in view.", False
            return
        picture, left, right, below = self._joined(drawn, grid, (pair[0].name, pair[1].name))
        if self.bar.value:
            length = bar_length(grid.step * grid.shape[1])
            bar = length / grid.step, bar_text(length, grid.units, grid.axes[1])
            picture = annotated(picture, bar, left, right, below)
        self.screen.show(picture, grid)
        self.save.enabled = True
        self.state.value = str(drawn.difference or "")

    def _joined(
        self, drawn: Drawn, grid: Grid, names: tuple[str, str]
    ) -> tuple[Pixels, str, str, str]:
        """Return the picture, and what is written at its top and its bottom."""
        if drawn.difference is not None:
            return drawn.difference.picture, *names, drawn.difference.legend
        first, second = drawn.pictures
        if drawn.request.mode == SWIPE:
            return swiped(first, second, self.share.value), *names, ""
        if drawn.request.mode == BESIDE:
            return beside(first, second, grid.shape[1]), *names, ""
        return (second, "", names[1], "") if self._turn else (first, names[0], "", "")

    def _drag(self, _viewer: object, event: Any) -> Generator[None, None, None]:
        """Move the line with the mouse; the canvas is not moved meanwhile."""
        grid = self.screen.grid
        if grid is None or self.mode.value != SWIPE or self._away(grid, event) > NEAR:
            return
        camera = self._viewer.scene.camera
        panned, camera.mouse_pan = camera.mouse_pan, False
        try:
            yield
            while event.type == "mouse_move":
                self.share.value = min(1.0, max(0.0, self._share_at(grid, event)))
                yield
        finally:
            camera.mouse_pan = panned

    def _share_at(self, grid: Grid, event: Any) -> float:
        axis = grid.axes[1]
        return float((event.position[axis] - grid.origin[axis]) / (grid.step * grid.shape[1]))

    def _away(self, grid: Grid, event: Any) -> float:
        return abs(self._share_at(grid, event) - self.share.value) * grid.shape[1]

    # What is saved

    def ask_and_save(self) -> None:
        """Ask for a file name, and save what is seen."""
        path, _ = QFileDialog.getSaveFileName(
            None, "Save the comparison", "compared.png", "PNG (*.png)"
        )
        if path:
            self.save_picture(Path(path))

    def save_picture(self, path: Path) -> None:
        """Save what is seen; the file appears whole or not at all."""
        picture, pair = self.screen.picture, self._pair()
        if picture is None or pair is None:
            return
        path = path if path.suffix else path.with_suffix(".png")
        said = f"{pair[0].name} and {pair[1].name}, {self.mode.value}. {self.state.value}"
        try:
            write_picture(
                path, Picture(picture, rgb=True, metadata=Metadata(description=said.strip()))
            )
        except (OSError, ValueError) as error:
            log.info("the comparison could not be saved", exc_info=True)
            show_error(str(error))
        else:
            show_info(f"Saved {path.name}.")


def _is_smooth(layer: napari.layers.Image) -> bool:
    """Whether napari draws a layer interpolated."""
    return str(layer.interpolation2d) != "nearest"
