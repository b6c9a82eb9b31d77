"""One plane of an image and its place in the result: pixels read, normalised and written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from napari_srgan.graph.ops import interpolated
from napari_srgan.inference.images import Array, Layout, fill_transparent
from napari_srgan.inference.transfers import DeviceTransfer
from napari_srgan.inference.values.ranges import ValueRange, dtype_range

_LARGEST = float(torch.finfo(torch.float32).max)
_ALPHA_HALO = 3  # input pixels that bicubic interpolation reaches over, and one to spare


class NotFiniteError(FloatingPointError):
    """The network gave NaN or infinite values."""


@dataclass(frozen=True)
class Normalization:
    """What an image's values are to the network.

    Attributes
    ----------
    values : ValueRange
        What the network sees as 0 and as 1, and the bounds of a result.
    dtype : numpy.dtype
        Of the image and of the result.
    """

    values: ValueRange
    dtype: np.dtype[Any]

    def normalize(self, pixels: Tensor) -> Tensor:
        """Return grey ``(h, w)`` or colour ``(h, w, c)`` pixels as float32 ``(1, c, h, w)``.

        ``values.low`` becomes 0 and ``values.high`` 1; what lies outside stays outside, and becomes
        infinite beyond float32. The pixels are not written to.
        """
        planes = pixels[None] if pixels.ndim == 2 else pixels.movedim(-1, 0)
        unit = planes[None].to(self._exact(), copy=True)
        unit -= self.values.low
        unit /= self.values.width
        return unit.to(torch.float32)

    def denormalize(self, unit: Tensor) -> Tensor:
        """Return floats ``(1, c, h, w)`` as new pixels, ``(h, w)`` if c is 1, else ``(h, w, c)``.

        The inverse of :meth:`normalize`, bounded by the range's limits, and rounded (not truncated)
        where the dtype is an integer's. Multi-byte pixels are in the machine's byte order.
        """
        pixels = unit[0].to(self._exact(), copy=True)
        pixels *= self.values.width
        pixels += self.values.low
        pixels.clamp_(self.values.minimum, self.values.maximum)
        if self.dtype.kind in "ui":
            pixels.round_()
        elif self.dtype.kind == "b":
            pixels = pixels >= 0.5
        pixels = pixels.to(_torch_type(self.dtype))
        return pixels[0] if len(pixels) == 1 else pixels.movedim(0, -1).contiguous()

    def in_units(self, spread: Tensor) -> Tensor:
        """Return a spread ``(1, 1, h, w)`` of what is 1 at white, in the image's units."""
        return spread[0, 0].to(torch.float32) * self.values.width

    def _exact(self) -> torch.dtype:
        """Return the float type in which all values of the dtype, and the range's own, survive."""
        largest = max(abs(self.values.low), abs(self.values.high))
        small = self.dtype.itemsize <= 2 and largest <= 2**16
        return torch.float32 if small else torch.float64


def _torch_type(dtype: np.dtype[Any]) -> torch.dtype:
    return torch.from_numpy(np.empty(0, dtype.newbyteorder("="))).dtype


@dataclass(frozen=True)
class Target:
    """Where upscaled planes are written: an array, which need not be NumPy's.

    Attributes
    ----------
    whole : array
        Of all planes; anything that takes slices.
    """

    whole: Any
    _writing: Lock = field(default_factory=Lock)  # planes may share a chunk of a file

    def write(self, pixels: Array, index: tuple[int, ...], rows: slice, columns: slice) -> None:
        """Write pixels of the plane at an index of the leading axes."""
        with self._writing:
            self.whole[(*index, rows, columns)] = pixels


