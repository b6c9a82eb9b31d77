"""Line-buffered inference: run a CNN over an image in row bands without recomputing halos.

Memory is O(width). Every layer is given the rows that have become known. A convolution keeps the
last rows of its input, a skip connection waits for the sum's other half: both are one buffer behind
the layer they read from. Rows beyond the image are zeros, as padding is. All layers work on bands
of the same height, each a few rows behind the layer before it, and only on rows inside the image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_srgan.graph.ops import (
    Add,
    Cast,
    Concat,
    Convolution,
    Interpolate,
    Layer,
    Multiply,
    PixelShuffle,
    PixelUnshuffle,
    convolved,
    interpolated,
    joined,
)
from napari_srgan.graph.stream_plan import StreamPlan, ValueSpec
from napari_srgan.models.layers.reflection import reflected, reflected_index

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
        self, spec: ValueSpec, band: int, height: int, width: int, device: torch.device
    ) -> None:
        self._spec, self.height = spec, height * spec.scale
        self._new = band * spec.scale
        self.start = self.stop = self._step = 0
        self._held: Tensor | None = None
        if spec.kept:
            shape = (1, spec.channels, spec.kept + self._new, width * spec.scale)
            held = torch.zeros(shape, dtype=spec.dtype, device=device)
            self._held = held.contiguous(memory_format=torch.channels_last)

    @property
    def nbytes(self) -> int:
        """Bytes of the rows that are held."""
        return 0 if self._held is None else self._held.nbytes

    def begin(self, step: int) -> None:
        """Turn to the band of a step."""
        self._step = step
        self.start, self.stop = self._band_of(step)

    def is_whole(self, step: int) -> bool:
        """Whether all rows of a step's band are inside the image."""
        start, stop = self._band_of(step)
        return stop - start == self._new

    def _band_of(self, step: int) -> tuple[int, int]:
        first = step * self._new - self._spec.lag
        return max(0, first), min(self.height, first + self._new)

    @property
    def _first(self) -> int:
        """Row of the image that what is held begins with."""
        if not self._spec.kept:
            return self.start
        return self._step * self._new - self._spec.lag - self._spec.kept

    def make_room(self) -> None:
        """Move up what is kept, for the band to be put below it."""
        if self._held is None or not self._spec.kept:
            return
        if self._step > 0:
            self._move_up(self._held)
        if self.stop - self.start < self._new:
            self._held[:, :, self._spec.kept :].zero_()

    def _move_up(self, held: Tensor) -> None:
        for at in range(0, self._spec.kept, self._new):  # piecewise: the two must not overlap
            until = min(at + self._new, self._spec.kept)
            held[:, :, at:until] = held[:, :, at + self._new : until + self._new]

    def room(self) -> Tensor | None:
        """Return where the band can be written; None where no rows are kept."""
        return self.rows(self.start, self.stop) if self._spec.kept else None

    def put(self, band: Tensor) -> None:
        """Take a band that was not written into its room, in any floating type."""
        room = self.room()
        if room is None:
            self._held = band.to(self._spec.dtype)
        else:
            room.copy_(band)

    def release(self) -> None:
        """Let go of a band of which no rows are kept."""
        if not self._spec.kept:
            self._held = None

    def rows(self, start: int, stop: int) -> Tensor:
        """Return rows of the image, a view; those beyond its borders are zero."""
        if self._held is None:
            raise RuntimeError(f"Rows {start} to {stop} were asked for before they were computed.")
        return self._held[:, :, start - self._first : stop - self._first]


class _Joined(_Value):
    """Values side by side, put together as they are read."""

    def __init__(
        self, spec: ValueSpec, band: int, height: int, width: int, parts: Sequence[_Value]
    ) -> None:
        super().__init__(spec, band, height, width, torch.device("meta"))
        self._parts = parts

    def rows(self, start: int, stop: int) -> Tensor:
        """Return rows of the image, a copy; those beyond its borders are zero."""
        return joined([part.rows(start, stop) for part in self._parts], self._spec.dtype)


