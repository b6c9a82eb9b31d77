"""The dock of *Plugins → SRGAN → SRGAN lens*: a live look, and what of it is kept."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from magicgui.widgets import Container, Label, ProgressBar, Widget
from napari.utils.notifications import show_info

from napari_srgan.inference.settings import Settings
from napari_srgan.plugin import controls, worker
from napari_srgan.plugin.docks import open_widgets
from napari_srgan.plugin.layers import (
    pixels_at,
    source_of,
    standing_for,
    upscaled_layer,
)
from napari_srgan.plugin.lens.controls import ALL, IN_VIEW, RANGE, SAME, SHAPE, WHOLE
from napari_srgan.plugin.lens.controls import Keeping as KeepingControls
from napari_srgan.plugin.lens.controls import Looking as LookingControls
from napari_srgan.plugin.lens.keeping import iter_kept, kept_layer, region_of_shapes
from napari_srgan.plugin.lens.looking import NO_LAYER, Looking
from napari_srgan.plugin.lens.messages import Picture
from napari_srgan.plugin.lens.regions import Region, along, region_in_view, whole_plane
from napari_srgan.plugin.messages import Choices, Done, Failed, Stopped
from napari_srgan.plugin.preferences import draw_in_background, preferred_cache, preferred_choices
from napari_srgan.plugin.running import Running
from napari_srgan.plugin.slices import axis_name
from napari_srgan.plugin.texts import caution_text
from napari_srgan.store.cache import cache_folder
from napari_srgan.store.own_models import recall_own_models
from napari_srgan.store.registry import info_of

if TYPE_CHECKING:
    import napari.layers
    import napari.viewer


class Lens(Container[Widget]):
    """Look at the selected image layer through a network, and keep parts of what is seen.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Where the layers are, and where results go.
    """

    looking: LookingControls
    keeping: KeepingControls
    running: Label
    progress: ProgressBar
    left: Label
    problem: Label
    notes: Label

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(labels=False)
        recall_own_models(cache_folder(preferred_cache()))
        self._viewer = viewer
        self.extend([LookingControls(), KeepingControls(), *controls.status()])
        controls.move_together(self)
        self._work = Running(self.running, self.progress, self.left, self._say)
        self.look = Looking(viewer, self._live, self._tell, self._switch_off)
        self.keeping.axis.choices = self._axis_choices
        self._connect()
        open_widgets.add(self)
        self.look.warm_up()
        self._update()

    def _connect(self) -> None:
        looking, keeping = self.looking, self.keeping
        looking.live.changed.connect(self.look.switch)
        looking.model.changed.connect(self._choose_model)
        for control in (keeping.area, keeping.planes, keeping.axis):
            control.changed.connect(self._update)
        keeping.keep.changed.connect(self.keep)
        keeping.cancel.changed.connect(self._work.stop)
        self._viewer.layers.selection.events.active.connect(self._update)
        self.native_parent_changed.connect(self._move)
        self.native.destroyed.connect(self._leave)

    @property
    def busy(self) -> bool:
        """Whether something is being kept."""
        return self._work.busy

    def chosen(self, model: str | None = None) -> Choices:
        """Return how to upscale: by the lens's model, or another."""
        preferred = preferred_choices()
        settings = Settings(preferred.settings.device, tile=preferred.settings.tile, nan="fill")
        return Choices(model or self.looking.model.value, "auto", settings, preferred.cache)

    def _live(self) -> Choices:
        """Return how to upscale what is looked at.

        In float32, which a window of this size takes in one go: 16 bits go band by band, and at
        each band wait for processors that the window needs as well.
        """
        chosen = self.chosen()
        return replace(chosen, settings=replace(chosen.settings, precision="float32"))

    def reset_choices(self, *_: Any) -> None:
        """Renew which models there are; what is chosen stays."""
        controls.renew(self.looking.model)
        controls.renew(self.keeping.by)
        self._update()

    def _move(self, parent: object) -> None:
        """End when napari takes the widget out of its dock."""
        if parent is None:
            self._leave()

    def _leave(self, *_: object) -> None:
        """Take the lens away, and stop the work, when the dock or the viewer is closed."""
        if self in open_widgets:
            open_widgets.discard(self)
            self._work.close()
            self.look.close()

    def _choose_model(self) -> None:
        info = info_of(self.looking.model.value)
        controls.show_text(self.looking.caution, caution_text(info))
        self.look.begin_anew()

    def _tell(self, text: str) -> None:
        self.looking.state.value = text

    def _switch_off(self) -> None:
        self.looking.live.value = False

    # What is kept

    def _axis_choices(self, _: object = None) -> list[tuple[str, int]]:
        layer = self.look.layer
        if layer is None or layer.ndim < 3:
            return [("none", 0)]
        return [(axis_name(layer, axis), axis) for axis in range(layer.ndim - 2)]

    def _update(self, _event: object = None) -> None:
        """Offer what can be kept of the layer that is looked at."""
        if self not in open_widgets:
            return
        layer, keeping = self.look.layer, self.keeping
        controls.renew(keeping.axis)
        self.looking.layer.value = NO_LAYER if layer is None else f"Layer: {layer.name}"
        keeping.planes.visible = layer is not None and layer.ndim > 2
        ranged = keeping.planes.visible and keeping.planes.value == RANGE
        keeping.axis.visible = ranged and len(keeping.axis.choices) > 1
        for bound in (keeping.first, keeping.last):
            bound.visible = ranged
            if ranged and layer is not None:
                bound.max = pixels_at(layer).shape[keeping.axis.value] - 1
        keeping.keep.enabled = layer is not None and not self.busy

    def _region(self, layer: napari.layers.Image) -> Region:
        """Return what is chosen to be kept.

        Raises
        ------
        ValueError
            If there is nothing of that kind.
        """
        keeping = self.keeping
        if keeping.area.value == IN_VIEW:
            region = region_in_view(self._viewer, layer)
        elif keeping.area.value == SHAPE:
            region = region_of_shapes(self._viewer, layer)
        else:
            region = whole_plane(self._viewer, layer)
        sizes = pixels_at(layer, region.level).shape[: layer.ndim - 2]
        if layer.ndim > 2 and keeping.planes.value == RANGE:
            axis, last = keeping.axis.value, keeping.last.value
            if keeping.first.value > last:
                raise ValueError(f"There are no planes from {keeping.first.value} to {last}.")
            region = along(region, axis, keeping.first.value, min(last, sizes[axis] - 1))
        elif layer.ndim > 2 and keeping.planes.value == ALL:
            for axis, size in enumerate(sizes):
                region = along(region, axis, 0, size - 1)
        return region

    def keep(self) -> None:
        """Upscale what is chosen; the result becomes a new layer in its place."""
        layer = self.look.layer
        if layer is None or self.busy:
            return
        controls.show_text(self.problem, "")
        controls.show_text(self.notes, "")
        by = self.keeping.by.value
        choices = self.chosen(None if by == SAME else by)
        title = f"{layer.name}, {choices.model}"
        try:
            if self._is_all(layer):
                job = partial(worker.iter_job, source_of(layer), choices)
                self._work.begin(title, job, partial(self._finish, standing_for(layer)))
            else:
                region = self._region(layer)
                look = self.look.look_at(region, choices)
                stands_for = standing_for(layer, region.level)
                self._work.begin(title, partial(iter_kept, look), partial(self._finish, stands_for))
        except (TypeError, ValueError) as error:
            self._say_problem(str(error))
        self.keeping.cancel.visible = self.busy
        self._update()

    def _is_all(self, layer: napari.layers.Image) -> bool:
        """Whether the whole layer is to be kept, which may be lazy and have levels."""
        keeping = self.keeping
        every_plane = layer.ndim < 3 or keeping.planes.value == ALL
        return bool(keeping.area.value == WHOLE and every_plane)

    def _finish(self, stands_for: napari.layers.Image, outcome: object) -> None:
        self.keeping.cancel.visible = False
        self._update()
        if isinstance(outcome, Failed):
            self._say_problem(outcome.reason)
        elif isinstance(outcome, Stopped):
            show_info("Cancelled: nothing was added.")
        elif isinstance(outcome, Done):
            if outcome.choices.is_deferred(outcome.source) and (note := draw_in_background()):
                self._say(note)
            made_by = outcome.provenance()
            self._add(upscaled_layer(stands_for, outcome.pixels, outcome.scale, made_by))
        elif isinstance(outcome, Picture):
            self._add(kept_layer(stands_for, outcome))

    def _add(self, layer: napari.layers.Image) -> None:
        """Add a result; the lens stays where it was."""
        self.look.add_beside(layer)
        show_info(f"Kept as the new layer {layer.name}.")

    def _say(self, note: str) -> None:
        controls.add_line(self.notes, note)

    def _say_problem(self, reason: str) -> None:
        controls.show_text(self.problem, f"⚠ {reason}")
