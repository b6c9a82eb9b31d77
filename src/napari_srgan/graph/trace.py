"""Trace a network to a list of layers: run its ``forward`` once on a stand-in for an image."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_srgan.graph.ops import (
    Add,
    Concat,
    Convolution,
    Interpolate,
    Layer,
    Layers,
    NotStreamableError,
    PixelShuffle,
    PixelUnshuffle,
    Pointwise,
)
from napari_srgan.models.layers.reflection import convolve_reflected
from napari_srgan.models.layers.unshuffle import cropped, unshuffled
from napari_srgan.models.subpixel import convolve_before_shuffle


def trace(network: nn.Module) -> Layers:
    """Return the layers of a network in evaluation mode, in the order they are computed.

    Understood, in any arrangement: convolutions that keep the image's size by zeros or by
    :func:`~napari_srgan.models.layers.reflection.convolve_reflected`, activations, batch
    norms, sums, constants added and multiplied, pixel shuffles, concatenations of channels,
    enlargement by nearest, bilinear and bicubic interpolation, clamping. The last layer's value is
    the output.

    ``forward`` is run once, on something that computes nothing and keeps account of what would be.
    Other threads may run networks, this one too, meanwhile; ``torch.fx`` does not allow that.

    Raises
    ------
    NotStreamableError
        If there is anything else in it.
    """
    for name, module in network.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training:
            raise NotStreamableError(f"The network's {name} is in training mode.")
    reader = _Reader()
    try:
        with torch.no_grad():
            output = network(_Value(reader, 0))
    except TypeError as error:
        raise NotStreamableError(f"The network's forward cannot be read: {error}") from error
    if not isinstance(output, _Value) or output.place != len(reader.layers):
        raise NotStreamableError("The network's output is not what it computes last.")
    return tuple(reader.layers)


class _Value:
    """Stands for a tensor ``(n, c, h, w)`` while ``forward`` runs: it knows where it came from.

    Attributes
    ----------
    place : int
        0 for the network's input, ``i`` for the result of layer ``i - 1``.
    """

    def __init__(self, reader: _Reader, place: int) -> None:
        self._reader, self.place = reader, place

    @classmethod
    def __torch_function__(
        cls,
        function: Callable[..., Any],
        _types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> _Value:
        first = args[0] if args else None
        value = first[0] if isinstance(first, (list, tuple)) and first else first
        if not isinstance(value, cls):
            turned = _COMMUTES.get(function)
            if turned is None or len(args) < 2 or not isinstance(args[1], cls):
                raise NotStreamableError(f"The network's {_named(function)} takes a value late.")
            return args[1]._reader.take(turned, (args[1], first), {})
        return value._reader.take(function, args, kwargs or {})

    def __add__(self, other: _Value | Tensor | float) -> _Value:
        return self._reader.take(torch.add, (self, other), {})

    __radd__ = add = __add__

    def __mul__(self, other: Tensor | float) -> _Value:
        return self._reader.take(torch.mul, (self, other), {})

    __rmul__ = mul = __mul__

    def __sub__(self, other: Tensor | float) -> _Value:
        return self._reader.take(torch.sub, (self, other), {})

    sub = __sub__

    def __rsub__(self, other: Tensor | float) -> _Value:
        return self * -1.0 + other

    def __neg__(self) -> _Value:
        return self * -1.0

    def __truediv__(self, other: Tensor | float) -> _Value:
        return self._reader.take(torch.div, (self, other), {})

    div = __truediv__

    def __iadd__(self, other: _Value | Tensor | float) -> _Value:
        return self._become(self + other)

    add_ = __iadd__

    def __imul__(self, other: Tensor | float) -> _Value:
        return self._become(self * other)

    mul_ = __imul__

    def __isub__(self, other: Tensor | float) -> _Value:
        return self._become(self - other)

    sub_ = __isub__

    def clamp(self, min: float | None = None, max: float | None = None) -> _Value:  # noqa: A002
        return self._reader.clamp(self, min, max)

    def contiguous(self) -> _Value:
        return self

    def _become(self, other: _Value) -> _Value:
        self.place = other.place  # under all names that it has
        return self

    def __getattr__(self, name: str) -> Any:
        raise NotStreamableError(f"The network asks for the {name} of a value.")

    def dim(self) -> int:
        return 4


class _Reader:
    """Writes down what is computed; its methods take what torch's functions take."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []

    def take(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> _Value:
        """Return what stands for the result of a function."""
        if function not in _READ_BY:
            raise NotStreamableError(f"The network's {_named(function)} is not understood.")
        return _READ_BY[function](self, *args, **kwargs)

    def _add(self, layer: Layer) -> _Value:
        self.layers.append(layer)
        return _Value(self, len(self.layers))

    def convolution(
        self,
        x: _Value,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: int | Sequence[int] = 1,
        padding: str | int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
    ) -> _Value:
        steps = _pair(dilation)
        extents = [d * (k - 1) for d, k in zip(steps, weight.shape[2:], strict=True)]
        same = padding == "same" or (
            not isinstance(padding, str) and [2 * p for p in _pair(padding)] == extents
        )
        if _pair(stride) != (1, 1) or not same:
            raise NotStreamableError(
                "The network has a convolution that does not keep the image's size by zeros."
            )
        if any(extent % 2 for extent in extents):
            raise NotStreamableError("The network has a kernel of even size.")
        reach = (extents[0] // 2, extents[1] // 2)
        return self._add(Convolution(x.place, weight, bias, reach, steps, groups))

    def reflected_convolution(self, x: _Value, weight: Tensor, bias: Tensor | None) -> _Value:
        reach = (weight.shape[2] // 2, weight.shape[3] // 2)
        return self._add(Convolution(x.place, weight, bias, reach, border="reflect"))

    def add(self, x: _Value, other: Any, *, alpha: float = 1) -> _Value:
        if isinstance(other, _Value):
            if alpha != 1:
                other = self.mul(other, alpha)
            return self._add(Add((x.place, other.place)))
        return self._constant(x, torch.add, _times(other, alpha))

    def sub(self, x: _Value, other: Any, *, alpha: float = 1) -> _Value:
        if isinstance(other, _Value):
            return self.add(x, other, alpha=-alpha)
        return self._constant(x, torch.sub, _times(other, alpha))

    def mul(self, x: _Value, other: Any) -> _Value:
        return self._constant(x, torch.mul, other)

    def div(self, x: _Value, other: Any) -> _Value:
        return self._constant(x, torch.div, other)

    def _constant(self, x: _Value, function: Callable[..., Tensor], other: Any) -> _Value:
        """Write down a constant that is put to every pixel, one for all channels or one each."""
        if isinstance(other, _Value):
            raise NotStreamableError(
                f"The network's {_named(function)} puts two of its values together."
            )
        if isinstance(other, Tensor):
            spatial = other.shape[-2:] if other.ndim >= 3 else other.shape
            if any(size != 1 for size in spatial) or (other.ndim == 4 and len(other) != 1):
                raise NotStreamableError(
                    f"The network's {_named(function)} takes a constant that differs from pixel to "
                    "pixel."
                )
        return self._pointwise(x, function, {"other": other})

    def clamp(
        self,
        x: _Value,
        min: float | None = None,  # noqa: A002  # as torch names them
        max: float | None = None,  # noqa: A002
    ) -> _Value:
        return self._pointwise(x, torch.clamp, {"min": min, "max": max})

    def concat(self, parts: Sequence[_Value], dim: int = 0) -> _Value:
        if dim not in (1, -3):
            raise NotStreamableError("The network joins other things than channels.")
        if not all(isinstance(part, _Value) for part in parts):
            raise NotStreamableError("The network joins other things than its values.")
        if len(parts) == 1:
            return parts[0]
        return self._add(Concat(tuple(part.place for part in parts)))

    def shuffle(self, x: _Value, upscale_factor: int) -> _Value:
        return self._add(PixelShuffle(x.place, upscale_factor))

    def shuffle_and_convolve(
        self, x: _Value, weight: Tensor, bias: Tensor | None, factor: int
    ) -> _Value:
        """Write down both as the paper draws them, whatever the order they are computed in."""
        return self.convolution(self.shuffle(x, factor), weight, bias, padding="same")

    def unshuffle(self, x: _Value, factor: int) -> _Value:
        if x.place != 0:
            raise NotStreamableError("The network unshuffles something else than its input.")
        return self._add(PixelUnshuffle(x.place, factor))

    def cropped(self, y: _Value, x: _Value, scale: int) -> _Value:  # noqa: ARG002
        """Write down nothing: whoever runs the layers crops to their input."""
        if x.place != 0:
            raise NotStreamableError("The network crops to something else than its input.")
        return y

    def interpolate(
        self,
        x: _Value,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
        antialias: bool = False,
    ) -> _Value:
        otherwise = align_corners or recompute_scale_factor or antialias
        known = size is None and mode in ("nearest", "bilinear", "bicubic") and not otherwise
        down, across = _pair(scale_factor) if known else (None, None)
        if down is None or down != across or down != int(down):
            raise NotStreamableError(
                "The network enlarges in another way than by a whole factor, nearest, bilinear or "
                "bicubic with align_corners=False."
            )
        return self._add(Interpolate(x.place, int(down), mode))  # type: ignore[arg-type]

    def relu(self, x: _Value, inplace: bool = False) -> _Value:
        return self._pointwise(x, F.relu, {}, 0.0, inplace=inplace)

    def leaky_relu(self, x: _Value, negative_slope: float = 0.01, inplace: bool = False) -> _Value:
        options = {"negative_slope": negative_slope}
        return self._pointwise(x, F.leaky_relu, options, float(negative_slope), inplace=inplace)

    def prelu(self, x: _Value, weight: Tensor) -> _Value:
        slope = float(weight) if weight.numel() == 1 else None
        return self._pointwise(x, F.prelu, {"weight": weight}, slope)

    def batch_norm(
        self,
        x: _Value,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,  # noqa: ARG002  # for training
        eps: float = 1e-5,
    ) -> _Value:
        if training:
            raise NotStreamableError("The network has a batch norm by the image's own statistics.")
        options = {"running_mean": running_mean, "running_var": running_var,
                   "weight": weight, "bias": bias, "eps": eps}  # fmt: skip
        return self._pointwise(x, F.batch_norm, options)

    def instance_norm(self, *_args: Any, **_options: Any) -> _Value:
        raise NotStreamableError(
            "The network normalises by statistics of the whole image (instance norm)."
        )

    def elu(self, x: _Value, alpha: float = 1.0, inplace: bool = False) -> _Value:
        return self._pointwise(x, F.elu, {"alpha": alpha}, inplace=inplace)

    def gelu(self, x: _Value, *, approximate: str = "none") -> _Value:
        return self._pointwise(x, F.gelu, {"approximate": approximate})

    def silu(self, x: _Value, inplace: bool = False) -> _Value:
        return self._pointwise(x, F.silu, {}, inplace=inplace)

    def sigmoid(self, x: _Value) -> _Value:
        return self._pointwise(x, torch.sigmoid, {})

    def tanh(self, x: _Value) -> _Value:
        return self._pointwise(x, torch.tanh, {})

    def _pointwise(
        self,
        x: _Value,
        function: Callable[..., Tensor],
        options: Mapping[str, Any],
        slope: float | None = None,
        *,
        inplace: bool = False,
    ) -> _Value:
        result = self._add(Pointwise(x.place, function, options, slope))
        if not inplace:
            return result
        x.place = result.place  # under all names that it has
        return x


_READ_BY: Mapping[Callable[..., Any], Callable[..., _Value]] = {
    F.conv2d: _Reader.convolution,
    convolve_before_shuffle: _Reader.shuffle_and_convolve,
    convolve_reflected: _Reader.reflected_convolution,
    torch.add: _Reader.add,
    torch.sub: _Reader.sub,
    torch.mul: _Reader.mul,
    torch.div: _Reader.div,
    torch.clamp: _Reader.clamp,
    torch.cat: _Reader.concat,
    F.pixel_shuffle: _Reader.shuffle,
    unshuffled: _Reader.unshuffle,
    cropped: _Reader.cropped,
    F.interpolate: _Reader.interpolate,
    F.relu: _Reader.relu,
    torch.relu: _Reader.relu,
    F.leaky_relu: _Reader.leaky_relu,
    F.prelu: _Reader.prelu,
    F.batch_norm: _Reader.batch_norm,
    F.instance_norm: _Reader.instance_norm,
    F.elu: _Reader.elu,
    F.gelu: _Reader.gelu,
    F.silu: _Reader.silu,
    torch.sigmoid: _Reader.sigmoid,
    torch.tanh: _Reader.tanh,
}

# What a tensor before a value is asked to do with it, as the value would be asked.
_COMMUTES: Mapping[Callable[..., Any], Callable[..., Any]] = {
    torch.add: torch.add,
    torch.Tensor.add: torch.add,
    torch.Tensor.__add__: torch.add,
    torch.mul: torch.mul,
    torch.Tensor.mul: torch.mul,
    torch.Tensor.__mul__: torch.mul,
}


def _times(constant: Any, factor: float) -> Any:
    return constant if factor == 1 else constant * factor


def _pair(value: Any) -> tuple[Any, Any]:
    """Return what holds for rows and for columns, given for both at once or one by one."""
    one = not isinstance(value, (list, tuple))
    return (value, value) if one else (value[0], value[-1])


def _named(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", function))
