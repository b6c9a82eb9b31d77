"""What an array holds: its layout, its range of values, and pixels that are not values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_srgan.inference.stray import Values, together, values_of, warning_of

Array: TypeAlias = NDArray[Any]
Normalize: TypeAlias = str | tuple[float, float]
_Range = TypeVar("_Range")  # a value range, or one that is yet to be found

COLOUR_CHANNELS = (3, 4)  # RGB and RGBA
# An axis that is at most so long, and so many times shorter than both before it, is no width.
_MOST_CHANNELS, _MUCH_LONGER = 16, 4


@dataclass(frozen=True)
class Layout:
    """How an array is read: independent planes of grey, RGB or RGBA pixels.

    Attributes
    ----------
    leading : tuple of int
        Axes before the plane, such as time and depth.
    height, width : int
        Of a plane, in pixels.
    channels : int
        0 for grey planes without a channel axis, 3 for RGB, 4 for RGBA.
    dtype : numpy.dtype
        Of the array, and of the result.
    channel_axis : int or None
        Which of the leading axes holds channels, each of which has a value range of its own.
    """

    leading: tuple[int, ...]
    height: int
    width: int
    channels: int
    dtype: np.dtype[Any]
    channel_axis: int | None = None

    def channel_of(self, index: tuple[int, ...]) -> int:
        """Return the channel of a plane; 0 where there are none."""
        return 0 if self.channel_axis is None else index[self.channel_axis]

    @property
    def channel_axis_length(self) -> int:
        """Number of channels that have a value range of their own; 1 where there are none."""
        return 1 if self.channel_axis is None else self.leading[self.channel_axis]

    @property
    def planes(self) -> int:
        """Number of planes."""
        return math.prod(self.leading)

    @property
    def pixels(self) -> int:
        """Number of pixels of all planes."""
        return self.planes * self.height * self.width

    def shape(self, scale: int = 1) -> tuple[int, ...]:
        """Return the array's shape, or that of the array upscaled by ``scale``."""
        channels = (self.channels,) if self.channels else ()
        return (*self.leading, scale * self.height, scale * self.width, *channels)

    def indices(self) -> Iterator[tuple[int, ...]]:
        """Yield the index of every plane, last axis fastest."""
        yield from np.ndindex(*self.leading)


def layout_of(
    shape: tuple[int, ...], dtype: Any, rgb: bool | None = None, channel_axis: int | None = None
) -> Layout:
    """Return how an array of this shape and dtype is read.

    Parameters
    ----------
    shape : tuple of int
        ``(…, h, w)`` or ``(…, h, w, 3|4)``.
    dtype : dtype-like
        A boolean, integer or floating type.
    rgb : bool, optional
        Whether the last axis holds colours. Left out, an axis of 3 or 4 after two others does, and
        one that looks like other channels (:func:`ends_in_channels`) is refused.
    channel_axis : int, optional
        Of the array, one of those before the plane; negative ones count from the end.

    Raises
    ------
    TypeError
        If the dtype is none of those.
    ValueError
        If there are fewer than two axes, an axis is empty, the colour axis is not 3 or 4 long, or
        there is no such channel axis.
    """
    dtype = np.dtype(dtype)
    if dtype.kind not in "buif" or dtype.itemsize > 8:
        raise TypeError(
            f"Expected booleans, integers or floats of up to 64 bits; got {dtype}. Convert first."
        )
    if rgb is None:
        rgb = len(shape) >= 3 and shape[-1] in COLOUR_CHANNELS
        if ends_in_channels(shape):
            raise ValueError(
                f"Expected 2-D, RGB or RGBA planes; got shape {shape}, whose last axis is "
                f"{shape[-1]} long. If it holds channels, move it to the front and say "
                "channel_axis=0; say rgb=False if it is the width."
            )
    if rgb and (len(shape) < 3 or shape[-1] not in COLOUR_CHANNELS):
        raise ValueError(f"rgb=True expects shape (…, h, w, 3) or (…, h, w, 4); got {shape}.")
    if len(shape) < 2:
        raise ValueError(f"Expected an image of two axes or more; got shape {shape}.")
    if 0 in shape:
        raise ValueError(f"The image is empty: its shape is {shape}.")
    channels = shape[-1] if rgb else 0
    *leading, height, width = shape[:-1] if rgb else shape
    return Layout(
        tuple(leading), height, width, channels, dtype, _channel_axis(channel_axis, shape, leading)
    )