class RowStream:
    """An image, or a strip of it, on its way through a network: fed rows, it returns rows.

    Parameters
    ----------
    plan : StreamPlan
        The network's, on its device.
    height, width : int
        Of the image, in input pixels.
    band : int
        Input rows of a step, 1 or more. It changes speed and memory, and no value.
    record : callable, optional
        Given the work of a band, returns what does it again, without doing it. Most steps do the
        same work in the same places, which a device may have recorded at less cost than each of
        its parts.

    Attributes
    ----------
    steps : list of tuple of int
        The input rows ``(start, stop)`` that each call of :meth:`feed` takes, in order; none for
        the last ones, which give what the network's delay has kept back.
    """

    def __init__(
        self,
        plan: StreamPlan,
        height: int,
        width: int,
        band: int,
        record: Callable[[Work], Work] | None = None,
    ) -> None:
        self._layers, self._record = plan.layers, record
        specs, device = plan.values, plan.device
        self._plan, scale = plan, specs[-1].scale // plan.step
        self._height, self._width, self._scale = height, width, scale
        # From here on in steps: rows, or columns, that the network computes together.
        tall, wide, band = (-(-size // plan.step) for size in (height, width, band))
        self._values: list[_Value] = []
        for spec in specs:
            parts = [self._values[part] for part in spec.joined]
            value = (
                _Joined(spec, band, tall, wide, parts)
                if parts
                else _Value(spec, band, tall, wide, device)
            )
            self._values.append(value)
        self._used_up = [[self._values[value] for value in used] for used in plan.used_up()]
        count = -(-(tall * specs[-1].scale + specs[-1].lag) // (band * specs[-1].scale))
        starts = [min(height, step * band * plan.step) for step in range(count + 1)]
        self.steps = list(pairwise(starts))
        self._recorded = frozenset(self._steps_to_record() if record and specs[0].kept else ())
        self._again: Work | None = None
        self._step = 0

    @property
    def nbytes(self) -> int:
        """Bytes that are held between steps."""
        return sum(value.nbytes for value in self._values)

    @torch.inference_mode()
    def feed(self, rows: Tensor) -> Tensor:
        """Take the next step's rows of the input, and return the rows of the output then known.

        Parameters
        ----------
        rows : Tensor
            ``(1, channels, n, width)``, where the next of :attr:`steps` has n rows.

        Returns
        -------
        Tensor
            ``(1, channels, m, scale · width)``, those after the rows returned before; m may be 0.
            The next call may overwrite them.
        """
        low, high = self._values[0], self._values[-1]
        for value in self._values:
            value.begin(self._step)
        low.make_room()
        if low.start < low.stop:
            low.put(self._plan.placed(self._whole_steps(rows)))
        if self._record is not None and self._step in self._recorded:
            self._again = self._again or self._record(self._compute_band)
            self._again()
        else:
            self._compute_band()
        self._step += 1
        stop = min(high.stop, self._scale * self._height)
        if high.start < stop:
            return high.rows(high.start, stop)[..., : self._scale * self._width]
        channels = self._plan.values[-1].channels
        return rows.new_empty((1, channels, 0, self._scale * self._width))

    def _whole_steps(self, rows: Tensor) -> Tensor:
        """Return rows of the input with reflections where it ends within a step."""
        low, step = self._values[0], self._plan.step
        if step == 1:
            return rows
        rows = reflected(rows, 0, 0, 0, -self._width % step)
        short = low.stop - low.start - rows.shape[2]
        if not short:
            return rows
        above = min(step - 1, low.start)
        known = torch.cat([low.rows(low.start - above, low.start).to(rows), rows], 2)
        return reflected(known, 0, short, 0, 0)[:, :, above:]

    def _compute_band(self) -> None:
        for layer, value, used_up in zip(
            self._layers, self._values[1:], self._used_up, strict=True
        ):
            value.make_room()
            if value.start < value.stop and not isinstance(value, _Joined):
                _compute(layer, self._values, value)
            for other in used_up:
                other.release()

    def _steps_to_record(self) -> list[int]:
        """Return the steps that do the same work: no border is near any layer. None, if few."""
        steps = range(1, len(self.steps))
        even = [step for step in steps if all(value.is_whole(step) for value in self._values)]
        # The first of them is computed: libraries choose their algorithms.
        return even[1:] if len(even) >= _WORTH_RECORDING else []


def _compute(layer: Layer, values: list[_Value], value: _Value) -> None:
    """Compute a band of a layer's value from the values before it."""
    start, stop = value.start, value.stop
    if isinstance(layer, Convolution):
        value.put(_convolution(layer, values[layer.source], start, stop))
    elif isinstance(layer, PixelShuffle):
        factor = layer.factor
        value.put(
            F.pixel_shuffle(values[layer.source].rows(start // factor, stop // factor), factor)
        )
    elif isinstance(layer, PixelUnshuffle):
        factor = layer.factor
        seen = values[layer.source].rows(start * factor, stop * factor)
        value.put(F.pixel_unshuffle(seen, factor))
    elif isinstance(layer, Interpolate):
        _interpolate(layer, values[layer.source], value)
    elif isinstance(layer, Concat):
        _concat([values[source].rows(start, stop) for source in layer.sources], value)
    elif isinstance(layer, Cast):
        value.put(values[layer.source].rows(start, stop))
    elif isinstance(layer, Add):
        first, second = (values[source].rows(start, stop) for source in layer.sources)
        _written(torch.add(first, second, out=value.room()), value)
    elif isinstance(layer, Multiply):
        first, second = (values[source].rows(start, stop) for source in layer.sources)
        _written(torch.mul(first, second, out=value.room()), value)
    elif layer.slope is not None:
        rows = values[layer.source].rows(start, stop)
        _written(_leaky_relu(rows, layer.slope, value.room()), value)
    else:
        value.put(layer.function(values[layer.source].rows(start, stop), **layer.options))


def _convolution(layer: Convolution, source: _Value, start: int, stop: int) -> Tensor:
    reach, beside = layer.reach
    if layer.border == "zeros":
        return convolved(layer, source.rows(start - reach, stop + reach), (0, beside))
    first, last = max(0, start - reach), min(source.height, stop + reach)
    rows = source.rows(first, last)
    if (first, last) != (start - reach, stop + reach):
        index = reflected_index(start - reach, stop + reach, source.height) - first
        rows = rows.index_select(2, index.to(rows.device))
    return convolved(layer, reflected(rows, 0, 0, beside, beside), (0, 0))


def _interpolate(layer: Interpolate, source: _Value, value: _Value) -> None:
    factor = layer.factor
    first, last = value.start // factor, -(-value.stop // factor)
    # Beyond the image's border interpolation repeats it; elsewhere it sees the rows that are there.
    above, below = max(0, first - layer.reach), min(source.height, last + layer.reach)
    rows = interpolated(source.rows(above, below), factor, layer.mode)
    value.put(rows[:, :, value.start - factor * above : value.stop - factor * above])


def _concat(parts: list[Tensor], value: _Value) -> None:
    room = value.room()
    if room is None:
        value.put(joined(parts, parts[0].dtype))
    else:
        torch.cat([part.to(room.dtype) for part in parts], 1, out=room)


def _leaky_relu(rows: Tensor, slope: float, room: Tensor | None) -> Tensor:
    if room is None:
        return F.leaky_relu(rows, slope)
    written: Tensor = torch.ops.aten.leaky_relu.out(rows, slope, out=room)
    return written


def _written(band: Tensor, value: _Value) -> None:
    """Hand over what was computed, unless it was written into its room already."""
    if value.room() is None:
        value.put(band)
