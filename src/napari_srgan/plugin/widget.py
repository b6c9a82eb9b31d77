"""The widget of *Plugins → SRGAN upscale*: choices, a start, progress and a new layer."""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from magicgui.widgets import ComboBox, Container, Label, ProgressBar, PushButton, Widget
from napari.qt.threading import create_worker
from napari.utils.notifications import show_error, show_info, show_warning

from napari_srgan.inference.images import parse_normalize
from napari_srgan.inference.settings import Progress, Settings
from napari_srgan.plugin import controls, messages, worker
from napari_srgan.plugin.layers import channel_axis_of, full_resolution, plane_index, upscaled_layer
from napari_srgan.plugin.messages import Choices, Devices, Done, Failed, Source, Stopped
from napari_srgan.plugin.preferences import preferred_cache, preferred_choices
from napari_srgan.plugin.worker import Estimates, in_background
from napari_srgan.store.registry import info_of

if TYPE_CHECKING:
    import napari.layers
    import napari.viewer

open_widgets: WeakSet[Upscale] = WeakSet()

NO_LAYER = "Open an image, or try File → Open Sample."
CAUTION = (
    "It invents texture that was not in the image. For measurement and diagnosis choose a faithful "
    "model."
)
NOT_KNOWN = "It is not known whether it invents detail."


def refresh_models() -> None:
    """Offer, in every open widget, the models that there are now."""
    for widget in open_widgets:
        widget.reset_choices()


@dataclass(frozen=True)
class _Run:
    """The work that is going on."""

    layer: napari.layers.Image
    began: float
    stop: Event


