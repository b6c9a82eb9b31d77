"""A network run as a stream of bands of rows: nothing is computed twice, memory is the width's.

Every layer is given the rows that have become known. A convolution keeps the last rows of its
input, a skip connection waits for the sum's other half: both are one buffer behind the layer they
read from. Rows beyond the image are zeros, as padding is. All layers work on bands of the same
height, each a few rows behind the layer before it, and only on rows inside the image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_srgan.graph.ops import Cast, Convolution, Enlarge, Join, Layer, Shuffle, Sum
from napari_srgan.graph.program import Place, Program

# Even steps from which on a recording pays: it costs about as much as computing a few bands does.
_WORTH_RECORDING = 16

Work: TypeAlias = Callable[[], None]


class _Value:
    """The rows of one value that are at hand: the newest band, and those kept before it.

    Attributes
    ----------
    start, stop : int
        The newest band's rows, of those inside the image.
    """

    def __init__(
        self, place: Place, band: int, height: int, width: int, device: torch.device
    ) -> None:
        self._place, self._height = place, height * place.scale
        self._new = band * place.scale
        self.start = self.stop = self._step = 0
        self._held: Tensor | None = None
        if place.kept:
            shape = (1, place.channels, place.kept + self._new, width * place.scale)
            held = torch.zeros(shape, dtype=place.dtype, device=device)
            self._held = held.contiguous(memory_format=torch.channels_last)

    def begin(self, step: int) -> None:
        """Turn to the band of a step."""
        self._step = step
        self.start, self.stop = self._band_of(step)

    def is_whole(self, step: int) -> bool:
        """Whether all rows of a step's band are inside the image."""
        start, stop = self._band_of(step)
        return stop - start == self._new

    def _band_of(self, step: int) -> tuple[int, int]:
        first = step * self._new - self._place.lag
        return max(0, first), min(self._height, first + self._new)

    @property
    def _first(self) -> int:
        """Row of the image that what is held begins with."""
        if not self._place.kept:
            return self.start
        return self._step * self._new - self._place.lag - self._place.kept

    def make_room(self) -> None:
        """Move up what is kept, for the band to be put below it."""
        if self._held is None or not self._place.kept:
            return
        if self._step > 0:
            self._move_up(self._held)
        if self.stop - self.start < self._new:
            self._held[:, :, self._place.kept :].zero_()

    def _move_up(self, held: Tensor) -> None:
        for at in range(0, self._place.kept, self._new):  # piecewise: the two must not overlap
            until = min(at + self._new, self._place.kept)
            held[:, :, at:until] = held[:, :, at + self._new : until + self._new]

    def room(self) -> Tensor | None:
        """Return where the band can be written; None where no rows are kept."""
        return self.rows(self.start, self.stop) if self._place.kept else None

    def put(self, band: Tensor) -> None:
        """Take a band that was not written into its room."""
        room = self.room()
        if room is None:
            self._held = band
        else:
            room.copy_(band)

    def rows(self, start: int, stop: int) -> Tensor:
        """Return rows of the image, a view; those beyond its borders are zero."""
        if self._held is None:
            raise RuntimeError(f"Rows {start} to {stop} were asked for before they were computed.")
        return self._held[:, :, start - self._first : stop - self._first]


