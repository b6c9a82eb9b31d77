"""The widget of *Plugins → SRGAN → SRGAN upscale*: choices, a start, progress and a new layer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, Container, Label, ProgressBar, PushButton, Widget
from napari.utils.notifications import show_error, show_info, show_warning
from qtpy.QtCore import QTimer

from napari_srgan.inference.settings import Settings
from napari_srgan.plugin import controls, worker
from napari_srgan.plugin.docks import open_widgets, refresh_models
from napari_srgan.plugin.io.dialogs import store_to_write
from napari_srgan.plugin.layers import (
    invented_layer,
    level_choices,
    source_of,
    standing_for,
    upscaled_layer,
)
from napari_srgan.plugin.messages import Choices, Devices, Done, Failed, Invented, Source, Stopped
from napari_srgan.plugin.outlook import outlook_of, remark_on_axes, with_remarks
from napari_srgan.plugin.preferences import draw_in_background, preferred_cache, preferred_choices
from napari_srgan.plugin.queue.enqueue import enqueue_folder, enqueue_selected
from napari_srgan.plugin.running import Job, Running
from napari_srgan.plugin.slices import plane_index, plane_name, shown_otherwise
from napari_srgan.plugin.texts import caution_text, details_text
from napari_srgan.plugin.worker import Estimates, Looks, in_background
from napari_srgan.store.cache import cache_folder
from napari_srgan.store.own_models import forget_own_model, recall_own_models
from napari_srgan.store.registry import info_of, own_file
from napari_srgan.trust.looks import FOR_PHOTOGRAPHS

if TYPE_CHECKING:
    import napari.layers
    import napari.viewer

    from napari_srgan.plugin.job import Trial

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """A result that can be compared with a faithful model's, and where it lies."""

    done: Done
    stands_for: napari.layers.Image
    layer: napari.layers.Image


