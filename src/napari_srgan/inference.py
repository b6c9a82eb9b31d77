"""Run a generator over an image of any size: exact, and cancelled within a tile or a band."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from napari_srgan.checkpoints import Model
from napari_srgan.devices import choose_device, choose_precision, release_memory
from napari_srgan.first_use import first_use_note
from napari_srgan.images import (
    Array,
    Layout,
    Normalize,
    ValueRange,
    count_not_finite,
    fill_not_finite,
    layout_of,
    value_range,
)
from napari_srgan.planes import Plane
from napari_srgan.planning import Bands, Tiles, check_tile
from napari_srgan.runner import Runner, inference_network
from napari_srgan.steps import finish
from napari_srgan.store import cache_folder
from napari_srgan.streamed import NoMemoryForBandsError, iter_streamed
from napari_srgan.tiled import Ladder, iter_tiled

log = logging.getLogger(__name__)

NotFinite = Literal["error", "fill"]


@dataclass(frozen=True)
class Progress:
    """How far a run has come.

    Attributes
    ----------
    done, total : int
        Input pixels, over all planes.
    device : str
        Where the last tile was computed.
    note : str
        What the user should know: that memory ran out and what was done about it, or that the
        device computes something else than it should. Mostly empty.
    """

    done: int
    total: int
    device: str
    note: str = ""


@dataclass(frozen=True)
class Settings:
    """How a run goes about its work; none of it changes the result beyond rounding.

    Attributes
    ----------
    device, precision : str
        See :func:`napari_srgan.devices.choose_device` and ``choose_precision``.
    tile : int or str
        Edge of a tile in input pixels, or ``auto``.
    nan : {"error", "fill"}
        What is done about values that are not finite.
    """

    device: str = "auto"
    precision: str = "auto"
    tile: int | str = "auto"
    nan: NotFinite = "error"

    def __post_init__(self) -> None:
        if self.nan not in ("error", "fill"):
            raise ValueError(f"nan must be 'error' or 'fill'; got {self.nan!r}.")


def set_up(layout: Layout, model: Model, settings: Settings) -> Runner:
    """Return what runs a model on images of this layout.

    Nothing is placed on the device yet. Errors are those of :func:`napari_srgan.upscale` that do
    not depend on the pixels.
    """
    network = inference_network(model, colour=layout.channels > 0)
    device = choose_device(settings.device)
    precision = choose_precision(settings.precision, device, layout.dtype)
    check_tile(settings.tile)
    return Runner(network, device, precision)


def upscale_array(
    image: Array,
    model: Model,
    *,
    rgb: bool | None = None,
    normalize: Normalize | ValueRange = "auto",
    settings: Settings,
    out: Any = None,
) -> Any:
    """Upscale an array; see :func:`iter_upscale_array`."""
    return finish(
        iter_upscale_array(image, model, rgb=rgb, normalize=normalize, settings=settings, out=out)
    )


def iter_upscale_array(
    image: Array,
    model: Model,
    *,
    rgb: bool | None = None,
    normalize: Normalize | ValueRange = "auto",
    settings: Settings,
    out: Any = None,
) -> Generator[Progress, None, Any]:
    """Upscale an array, yielding progress after every band or tile and returning the result.

    Parameters and errors are those of :func:`napari_srgan.upscale`; ``normalize`` may also be a
    range that was worked out before. Closing the generator stops the work and frees its memory.
    """
    layout = layout_of(image.shape, image.dtype, rgb)
    runner = set_up(layout, model, settings)
    # Before the pixels are looked at, which takes long where the result is too large for memory.
    out = _result(out, layout, model.scale)
    fill = must_fill(image, layout, settings.nan)
    if not isinstance(normalize, ValueRange):
        normalize = value_range(image, layout, normalize)
    tiles = Tiles.of(settings.tile, runner)
    bands = Bands.of(layout, runner) if settings.tile == "auto" else None
    ladder = Ladder(runner, tiles, bands)
    done = 0
    try:
        if note := first_use_note(model, runner.device, runner.precision, cache_folder()):
            yield Progress(0, layout.pixels, str(runner.device), note)
        for index in layout.indices():
            pixels = fill_not_finite(image[index]) if fill else image[index]
            plane = Plane(pixels, _Part(out, index), layout, normalize, model.scale)
            for pixels, note in _iter_plane(plane, ladder):
                done += pixels
                yield Progress(done, layout.pixels, str(ladder.runner.device), note)
    finally:
        release_memory(runner.device)
    return out


def _iter_plane(plane: Plane, ladder: Ladder) -> Iterator[tuple[int, str]]:
    """Upscale a plane, yielding input pixels done and what the user should know."""
    done = 0
    if ladder.bands is not None:
        try:
            for pixels in iter_streamed(plane, ladder.runner, ladder.bands):
                done += pixels
                yield pixels, ""
        except NoMemoryForBandsError as error:
            log.info("no memory for a band: %s", error)
        else:
            return
        # Not before the error is gone, which holds on to the stream's memory.
        yield -done, ladder.leave_bands()  # the plane begins again
    yield from iter_tiled(plane, ladder)


def _result(out: Any, layout: Layout, scale: int) -> Any:
    """Return the array to fill: a new one, or the one given if it suits.

    Raises
    ------
    ValueError
        If it has another shape or dtype than the result.
    """
    shape = layout.shape(scale)
    if out is None:
        return np.empty(shape, layout.dtype)
    if tuple(out.shape) != shape or out.dtype != layout.dtype:
        raise ValueError(
            f"The result is {layout.dtype} of shape {shape}; out is {out.dtype} of shape "
            f"{tuple(out.shape)}."
        )
    return out


@dataclass(frozen=True)
class _Part:
    """A plane of an array that need not be NumPy's, whose own slices may be copies."""

    whole: Any
    index: tuple[int, ...]

    def __setitem__(self, place: tuple[slice, slice], pixels: Array) -> None:
        self.whole[(*self.index, *place)] = pixels


def must_fill(image: Array, layout: Layout, nan: NotFinite) -> bool:
    """Return whether values must be filled, after refusing those that must not be there.

    Raises
    ------
    ValueError
        If the image has NaN or infinite values and ``nan`` is not ``fill``; it counts them.
    """
    missing, infinite = count_not_finite(image, layout)
    if (missing or infinite) and nan == "error":
        raise ValueError(
            f"The image has {missing} NaN and {infinite} infinite values. "
            "Replace them, or say nan='fill' to fill them from their nearest finite neighbour."
        )
    return bool(missing or infinite)