class RowStream:
    """An image, or a strip of it, on its way through a network.

    Parameters
    ----------
    program : Program
        The network's.
    height, width : int
        Of the image, in input pixels.
    band : int
        Input rows of a step, 1 or more. It changes speed and memory, and no value.
    record : callable, optional
        Given the work of a band, returns what does it again, without doing it. Most steps do the
        same work in the same places, which a device may have recorded at less cost than each of
        its parts.
    """

    def __init__(
        self,
        program: Program,
        height: int,
        width: int,
        band: int,
        record: Callable[[Work], Work] | None = None,
    ) -> None:
        self._layers, self._record = program.layers, record
        places, device = program.places, program.device
        self._values = [_Value(place, band, height, width, device) for place in places]
        last = places[-1]
        self.steps = -(-(height * last.scale + last.lag) // (band * last.scale))
        self._recorded = frozenset(self._steps_to_record() if record and places[0].kept else ())

    @torch.inference_mode()
    def iter_rows(self, read: Callable[[int, int], Tensor]) -> Iterator[tuple[int, Tensor]]:
        """Yield what becomes known of the output: its first row, and rows ``(1, c, n, width)``.

        The rows may be overwritten when the next ones are asked for.

        Parameters
        ----------
        read : callable
            ``read(start, stop)`` returns rows ``(1, channels, n, width)`` of the input, on the
            network's device. It is called for all of them, in order.
        """
        low, high = self._values[0], self._values[-1]
        again: Work | None = None
        for step in range(self.steps):
            for value in self._values:
                value.begin(step)
            low.make_room()
            if low.start < low.stop:
                low.put(read(low.start, low.stop))
            if self._record is not None and step in self._recorded:
                again = again or self._record(self._compute_band)
                again()
            else:
                self._compute_band()
            if high.start < high.stop:
                yield high.start, high.rows(high.start, high.stop)

    def _compute_band(self) -> None:
        for layer, value in zip(self._layers, self._values[1:], strict=True):
            value.make_room()
            if value.start < value.stop:
                _compute(layer, self._values, value)

    def _steps_to_record(self) -> list[int]:
        """Return the steps that do the same work: no border is near any layer. None, if few."""
        steps = range(1, self.steps)
        even = [step for step in steps if all(value.is_whole(step) for value in self._values)]
        # The first of them is computed: libraries choose their algorithms.
        return even[1:] if len(even) >= _WORTH_RECORDING else []


def _compute(layer: Layer, values: list[_Value], value: _Value) -> None:
    """Compute a band of a layer's value from the values before it."""
    start, stop = value.start, value.stop
    if isinstance(layer, Convolution):
        reach, beside = layer.reach
        seen = values[layer.source].rows(start - reach, stop + reach)
        value.put(
            F.conv2d(
                seen,
                layer.weight,
                layer.bias,
                padding=(0, beside),
                dilation=layer.dilation,
                groups=layer.groups,
            )
        )
    elif isinstance(layer, Shuffle):
        factor = layer.factor
        value.put(
            F.pixel_shuffle(values[layer.source].rows(start // factor, stop // factor), factor)
        )
    elif isinstance(layer, Enlarge):
        _enlarge(values[layer.source], value, layer.factor)
    elif isinstance(layer, Join):
        _join([values[source].rows(start, stop) for source in layer.sources], value)
    elif isinstance(layer, Cast):
        value.put(values[layer.source].rows(start, stop).to(layer.dtype))
    elif isinstance(layer, Sum):
        first, second = (values[source].rows(start, stop) for source in layer.sources)
        _written(torch.add(first, second, out=value.room()), value)
    elif layer.slope is not None:
        rows = values[layer.source].rows(start, stop)
        _written(_leaky_relu(rows, layer.slope, value.room()), value)
    else:
        value.put(layer.function(values[layer.source].rows(start, stop), **layer.options))


def _enlarge(source: _Value, value: _Value, factor: int) -> None:
    first = value.start // factor
    rows = source.rows(first, -(-value.stop // factor))
    rows = rows.repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    value.put(rows[:, :, value.start - factor * first : value.stop - factor * first])


def _join(parts: list[Tensor], value: _Value) -> None:
    room = value.room()
    if room is None:
        value.put(torch.cat([part.to(parts[0].dtype) for part in parts], 1))
        return
    channel = 0
    for part in parts:
        room[:, channel : channel + part.shape[1]].copy_(part)
        channel += part.shape[1]


def _leaky_relu(rows: Tensor, slope: float, room: Tensor | None) -> Tensor:
    if room is None:
        return F.leaky_relu(rows, slope)
    written: Tensor = torch.ops.aten.leaky_relu.out(rows, slope, out=room)
    return written


def _written(band: Tensor, value: _Value) -> None:
    """Hand over what was computed, unless it was written into its room already."""
    if value.room() is None:
        value.put(band)
