"""What the rules of normalisation need to know of a plane, from a few looks at its blocks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_srgan.inference.images import check_not_masked
from napari_srgan.inference.values.blocks import Array, Blocks
from napari_srgan.inference.values.rules import Percentiles, Rule
from napari_srgan.inference.values.stray import Values, values_of

if TYPE_CHECKING:
    from napari_srgan.inference.images import Layout

_FAR = 3.0  # times the width of the medians' range: who is further from it is an outlier
_PRECHECKED = 2**16  # pixels of a plane that tell whether there may be outliers in it
SAMPLED = 2**22  # values, about, that percentiles are taken of


@dataclass(frozen=True)
class PlaneExtent:
    """What is known of one plane's values.

    Attributes
    ----------
    low, high : float
        Smallest and largest finite value; infinite the other way round where there is none.
    usual_low, usual_high : float
        For ``auto``, those of all values that are no outliers.
    sample : ndarray
        Finite values of a regular grid, for percentiles; else empty.
    values : Values or None
        For ``auto`` and ``data``, which of them set the range.
    """

    low: float
    high: float
    usual_low: float
    usual_high: float
    sample: Array
    values: Values | None = None


def plane_extent(plane: Any, layout: Layout, rule: Rule) -> PlaneExtent:
    """Return what a rule needs to know of a plane of an image of this layout.

    Parameters
    ----------
    plane : array
        ``(h, w)`` or ``(h, w, 3|4)``; of one on disk
        (:class:`~napari_srgan.inference.values.blocks.StoredPlane`) a block is read at a time.
    layout, rule
        Of the image, and what is asked of it.
    """
    check_not_masked(plane)
    blocks = Blocks(np.asarray(plane) if hasattr(plane, "dask") else plane)
    low, high = _limits(_finite_limits(block) for block in blocks)
    sample = np.empty(0)
    if isinstance(rule, Percentiles):
        step = max(1, math.isqrt(layout.planes * blocks.size // SAMPLED))
        sample = _finite(blocks.sampled(step))
    usual = low, high
    if rule == "auto" and _may_have_outliers(blocks, low, high):
        usual = _usual_limits(blocks)
    looked_at = values_of(blocks, *usual) if rule in ("auto", "data") and low < high else None
    return PlaneExtent(low, high, *usual, sample, looked_at)


def _limits(found: Iterable[tuple[float, float]]) -> tuple[float, float]:
    lows, highs = zip(*found, strict=True)
    return min(lows), max(highs)


def _usual_limits(blocks: Blocks) -> tuple[float, float]:
    """Return the smallest and the largest value of a plane that is no outlier."""
    low, high = _limits(
        _finite_limits(_medians(block)[inner]) for block, inner in blocks.with_border(1)
    )
    far = _FAR * (high - low)
    if not far > 0:
        return _limits(_finite_limits(block) for block in blocks)
    return _limits(_limits_within(block, low - far, high + far) for block in blocks)


def _limits_within(values: Array, floor: float, ceiling: float) -> tuple[float, float]:
    """Return the limits of the values between two; infinite the other way round without any."""
    exact = values.astype(np.float64, copy=False)
    within = (exact >= floor) & (exact <= ceiling)  # NaN is neither
    return (
        float(exact.min(where=within, initial=np.inf)),
        float(exact.max(where=within, initial=-np.inf)),
    )


def _may_have_outliers(blocks: Blocks, low: float, high: float) -> bool:
    """Return whether a plane's ends are far from nearly all of its values: a look at some."""
    if not low < high:
        return False
    height, width = blocks.plane.shape[:2]
    some = _finite(blocks.sampled(max(1, math.isqrt(height * width // _PRECHECKED))))
    if not some.size:
        return True
    with np.errstate(over="ignore"):  # of values that no range is for
        usual_low, usual_high = np.percentile(some, [0.5, 99.5])
        far = _FAR * (usual_high - usual_low)
        return bool(usual_low - low > far or high - usual_high > far)


def _medians(values: Array) -> Array:
    """Return the 3 × 3 medians of a plane, of each channel by itself."""
    from scipy.ndimage import median_filter

    finite = np.isfinite(values) if values.dtype.kind == "f" else None
    if values.dtype == np.float16:
        values = values.astype(np.float32)
    size = (3, 3, 1)[: values.ndim]
    medians: Array = median_filter(values, size, mode="nearest")
    return medians if finite is None else np.where(finite, medians, np.nan)


def _finite(values: Array) -> Array:
    if values.dtype.kind != "f":
        return values.ravel()
    kept: Array = values[np.isfinite(values)]
    return kept


def _finite_limits(values: Array) -> tuple[float, float]:
    if values.dtype.kind != "f":
        low, high = int(values.min()), int(values.max())
        return float(low), float(high)
    finite = np.isfinite(values)
    # Infinities stand in for the masked values: 0-d float64 results, whatever the dtype.
    low_value = np.min(values, where=finite, initial=np.inf)
    high_value = np.max(values, where=finite, initial=-np.inf)
    return float(low_value), float(high_value)
