"""Generators as other projects define them, with their modules' names: what is read is held to it.

Written from tables of their layers, small, with random weights. ``infer`` is each project's own
script: RGB in [0, 1] to RGB in [0, 1], before it is clipped and made whole numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


class Named(nn.Module):
    """Modules by their names, and what is done with them."""

    def __init__(self, run: Callable[[Named, Tensor], Tensor], **modules: nn.Module) -> None:
        super().__init__()
        self._run = run
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x: Tensor) -> Tensor:
        return self._run(self, x)


class Gap(nn.Module):
    """A layer without tensors, which keeps its place in a sequence."""

    def __init__(self, run: Callable[[Tensor], Tensor] = lambda x: x) -> None:
        super().__init__()
        self._run = run

    def forward(self, x: Tensor) -> Tensor:
        return self._run(x)


def conv(inputs: int, outputs: int, kernel: int = 3, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias)


def chain(names: str) -> Callable[[Named, Tensor], Tensor]:
    def run(self: Named, x: Tensor) -> Tensor:
        for name in names.split():
            x = getattr(self, name)(x)
        return x

    return run


def residual(names: str) -> Callable[[Named, Tensor], Tensor]:
    through = chain(names)
    return lambda self, x: x + through(self, x)


def srresnet(head: str, body: str, tail: str) -> Callable[[Named, Tensor], Tensor]:
    """Return the forward of all: what comes after the head is added after the body."""

    def run(self: Named, x: Tensor) -> Tensor:
        x = chain(head)(self, x)
        return chain(tail)(self, x + chain(body)(self, x))

    return run


def repeat(count: int, make: Callable[[], nn.Module]) -> nn.Sequential:
    return nn.Sequential(*(make() for _ in range(count)))


def leftthomas(f: int = 64, *, old: bool = False, stages: int = 2) -> nn.Module:
    def block() -> nn.Module:
        return Named(residual("conv1 bn1 prelu conv2 bn2"), conv1=conv(f, f), bn1=nn.BatchNorm2d(f),
                     prelu=nn.PReLU(), conv2=conv(f, f), bn2=nn.BatchNorm2d(f))  # fmt: skip

    def stage() -> nn.Module:
        return Named(chain("conv shuffle prelu"), conv=conv(f, 4 * f), shuffle=nn.PixelShuffle(2),
                     prelu=nn.PReLU())  # fmt: skip

    end = nn.PReLU() if old else nn.BatchNorm2d(f)
    return Named(
        srresnet("block1", "block2 block3 block4 block5 block6 block7", "block8 tanh"),
        tanh=nn.Tanh(),
        block1=nn.Sequential(conv(3, f, 9), nn.PReLU()),
        **{f"block{n}": block() for n in range(2, 7)},
        block7=nn.Sequential(conv(f, f), end),
        block8=nn.Sequential(*(stage() for _ in range(stages)), conv(f, 3, 9)),
    )


def _rcb(f: int) -> nn.Module:
    return Named(residual("rcb"), rcb=nn.Sequential(
        conv(f, f, bias=False), nn.BatchNorm2d(f), nn.PReLU(), conv(f, f, bias=False),
        nn.BatchNorm2d(f)))  # fmt: skip


def lornatang(f: int = 64, blocks: int = 16, *, form: str = "lornatang") -> nn.Module:
    def stage() -> nn.Module:
        return Named(chain("upsample_block"), upsample_block=nn.Sequential(
            conv(f, 4 * f), nn.PixelShuffle(2), nn.PReLU()))  # fmt: skip

    name = "conv" if form == "lornatang" else "conv_block"
    clamped = Gap(lambda x: x.clamp(0, 1))
    flat = [m for _ in range(2) for m in (conv(f, 4 * f), nn.PixelShuffle(2), nn.PReLU())]
    upsampling = nn.Sequential(*flat) if "2021" in form else repeat(2, stage)
    last: nn.Module = conv(f, 3, 9)
    if form == "lornatang-2021-09":
        last = nn.Sequential(last, nn.Tanh())
    end = Gap() if "2021" in form else clamped
    return Named(
        srresnet(f"{name}1", f"trunk {name}2", f"upsampling {name}3 end"),
        **{f"{name}1": nn.Sequential(conv(3, f, 9), nn.PReLU()),
           "trunk": repeat(blocks, lambda: _rcb(f)),
           f"{name}2": nn.Sequential(conv(f, f, bias=False), nn.BatchNorm2d(f)),
           "upsampling": upsampling, f"{name}3": last, "end": end},
    )  # fmt: skip


def twtygqyy(f: int = 64, blocks: int = 16, *, norm: str = "in") -> nn.Module:
    def made() -> nn.Module:
        return nn.InstanceNorm2d(f, affine=True) if norm == "in" else nn.BatchNorm2d(f)

    def block() -> nn.Module:
        return Named(residual(f"conv1 {norm}1 relu conv2 {norm}2"), conv1=conv(f, f, bias=False),
                     relu=nn.LeakyReLU(0.2), conv2=conv(f, f, bias=False),
                     **{f"{norm}1": made(), f"{norm}2": made()})  # fmt: skip

    up = [m for _ in range(2)
          for m in (conv(f, 4 * f, bias=False), nn.PixelShuffle(2), nn.LeakyReLU(0.2))]  # fmt: skip
    return Named(
        srresnet("conv_input relu", "residual conv_mid bn_mid", "upscale4x conv_output"),
        conv_input=conv(3, f, 9, bias=False), relu=nn.LeakyReLU(0.2),
        residual=repeat(blocks, block), conv_mid=conv(f, f, bias=False), bn_mid=made(),
        upscale4x=nn.Sequential(*up), conv_output=conv(f, 3, 9, bias=False),
    )  # fmt: skip


def sgrvinod(f: int = 64, blocks: int = 16) -> nn.Module:
    def convolutional(i: int, o: int, k: int, *more: nn.Module) -> nn.Module:
        return Named(chain("conv_block"), conv_block=nn.Sequential(conv(i, o, k), *more))

    def block() -> nn.Module:
        return Named(residual("conv_block1 conv_block2"),
                     conv_block1=convolutional(f, f, 3, nn.BatchNorm2d(f), nn.PReLU()),
                     conv_block2=convolutional(f, f, 3, nn.BatchNorm2d(f)))  # fmt: skip

    def stage() -> nn.Module:
        return Named(chain("conv pixel_shuffle prelu"), conv=conv(f, 4 * f),
                     pixel_shuffle=nn.PixelShuffle(2), prelu=nn.PReLU())  # fmt: skip

    return Named(
        srresnet("conv_block1", "residual_blocks conv_block2",
                 "subpixel_convolutional_blocks conv_block3"),
        conv_block1=convolutional(3, f, 9, nn.PReLU()), residual_blocks=repeat(blocks, block),
        conv_block2=convolutional(f, f, 3, nn.BatchNorm2d(f)),
        subpixel_convolutional_blocks=repeat(2, stage),
        conv_block3=convolutional(f, 3, 9, nn.Tanh()),
    )  # fmt: skip


def mseitzer(f: int = 64, blocks: int = 16, wide: int = 256, stages: int = 2) -> nn.Module:
    def reflected(i: int, o: int, k: int, bias: bool) -> list[nn.Module]:
        return [nn.ReflectionPad2d(k // 2), nn.Conv2d(i, o, k, bias=bias)]

    def block() -> nn.Module:
        def padded() -> list[nn.Module]:
            return [nn.ZeroPad2d(1), nn.Conv2d(f, f, 3, bias=False), nn.BatchNorm2d(f)]

        return Named(residual("block"), block=nn.Sequential(*padded(), nn.PReLU(f), *padded()))

    up: list[nn.Module] = []
    for stage in range(stages):
        up += [*reflected(wide if stage else f, 4 * wide, 3, True), nn.PixelShuffle(2),
               nn.PReLU(wide)]  # fmt: skip
    return Named(
        srresnet("initial_conv", "body", "upsample final_conv"),
        initial_conv=nn.Sequential(*reflected(3, f, 9, True), nn.PReLU(f)),
        body=nn.Sequential(*(block() for _ in range(blocks)), *reflected(f, f, 3, False),
                           nn.BatchNorm2d(f)),
        upsample=nn.Sequential(*up), final_conv=nn.Sequential(*reflected(wide, 3, 9, True)),
    )  # fmt: skip


def dongheehand(f: int = 64, blocks: int = 16) -> nn.Module:
    act = nn.PReLU()

    def convolutional(i: int, o: int, k: int, *more: nn.Module) -> nn.Module:
        return Named(chain("body"), body=nn.Sequential(conv(i, o, k), *more))

    def block() -> nn.Module:
        return Named(residual("body"), body=nn.Sequential(
            convolutional(f, f, 3, nn.BatchNorm2d(f), act),
            convolutional(f, f, 3, nn.BatchNorm2d(f))))  # fmt: skip

    def stage() -> nn.Module:
        return Named(chain("body"), body=nn.Sequential(
            convolutional(f, 4 * f, 3), nn.PixelShuffle(2), act))  # fmt: skip

    return Named(
        srresnet("conv01", "body conv02", "tail last_conv"),
        conv01=convolutional(3, f, 9, act), body=repeat(blocks, block),
        conv02=convolutional(f, f, 3, nn.BatchNorm2d(f)), tail=repeat(2, stage),
        last_conv=convolutional(f, 3, 3, nn.Tanh()),
    )  # fmt: skip


def eriklindernoren(f: int = 64, blocks: int = 16, *, old: bool = False) -> nn.Module:
    eps = 1e-5 if old else 0.8
    act = nn.ReLU if old else nn.PReLU

    def block() -> nn.Module:
        return Named(residual("conv_block"), conv_block=nn.Sequential(
            conv(f, f), nn.BatchNorm2d(f, eps), act(), conv(f, f),
            nn.BatchNorm2d(f, eps)))  # fmt: skip

    up = [m for _ in range(2)
          for m in (conv(f, 4 * f), nn.BatchNorm2d(4 * f), nn.PixelShuffle(2), act())]  # fmt: skip
    return Named(
        srresnet("conv1", "res_blocks conv2", "upsampling conv3"),
        conv1=nn.Sequential(conv(3, f, 9), act()), res_blocks=repeat(blocks, block),
        conv2=nn.Sequential(conv(f, f), nn.BatchNorm2d(f, eps)),
        upsampling=nn.Sequential(*up), conv3=nn.Sequential(conv(f, 3, 9), nn.Tanh()),
    )  # fmt: skip


def aitorzip(f: int = 64, blocks: int = 16) -> nn.Module:
    def swish() -> nn.Module:
        return Gap(lambda x: x * torch.sigmoid(x))

    def block() -> nn.Module:
        return Named(residual("conv1 bn1 act conv2 bn2"), conv1=conv(f, f), bn1=nn.BatchNorm2d(f),
                     act=swish(), conv2=conv(f, f), bn2=nn.BatchNorm2d(f))  # fmt: skip

    def stage() -> nn.Module:
        return Named(chain("conv shuffle act"), conv=conv(f, 4 * f), shuffle=nn.PixelShuffle(2),
                     act=swish())  # fmt: skip

    names = [f"residual_block{n}" for n in range(1, blocks + 1)]
    return Named(
        srresnet("conv1 act", " ".join([*names, "conv2 bn2"]), "upsample1 upsample2 conv3"),
        conv1=conv(3, f, 9), act=swish(), **{name: block() for name in names}, conv2=conv(f, f),
        bn2=nn.BatchNorm2d(f), upsample1=stage(), upsample2=stage(), conv3=conv(f, 3, 9),
    )  # fmt: skip


def fast_srgan(f: int = 64, blocks: int = 8) -> nn.Module:
    def block() -> nn.Module:
        return Named(residual("conv1 bn1 relu1 conv2 bn2"), conv1=conv(f, f, bias=False),
                     bn1=nn.InstanceNorm2d(f), relu1=nn.PReLU(), conv2=conv(f, f, bias=False),
                     bn2=nn.InstanceNorm2d(f))  # fmt: skip

    def stage() -> nn.Module:
        return Named(chain("conv shuffle relu"), conv=conv(f, 4 * f), shuffle=nn.PixelShuffle(2),
                     relu=nn.PReLU())  # fmt: skip

    return Named(
        srresnet("neck", "stem bottleneck", "upsampling head"),
        neck=nn.Sequential(conv(3, f), nn.PReLU()), stem=repeat(blocks, block),
        bottleneck=nn.Sequential(conv(f, f, bias=False), nn.InstanceNorm2d(f)),
        upsampling=repeat(2, stage), head=nn.Sequential(conv(f, 3), nn.Tanh()),
    )  # fmt: skip


def fast_srgan_inverted(f: int = 64, blocks: int = 8) -> nn.Module:
    def block() -> nn.Module:
        return Named(residual("conv1 bn1 relu1 conv2 bn2"),
                     conv1=nn.Conv2d(f, f, 3, padding=1, groups=f, bias=False),
                     bn1=nn.BatchNorm2d(f), relu1=nn.PReLU(),
                     conv2=nn.Conv2d(f, f, 1, bias=False), bn2=nn.BatchNorm2d(f))  # fmt: skip

    net = fast_srgan(f, 0)
    net.stem = repeat(blocks, block)
    net.bottleneck[1] = nn.BatchNorm2d(f)
    return net


def swift_srgan(f: int = 64, blocks: int = 16, stages: int = 2) -> nn.Module:
    def separable(i: int, o: int, k: int, bias: bool = True) -> nn.Module:
        return Named(chain("depthwise pointwise"),
                     depthwise=nn.Conv2d(i, i, k, padding=k // 2, groups=i, bias=bias),
                     pointwise=nn.Conv2d(i, o, 1, bias=bias))  # fmt: skip

    def convolutional(i: int, o: int, k: int, *, bn: bool, act: bool) -> nn.Module:
        return Named(chain("cnn bn act" if act else "cnn bn"), cnn=separable(i, o, k, not bn),
                     bn=nn.BatchNorm2d(o) if bn else nn.Identity(), act=nn.PReLU(o))  # fmt: skip

    def block() -> nn.Module:
        return Named(residual("block1 block2"), block1=convolutional(f, f, 3, bn=True, act=True),
                     block2=convolutional(f, f, 3, bn=True, act=False))  # fmt: skip

    def stage() -> nn.Module:
        return Named(chain("conv ps act"), conv=separable(f, 4 * f, 3), ps=nn.PixelShuffle(2),
                     act=nn.PReLU(f))  # fmt: skip

    return Named(
        srresnet("initial", "residual convblock", "upsampler final_conv tanh"), tanh=nn.Tanh(),
        initial=convolutional(3, f, 9, bn=False, act=True), residual=repeat(blocks, block),
        convblock=convolutional(f, f, 3, bn=True, act=False), upsampler=repeat(stages, stage),
        final_conv=separable(f, 3, 9),
    )  # fmt: skip


def _no_bn(f: int) -> nn.Module:
    return Named(residual("conv1 relu conv2"), conv1=conv(f, f), relu=nn.ReLU(), conv2=conv(f, f))


def msrresnet(
    f: int = 64, blocks: int = 16, *, scale: int = 4, body: str = "body", hr: str = "conv_hr",
    mmagic: bool = False,
) -> nn.Module:  # fmt: skip
    factors = {2: [2], 3: [3], 4: [2, 2]}[scale]

    def upconv(n: int) -> nn.Module:
        made = conv(f, f * factors[n] ** 2)
        return Named(chain("upsample_conv"), upsample_conv=made) if mmagic else made

    def run(self: Named, x: Tensor) -> Tensor:
        y = getattr(self, body)(F.leaky_relu(self.conv_first(x), 0.1))
        for n, factor in enumerate(factors, 1):
            y = F.pixel_shuffle(getattr(self, f"{up}{n}")(y), factor)
            y = y if mmagic else F.leaky_relu(y, 0.1)
        y = self.conv_last(F.leaky_relu(getattr(self, hr)(y), 0.1))
        return y + F.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False)

    up = "upsample" if mmagic else "upconv"
    return Named(run, **{
        "conv_first": conv(3, f), body: repeat(blocks, lambda: _no_bn(f)),
        **{f"{up}{n + 1}": upconv(n) for n in range(len(factors))},
        hr: conv(f, f), "conv_last": conv(f, 3)})  # fmt: skip


def basicsr_2018_srresnet(f: int = 64, blocks: int = 16, *, scale: int = 4) -> nn.Module:
    def block() -> nn.Module:
        return Named(residual("res"), res=nn.Sequential(conv(f, f), nn.ReLU(), conv(f, f)))

    sub = nn.Sequential(*(block() for _ in range(blocks)), conv(f, f))
    up = [m for k in {2: [2], 3: [3], 4: [2, 2]}[scale]
          for m in (conv(f, f * k**2), nn.PixelShuffle(k), nn.ReLU())]  # fmt: skip
    return Named(
        chain("model"),
        model=nn.Sequential(
            conv(3, f), Named(residual("sub"), sub=sub), *up, conv(f, f), nn.ReLU(), conv(f, 3)
        ),
    )


DIV2K = (0.4488, 0.4371, 0.4040)


class MeanShift(nn.Conv2d):
    """A mean taken off, or added, by a convolution."""

    def __init__(self, sign: int) -> None:
        super().__init__(3, 3, 1)
        with torch.no_grad():
            self.weight.copy_(torch.eye(3).view(3, 3, 1, 1))
            self.bias.copy_(sign * 255 * torch.tensor(DIV2K))


def _edsr_block(f: int, kernel: int = 3, scaling: float = 1) -> nn.Module:
    body = nn.Sequential(conv(f, f, kernel), nn.ReLU(), conv(f, f, kernel))
    return Named(lambda self, x: x + self.body(x) * scaling, body=body)


def _edsr_upsampler(f: int, scale: int) -> nn.Sequential:
    factors = {2: [2], 3: [3], 4: [2, 2]}[scale]
    return nn.Sequential(*(m for k in factors for m in (conv(f, f * k**2), nn.PixelShuffle(k))))


def edsr(f: int = 64, blocks: int = 16, *, scale: int = 4, scaling: float = 1) -> nn.Module:
    def run(self: Named, x: Tensor) -> Tensor:
        x = self.head(self.sub_mean(x))
        return self.add_mean(self.tail(self.body(x) + x))

    return Named(
        run, sub_mean=MeanShift(-1), add_mean=MeanShift(1), head=nn.Sequential(conv(3, f)),
        body=nn.Sequential(*(_edsr_block(f, scaling=scaling) for _ in range(blocks)), conv(f, f)),
        tail=nn.Sequential(_edsr_upsampler(f, scale), conv(f, 3)),
    )  # fmt: skip


def mdsr(f: int = 64, blocks: int = 16, *, scale: int = 4) -> nn.Module:
    branch = (2, 3, 4).index(scale)

    def run(self: Named, x: Tensor) -> Tensor:
        x = self.pre_process[branch](self.head(self.sub_mean(x)))
        return self.add_mean(self.tail(self.upsample[branch](self.body(x) + x)))

    return Named(
        run, sub_mean=MeanShift(-1), add_mean=MeanShift(1), head=nn.Sequential(conv(3, f)),
        pre_process=repeat(3, lambda: repeat(2, lambda: _edsr_block(f, 5))),
        body=nn.Sequential(*(_edsr_block(f) for _ in range(blocks)), conv(f, f)),
        upsample=nn.Sequential(*(_edsr_upsampler(f, scale) for scale in (2, 3, 4))),
        tail=nn.Sequential(conv(f, 3)),
    )  # fmt: skip


def basicsr_edsr(f: int = 64, blocks: int = 16, *, scale: int = 4) -> nn.Module:
    mean = torch.tensor(DIV2K).view(1, 3, 1, 1)

    def run(self: Named, x: Tensor) -> Tensor:
        x = self.conv_first((x - mean) * 255)
        x = self.conv_last(self.upsample(self.conv_after_body(self.body(x)) + x))
        return x / 255 + mean

    return Named(run, conv_first=conv(3, f), body=repeat(blocks, lambda: _no_bn(f)),
                 conv_after_body=conv(f, f), upsample=_edsr_upsampler(f, scale),
                 conv_last=conv(f, 3))  # fmt: skip


def _rrdb(f: int, g: int, names: str, *, old: bool = False) -> nn.Module:
    def dense() -> nn.Module:
        def run(self: Named, x: Tensor) -> Tensor:
            values = [x]
            for n in range(1, 5):
                y = getattr(self, f"conv{n}")(torch.cat(values, 1))
                values.append(F.leaky_relu(y, 0.2))
            return x + 0.2 * self.conv5(torch.cat(values, 1))

        convs = {f"conv{n + 1}": conv(f + n * g, g if n < 4 else f) for n in range(5)}
        return Named(run, **{k: nn.Sequential(v) if old else v for k, v in convs.items()})

    through = chain(" ".join(f"{names}{n}" for n in (1, 2, 3)))
    return Named(lambda self, x: x + 0.2 * through(self, x),
                 **{f"{names}{n}": dense() for n in (1, 2, 3)})  # fmt: skip


def rrdbnet(
    f: int = 64, g: int = 32, blocks: int = 23, *, new: bool = True, unshuffle: int = 1
) -> nn.Module:
    body, trunk, up, hr, rdb = (
        ("body", "conv_body", "conv_up", "conv_hr", "rdb") if new
        else ("RRDB_trunk", "trunk_conv", "upconv", "HRconv", "RDB")
    )  # fmt: skip

    def run(self: Named, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        x = F.pad(x, (0, -width % unshuffle, 0, -height % unshuffle), mode="reflect")
        x = self.conv_first(F.pixel_unshuffle(x, unshuffle))
        x = x + getattr(self, trunk)(getattr(self, body)(x))
        for n in (1, 2):
            x = getattr(self, f"{up}{n}")(F.interpolate(x, scale_factor=2, mode="nearest"))
            x = F.leaky_relu(x, 0.2)
        x = self.conv_last(F.leaky_relu(getattr(self, hr)(x), 0.2))
        return x[:, :, : height * 4 // unshuffle, : width * 4 // unshuffle]

    return Named(run, **{
        "conv_first": conv(3 * unshuffle**2, f), body: repeat(blocks, lambda: _rrdb(f, g, rdb)),
        trunk: conv(f, f), f"{up}1": conv(f, f), f"{up}2": conv(f, f), hr: conv(f, f),
        "conv_last": conv(f, 3)})  # fmt: skip


def esrgan_old(f: int = 64, g: int = 32, blocks: int = 23, *, doublings: int = 2) -> nn.Module:
    blocks_and_trunk = [*(_rrdb(f, g, "RDB", old=True) for _ in range(blocks)), conv(f, f)]
    up = [m for _ in range(doublings)
          for m in (nn.Upsample(scale_factor=2), conv(f, f), nn.LeakyReLU(0.2))]  # fmt: skip
    return Named(chain("model"), model=nn.Sequential(
        conv(3, f), Named(residual("sub"), sub=nn.Sequential(*blocks_and_trunk)), *up,
        conv(f, f), nn.LeakyReLU(0.2), conv(f, 3)))  # fmt: skip


def srvgg(f: int = 64, blocks: int = 16, *, scale: int = 4, slopes: bool = True) -> nn.Module:
    def act() -> nn.Module:
        return nn.PReLU(f) if slopes else nn.LeakyReLU(0.1)

    body = [m for i in (3, *(f for _ in range(blocks))) for m in (conv(i, f), act())]

    def run(self: Named, x: Tensor) -> Tensor:
        base = F.interpolate(x, scale_factor=scale, mode="nearest")
        return F.pixel_shuffle(self.body(x), scale) + base

    return Named(run, body=nn.Sequential(*body, conv(f, 3 * scale**2)))


@dataclass(frozen=True)
class Foreign:
    """A project's generator: how it is made, wrapped and run.

    Attributes
    ----------
    dialect : str
        What it is to be recognised as.
    small, full : callable
        Make it, as small as it can be and as it is published.
    tensors : int
        How many a published file has; 0 where no file was seen.
    takes, gives : {"unit", "signed", "imagenet", "levels"}
        What the project's script makes of pixels, and takes pixels from.
    """

    dialect: str
    small: Callable[[], nn.Module]
    full: Callable[[], nn.Module]
    tensors: int
    takes: str = "unit"
    gives: str = "unit"

    def infer(self, network: nn.Module, rgb: Tensor) -> Tensor:
        """Return what the project's script makes of RGB in [0, 1], before it is clipped."""
        x = {"unit": rgb, "signed": rgb * 2 - 1, "imagenet": (rgb - MEAN) / STD,
             "levels": rgb * 255}[self.takes]  # fmt: skip
        with torch.no_grad():
            y = network.eval()(x)
        return {"unit": y, "signed": (y + 1) / 2, "imagenet": y * STD + MEAN,
                "levels": y / 255}[self.gives]  # fmt: skip


