"""SRResNet as it is built elsewhere: other norms, activations, kernels, paddings and outputs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from napari_srgan.models.generator import Generator, check_sizes
from napari_srgan.models.layers.choices import (
    InstanceNorm2d,
    Units,
    activation,
    convolution,
    enlarged,
)
from napari_srgan.models.layers.options import KEY, encoded_options, options_of
from napari_srgan.models.layers.residual import Residual
from napari_srgan.models.layers.shapes import Shapes
from napari_srgan.models.layers.variant_sizes import factors_of, prime_factors, read_sizes

_CHOICES = {
    "norm": ("batch", "instance", "instance-affine", "none"),
    "trunk": ("norm", "activation", "none"),
    "convolutions": ("plain", "separable", "inverted"),
    "padding": ("zeros", "reflect"),
    "output": ("linear", "tanh", "clamp"),
    "base": ("none", "nearest", "bilinear", "bicubic"),
}
# What no tensor tells, and what it is where nothing else is said.
_OPTIONS: dict[str, int | float | str | bool] = {
    "norm": "none",
    "eps": 1e-5,
    "head_activation": "prelu",
    "block_activation": "prelu",
    "stage_activation": "prelu",
    "hr_activation": "prelu",
    "padding": "zeros",
    "input_units": "unit",
    "output": "linear",
    "output_units": "unit",
    "base": "none",
}


@dataclass(eq=False, kw_only=True, repr=False)
class SRResNetVariant(Generator):
    """SRResNet with the choices that its many implementations made, MSRResNet's among them.

    Maps ``(n, channels, h, w)`` in [0, 1] to ``(n, channels, scale·h, scale·w)`` for any
    ``h, w ≥ 1``. With the defaults it is :class:`napari_srgan.models.srresnet.SRResNet`.

    Parameters
    ----------
    blocks, features, channels : int
        Residual blocks, feature maps of each, channels of the image.
    scale : int
        Upscaling factor.
    stages : str
        Factors of the pixel shuffles, in order: ``"2 2"``. Default: the prime factors of the scale.
    stage_features : int
        Feature maps after each pixel shuffle; 0: as many as before.
    head_kernel, last_kernel : int
        Side of the first convolution's kernel and of the last one's.
    convolutions : {"plain", "separable", "inverted"}
        Separable: each is one of each map alone and one of each pixel alone. Inverted: the two of a
        block are these.
    bias, outer_bias : bool
        Whether the convolutions of blocks and trunk have biases, and whether all others have.
    norm : {"batch", "instance", "instance-affine", "none"}
        Of blocks and trunk. Instance norms are by the statistics of the whole image.
    eps : float
        Of these norms.
    stage_norm : bool
        Whether a batch norm is between a stage's convolution and its pixel shuffle.
    trunk : {"norm", "activation", "none"}
        What follows the convolution after the blocks, where the global skip ends; none: there is
        neither.
    head_activation, block_activation, stage_activation, hr_activation : str
        See :func:`napari_srgan.models.layers.choices.activation`.
    hr : bool
        Whether another convolution follows the last pixel shuffle.
    padding : {"zeros", "reflect"}
        What is beyond the image for all convolutions but those of blocks.
    input_units, output_units : {"unit", "signed", "imagenet"}
        What the first convolution takes, and what comes out after the last one.
    output : {"linear", "tanh", "clamp"}
        What follows the last convolution.
    base : {"none", "nearest", "bilinear", "bicubic"}
        Enlargement of the image that is added to the output, in [0, 1].

    Raises
    ------
    ValueError
        If a size is not positive or a choice is none of those above.
    """

    blocks: int = 16
    features: int = 64
    channels: int = 3
    scale: int = 4
    stages: str = ""
    stage_features: int = 0
    head_kernel: int = 9
    last_kernel: int = 9
    convolutions: str = "plain"
    bias: bool = True
    outer_bias: bool = True
    norm: str = "batch"
    eps: float = 1e-5
    stage_norm: bool = False
    trunk: str = "norm"
    head_activation: str = "prelu"
    block_activation: str = "prelu"
    stage_activation: str = "prelu"
    hr: bool = False
    hr_activation: str = "none"
    padding: str = "zeros"
    input_units: str = "unit"
    output: str = "linear"
    output_units: str = "signed"
    base: str = "none"

    family = "srresnet-variant"

    def __post_init__(self) -> None:
        super().__init__()  # of nn.Module, which keeps what is set already
        self._check()
        self.value_range = (-1.0, 1.0) if self.output_units == "signed" else (0.0, 1.0)
        options = {name: getattr(self, name) for name in _OPTIONS}
        self.register_buffer(KEY, encoded_options(self.family, options))
        self.taken = Units(self.input_units, self.channels)
        # [-1, 1] is left as it is, and said to be so: whoever runs it folds it in.
        given = "unit" if self.output_units == "signed" else self.output_units
        self.given = Units(given, self.channels)
        self._make_body()
        self._make_tail()

    def _make_body(self) -> None:
        """Make everything at low resolution."""
        self.head = self.outer_convolution(self.channels, self.features, self.head_kernel)
        self.head_act = activation(self.head_activation, self.features)
        self.body = nn.Sequential(*(VariantBlock(self) for _ in range(self.blocks)))
        if self.trunk != "none":
            self.trunk_conv = self.inner_convolution()
            as_norm = self.trunk == "norm"
            self.trunk_end = self.inner_norm() if as_norm else activation("prelu", self.features)

    def _make_tail(self) -> None:
        """Make what turns features into pixels."""
        inputs = self.features
        stages = []
        for factor in factors_of(self.stages):
            stages.append(VariantStage(self, inputs, self.stage_features, factor))
            inputs = self.stage_features
        self.upsample = nn.Sequential(*stages)
        if self.hr:
            self.hr_conv = self.outer_convolution(inputs, inputs)
            self.hr_act = activation(self.hr_activation, inputs)
        self.last = self.outer_convolution(inputs, self.channels, self.last_kernel)

    def _check(self) -> None:
        """Check the arguments, and put in what follows from the others."""
        check_sizes(self.blocks, self.features, self.channels, self.scale)
        self.stages = self.stages or " ".join(map(str, prime_factors(self.scale)))
        self.stage_features = self.stage_features or self.features
        if math.prod(factors_of(self.stages)) != self.scale:
            raise ValueError(f"stages {self.stages!r} do not enlarge by the scale {self.scale}.")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"{name} must be one of {', '.join(choices)}; got {getattr(self, name)!r}."
                )
        if self.base != "none" and self.output_units != "unit":
            raise ValueError("The base is added in [0, 1]: output_units must be 'unit'.")

    def outer_convolution(self, inputs: int, outputs: int, kernel: int = 3) -> nn.Module:
        """Return a convolution before the blocks or after the trunk."""
        return convolution(
            inputs,
            outputs,
            kernel,
            bias=self.outer_bias,
            separable=self.convolutions == "separable",
            reflect=self.padding == "reflect",
        )

    def inner_convolution(self, *, in_block: bool = False) -> nn.Module:
        """Return a convolution of a block, or of the trunk."""
        return convolution(
            self.features,
            self.features,
            bias=self.bias,
            separable=self.convolutions == "separable",
            reflect=self.padding == "reflect" and not in_block,
        )

    def inner_norm(self) -> nn.Module:
        """Return what follows such a convolution."""
        match self.norm:
            case "batch":
                return nn.BatchNorm2d(self.features, eps=self.eps)
            case "instance" | "instance-affine":
                affine = self.norm == "instance-affine"
                return InstanceNorm2d(self.features, eps=self.eps, affine=affine)
        return nn.Identity()

    @classmethod
    def sizes_of(cls, state: Mapping[str, Tensor]) -> dict[str, Any] | None:
        """Return the sizes that tensors of this family's names have, or None."""
        options = options_of(state, cls.family, _OPTIONS)
        return None if options is None else options | read_sizes(Shapes(state), options)

    def sizes(self) -> dict[str, Any]:
        """Return the constructor's arguments that give a network like this one."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def forward(self, x: Tensor) -> Tensor:
        y = self.head_act(self.head(self.taken(x)))
        if self.trunk == "none":
            y = self.body(y)
        else:
            y = self.trunk_end(self.trunk_conv(self.body(y))) + y
        y = self.upsample(y)
        if self.hr:
            y = self.hr_act(self.hr_conv(y))
        return self._output(self.last(y), x)

    def _output(self, y: Tensor, x: Tensor) -> Tensor:
        """Return the output for what the last convolution gives of an image."""
        if self.output == "tanh":
            y = torch.tanh(y)
        if self.base != "none":
            y = y + enlarged(x, self.scale, self.base)
        if self.output == "clamp":
            y = y.clamp(*self.value_range)
        return self.given.inverse(y)


class VariantBlock(Residual):
    """Convolution, norm, activation, convolution, norm, and the input added.

    Maps ``(n, features, h, w)`` to the same shape.
    """

    def __init__(self, network: SRResNetVariant) -> None:
        super().__init__()
        features, bias = network.features, network.bias
        self.conv1, self.conv2 = (network.inner_convolution(in_block=True) for _ in range(2))
        if network.convolutions == "inverted":
            self.conv1 = nn.Conv2d(features, features, 3, padding=1, groups=features, bias=bias)
            self.conv2 = nn.Conv2d(features, features, 1, bias=bias)
        self.norm1, self.norm2 = (network.inner_norm() for _ in range(2))
        self.act = activation(network.block_activation, features)

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.norm1(self.conv1(x)))
        out: Tensor = self.norm2(self.conv2(y)) + x
        return out


class VariantStage(nn.Module):
    """Convolution, perhaps a norm, pixel shuffle, activation.

    Maps ``(n, inputs, h, w)`` to ``(n, outputs, factor·h, factor·w)``.
    """

    def __init__(self, network: SRResNetVariant, inputs: int, outputs: int, factor: int) -> None:
        super().__init__()
        self.conv = network.outer_convolution(inputs, outputs * factor**2)
        self.norm = nn.BatchNorm2d(outputs * factor**2) if network.stage_norm else nn.Identity()
        self.shuffle = nn.PixelShuffle(factor)
        self.act = activation(network.stage_activation, outputs)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.act(self.shuffle(self.norm(self.conv(x))))
        return out
