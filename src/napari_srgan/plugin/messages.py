"""What the widget asks of a job, and what it is answered."""

from __future__ import annotations

import logging
import sys
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np

from napari_srgan.inference.images import Array, Layout, check_not_masked, layout_of
from napari_srgan.inference.settings import Settings
from napari_srgan.inference.values.rules import Normalize
from napari_srgan.plugin.texts import in_controls_words, shape_text, time_text
from napari_srgan.store.registry import faithful_at

log = logging.getLogger(__name__)

Step = TypeVar("Step")
Outcome = TypeVar("Outcome")

# When a result is computed; "auto" is now, or when it is shown where that holds for the layer.
Compute: TypeAlias = Literal["auto", "now", "shown"]


@dataclass(frozen=True)
class Failed:
    """A job ended in an error, which is returned: some workers swallow what is raised in them."""

    reason: str

    @classmethod
    def because(cls, error: Exception) -> Failed:
        """Return the answer that an error is the reason of."""
        return cls(in_controls_words(str(error)) or type(error).__name__)


@dataclass(frozen=True)
class Stopped:
    """A job ended because it was told to, and what is to be said of it."""

    text: str = "Cancelled: nothing was added."


def iter_until(
    stop: Event, steps: Generator[Step, None, Outcome], failure: str
) -> Generator[Step, None, Outcome | Failed | Stopped]:
    """Pass on the steps of some work until ``stop`` is set, and return what came of it.

    Errors are logged as ``failure`` and returned. The work is closed when this ends.
    """
    try:
        with closing(steps):
            while not stop.is_set():
                try:
                    step = next(steps)
                except StopIteration as end:
                    outcome: Outcome = end.value
                    return outcome
                yield step
    except Exception as error:
        log.exception(failure)
        return Failed.because(error)
    return Stopped()


@dataclass(frozen=True)
class Choices:
    """What a person has chosen, apart from the layer."""

    model: str
    normalize: Normalize
    settings: Settings
    cache: Path | None
    compute: Compute = "auto"
    scale: int | None = None  # of a model that has several; None for its own

    def is_deferred(self, source: Source) -> bool:
        """Return whether a result is to be computed when it is looked at, plane by plane."""
        if self.compute == "auto":
            return source.is_lazy and source.plane is None
        return self.compute == "shown"


@dataclass(frozen=True)
class Source:
    """Pixels to upscale: an array that is read in the job, wholly or one plane of it.

    Those of a multiscale layer have ``coarser`` levels, or none.
    """

    pixels: Any
    rgb: bool
    plane: tuple[int, ...] | None
    channel_axis: int | None = None
    coarser: tuple[Any, ...] | None = None

    @property
    def layout(self) -> Layout:
        """What will be upscaled.

        Raises
        ------
        TypeError, ValueError
            If these are no pixels to upscale.
        """
        whole = self.whole
        if self.plane is None:
            return whole
        ones = (1,) * len(whole.leading)
        return Layout(ones, whole.height, whole.width, whole.channels, whole.dtype)

    @property
    def whole(self) -> Layout:
        """The array, of which this may be one plane."""
        check_not_masked(self.pixels)
        return layout_of(self.pixels.shape, self.pixels.dtype, self.rgb, self.channel_axis)

    @property
    def in_memory(self) -> bool:
        """Whether looking at all of the array costs neither memory nor a disk's time."""
        return isinstance(self.pixels, np.ndarray) and not isinstance(self.pixels, np.memmap)

    @property
    def is_lazy(self) -> bool:
        """Whether these pixels are computed when they are asked for."""
        module = sys.modules.get("dask.array")
        return module is not None and isinstance(self.pixels, module.Array)

    def unread(self) -> Any:
        """Return the pixels as they are; of a single plane, those with its leading axes."""
        return self.pixels if self.plane is None else self.pixels[self._one(self.plane)]

    def unread_coarser(self) -> tuple[Any, ...] | None:
        """Return the coarser levels; of a single plane, it in those that have as many planes."""
        if self.plane is None or self.coarser is None:
            return self.coarser
        leading = self.whole.leading
        alike = [each for each in self.coarser if each.shape[: len(leading)] == leading]
        return tuple(each[self._one(self.plane)] for each in alike)

    @staticmethod
    def _one(plane: tuple[int, ...]) -> tuple[slice, ...]:
        return tuple(slice(i, i + 1) for i in plane)

    def read(self) -> Array:
        """Return the pixels; a single plane keeps the leading axes, each of length 1."""
        if self.plane is None:
            return np.asarray(self.pixels)
        return np.asarray(self.pixels[self.plane]).reshape(self.layout.shape())


@dataclass(frozen=True)
class Devices:
    """The devices of this computer, ``auto`` first.

    Attributes
    ----------
    choices : tuple of (label, name)
        What is chosen from.
    descriptions : mapping of str to str
        For each name, the device and its free memory.
    hint : str or None
        What would make a better one usable.
    """

    choices: tuple[tuple[str, str], ...]
    descriptions: Mapping[str, str]
    hint: str | None


@dataclass(frozen=True)
class Invented:
    """A map of what of a result is invented, in the image's units, and what to say of it."""

    values: Array
    text: str


@dataclass(frozen=True)
class Done:
    """A result, and what the notice and the new layer's metadata say of it.

    The pixels are an array, lazy where they are computed when they are looked at; or levels, the
    finest first. They may be in a store that was ``written``.
    """

    pixels: Any
    scale: int
    source: Source
    choices: Choices
    made_by: Mapping[str, Any]
    seconds: float
    written: Path | None = None

    @property
    def finest(self) -> Any:
        """The pixels, without coarser levels."""
        return self.pixels[0] if isinstance(self.pixels, list) else self.pixels

    def summary(self) -> str:
        """Return what was made, where and how fast."""
        layout = self.source.layout
        sizes = f"{shape_text(layout)} → {shape_text(layout, self.scale)} pixels"
        where = f"on {self.made_by['device']} with {self.choices.model}."
        if self.choices.is_deferred(self.source):
            return f"{sizes}, computed when they are shown, {where}"
        written = "" if self.written is None else f" It was written to {self.written}."
        return f"{sizes} in {time_text(self.seconds)} {where}{written}"

    @property
    def can_be_compared(self) -> bool:
        """Whether what was invented can be shown: by a faithful model, now."""
        faithful = self.made_by["generative"] is False
        computed = self.written is None and not self.choices.is_deferred(self.source)
        return computed and not faithful and faithful_at(self.scale) is not None

    def provenance(self) -> dict[str, Any]:
        """Return what the new layer should remember of how it was made."""
        return {**self.made_by, "plane": self.source.plane}