def check_not_masked(image: Any) -> None:
    """Refuse an array, lazy or not, in which some pixels are masked.

    Raises
    ------
    TypeError
        If it is such an array: what is under a mask is no value, and would be upscaled as one.
    """
    if isinstance(getattr(image, "_meta", image), np.ma.MaskedArray):  # dask's say what they hold
        raise TypeError(
            "Masked pixels have no value. Give them one first: image.filled(value), or "
            "dask.array.ma.filled(image, value)."
        )


def ends_in_channels(shape: tuple[int, ...]) -> bool:
    """Return whether the last axis, without being colours, is too short to be an image's width."""
    if len(shape) < 3 or shape[-1] in COLOUR_CHANNELS:
        return False
    last = shape[-1]
    return last <= 2 or (last <= _MOST_CHANNELS and min(shape[-3:-1]) >= _MUCH_LONGER * last)


def _channel_axis(axis: int | None, shape: tuple[int, ...], leading: Sequence[int]) -> int | None:
    if axis is None:
        return None
    place = axis + len(shape) if axis < 0 else axis
    if not 0 <= place < len(leading):
        raise ValueError(
            f"channel_axis={axis} is not one of the {len(leading)} axes before the plane; "
            f"got shape {shape}."
        )
    return place


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


_FAR = 3.0  # times the width of the medians' range: who is further from it is an outlier
_PRECHECKED = 2**16  # pixels of a plane that tell whether there may be outliers in it
SAMPLED = 2**22  # values, about, that percentiles are taken of


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


def value_ranges(
    image: Array, layout: Layout, normalize: Normalize | ValueRange = "auto"
) -> tuple[ValueRange, ...]:
    """Return the value range of each channel, or the one of all planes where there are none.

    Parameters and errors are those of :func:`value_range`; a range that was worked out before is
    that of all planes.
    """
    if isinstance(normalize, ValueRange):
        return (normalize,)
    rule = rule_for(layout.dtype, normalize)
    if is_fixed(rule):
        return (fixed_range(layout.dtype, rule),)
    found: list[list[PlaneExtent]] = [[] for _ in range(layout.channel_axis_length)]
    for index in layout.indices():
        found[layout.channel_of(index)].append(plane_extent(image[index], layout, rule))
    return tuple(range_of_planes(parts, layout, rule) for parts in found)


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


Rule: TypeAlias = "str | Percentiles | tuple[float, float]"


def rule_for(dtype: np.dtype[Any], normalize: Normalize) -> Rule:
    """Return a normalisation rule in its parsed form, ``auto`` of 8 bits as ``dtype``."""
    rule = parse_normalize(normalize)
    if rule == "auto" and (dtype == np.uint8 or dtype.kind == "b"):
        return "dtype"
    return rule


def is_fixed(rule: Rule) -> bool:
    """Tell a rule that does not look at the image."""
    return rule == "dtype" or isinstance(rule, tuple)


def fixed_range(dtype: np.dtype[Any], rule: Rule) -> ValueRange:
    """Return the value range of a rule that does not look at the image."""
    low, high = rule if isinstance(rule, tuple) else dtype_range(dtype)
    return ValueRange(float(low), float(high), *_storable_range(dtype))


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