class Plane:
    """One plane of an image, ``(h, w[, c])``, and where its result goes.

    Parameters
    ----------
    colours : ndarray
        ``(h, w)`` or ``(h, w, 3)``; all finite.
    alpha : ndarray or None
        ``(h, w)``, where there is one: it is interpolated, not given to the network.
    normalization : Normalization
        What the pixels are to the network.
    scale : int
        Upscaling factor.
    target : Target
        Takes what is kept of the result, ``(scale·h, scale·w[, c])``.
    index : tuple of int
        Of the plane among the target's.
    spread : Target, optional
        Takes what a network gives beside the colours, ``(scale·h, scale·w)``: their spread.
    keep : tuple of slice, optional
        Rows and columns of the plane that are written; the target has no others. Default: all.
    """

    def __init__(
        self,
        colours: Array,
        alpha: Array | None,
        normalization: Normalization,
        scale: int,
        target: Target,
        index: tuple[int, ...] = (),
        spread: Target | None = None,
        keep: tuple[slice, slice] | None = None,
    ) -> None:
        self.normalization, self.scale = normalization, scale
        self._colours, self._alpha = colours, alpha
        self._target, self._index, self._spread = target, index, spread
        self._alpha_bounds = None if alpha is None else alpha_bounds(alpha)
        self._beyond = _Beyond.of(colours, normalization.values)
        self.height, self.width = colours.shape[:2]
        rows, columns = keep or (slice(0, self.height), slice(0, self.width))
        self._kept = [(scale * s.start, scale * s.stop) for s in (rows, columns)]

    @classmethod
    def of(
        cls, pixels: Array, layout: Layout, values: ValueRange, scale: int, target: Target,
        index: tuple[int, ...] = (), spread: Target | None = None,
    ) -> Plane:  # fmt: skip
        """Return the plane of pixels as ``layout`` has them, hidden colours filled."""
        normalization = Normalization(values, layout.dtype)
        if layout.channels != 4:
            return cls(pixels, None, normalization, scale, target, index, spread)
        colours, alpha = fill_transparent(pixels), pixels[..., 3]
        return cls(colours, alpha, normalization, scale, target, index, spread)

    @property
    def bounds(self) -> tuple[float, float]:
        """What a result is kept in, black being 0 and white 1."""
        values = self.normalization.values
        low = (values.minimum - values.low) / values.width
        high = (values.maximum - values.low) / values.width
        return max(low, -_LARGEST), min(high, _LARGEST)

    def read(
        self, rows: tuple[int, int], columns: tuple[int, int], transfer: DeviceTransfer
    ) -> Tensor:
        """Return a window for the network: ``(1, c, rows, columns)``, black being 0 and white 1."""
        pixels = self._colours[slice(*rows), slice(*columns)]
        if self._beyond is not None:
            pixels = self._beyond.held_back(pixels)
        return self.normalization.normalize(transfer.send(pixels))

    def fetch(self, high: Tensor, transfer: DeviceTransfer) -> Callable[[], list[Array]]:
        """Start to bring a result ``(1, c, h, w)`` back as pixels; return what waits for them.

        They are the colours, and their spread where that is wanted.

        Raises
        ------
        NotFiniteError
            When waiting, if the result is not finite.
        """
        finite = torch.isfinite(high).all()
        high = high.to(transfer.end)
        if self._spread is None:
            parts = [self.normalization.denormalize(high)]
        else:
            colours, spread = high[:, :-1], high[:, -1:]
            parts = [self.normalization.denormalize(colours), self.normalization.in_units(spread)]
        wait = transfer.fetch(*parts, finite)

        def arrived() -> list[Array]:
            *back, is_finite = wait()
            if not bool(is_finite):
                raise NotFiniteError(
                    "The network gave values that are not finite. Check the image's value range "
                    "(normalize) and the model."
                )
            return [part.numpy() for part in back]

        return arrived

    def write(self, parts: list[Array], rows: tuple[int, int], columns: tuple[int, int]) -> None:
        """Write what :meth:`fetch` brought to where it belongs, colours with their alpha.

        Rows and columns are those of the plane's result; what is not kept is left out.
        """
        kept = [
            (max(start, first), min(stop, last))
            for (start, stop), (first, last) in zip((rows, columns), self._kept, strict=True)
        ]
        if any(start >= stop for start, stop in kept):
            return
        crop = tuple(
            slice(a - b, c - b) for (a, c), (b, _) in zip(kept, (rows, columns), strict=True)
        )
        pixels, *spread = (part[crop] for part in parts)
        if self._beyond is not None:
            pixels = self._beyond.added(pixels, kept[0], kept[1], self.scale)
        if self._alpha is not None:
            alpha = self._alpha_of(self._alpha, kept[0], kept[1])
            pixels = np.concatenate([pixels, alpha[..., np.newaxis]], axis=-1)
        rows_at, columns_at = (
            slice(a - b, c - b) for (a, c), (b, _) in zip(kept, self._kept, strict=True)
        )
        self._target.write(pixels, self._index, rows_at, columns_at)
        if self._spread is not None:
            self._spread.write(spread[0], self._index, rows_at, columns_at)

    def _alpha_of(self, alpha: Array, rows: tuple[int, int], columns: tuple[int, int]) -> Array:
        """Return upscaled alpha, of these rows and columns of the result."""
        window, crop = _window_of(rows, columns, alpha.shape, self.scale)
        return upscaled_alpha(alpha[window], self.scale, self._alpha_bounds)[crop]


