"""Value ranges: what the network sees as black and white, found by a rule."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from napari_srgan.inference.images import Layout
from napari_srgan.inference.values.blocks import Array, plane_of
from napari_srgan.inference.values.extent import PlaneExtent, plane_extent
from napari_srgan.inference.values.rules import (
    Normalize,
    Percentiles,
    Rule,
    is_fixed,
    rule_for,
)
from napari_srgan.inference.values.stray import together, warning_of

_Range = TypeVar("_Range")  # a value range, or one that is yet to be found


@dataclass(frozen=True)
class ValueRange:
    """The values that the network sees as 0 and as 1, and the bounds that a result is kept in.

    Attributes
    ----------
    low, high : float
        Black and white.
    minimum, maximum : float
        Bounds of the result.
    floor, ceiling : float
        The least and the largest value that the network is given. What an image has beyond them is
        interpolated linearly and added to what the network makes of the rest.
    warning : str
        What a person should know of the values that set black and white. Mostly empty.
    """

    low: float
    high: float
    minimum: float
    maximum: float
    floor: float = -math.inf
    ceiling: float = math.inf
    warning: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not math.isfinite(self.high - self.low):
            raise ValueError(
                f"The range {self.low:g} … {self.high:g} is too wide for floating point. "
                "Rescale the image, or give normalize a pair of values."
            )

    @property
    def width(self) -> float:
        """Distance from 0 to 1; 1 where all values are one."""
        return self.high - self.low if self.high > self.low else 1.0

    def widened(self, dtype: np.dtype[Any]) -> ValueRange:
        """Return the same range, results bounded by what a dtype can hold and by nothing else."""
        minimum, maximum = _storable_range(dtype)
        return replace(self, minimum=minimum, maximum=maximum)

    @property
    def sets_apart(self) -> bool:
        """Whether there are values that the network is not given."""
        return math.isfinite(self.floor) or math.isfinite(self.ceiling)


def dtype_range(dtype: np.dtype[Any]) -> tuple[float, float]:
    """Return the range of a dtype: an integer's limits, and 0 to 1 for booleans and floats.

    The limits of a 64-bit integer are rounded inwards, to values that a float64 can hold.
    """
    if dtype.kind not in "ui":
        return 0.0, 1.0
    info = np.iinfo(dtype)
    high = float(info.max)
    return float(info.min), high if int(high) <= info.max else float(np.nextafter(high, 0))


def _storable_range(dtype: np.dtype[Any]) -> tuple[float, float]:
    if dtype.kind == "f":
        return float(np.finfo(dtype).min), float(np.finfo(dtype).max)
    return dtype_range(dtype)


def value_range(image: Array, layout: Layout, normalize: Normalize = "auto") -> ValueRange:
    """Return the value range that a rule gives for an image, shared by all its planes.

    Parameters
    ----------
    image : ndarray
        As ``layout`` describes it; any array that gives planes. Alpha, NaN and infinite values do
        not count.
    layout : Layout
        Of the image.
    normalize : str or tuple of float
        ``"auto"``: uint8 and bool by their dtype, everything else by its own smallest and largest
        value, outliers set apart. ``"data"``: always by smallest and largest. ``"dtype"``: the
        integer's limits, 0 to 1 for floats. ``(low, high)`` or ``"low, high"``: those values.
        ``"0%, 99.9%"``: those percentiles, of a regular sample where there are more than four
        million values. A result by smallest and largest value stays between them; any other rule
        bounds it by what the dtype can hold.

    Raises
    ------
    ValueError
        If the rule is none of these, its values are not finite or not ascending, or the image has
        no finite value to take a range from.

    Notes
    -----
    Outliers are pixels that lie far beyond a plane's 3 × 3 medians, as hot and dead pixels of a
    camera do: by more than three times the width of the medians' range. Black and white are then
    the ends of all other values. An outlier is not given to the network, which would spread it over
    everything in sight, and stays in the result all the same (:class:`ValueRange`).
    """
    return value_ranges(image, replace(layout, channel_axis=None), normalize)[0]


@dataclass(frozen=True)
class ChannelRanges:
    """Value ranges that were worked out before, one for each channel."""

    channels: tuple[ValueRange, ...]


def value_ranges(
    image: Array, layout: Layout, normalize: Normalize | ValueRange | ChannelRanges = "auto"
) -> tuple[ValueRange, ...]:
    """Return the value range of each channel, or the one of all planes where there are none.

    Parameters and errors are those of :func:`value_range`; a range that was worked out before is
    that of all planes, and :class:`ChannelRanges` are those of the channels.
    """
    if isinstance(normalize, ValueRange):
        return (normalize,)
    if isinstance(normalize, ChannelRanges):
        if len(normalize.channels) != layout.channel_axis_length:
            raise ValueError(
                f"There are {len(normalize.channels)} value ranges for "
                f"{layout.channel_axis_length} channels."
            )
        return normalize.channels
    rule = rule_for(layout.dtype, normalize)
    if is_fixed(rule):
        return (fixed_range(layout.dtype, rule),)
    found: list[list[PlaneExtent]] = [[] for _ in range(layout.channel_axis_length)]
    for channel, extent in iter_extents(image, layout, rule):
        found[channel].append(extent)
    return tuple(range_of_planes(parts, layout, rule) for parts in found)


def iter_extents(
    image: Any, layout: Layout, rule: Rule, channel: int | None = None
) -> Iterator[tuple[int, PlaneExtent]]:
    """Yield each plane's channel and what a rule has to know of it; of one channel, if given."""
    for index in layout.indices():
        own = layout.channel_of(index)
        if channel is None or own == channel:
            yield own, plane_extent(plane_of(image, index), layout, rule)