def _foreign(
    dialect: str,
    make: Callable[..., nn.Module],
    tensors: int,
    takes: str = "unit",
    gives: str = "unit",
    **small: int,
) -> Foreign:
    return Foreign(dialect, partial(make, **(small or {"f": 6, "blocks": 2})), make, tensors,
                   takes, gives)  # fmt: skip


FOREIGN = {
    "leftthomas": _foreign("leftthomas", leftthomas, 93, gives="signed", f=6),
    "leftthomas x2": _foreign("leftthomas", leftthomas, 0, gives="signed", f=6, stages=1),
    "leftthomas x8": _foreign("leftthomas", leftthomas, 0, gives="signed", f=6, stages=3),
    "leftthomas 2018": _foreign(
        "leftthomas", partial(leftthomas, old=True), 89, gives="signed", f=6
    ),
    **{
        form: _foreign(form, partial(lornatang, form=form), tensors, gives=gives)
        for form, tensors, gives in (
            ("lornatang", 225, "unit"),
            ("lornatang-2022", 225, "unit"),
            ("lornatang-2021-12", 0, "unit"),
            ("lornatang-2021-09", 0, "signed"),
        )
    },
    "twtygqyy": _foreign("twtygqyy", twtygqyy, 103),
    "twtygqyy 2017": _foreign("twtygqyy", partial(twtygqyy, norm="bn"), 202),
    "sgrvinod": _foreign("sgrvinod", sgrvinod, 258, "imagenet", "signed"),
    "mseitzer": _foreign("mseitzer", mseitzer, 225, gives="signed", f=6, blocks=2, wide=10),
    "mseitzer x8": _foreign("mseitzer", mseitzer, 0, gives="signed", f=6, blocks=1, wide=8,
                            stages=4),
    "dongheehand": _foreign("dongheehand", dongheehand, 258, "signed", "signed"),
    "eriklindernoren": _foreign("eriklindernoren", eriklindernoren, 268, "imagenet", "imagenet"),
    "eriklindernoren 2018": _foreign("eriklindernoren-2018", partial(eriklindernoren, old=True), 0,
                                     "signed", "signed"),
    "aitorzip": _foreign("aitorzip", aitorzip, 239, "imagenet", "imagenet"),
    "fast-srgan": _foreign("fast-srgan", fast_srgan, 36, "signed", "signed"),
    "fast-srgan inverted": _foreign("fast-srgan", fast_srgan_inverted, 0, "signed", "signed"),
    "swift-srgan": _foreign("swift-srgan", swift_srgan, 283, gives="signed"),
    "swift-srgan x16": _foreign("swift-srgan", swift_srgan, 0, gives="signed", f=6, blocks=1,
                                stages=4),
    "basicsr msrresnet": _foreign("basicsr-msrresnet", msrresnet, 74),
    "basicsr msrresnet x3": _foreign("basicsr-msrresnet", msrresnet, 0, f=6, blocks=2, scale=3),
    "basicsr 2019": _foreign("basicsr-2019-msrresnet",
                             partial(msrresnet, body="recon_trunk", hr="HRconv"), 74),
    "mmagic": _foreign("mmagic-msrresnet", partial(msrresnet, body="trunk_net", mmagic=True), 74),
    "basicsr 2018": _foreign("basicsr-2018-srresnet", basicsr_2018_srresnet, 76),
    "basicsr edsr": _foreign("basicsr-edsr", basicsr_edsr, 74),
    "edsr": _foreign("edsr", edsr, 78, "levels", "levels"),
    "edsr x3": _foreign("edsr", edsr, 0, "levels", "levels", f=6, blocks=2, scale=3),
    "edsr wide": _foreign("edsr", partial(edsr, scaling=0.1), 0, "levels", "levels", f=256,
                          blocks=1, scale=2),
    "mdsr": _foreign("mdsr", mdsr, 106, "levels", "levels"),
    "esrgan": _foreign("esrgan", partial(rrdbnet, new=False), 702, f=6, g=4, blocks=2),
    "esrgan old": _foreign("esrgan-old", esrgan_old, 702, f=6, g=4, blocks=2),
    "esrgan old x8": _foreign("esrgan-old", esrgan_old, 0, f=6, g=4, blocks=1, doublings=3),
    "realesrgan": _foreign("realesrgan", rrdbnet, 702, f=6, g=4, blocks=2),
    "realesrgan x2": _foreign("realesrgan", partial(rrdbnet, unshuffle=2), 702, f=6, g=4, blocks=2),
    "realesrgan x1": _foreign("realesrgan", partial(rrdbnet, unshuffle=4), 702, f=6, g=4, blocks=2),
    "realesr animevideo": _foreign("realesr-compact", srvgg, 53),
    "realesr x2": _foreign("realesr-compact", srvgg, 0, f=6, blocks=2, scale=2),
    "basicsr 2018 x2": _foreign("basicsr-2018-srresnet", basicsr_2018_srresnet, 0, f=6, blocks=2,
                                scale=2),
}  # fmt: skip


def randomised(network: nn.Module, seed: int = 0) -> nn.Module:
    """Return the network with random numbers everywhere, such that its outputs fill their range."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(value: Tensor, low: float, high: float) -> None:
        value.copy_(low + (high - low) * torch.rand(value.shape, generator=generator))

    with torch.no_grad():
        for name, value in network.state_dict().items():
            if "_mean." in name:  # the mean shifts of EDSR are no weights
                continue
            if value.ndim == 4:
                reach = math.sqrt(4 / value[0].numel())
                uniform(value, -reach, reach)
            elif name.endswith(("running_var", "weight")):
                uniform(value, 0.05, 1.2) if value.numel() == 1 else uniform(value, 0.4, 1.4)
            elif name.endswith(("running_mean", "bias")):
                uniform(value, -0.3, 0.3)
    return network