class _Beyond:
    """What a plane has beyond the values that a network is given, to be added to its result."""

    def __init__(self, colours: Array, values: ValueRange) -> None:
        self._colours, self._values = colours, values

    @classmethod
    def of(cls, colours: Array, values: ValueRange) -> _Beyond | None:
        """Return what lies beyond; None if nothing does."""
        if not values.sets_apart:
            return None
        within = colours.min() >= values.floor and colours.max() <= values.ceiling
        return None if within else cls(colours, values)

    def held_back(self, pixels: Array) -> Array:
        """Return pixels, at most as far out as the network is given them."""
        kept: Array = np.clip(pixels.astype(np.float64), self._values.floor, self._values.ceiling)
        return kept

    def added(
        self, high: Array, rows: tuple[int, int], columns: tuple[int, int], scale: int
    ) -> Array:
        """Return a part of the result, at these rows and columns, with what was held back.

        It is enlarged by bilinear interpolation, which keeps its mean and overshoots nothing.
        """
        window, crop = _window_of(rows, columns, self._colours.shape, scale)
        pixels = self._colours[window].astype(np.float64)
        excess = pixels - self.held_back(pixels)
        if not excess.any():
            return high
        planes = torch.from_numpy(excess.reshape(*excess.shape[:2], -1)).movedim(-1, 0)[None]
        smooth = interpolated(planes, scale, "bilinear")[0].movedim(0, -1).numpy()
        smooth = smooth.reshape(*smooth.shape[:2], *high.shape[2:])[crop]
        bounds = self._values.minimum, self._values.maximum
        total = np.clip(high.astype(np.float64) + smooth, *bounds)
        total = np.rint(total) if high.dtype.kind in "ui" else total
        result: Array = total.astype(high.dtype)
        return result


def _window_of(
    rows: tuple[int, int], columns: tuple[int, int], shape: tuple[int, ...], scale: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return what of the input a part of the result depends on, and where that part lies in it."""
    row_window, row_crop = _seen(rows, shape[0], scale)
    column_window, column_crop = _seen(columns, shape[1], scale)
    return (row_window, column_window), (row_crop, column_crop)


def _seen(high: tuple[int, int], size: int, scale: int) -> tuple[slice, slice]:
    """Return the same of a stretch along one axis."""
    start = max(0, high[0] // scale - _ALPHA_HALO)
    stop = min(size, -(-high[1] // scale) + _ALPHA_HALO)
    return slice(start, stop), slice(high[0] - scale * start, high[1] - scale * start)


def upscaled_alpha(alpha: Array, scale: int, bounds: tuple[float, float] | None = None) -> Array:
    """Return alpha ``(h, w)`` as ``(scale·h, scale·w)``, by bicubic interpolation.

    Coverage has no texture to reconstruct, and what is constant stays exactly so, in every dtype.

    Parameters
    ----------
    alpha : ndarray
        ``(h, w)``, of any dtype that images have.
    scale : int
        Upscaling factor.
    bounds : tuple of float, optional
        Of the result; as :func:`alpha_bounds` gives them for the whole plane. Default: for this.
    """
    low, high = alpha_bounds(alpha) if bounds is None else bounds
    native = alpha.astype(alpha.dtype.newbyteorder("="))
    # Of large integers the steps from the least: in floating point they would not come back.
    base = native.min() if native.dtype.itemsize > 4 else native.dtype.type(0)
    if native.dtype.kind in "ui" and int(native.max()) - int(base) < _EXACT:
        # Halves come out a little more or less, by where they are in a window: not after this.
        steps = np.rint(np.round(_bicubic((native - base).astype(np.float64), scale), 4))
        limits = np.iinfo(native.dtype)  # and not those of floats, which are rounded inwards
        least, most = int(limits.min) - int(base), int(limits.max) - int(base)
        steps = steps.clip(max(-_EXACT, least), min(_EXACT, most))
        result: Array = base + steps.astype(np.int64).astype(native.dtype)
    else:
        wide = native.astype(np.float64)
        smooth = _bicubic(wide - wide.flat[0], scale) + wide.flat[0]
        result = smooth >= 0.5 if native.dtype.kind == "b" else smooth.clip(low, high)
    return result.astype(alpha.dtype, copy=False)


_EXACT = 2.0**52  # integers up to here are floats


def _bicubic(values: Array, scale: int) -> Array:
    apart = torch.from_numpy(values)[None, None]
    smooth: Array = F.interpolate(apart, scale_factor=scale, mode="bicubic")[0, 0].numpy()
    return smooth


def alpha_bounds(alpha: Array) -> tuple[float, float]:
    """Return what upscaled alpha is kept in: the dtype's range, or that of floats beyond 0 to 1."""
    low, high = dtype_range(alpha.dtype)
    if alpha.dtype.kind != "f":
        return low, high
    return min(low, float(alpha.min())), max(high, float(alpha.max()))