def range_of_planes(parts: Sequence[PlaneExtent], layout: Layout, rule: Rule) -> ValueRange:
    """Return the range that planes share: those of a channel, or all where there are none.

    Where there are none and some planes use little of it, its warning says so: those may be
    channels, of which nobody has told. Errors are those of :func:`range_of`.
    """
    shared = range_of(parts, layout.dtype, rule)
    if layout.channel_axis is not None or not layout.leading:
        return shared
    word = _word_on_channels(parts, layout, shared.width)
    return replace(shared, warning=" ".join(filter(None, (shared.warning, word))))


_NARROW = 1 / 8  # of a shared range: of less, a network makes less than interpolation does
_MOST_CHANNELS = 16  # longer axes are time or depth


def _word_on_channels(parts: Sequence[PlaneExtent], layout: Layout, width: float) -> str:
    """Return what a person should know of an axis whose planes may be channels, or nothing."""
    lows, highs = (
        np.array([getattr(part, name) for part in parts]).reshape(layout.leading)
        for name in ("usual_low", "usual_high")
    )
    for axis, length in enumerate(layout.leading):
        if not 2 <= length <= _MOST_CHANNELS:
            continue
        others = tuple(other for other in range(len(layout.leading)) if other != axis)
        shares = (highs.max(others) - lows.min(others)) / width
        shares[~(shares > 0)] = 1  # of one value, or of none
        plane, least = int(shares.argmin()), float(shares.min())
        if least < _NARROW:
            return (
                f"Plane {plane} along axis {axis} uses {100 * least:.2g} % of the range from black "
                "to white that all share, and will show less detail than alone. If that axis holds "
                f"channels, say channel_axis={axis} (of a layer: label the axis c)."
            )
    return ""


def range_for(ranges: Sequence[_Range], layout: Layout, index: tuple[int, ...]) -> _Range:
    """Return which of a layout's value ranges, one or one for each channel, is that of a plane."""
    return ranges[layout.channel_of(index) if len(ranges) > 1 else 0]


def fixed_range(dtype: np.dtype[Any], rule: Rule) -> ValueRange:
    """Return the value range of a rule that does not look at the image."""
    low, high = rule if isinstance(rule, tuple) else dtype_range(dtype)
    return ValueRange(float(low), float(high), *_storable_range(dtype))


def range_of(parts: Sequence[PlaneExtent], dtype: np.dtype[Any], rule: Rule) -> ValueRange:
    """Return the range that planes share, by a rule that looks at them.

    Raises
    ------
    ValueError
        If there is no finite value, or the percentiles fall together.
    """
    low, high = min(part.low for part in parts), max(part.high for part in parts)
    if low > high:
        kind = "percentiles" if isinstance(rule, Percentiles) else "a range"
        raise ValueError(f"The image has no finite value to take {kind} from.")
    smallest, largest = _storable_range(dtype)
    low, high = max(low, smallest), min(high, largest)
    if isinstance(rule, Percentiles):
        black, white = _percentiles(np.concatenate([part.sample for part in parts]), rule)
        return ValueRange(black, white, smallest, largest, black, white)
    known = [part.values for part in parts if part.values is not None]
    warning = warning_of(together(known)) if known else ""
    if rule == "data":
        return ValueRange(low, high, low, high, warning=warning)
    usual_low, usual_high = (
        min(part.usual_low for part in parts),
        max(part.usual_high for part in parts),
    )
    return replace(_without_outliers(low, high, usual_low, usual_high), warning=warning)


def _without_outliers(low: float, high: float, usual_low: float, usual_high: float) -> ValueRange:
    """Return the range of an image's usual values, others being set apart."""
    if not usual_low < usual_high:
        return ValueRange(low, high, low, high)
    floor = usual_low if usual_low > low else -math.inf
    ceiling = usual_high if usual_high < high else math.inf
    return ValueRange(usual_low, usual_high, low, high, floor, ceiling)


def _percentiles(values: Array, rule: Percentiles) -> tuple[float, float]:
    low, high = np.percentile(values.astype(np.float64), [rule.low, rule.high])
    if low == high:
        raise ValueError(
            f"The percentiles {rule.low:g}% and {rule.high:g}% of this image are both {low:g}. "
            "Choose them further apart, or give two values."
        )
    return float(low), float(high)
