"""A plane upscaled band by band, as a stream of rows: the engine for all but small images."""

from __future__ import annotations

from collections.abc import Iterator

from napari_srgan.devices import is_out_of_memory
from napari_srgan.planes import Plane, scaled
from napari_srgan.planning import Bands
from napari_srgan.runner import Runner
from napari_srgan.tiling import Span


class NoMemoryForBandsError(MemoryError):
    """A band did not fit; tiles, which are smaller, may."""


def iter_streamed(plane: Plane, runner: Runner, bands: Bands) -> Iterator[int]:
    """Upscale a plane strip by strip and band by band, yielding input pixels done.

    Raises
    ------
    NoMemoryForBandsError
        If memory runs out. What has been written is right, and may be written again.
    """
    for strip in bands.strips(plane.layout.width):
        try:
            yield from _iter_strip(plane, strip, runner, bands.rows)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise NoMemoryForBandsError(str(error)) from error


def _iter_strip(plane: Plane, strip: Span, runner: Runner, band: int) -> Iterator[int]:
    scale, height = plane.scale, plane.layout.height
    columns = scaled(strip, scale)
    rows_done = 0
    stream = runner.iter_bands(
        lambda start, stop: plane.read((start, stop), strip.read),
        plane.units,
        height,
        strip.read_length,
        band,
    )
    for first, high in stream:
        last = first + len(high)
        plane.write(high[:, strip.crop_slice(scale)], (first, last), columns)
        if last // scale > rows_done:
            yield (last // scale - rows_done) * strip.length
            rows_done = last // scale
