"""Layers that several families choose from by name: convolutions, activations, units of pixels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_srgan.models.layers.reflection import ReflectedConv2d

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of RGB, as torchvision's models are normalised
IMAGENET_STD = (0.229, 0.224, 0.225)
ACTIVATIONS = ("prelu", "prelu-channel", "relu", "leaky-SLOPE", "silu", "none")
UNITS = ("unit", "signed", "imagenet")


def activation(kind: str, features: int) -> nn.Module:
    """Return an activation by its name.

    Parameters
    ----------
    kind : str
        ``prelu`` has one slope that is learned, ``prelu-channel`` one for each feature map,
        ``leaky-0.2`` the slope 0.2; also ``relu``, ``silu`` (swish) and ``none``.
    features : int
        Feature maps that it is applied to.

    Raises
    ------
    ValueError
        If there is none of this name.
    """
    if kind.startswith("leaky-"):
        return nn.LeakyReLU(float(kind.removeprefix("leaky-")))
    match kind:
        case "prelu":
            return nn.PReLU()
        case "prelu-channel":
            return nn.PReLU(features)
        case "relu":
            return nn.ReLU()
        case "silu":
            return nn.SiLU()
        case "none":
            return nn.Identity()
    raise ValueError(f"an activation is one of {', '.join(ACTIVATIONS)}; got {kind!r}.")


class SeparableConv2d(nn.Module):
    """A convolution of each map alone, and one of all maps pixel by pixel: same size in and out.

    Maps ``(n, inputs, h, w)`` to ``(n, outputs, h, w)``.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, *, bias: bool) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            inputs, inputs, kernel, padding=kernel // 2, groups=inputs, bias=bias
        )
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.pointwise(self.depthwise(x))
        return out


def convolution(
    inputs: int,
    outputs: int,
    kernel: int = 3,
    *,
    bias: bool = True,
    separable: bool = False,
    reflect: bool = False,
) -> nn.Module:
    """Return a convolution that keeps the image's size, with zeros or reflections beyond it."""
    if separable:
        return SeparableConv2d(inputs, outputs, kernel, bias=bias)
    if reflect:
        return ReflectedConv2d(inputs, outputs, kernel, bias=bias)
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias)


class InstanceNorm2d(nn.InstanceNorm2d):
    """Norm by the statistics of the image itself, of any size: a single pixel becomes zero."""

    def forward(self, x: Tensor) -> Tensor:
        if isinstance(x, Tensor) and x.shape[2] * x.shape[3] == 1:  # torch refuses it
            x = x.expand(-1, -1, 1, 2)
            return F.instance_norm(x, None, None, self.weight, self.bias, eps=self.eps)[..., :1]
        return F.instance_norm(x, None, None, self.weight, self.bias, eps=self.eps)


class Units(nn.Module):
    """Pixels in [0, 1] put in other units, and taken back.

    Parameters
    ----------
    units : str
        ``unit``: [0, 1]; ``signed``: [-1, 1]; ``imagenet``: less ImageNet's mean, over its
        standard deviation.
    channels : int
        Of the image.

    Raises
    ------
    ValueError
        If there are no such units, or not for so many channels.
    """

    offset: Tensor
    scale: Tensor

    def __init__(self, units: str, channels: int) -> None:
        super().__init__()
        if units not in UNITS:
            raise ValueError(f"units of pixels are one of {', '.join(UNITS)}; got {units!r}.")
        if units == "imagenet" and channels != 3:
            raise ValueError(f"ImageNet's units are of 3 channels; got {channels}.")
        self.changes = units != "unit"
        offset, scale = {
            "unit": ((0.0,), (1.0,)),
            "signed": ((0.5,), (0.5,)),
            "imagenet": (IMAGENET_MEAN, IMAGENET_STD),
        }[units]
        for name, values in (("offset", offset), ("scale", scale)):
            # On the CPU, whatever device networks are made on: no file brings these.
            constant = torch.tensor(values, dtype=torch.float32, device="cpu")
            self.register_buffer(name, constant.view(1, -1, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.offset) / self.scale if self.changes else x

    def inverse(self, x: Tensor) -> Tensor:
        """Return what is in these units in [0, 1]."""
        return x * self.scale + self.offset if self.changes else x


def enlarged(x: Tensor, scale: int, mode: str) -> Tensor:
    """Return images enlarged by an interpolation: ``nearest``, ``bilinear`` or ``bicubic``."""
    if scale == 1:
        return x
    corners = None if mode == "nearest" else False
    return F.interpolate(x, scale_factor=float(scale), mode=mode, align_corners=corners)
