"""Two layers sampled and drawn in a thread; joining them again takes next to nothing."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from threading import Event

from napari_srgan.plugin.compare.colours import Looks, Pixels
from napari_srgan.plugin.compare.modes import BESIDE, DIFFERENCE, Difference, difference
from napari_srgan.plugin.compare.sampling import Grid, Sampler
from napari_srgan.plugin.messages import Failed, Stopped

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """Two layers, where they are sampled, and what for."""

    grid: Grid
    samplers: tuple[Sampler, Sampler]
    looks: tuple[Looks, Looks]
    linear: tuple[bool, bool]
    mode: str
    unit: str


@dataclass(frozen=True)
class Drawn:
    """What two layers look like on a grid; of a difference, that.

    Attributes
    ----------
    request : Request
        What it is the answer to.
    pictures : tuple of ndarray
        Before and after, ``(h, w, 3)`` each; none for a difference.
    difference : Difference or None
        None for the others, and where the layers do not overlap.
    """

    request: Request
    pictures: tuple[Pixels, ...]
    difference: Difference | None = None


def draw(request: Request, stop: Event) -> Drawn | Failed | Stopped:
    """Return what two layers look like; errors of lazy ones are returned."""
    try:
        if request.mode == DIFFERENCE:
            first, second = (sampler.sample(linear=True) for sampler in request.samplers)
            before, after = request.looks
            found = difference((before, first), (after, second), request.unit)
            return Drawn(request, (), found)
        pictures = []
        for sampler, looks, linear in zip(
            request.samplers, request.looks, request.linear, strict=True
        ):
            if stop.is_set():
                return Stopped()
            pictures.append(looks.drawn(sampler.sample(linear=linear)))
        return Drawn(request, tuple(pictures))
    except Exception as error:
        log.exception("the layers could not be compared")
        return Failed.because(error)


def sampled_on(grid: Grid, mode: str) -> Grid:
    """Return where layers are sampled: side by side, each has half of the room."""
    return grid.half() if mode == BESIDE else grid
