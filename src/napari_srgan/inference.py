"""Run a generator over an image of any size: tiled, exact, and cancelled within a tile."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from napari_srgan.checkpoints import Model
from napari_srgan.devices import (
    choose_device,
    choose_precision,
    is_out_of_memory,
    release_memory,
)
from napari_srgan.images import (
    Array,
    Layout,
    Normalize,
    ValueRange,
    count_not_finite,
    dtype_range,
    fill_not_finite,
    fill_transparent,
    from_unit,
    layout_of,
    to_unit,
    value_range,
)
from napari_srgan.planning import SMALLEST_TILE, automatic_tile, halo_of, tile_edge
from napari_srgan.runner import Runner, inference_network
from napari_srgan.steps import finish
from napari_srgan.tiling import Tile, tiles

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
        What the user should know: that memory ran out and what was done about it. Mostly empty.
    """

    done: int
    total: int
    device: str
    note: str = ""


class _Ladder:
    """What to do when memory runs out: smaller tiles, then the CPU, then give up."""

    def __init__(self, runner: Runner, tile: int, halo: int) -> None:
        self.runner, self._tile, self._halo = runner, tile, halo

    def cut(self, layout: Layout) -> Iterator[Tile]:
        """Yield the tiles of a plane."""
        return tiles(layout.height, layout.width, self._tile, self._halo)

    def fits(self, tile: Tile) -> bool:
        """Whether a tile is no larger than what is tried at present."""
        return max(tile.window) <= self._tile + 2 * self._halo

    def step_down(self, failed: Tile) -> str:
        """Change tile size or device after ``failed`` did not fit; return what to tell the user.

        Raises
        ------
        MemoryError
            If there is nothing left to try.
        """
        device = self.runner.device
        release_memory(device)
        beyond_halo = max(failed.window) - 2 * self._halo
        if beyond_halo > SMALLEST_TILE:
            self._tile = max(SMALLEST_TILE, beyond_halo // 2)
            note = f"{device} is out of memory: going on with tiles of {self._tile} pixels."
        elif device.type != "cpu":
            network, cpu = self.runner.network, torch.device("cpu")
            self.runner = Runner(network, cpu, torch.float32)
            self._tile = automatic_tile(network, cpu, torch.float32)
            note = f"{device} is out of memory: going on with the CPU, which is slower."
        else:
            raise MemoryError(
                f"Not even a tile of {max(failed.window)} pixels fits in memory: "
                "close other programs, or use a smaller model."
            )
        log.warning(note)
        return note


@dataclass(frozen=True)
class _Job:
    """What is the same for all planes of a run."""

    layout: Layout
    values: ValueRange
    scale: int
    fill: bool

    def plane(self, image: Array, index: tuple[int, ...]) -> Array:
        plane: Array = image[index]
        return fill_not_finite(plane) if self.fill else plane


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


def set_up(layout: Layout, model: Model, settings: Settings) -> tuple[Runner, int]:
    """Return what runs a model on images of this layout, and the tile edge it starts with.

    Nothing is placed on the device yet. Errors are those of :func:`napari_srgan.upscale` that do
    not depend on the pixels.
    """
    network = inference_network(model, colour=layout.channels > 0)
    device = choose_device(settings.device)
    precision = choose_precision(settings.precision, device, layout.dtype)
    edge = tile_edge(settings.tile, network, device, precision)
    return Runner(network, device, precision), edge


def upscale_array(
    image: Array,
    model: Model,
    *,
    rgb: bool | None = None,
    normalize: Normalize | ValueRange = "auto",
    settings: Settings,
) -> Array:
    """Upscale an array; see :func:`iter_upscale_array`."""
    return finish(iter_upscale_array(image, model, rgb=rgb, normalize=normalize, settings=settings))


def iter_upscale_array(
    image: Array,
    model: Model,
    *,
    rgb: bool | None = None,
    normalize: Normalize | ValueRange = "auto",
    settings: Settings,
) -> Generator[Progress, None, Array]:
    """Upscale an array, yielding progress after every tile and returning the result.

    Parameters and errors are those of :func:`napari_srgan.upscale`; ``normalize`` may also be a
    range that was worked out before. Closing the generator stops the work and frees its memory.
    """
    layout = layout_of(image.shape, image.dtype, rgb)
    runner, edge = set_up(layout, model, settings)
    # Before the pixels are looked at, which takes long where the result is too large for memory.
    out = np.empty(layout.shape(model.scale), layout.dtype)
    fill = must_fill(image, layout, settings.nan)
    if not isinstance(normalize, ValueRange):
        normalize = value_range(image, layout, normalize)
    job = _Job(layout, normalize, model.scale, fill)
    ladder = _Ladder(runner, edge, halo_of(runner.network))
    done = 0
    try:
        for index in layout.indices():
            for pixels, note in _iter_plane(job.plane(image, index), out[index], job, ladder):
                done += pixels
                yield Progress(done, layout.pixels, str(ladder.runner.device), note)
    finally:
        release_memory(runner.device)
    return out


def _iter_plane(plane: Array, out: Array, job: _Job, ladder: _Ladder) -> Iterator[tuple[int, str]]:
    """Fill ``out`` with the upscaled plane, tile by tile, yielding pixels done and notes."""
    colours = fill_transparent(plane) if job.layout.channels == 4 else plane
    pending = deque(ladder.cut(job.layout))
    while pending:
        tile = pending.popleft()
        if not ladder.fits(tile):
            pending.extendleft(reversed(tile.quarters()))
            continue
        high = _try_tile(colours, tile, job, ladder.runner)
        if high is None:
            pending.appendleft(tile)
            yield 0, ladder.step_down(tile)
            continue
        _write(high, plane, out, tile, job)
        yield tile.pixels, ""


def _try_tile(colours: Array, tile: Tile, job: _Job, runner: Runner) -> NDArray[np.float32] | None:
    """Return a tile's upscaled window, or None where there was no memory for it."""
    window = to_unit(colours[tile.rows.read_slice, tile.columns.read_slice], job.values)
    try:
        return runner(window)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        log.info("no memory for a window of %s pixels: %s", tile.window, error)
        return None


def _write(high: NDArray[np.float32], plane: Array, out: Array, tile: Tile, job: _Job) -> None:
    scale = job.scale
    kept = high[:, tile.rows.crop_slice(scale), tile.columns.crop_slice(scale)]
    target = out[tile.rows.write_slice(scale), tile.columns.write_slice(scale)]
    pixels = from_unit(kept, job.values, job.layout.dtype)
    if job.layout.channels == 4:
        target[..., :3] = pixels
        alpha = upscaled_alpha(plane[tile.rows.read_slice, tile.columns.read_slice, 3], scale)
        target[..., 3] = alpha[tile.rows.crop_slice(scale), tile.columns.crop_slice(scale)]
    else:
        target[...] = pixels


def upscaled_alpha(alpha: Array, scale: int) -> Array:
    """Return alpha ``(h, w)`` as ``(scale·h, scale·w)``, by bicubic interpolation.

    Coverage has no texture to reconstruct, and what is opaque stays exactly so.
    """
    low, high = dtype_range(alpha.dtype)
    values = ValueRange(low, high, low, high)
    # In float32 the weights would add up to 1, and opaque stay opaque, for some scales only.
    unit = torch.from_numpy(to_unit(alpha, values))[None].double()
    smooth = torch.nn.functional.interpolate(unit, scale_factor=scale, mode="bicubic")[0]
    return from_unit(smooth.float().numpy(), values, alpha.dtype)


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
