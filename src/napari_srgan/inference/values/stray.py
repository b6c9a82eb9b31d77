"""Values that alone set the range of an image, and are perhaps none: codes of "no data"."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_srgan.inference.values.blocks import Blocks

_FAR = 3.0  # times the width of all others: who is further from them is far
_FEW = 1e-4  # of all values: fewer that are far are told, whatever they are
# What stands for "no data" is one value, of any number of pixels, unlike all others: negative where
# they are not, or this many times their width away.
_VERY_FAR = 100.0
_SAMPLED = 2**16  # values of a plane that tell whether its ends are far


@dataclass(frozen=True)
class Values:
    """What is known of the values of a block, of a plane or of several.

    Attributes
    ----------
    low, high : float
        The smallest and the largest.
    rest_low, rest_high : float
        Those of the values that are not far from most.
    below, above : int
        How many are far.
    count : int
        How many values there are.
    one_below, one_above : bool
        Whether all that are far have one value.
    """

    low: float
    high: float
    rest_low: float
    rest_high: float
    below: int
    above: int
    count: int
    one_below: bool
    one_above: bool


def values_of(blocks: Blocks, low: float, high: float) -> Values:
    """Return what is known of finite values between these two, the ends of the range they set."""
    some = blocks.sampled(max(1, math.isqrt(blocks.size // _SAMPLED))).astype(np.float64)
    some = some[(some > low) & (some < high)]  # NaN and what was set apart are not
    floor, ceiling = low, high
    if some.size:
        usual = np.percentile(some, [0.5, 99.5])
        far = _FAR * float(usual[1] - usual[0])
        floor, ceiling = max(low, float(usual[0]) - far), min(high, float(usual[1]) + far)
    if (floor, ceiling) == (low, high):
        return Values(low, high, low, high, 0, 0, blocks.size, False, False)
    return together(_of_block(block, (low, high), (floor, ceiling)) for block in blocks)


def _of_block(values: NDArray[Any], ends: tuple[float, float], near: tuple[float, float]) -> Values:
    """Return what is known of some of the values: how many are beyond those that are near."""
    (low, high), (floor, ceiling) = ends, near
    exact = values.astype(np.float64, copy=False)
    below, above = (exact >= low) & (exact < floor), (exact <= high) & (exact > ceiling)
    rest = (exact >= floor) & (exact <= ceiling)
    return Values(
        low,
        high,
        float(exact.min(where=rest, initial=np.inf)),
        float(exact.max(where=rest, initial=-np.inf)),
        int(below.sum()),
        int(above.sum()),
        values.size,
        bool((exact[below] == low).all()),
        bool((exact[above] == high).all()),
    )


def together(parts: Iterable[Values]) -> Values:
    """Return what is known of the values of several, of which there is one at least."""
    known = list(parts)
    low, high = min(one.low for one in known), max(one.high for one in known)
    return Values(
        low,
        high,
        min(one.rest_low for one in known),
        max(one.rest_high for one in known),
        sum(one.below for one in known),
        sum(one.above for one in known),
        sum(one.count for one in known),
        all(one.one_below and one.low == low for one in known if one.below),
        all(one.one_above and one.high == high for one in known if one.above),
    )


def warning_of(values: Values) -> str:
    """Return what a person should know of values that set black or white alone, or nothing."""
    width = values.rest_high - values.rest_low
    ends = (
        ("black", values.low, values.rest_low - values.low, values.below, values.one_below),
        ("white", values.high, values.high - values.rest_high, values.above, values.one_above),
    )
    told = []
    for name, end, distance, pixels, is_one in ends:
        share = pixels / values.count
        unlike = end < 0 <= values.rest_low or distance > _VERY_FAR * width
        if distance > _FAR * width > 0 and (share < _FEW or (is_one and unlike)):
            told.append(f"{name} is {end:g}, for {_percent(share)} of the pixels")
    if not told:
        return ""
    return (
        f"{' and '.join(told).capitalize()}, while all others lie between {values.rest_low:g} and "
        f"{values.rest_high:g} and will have little contrast. If these are no data, make them NaN "
        "and say nan='fill'; else give normalize two values, or percentiles."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"
