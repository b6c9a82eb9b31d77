"""SRResNet, the generator of SRGAN (Ledig et al. 2017, arXiv:1609.04802v5, §2.1.1 and Fig. 4)."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from napari_srgan.models.generator import Generator, check_sizes
from napari_srgan.models.layers.residual import Residual
from napari_srgan.models.subpixel import convolve_before_shuffle

BLOCKS = 16  # §3.2: "16 identical (B = 16) residual blocks"
FEATURES = 64  # Fig. 4: n64
SCALE = 4  # §3.1: r = 4
OUTER_KERNEL = 9  # Fig. 4: the first and the last convolution are k9
INNER_KERNEL = 3  # Fig. 4: every other one is k3
NORM_EPSILON = 1e-5  # not in the paper: PyTorch's own

_STAGES = {2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)}  # pixel-shuffle factors, in order


def _convolution(inputs: int, outputs: int, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)


def _norm(features: int, batch_norm: bool) -> nn.Module:
    return nn.BatchNorm2d(features, eps=NORM_EPSILON) if batch_norm else nn.Identity()


class ResidualBlock(Residual):
    """Convolution, norm, PReLU, convolution, norm, and the input added: Fig. 4's residual block.

    Maps ``(n, features, h, w)`` to the same shape.
    """

    def __init__(self, features: int, batch_norm: bool) -> None:
        super().__init__()
        self.conv1 = _convolution(features, features, INNER_KERNEL)
        self.norm1 = _norm(features, batch_norm)
        self.act = nn.PReLU()
        self.conv2 = _convolution(features, features, INNER_KERNEL)
        self.norm2 = _norm(features, batch_norm)

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.norm1(self.conv1(x)))
        out: Tensor = x + self.norm2(self.conv2(y))
        return out


class Body(nn.Module):
    """Everything at low resolution: ``(n, channels, h, w)`` to ``(n, features, h, w)``."""

    def __init__(self, channels: int, features: int, blocks: int, batch_norm: bool) -> None:
        super().__init__()
        self.head = _convolution(channels, features, OUTER_KERNEL)
        self.act = nn.PReLU()
        self.blocks = nn.Sequential(*(ResidualBlock(features, batch_norm) for _ in range(blocks)))
        self.trunk = _convolution(features, features, INNER_KERNEL)
        self.norm = _norm(features, batch_norm)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.head(x))
        out: Tensor = x + self.norm(self.trunk(self.blocks(x)))
        return out


class UpsampleStage(nn.Sequential):
    """Convolution, pixel shuffle, PReLU: ``(n, f, h, w)`` to ``(n, f, factor·h, factor·w)``."""

    conv: nn.Conv2d
    shuffle: nn.PixelShuffle
    act: nn.PReLU

    def __init__(self, features: int, factor: int) -> None:
        super().__init__()
        self.conv = _convolution(features, features * factor**2, INNER_KERNEL)
        self.shuffle = nn.PixelShuffle(factor)
        self.act = nn.PReLU()


class Tail(nn.Module):
    """Features to pixels: ``(n, features, h, w)`` to ``(n, channels, scale·h, scale·w)``.

    The last convolution is done before the last pixel shuffle, which gives the same in a fraction
    of the time; the one slope of a PReLU is the same on either side of a shuffle.
    """

    def __init__(self, channels: int, features: int, scale: int) -> None:
        super().__init__()
        self.upsample = nn.Sequential(*(UpsampleStage(features, f) for f in _STAGES[scale]))
        self.last = _convolution(features, channels, OUTER_KERNEL)

    def forward(self, x: Tensor) -> Tensor:
        *before, final = (stage for stage in self.upsample if isinstance(stage, UpsampleStage))
        for stage in before:
            x = stage(x)
        x = final.act(final.conv(x))
        factor = final.shuffle.upscale_factor
        return convolve_before_shuffle(x, self.last.weight, self.last.bias, factor)


class SRResNet(Generator):
    """The generator: low-resolution pixels in [0, 1] to high-resolution pixels in [-1, 1].

    Maps ``(n, channels, h, w)`` to ``(n, channels, scale·h, scale·w)`` for any ``h, w ≥ 1``.
    With the defaults it has 1 549 462 parameters and is the paper's network.

    Parameters
    ----------
    blocks : int
        Residual blocks, 1 or more.
    features : int
        Feature maps of every hidden layer.
    channels : int
        Channels of the image, in and out.
    scale : int
        Upscaling factor: 2, 3, 4 or 8.
    batch_norm : bool
        Whether the body normalises. Without, the layers are those left after the norms have been
        folded into the convolutions before them.

    Attributes
    ----------
    body, tail : nn.Module
        The low-resolution part, and the part that makes pixels of its features.
    value_range : tuple of float
        What the network gives for black and for white: (-1, 1).

    Raises
    ------
    ValueError
        If a size is not positive or the scale is not one of those above.

    References
    ----------
    Ledig et al., arXiv:1609.04802v5, §2.1.1, §3.2 and Figure 4.
    """

    family = "srresnet"
    value_range = (-1.0, 1.0)  # §3.2

    def __init__(
        self,
        *,
        blocks: int = BLOCKS,
        features: int = FEATURES,
        channels: int = 3,
        scale: int = SCALE,
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        check_sizes(blocks, features, channels, scale, _STAGES)
        self.blocks, self.features, self.channels = blocks, features, channels
        self.scale, self.batch_norm = scale, batch_norm
        self.body = Body(channels, features, blocks, batch_norm)
        self.tail = Tail(channels, features, scale)

    @classmethod
    def sizes_of(cls, state: Mapping[str, Tensor]) -> dict[str, int | float | bool] | None:
        """Return the sizes that tensors of this family's names have, or None."""
        head = state.get("body.head.weight")
        if head is None or head.ndim != 4:
            return None
        features, channels = head.shape[:2]
        blocks = [key for key in state if re.fullmatch(r"body\.blocks\.\d+\.conv1\.weight", key)]
        scale = 1
        for key, value in state.items():
            if re.fullmatch(r"tail\.upsample\.\d+\.conv\.weight", key):
                scale *= math.isqrt(value.shape[:1].numel() // max(1, features))
        return {
            "blocks": len(blocks),
            "features": features,
            "channels": channels,
            "scale": scale,
            "batch_norm": "body.norm.weight" in state,
        }

    def sizes(self) -> dict[str, int | float | bool]:
        """Return the constructor's arguments that give a network like this one."""
        return {
            "blocks": self.blocks,
            "features": self.features,
            "channels": self.channels,
            "scale": self.scale,
            "batch_norm": self.batch_norm,
        }

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.tail(self.body(x))
        return out


@torch.no_grad()
def without_norms(network: SRResNet) -> SRResNet:
    """Return a network that computes the same, its norms folded into the convolutions before them.

    The statistics are those that it has learned, and become part of the weights. They are folded in
    float64, and rounded once. A network without norms comes back as a copy.
    """
    sizes: dict[str, Any] = {**network.sizes(), "batch_norm": False}
    bare = SRResNet(**sizes)
    state = network.state_dict()
    for prefix, module in network.named_modules():
        for convolution, norm in _NORMED.get(type(module), ()):
            conv, after = getattr(module, convolution), getattr(module, norm)
            if isinstance(after, nn.BatchNorm2d):
                fused = fuse_conv_bn_eval(*(_exact(part) for part in (conv, after)))
                for key, value in fused.state_dict().items():
                    state[f"{prefix}.{convolution}.{key}"] = value
    bare.load_state_dict({key: state[key] for key in bare.state_dict()})
    return bare


@torch.no_grad()
def for_grey(network: SRResNet) -> SRResNet:
    """Return a network of one channel that computes the same of grey images.

    What comes out is the mean of the channels that the other one makes of three equal ones. A
    network of one channel comes back as a copy.
    """
    sizes: dict[str, Any] = {**network.sizes(), "channels": 1}
    grey, state = SRResNet(**sizes), network.state_dict()
    state["body.head.weight"] = state["body.head.weight"].sum(1, keepdim=True)
    for part in ("weight", "bias"):
        state[f"tail.last.{part}"] = state[f"tail.last.{part}"].mean(0, keepdim=True)
    grey.load_state_dict(state)
    return grey.train(network.training)


# Which convolutions of a module are followed by which norm.
_NORMED: dict[type[nn.Module], tuple[tuple[str, str], ...]] = {
    ResidualBlock: (("conv1", "norm1"), ("conv2", "norm2")),
    Body: (("trunk", "norm"),),
}


def _exact(layer: Any) -> Any:
    """Return a copy of a layer in float64, as it is in use."""
    return copy.deepcopy(layer).double().eval()


@torch.no_grad()
def start_as_interpolation(network: SRResNet) -> None:
    """Initialise a network so that, untrained, it nearly repeats each pixel ``scale²`` times.

    The layers stay the paper's; only their starting values differ. The image travels through the
    first ``channels`` feature maps by centre taps. The last norm of every block and of the trunk
    starts at γ = 0, so that the residual branches start silent. The pixel-shuffle convolutions copy
    those maps to each sub-pixel, and the last convolution reads them into [-1, 1]. The remaining
    weights keep half of their random start, so that gradients reach them.

    Raises
    ------
    ValueError
        If the network has no batch norm, or fewer features than channels.
    """
    channels = network.channels
    if not network.batch_norm or network.features < channels:
        raise ValueError(
            "The interpolation start needs batch norm and at least as many features as channels; "
            f"got batch_norm={network.batch_norm}, {network.features} features, {channels} channels"
            "."
        )
    for block in network.modules():
        if isinstance(block, ResidualBlock):
            _silence(block.norm2)
    _silence(network.body.norm)

    network.body.head.weight.mul_(0.5)
    for c in range(channels):
        pass_through(network.body.head, output=c, source=c)
    for stage in network.modules():
        if isinstance(stage, UpsampleStage):
            stage.conv.weight.mul_(0.5)
            sub_pixels = stage.shuffle.upscale_factor**2
            for output in range(sub_pixels * channels):
                pass_through(stage.conv, output=output, source=output // sub_pixels)

    low, high = network.value_range
    last = network.tail.last
    nn.init.normal_(last.weight, std=1e-3)
    last.weight[:, :channels].zero_()
    for c in range(channels):
        pass_through(last, output=c, source=c, gain=high - low, offset=low, keep=True)


def _silence(norm: nn.Module) -> None:
    if isinstance(norm, nn.BatchNorm2d):
        nn.init.zeros_(norm.weight)


def pass_through(
    conv: nn.Conv2d,
    *,
    output: int,
    source: int,
    gain: float = 1.0,
    offset: float = 0.0,
    keep: bool = False,
) -> None:
    """Make one output map of ``conv`` equal to ``gain × source + offset``."""
    centre = conv.kernel_size[0] // 2
    if not keep:
        conv.weight[output].zero_()
    conv.weight[output, source, centre, centre] = gain
    if conv.bias is not None:
        conv.bias[output] = offset