def plane_extent(plane: Array, layout: Layout, rule: Rule) -> PlaneExtent:
    """Return what a rule needs to know of a plane of an image of this layout."""
    check_not_masked(plane)
    values = np.asarray(plane)
    values = values[..., :3] if layout.channels == 4 else values
    low, high = _finite_limits(values)
    sample = np.empty(0)
    if isinstance(rule, Percentiles):
        step = max(1, math.isqrt(layout.planes * values.size // SAMPLED))
        sample = _finite(values[::step, ::step])
    usual = low, high
    if rule == "auto" and _may_have_outliers(values, low, high):
        usual = _usual_limits(values)
    looked_at = values_of(values, *usual) if rule in ("auto", "data") and low < high else None
    return PlaneExtent(low, high, *usual, sample, looked_at)


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


def _usual_limits(values: Array) -> tuple[float, float]:
    """Return the smallest and the largest value of a plane that is no outlier."""
    low, high = _finite_limits(_medians(values))
    far = _FAR * (high - low)
    if not far > 0:
        return _finite_limits(values)
    exact = values.astype(np.float64, copy=False)
    usual = (exact >= low - far) & (exact <= high + far)  # NaN is neither
    return float(exact[usual].min()), float(exact[usual].max())


def _may_have_outliers(values: Array, low: float, high: float) -> bool:
    """Return whether a plane's ends are far from nearly all of its values: a look at some."""
    if not low < high:
        return False
    step = max(1, math.isqrt(values.shape[0] * values.shape[1] // _PRECHECKED))
    some = _finite(values[::step, ::step])
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


@dataclass(frozen=True)
class Percentiles:
    """Two percentiles, 0 to 100, ascending."""

    low: float
    high: float


def parse_normalize(normalize: Normalize) -> Rule:
    """Return a normalisation rule in its parsed form.

    ``"auto"``, ``"data"`` and ``"dtype"`` stay; :func:`value_range` has the rest.
    """
    if isinstance(normalize, str) and normalize in ("auto", "data", "dtype"):
        return normalize
    explain = (
        f"normalize must be 'auto', 'data', 'dtype', a pair such as (0, 4095) or percentiles "
        f"such as '0%, 99.9%'; got {normalize!r}."
    )
    try:
        parts = normalize.split(",") if isinstance(normalize, str) else list(normalize)
        texts = [part.strip() if isinstance(part, str) else part for part in parts]
        as_percent = [isinstance(text, str) and text.endswith("%") for text in texts]
        low, high = (float(t[:-1] if isinstance(t, str) and t.endswith("%") else t) for t in texts)
    except (TypeError, ValueError) as error:
        raise ValueError(explain) from error
    if as_percent[0] != as_percent[1] or not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(explain)
    if low >= high or (as_percent[0] and not 0 <= low < high <= 100):
        raise ValueError(
            "normalize needs its first value below its second, percentiles between 0% and 100%; "
            f"got {normalize!r}."
        )
    return Percentiles(low, high) if as_percent[0] else (low, high)


def _finite_limits(values: Array) -> tuple[float, float]:
    if values.dtype.kind != "f":
        low, high = int(values.min()), int(values.max())
        return float(low), float(high)
    finite = np.isfinite(values)
    # Infinities stand in for the masked values: 0-d float64 results, whatever the dtype.
    low_value = np.min(values, where=finite, initial=np.inf)
    high_value = np.max(values, where=finite, initial=-np.inf)
    return float(low_value), float(high_value)


def _percentiles(values: Array, rule: Percentiles) -> tuple[float, float]:
    low, high = np.percentile(values.astype(np.float64), [rule.low, rule.high])
    if low == high:
        raise ValueError(
            f"The percentiles {rule.low:g}% and {rule.high:g}% of this image are both {low:g}. "
            "Choose them further apart, or give two values."
        )
    return float(low), float(high)


def count_not_finite(image: Array, layout: Layout) -> tuple[int, int]:
    """Return how many values are NaN and how many are infinite, plane by plane in little memory."""
    if layout.dtype.kind != "f":
        return 0, 0
    nan = infinite = 0
    for index in layout.indices():
        plane = image[index]
        nan += int(np.count_nonzero(np.isnan(plane)))
        infinite += int(np.count_nonzero(np.isinf(plane)))
    return nan, infinite


def fill_from_nearest(pixels: Array, valid: NDArray[np.bool_]) -> Array:
    """Return pixels ``(h, w[, c])``, each that is not valid replaced by the nearest that is.

    Where nothing is valid, everything becomes 0.
    """
    if valid.all():
        return pixels
    if not valid.any():
        return np.zeros_like(pixels)
    from scipy.ndimage import distance_transform_edt

    rows, columns = distance_transform_edt(~valid, return_distances=False, return_indices=True)
    filled: Array = pixels[rows, columns]
    return filled


def fill_not_finite(plane: Array) -> Array:
    """Return a plane with each NaN or infinite pixel replaced by the nearest finite one."""
    pixels = plane[..., np.newaxis] if plane.ndim == 2 else plane
    return fill_from_nearest(plane, np.all(np.isfinite(pixels), axis=-1))


def fill_transparent(plane: Array) -> Array:
    """Return RGBA ``(h, w, 4)`` as RGB, hidden colours replaced by the nearest visible one.

    What lies under alpha 0 is often black. A network that sees it draws dark halos along the
    border of what is visible.
    """
    return fill_from_nearest(plane[..., :3], plane[..., 3] > 0)