class Upscale(Container[Widget]):
    """Upscale an image layer: choices, what they will take, progress, Cancel.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Where the layers are, and where the result goes.
    """

    layer: ComboBox
    planes: ComboBox
    model: ComboBox
    purpose: Label
    caution: Label
    device: ComboBox
    hint: Label
    summary: Label
    buttons: controls.Buttons
    progress: ProgressBar
    left: Label

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        preferred = preferred_choices()
        self._viewer = viewer
        self._run: _Run | None = None
        self._estimates = Estimates()
        self.advanced = controls.Advanced(preferred.settings)
        self.devices_found = Devices((), {}, None)
        self._device_choices = [("automatic", "auto")]
        if preferred.settings.device != "auto":
            self._device_choices.append((preferred.settings.device,) * 2)
        self.extend(controls.main(preferred, self._device_choices))
        self.extend([controls.Buttons(), *controls.status()])
        controls.align(self, 3.5)
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
        return self._run is not None

    def reset_choices(self, *_: Any) -> None:
        """Renew what can be chosen; what is chosen stays, even under a new name."""
        for control in (self.layer, self.planes, self.model, self.device):
            chosen = control.value
            with control.changed.blocked():
                control.reset_choices()
                if chosen in control.choices:
                    control.value = chosen
        self._update()

    def _connect(self) -> None:
        self.run.changed.connect(self.start)
        self.cancel.changed.connect(self.stop)
        for control in (self.layer, self.planes, self.model, self.device, *self.advanced):
            control.changed.connect(self._choose)
        self.native_parent_changed.connect(self._move)
        self.native.destroyed.connect(self._leave)

    def _move(self, parent: object) -> None:
        """Begin with the selected layer; end when napari takes the widget out of its dock."""
        if parent is None:
            self._leave()
            return
        open_widgets.add(self)
        selected = self._viewer.layers.selection.active
        if selected in self.layer.choices:
            self.layer.value = selected

    def _leave(self) -> None:
        """Stop the work when the dock or the viewer is closed; nothing is shown from then on."""
        open_widgets.discard(self)
        if self._run is not None:
            self._run.stop.set()

    # What is chosen, and what that would take

    def chosen(self) -> Choices:
        """Return what is chosen, apart from the layer."""
        advanced = self.advanced
        settings = Settings(
            device=self.device.value,
            precision=advanced.precision.value,
            tile=advanced.tile.value or "auto",
            nan=advanced.nan.value,
        )
        return Choices(self.model.value, advanced.normalize.value, settings, preferred_cache())

    def _source(self) -> Source | None:
        layer = self.layer.value
        if layer is None:
            return None
        plane = None
        if layer.ndim > 2 and self.planes.value == controls.CURRENT_PLANE:
            plane = plane_index(layer, self._viewer.dims.point)
        return Source(full_resolution(layer), bool(layer.rgb), plane, channel_axis_of(layer))

    def _choose(self) -> None:
        self._estimates.forget_failures()
        self._update()

    def _update(self) -> None:
        """Say what the choices are for, and what they would make and take."""
        if self not in open_widgets:
            return
        info = info_of(self.model.value)
        self.purpose.value = info.purpose
        self.caution.value = NOT_KNOWN if info.generative is None else CAUTION
        self.caution.visible = info.generative is not False
        described = self.devices_found.descriptions.get(self.device.value), self.devices_found.hint
        self.hint.value = "\n".join(line for line in described if line)
        self.hint.visible = bool(self.hint.value)
        source = self._source()
        self.planes.visible = source is not None and self.layer.value.ndim > 2
        possible, self.summary.value = self._outlook(source)
        self.run.enabled = possible and not self.busy

    def _outlook(self, source: Source | None) -> tuple[bool, str]:
        """Return whether what is chosen can be upscaled, and what that would make and take."""
        if source is None:
            return False, NO_LAYER
        try:
            parse_normalize(self.advanced.normalize.value)
            source.layout  # noqa: B018  # raises for pixels that are none
        except (TypeError, ValueError) as error:
            return False, str(error)
        return True, self._estimate(source)

    def _estimate(self, source: Source) -> str:
        layout, choices = source.layout, self.chosen()
        trial = self._estimates.of(choices, source)
        if trial is None:
            # Asked for again when the devices are known, and when the work has ended.
            if self.devices_found.choices and not self.busy:
                self._estimates.ask(choices, source, self._update)
            return f"{messages.shape_text(layout)} pixels\nestimating …"
        if isinstance(trial, Failed):
            return trial.reason
        needs = trial.needs
        memory, seconds = needs.memory(source), trial.seconds(source)
        return messages.run_text(layout, needs.scale, memory, needs.free_memory(), seconds)

    def _show_devices(self, devices: Devices | Failed) -> None:
        if self not in open_widgets:
            return
        if isinstance(devices, Failed):
            show_error(devices.reason)
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
        self._run = _Run(self.layer.value, time.perf_counter(), Event())
        running = create_worker(
            worker.iter_job,
            source,
            self.chosen(),
            self._run.stop,
            _start_thread=False,
            _ignore_errors=True,  # they are returned
        )
        running.yielded.connect(self._show_progress)
        running.returned.connect(self._finish)
        self._show_busy()
        running.start()

    def stop(self) -> None:
        """Cancel the work; it ends within one tile and leaves nothing behind."""
        if self._run is not None:
            self._run.stop.set()
            self.cancel.enabled = False
            self.left.value = "stopping"

    def _show_busy(self) -> None:
        self.run.enabled = not self.busy
        self.cancel.enabled = self.busy
        self.progress.visible = self.left.visible = self.busy
        self.progress.value, self.left.value = 0, "starting"

    def _show_progress(self, progress: Progress) -> None:
        if self not in open_widgets or self._run is None or self._run.stop.is_set():
            return
        if progress.note:
            show_warning(progress.note)
        self.progress.value = round(controls.STEPS * progress.done / progress.total)
        elapsed = time.perf_counter() - self._run.began
        self.left.value = messages.left_text(progress.done, progress.total, elapsed)

    def _finish(self, outcome: Done | Failed | Stopped) -> None:
        run, self._run = self._run, None
        if self not in open_widgets or run is None:
            return
        self._show_busy()
        self._choose()
        in_background(worker.find_devices, self._show_devices)  # their free memory has changed
        if isinstance(outcome, Failed):
            show_error(outcome.reason)
        elif isinstance(outcome, Stopped) or run.stop.is_set():
            show_info("Cancelled: nothing was added.")
        else:
            plane, made_by = outcome.source.plane, outcome.provenance()
            result = upscaled_layer(run.layer, outcome.pixels, outcome.scale, made_by, start=plane)
            self._viewer.add_layer(result)
            show_info(f"{outcome.summary()} It is the new layer {result.name}.")