class Upscale(Container[Widget]):
    """Upscale an image layer: choices, what they will take, progress, Cancel.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Where the layers are, and where the result goes.
    """

    layer: ComboBox
    level: ComboBox
    planes: ComboBox
    model: ComboBox
    caution: Label
    purpose: Label
    scale: ComboBox
    forget: PushButton
    device: ComboBox
    hint: Label
    summary: Label
    again: PushButton
    buttons: controls.Buttons
    running: Label
    progress: ProgressBar
    left: Label
    problem: Label
    notes: Label
    invented: PushButton
    queueing: controls.Queueing

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        recall_own_models(cache_folder(preferred_cache()))
        preferred = preferred_choices()
        self._viewer = viewer
        self._follows = False  # the selection
        self._estimates, self._looks = Estimates(), Looks()
        self.advanced = controls.Advanced(preferred.settings)
        self.devices_found = Devices((), {}, None)
        self._device_choices = [("automatic", "auto")]
        if preferred.settings.device != "auto":
            self._device_choices.append((preferred.settings.device,) * 2)
        self.extend(controls.main(preferred, self._device_choices))
        self.extend([controls.Buttons(), *controls.status(), controls.invented()])
        self.append(controls.Queueing())
        self._work = Running(self.running, self.progress, self.left, self._say)
        self._result: Result | None = None  # the last one that may have invented detail
        self.level.choices = lambda _: level_choices(self.layer.value)
        self.planes.choices = self._plane_choices
        self.scale.choices = self._scale_choices
        controls.let_shrink(self)
        controls.align(self, 3.5)
        controls.move_together(self)
        fold = controls.folded(self.advanced, "Advanced options")
        self.native.layout().insertWidget(self.index(self.buttons), fold)
        self._connect()
        open_widgets.add(self)
        in_background(worker.find_devices, self._show_devices)
        self._update()

    @property
    def run(self) -> PushButton:
        """Starts the work."""
        return self.buttons.run

    @property
    def cancel(self) -> PushButton:
        """Stops it."""
        return self.buttons.cancel

    @property
    def busy(self) -> bool:
        """Whether an image is being upscaled."""
        return self._work.busy

    def reset_choices(self, *_: Any) -> None:
        """Renew what can be chosen; what is chosen stays, even under a new name."""
        before = self.layer.value
        for control in (self.layer, self.model, self.device):
            controls.renew(control)
        if self.layer.value is not before:
            # Gone, perhaps into its channels: what is selected once napari is through comes next.
            self._follows = True
            QTimer.singleShot(0, self._settle)
        self._follow()
        controls.renew(self.level)
        controls.renew(self.planes)
        self._update()

    def _connect(self) -> None:
        self.run.changed.connect(self.start)
        self.buttons.write.changed.connect(self.write)
        self.cancel.changed.connect(self.stop)
        self.queueing.layers.changed.connect(self._queue_layers)
        self.queueing.folder.changed.connect(self._queue_folder)
        self.again.changed.connect(self._choose)
        self.forget.changed.connect(self._forget)
        self.invented.changed.connect(self.show_invented)
        self.layer.changed.connect(self._choose_layer)
        self.level.changed.connect(self._choose_layer)
        self.model.changed.connect(self._choose_model)
        for control in (self.planes, self.scale, self.device, *self.advanced):
            control.changed.connect(self._choose)
        self.native_parent_changed.connect(self._move)
        self.native.destroyed.connect(self._leave)
        self._watch_viewer()

    def _watch_viewer(self) -> None:
        dims = self._viewer.dims.events
        for event in (dims.point, dims.order, dims.ndisplay):
            event.connect(self._look)
        self._viewer.layers.selection.events.active.connect(self._select)
        self._viewer.layers.events.removed.connect(self._let_go)

    def _move(self, parent: object) -> None:
        """Begin with the selected layer; end when napari takes the widget out of its dock."""
        if parent is None:
            self._leave()
            return
        open_widgets.add(self)
        self._follows = True
        self._follow()
        self._follows = False

    def _leave(self) -> None:
        """Stop the work when the dock or the viewer is closed; nothing is shown from then on."""
        open_widgets.discard(self)
        self._work.close()

    # What is chosen, and what that would take

    def chosen(self) -> Choices:
        """Return what is chosen, apart from the layer."""
        advanced = self.advanced
        settings = Settings(
            device=self.device.value,
            precision=advanced.precision.value,
            tile=advanced.tile.value or "auto",
            nan=advanced.nan.value,
            quality=advanced.quality.value,
            consistent=advanced.consistent.value,
        )
        return Choices(
            self.model.value,
            advanced.normalize.value,
            settings,
            preferred_cache(),
            advanced.compute.value,
            self.scale.value,
        )

    def _plane(self) -> tuple[int, ...] | None:
        """Return the index of the plane that the viewer shows, if the layer has several."""
        layer = self.layer.value
        if layer is None or layer.ndim < 3:
            return None
        units = self._viewer.layers.units
        return plane_index(layer, self._viewer.dims.point, self._level(), units)

    def _level(self) -> int:
        """Return the level that is chosen of a multiscale layer; 0 of any other."""
        return self.level.value or 0

    def _plane_choices(self, _: object = None) -> list[tuple[str, str]]:
        plane = self._plane()
        which = controls.CURRENT_PLANE
        if plane is not None:
            which = f"current: {plane_name(self.layer.value, plane)}"
        return [
            (which, controls.CURRENT_PLANE),
            (controls.ALL_PLANES, controls.ALL_PLANES),
        ]

    def _source(self) -> Source | None:
        layer = self.layer.value
        if layer is None:
            return None
        plane = self._plane() if self.planes.value == controls.CURRENT_PLANE else None
        return source_of(layer, self._level(), plane)

    def _follow(self) -> None:
        """Choose the selected layer, if the one that was chosen has gone."""
        if not self._follows:
            return
        selection = self._viewer.layers.selection
        selected = [layer for layer in self.layer.choices if layer in selection]
        if selected and self.layer.value not in selected:
            with self.layer.changed.blocked():
                self.layer.value = selected[0]

    def _settle(self) -> None:
        self._follows = False

    def _select(self, _event: object = None) -> None:
        if self in open_widgets:
            self._follow()
            self._look()

    def _look(self, _event: object = None) -> None:
        """Say which plane is on the screen now."""
        if self in open_widgets:
            controls.renew(self.planes)
            self._update()

    def _choose_layer(self) -> None:
        controls.renew(self.level)
        controls.renew(self.planes)
        self._choose()

    def _scale_choices(self, _: object = None) -> list[tuple[str, int]]:
        return [(f"×{scale}", scale) for scale in info_of(self.model.value).scales]

    def _choose_model(self) -> None:
        with self.scale.changed.blocked():
            self.scale.native.clear()  # else those of both come first
            self.scale.reset_choices()
            self.scale.value = info_of(self.model.value).scale
        self._choose()

    def _choose(self) -> None:
        self._estimates.forget_failures()
        self._update()

    def _forget(self) -> None:
        """Take a model that was added off the list; its file stays."""
        try:
            forget_own_model(self.model.value, cache_folder(preferred_cache()))
        except OSError as error:
            log.exception("the list of own models could not be written")
            self._say_problem(str(error))
        refresh_models()

    def _update(self) -> None:
        """Say what the choices are for, and what they would make and take."""
        if self not in open_widgets:
            return
        self._describe_model()
        described = self.devices_found.descriptions.get(self.device.value), self.devices_found.hint
        controls.show_text(self.hint, "\n".join(line for line in described if line))
        source = self._source()
        self.level.visible = len(self.level.choices) > 1
        self.planes.visible = source is not None and self.layer.value.ndim > 2
        outlook = outlook_of(source, self.chosen(), self._trial)
        self.summary.value = with_remarks(outlook, self._remarks(source)).text
        self.again.visible = outlook.may_change
        self.run.enabled = outlook.possible and not self.busy
        self.buttons.write.enabled = source is not None and not self.busy

    def _describe_model(self) -> None:
        info, own = info_of(self.model.value), own_file(self.model.value) is not None
        controls.show_text(self.caution, caution_text(info))
        self.model.tooltip = info.purpose
        # Of a generative one that ships, the caution says it in a line.
        purpose = [info.purpose] if own or not info.generative else []
        self.purpose.value = "\n".join([*purpose, details_text(info)])
        self.forget.visible, self.scale.visible = own, len(info.scales) > 1

    def _trial(self, source: Source) -> Trial | Failed | None:
        """Return what is known of the choices, having them tried out where that is nothing."""
        choices = self.chosen()
        trial = self._estimates.of(choices, source)
        # Asked for again when the devices are known, and when the work has ended.
        if trial is None and self.devices_found.choices and not self.busy:
            self._estimates.ask(choices, source, self._update)
        return trial

    def _remarks(self, source: Source | None) -> list[str]:
        """Return what is to be said of the layer and of what the screen shows of it."""
        layer = self.layer.value
        if source is None or layer is None:
            return []
        looks = self._looks.remarks(source, self._update)
        remarks = [
            *(looks if self.model.value != FOR_PHOTOGRAPHS else []),
            "" if source.plane is None else f"Plane {plane_name(layer, source.plane)}",
            remark_on_axes(source),
            shown_otherwise(layer, self._viewer.dims),
        ]
        return [remark for remark in remarks if remark]

    def _show_devices(self, devices: Devices | Failed) -> None:
        if self not in open_widgets:
            return
        if isinstance(devices, Failed):
            self._say_problem(devices.reason)
            devices = Devices(tuple(self._device_choices), {}, None)
        self.devices_found = devices
        self._device_choices[:] = devices.choices
        self.reset_choices()

    # The work

    def start(self) -> None:
        """Upscale what is chosen; the result becomes a new layer."""
        source = self._source()
        if source is None or self.busy:
            return
        stands_for = standing_for(self.layer.value, self._level())
        self._upscale(source, stands_for, partial(worker.iter_job, source, self.chosen()))

    def write(self) -> None:
        """Upscale what is chosen into a store that a dialog asks for, and show it from there."""
        source = self._source()
        if source is None or self.busy:
            return
        if (target := store_to_write(self.layer.value.name)) is not None:
            stands_for = standing_for(self.layer.value, self._level())
            job = partial(worker.iter_write, source, stands_for, self.chosen(), target)
            self._upscale(source, stands_for, job)

    def _upscale(self, source: Source, stands_for: napari.layers.Image, job: Job) -> None:
        layer = self.layer.value
        plane = "" if source.plane is None else f" ({plane_name(layer, source.plane)})"
        self._keep(None)
        title = f"{layer.name}{plane}, {self.chosen().model}"
        self._begin(title, job, partial(self._add, stands_for))
        controls.show_text(self.notes, "")

    def show_invented(self) -> None:
        """Map what of the last result is invented; the map becomes a layer over it."""
        if self._result is None or self.busy:
            return
        result = self._result
        self._begin(
            f"{result.layer.name}, compared",
            partial(worker.iter_invention, result.done),
            partial(self._add_invented, result),
        )

    def stop(self) -> None:
        """Cancel the work; it ends within one tile and leaves nothing behind."""
        self._work.stop()
        self.cancel.enabled = False

    def _queue_layers(self) -> None:
        enqueue_selected(self._viewer, self.chosen())

    def _queue_folder(self) -> None:
        enqueue_folder(self._viewer, self.chosen())

    def _begin(self, title: str, job: Job, add: Callable[[Any], None]) -> None:
        controls.show_text(self.problem, "")
        self.run.enabled = self.buttons.write.enabled = False
        self.cancel.enabled = True
        self._work.begin(title, job, partial(self._finish, add))

    def _say(self, note: str) -> None:
        """Show what the user should know of the run, until the next one."""
        controls.add_line(self.notes, note)
        if not self.native.isVisible():
            show_warning(note)

    def _say_problem(self, reason: str) -> None:
        """Show what went wrong, until the next run."""
        controls.show_text(self.problem, f"⚠ {reason}")
        if not self.native.isVisible():
            show_error(reason)

    def _finish(self, add: Callable[[Any], None], outcome: object) -> None:
        self.cancel.enabled = False
        self._choose()
        in_background(worker.find_devices, self._show_devices)  # their free memory has changed
        if isinstance(outcome, Failed):
            self._say_problem(outcome.reason)
        elif isinstance(outcome, Stopped):
            show_info(outcome.text)
        else:
            add(outcome)

    def _add(self, stands_for: napari.layers.Image, done: Done) -> None:
        """Add the result to the viewer."""
        if done.choices.is_deferred(done.source) and (note := draw_in_background()):
            self._say(note)
        plane, made_by = done.source.plane, done.provenance()
        layer = upscaled_layer(stands_for, done.pixels, done.scale, made_by, start=plane)
        self._viewer.add_layer(layer)
        if done.can_be_compared:
            self._keep(Result(done, stands_for, layer))
        show_info(f"{done.summary()} It is the new layer {layer.name}.")

    def _add_invented(self, result: Result, found: Invented) -> None:
        """Add the map of what is invented, over the result."""
        plane, scale = result.done.source.plane, result.done.scale
        layer = invented_layer(result.stands_for, found.values, scale, start=plane)
        self._viewer.add_layer(layer)
        self._say(found.text)

    def _keep(self, result: Result | None) -> None:
        """Keep a result that can be compared, or none."""
        self._result = result
        self.invented.visible = result is not None

    def _let_go(self, event: Any) -> None:
        """Keep no pixels of a result that has gone."""
        if self._result is not None and event.value is self._result.layer:
            self._keep(None)
