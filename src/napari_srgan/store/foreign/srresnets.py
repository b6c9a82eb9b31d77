"""Dialects of SRResNet and of MSRResNet: a residual network, pixel shuffles, no bicubic input."""

from __future__ import annotations

from collections.abc import Mapping

from napari_srgan.models.layers.options import Option
from napari_srgan.models.srresnet_variant import SRResNetVariant
from napari_srgan.store.foreign.dialects import Dialect, table


def _dialect(
    name: str,
    project: str,
    modules: str,
    options: Mapping[str, Option],
    *marks: str,
    note: str = "",
) -> Dialect:
    return Dialect(name, project, SRResNetVariant.family, table(modules), options, marks, note=note)


_TANH: Mapping[str, Option] = {"output": "tanh", "output_units": "signed"}
_MSRRESNET: Mapping[str, Option] = {
    "head_activation": "leaky-0.1",
    "block_activation": "relu",
    "stage_activation": "leaky-0.1",
    "hr_activation": "leaky-0.1",
    "base": "bilinear",
}

_LORNATANG_BLOCKS = """
    trunk.{n}.rcb.0                 body.{n}.conv1
    trunk.{n}.rcb.1                 body.{n}.norm1
    trunk.{n}.rcb.2                 body.{n}.act
    trunk.{n}.rcb.3                 body.{n}.conv2
    trunk.{n}.rcb.4                 body.{n}.norm2
    upsampling.{n}.upsample_block.0 upsample.{n}.conv
    upsampling.{n}.upsample_block.2 upsample.{n}.act
"""
_LORNATANG_CONV_BLOCKS = """
    conv_block1.0                   head
    conv_block1.1                   head_act
    conv_block2.0                   trunk_conv
    conv_block2.1                   trunk_end
"""
_NAMED_BLOCKS = """
    {}.{n}.conv1                    body.{n}.conv1
    {}.{n}.bn1                      body.{n}.norm1
    {}.{n}.prelu                    body.{n}.act
    {}.{n}.conv2                    body.{n}.conv2
    {}.{n}.bn2                      body.{n}.norm2
"""

SRRESNETS = (
    _dialect(
        "leftthomas",
        "leftthomas/SRGAN",
        """
        block1.0                        head
        block1.1                        head_act
        block7.0                        trunk_conv
        block7.1                        trunk_end
        block8.{last}                   last
        block8.{n}.conv                 upsample.{n}.conv
        block8.{n}.prelu                upsample.{n}.act
        block{n+2}.conv1                body.{n}.conv1
        block{n+2}.bn1                  body.{n}.norm1
        block{n+2}.prelu                body.{n}.act
        block{n+2}.conv2                body.{n}.conv2
        block{n+2}.bn2                  body.{n}.norm2
        """,
        _TANH,
        "block1.0.weight",
        "block7.1.weight",
    ),
    _dialect(
        "lornatang",
        "Lornatang/SRGAN-PyTorch",
        """
        conv1.0                         head
        conv1.1                         head_act
        conv2.0                         trunk_conv
        conv2.1                         trunk_end
        conv3                           last
        """
        + _LORNATANG_BLOCKS,
        {"output": "clamp"},
        "trunk.0.rcb.0.weight",
        "conv3.weight",
    ),
    _dialect(
        "lornatang-2022",
        "Lornatang/SRGAN-PyTorch",
        _LORNATANG_CONV_BLOCKS + "conv_block3 last" + _LORNATANG_BLOCKS,
        {"output": "clamp"},
        "upsampling.0.upsample_block.0.weight",
        "conv_block3.weight",
    ),
    _dialect(
        "lornatang-2021-12",
        "Lornatang/SRGAN-PyTorch",
        """
        conv_block3                     last
        upsampling.{3n}                 upsample.{n}.conv
        upsampling.{3n+2}               upsample.{n}.act
        """
        + _LORNATANG_CONV_BLOCKS
        + _LORNATANG_BLOCKS,
        {},
        "upsampling.0.weight",
        "conv_block3.weight",
    ),
    _dialect(
        "lornatang-2021-09",
        "Lornatang/SRGAN-PyTorch",
        """
        conv_block3.0                   last
        upsampling.{3n}                 upsample.{n}.conv
        upsampling.{3n+2}               upsample.{n}.act
        subpixel_conv.{n}.conv          upsample.{n}.conv
        subpixel_conv.{n}.prelu         upsample.{n}.act
        """
        + _LORNATANG_CONV_BLOCKS
        + _LORNATANG_BLOCKS
        + _NAMED_BLOCKS.replace("{}", "trunk"),
        _TANH,
        "conv_block3.0.weight",
    ),
    _dialect(
        "lornatang-2021-05",
        "Lornatang/SRGAN-PyTorch",
        """
        conv1.0                         head
        conv1.1                         head_act
        conv2.0                         trunk_conv
        conv2.1                         trunk_end
        conv3.0                         last
        subpixel_conv.{n}.conv          upsample.{n}.conv
        subpixel_conv.{n}.prelu         upsample.{n}.act
        """
        + _NAMED_BLOCKS.replace("{}", "trunk"),
        _TANH,
        "subpixel_conv.0.conv.weight",
        "conv3.0.weight",
    ),
    _dialect(
        "twtygqyy",
        "twtygqyy/pytorch-SRResNet",
        """
        conv_input                      head
        residual.{n}.conv1              body.{n}.conv1
        residual.{n}.in1                body.{n}.norm1
        residual.{n}.bn1                body.{n}.norm1
        residual.{n}.conv2              body.{n}.conv2
        residual.{n}.in2                body.{n}.norm2
        residual.{n}.bn2                body.{n}.norm2
        conv_mid                        trunk_conv
        bn_mid                          trunk_end
        upscale4x.{3n}                  upsample.{n}.conv
        conv_output                     last
        """,
        {
            "head_activation": "leaky-0.2",
            "block_activation": "leaky-0.2",
            "stage_activation": "leaky-0.2",
        },
        "conv_input.weight",
        "upscale4x.0.weight",
        "upscale4x.3.weight",
    ),
    _dialect(
        "sgrvinod",
        "sgrvinod/a-PyTorch-Tutorial-to-Super-Resolution",
        """
        conv_block1.conv_block.0                    head
        conv_block1.conv_block.1                    head_act
        residual_blocks.{n}.conv_block1.conv_block.0    body.{n}.conv1
        residual_blocks.{n}.conv_block1.conv_block.1    body.{n}.norm1
        residual_blocks.{n}.conv_block1.conv_block.2    body.{n}.act
        residual_blocks.{n}.conv_block2.conv_block.0    body.{n}.conv2
        residual_blocks.{n}.conv_block2.conv_block.1    body.{n}.norm2
        conv_block2.conv_block.0                    trunk_conv
        conv_block2.conv_block.1                    trunk_end
        subpixel_convolutional_blocks.{n}.conv      upsample.{n}.conv
        subpixel_convolutional_blocks.{n}.prelu     upsample.{n}.act
        conv_block3.conv_block.0                    last
        """,
        {**_TANH, "input_units": "imagenet"},
        "subpixel_convolutional_blocks.0.conv.weight",
    ),
    _dialect(
        "mseitzer",
        "mseitzer/srgan",
        """
        initial_conv.1                  head
        initial_conv.2                  head_act
        body.{n}.block.1                body.{n}.conv1
        body.{n}.block.2                body.{n}.norm1
        body.{n}.block.3                body.{n}.act
        body.{n}.block.5                body.{n}.conv2
        body.{n}.block.6                body.{n}.norm2
        body.{last}                     trunk_end
        body.{last-1}                   trunk_conv
        upsample.{4n+1}                 upsample.{n}.conv
        upsample.{4n+3}                 upsample.{n}.act
        final_conv.1                    last
        """,
        {"padding": "reflect", "output_units": "signed"},
        "initial_conv.1.weight",
        "final_conv.1.weight",
        note="with padding 'reflection' and no output activation, as its published configurations",
    ),
    _dialect(
        "dongheehand",
        "dongheehand/SRGAN-PyTorch",
        """
        conv01.body.0                   head
        conv01.body.1                   head_act
        body.{n}.body.0.body.0          body.{n}.conv1
        body.{n}.body.0.body.1          body.{n}.norm1
        body.{n}.body.0.body.2          body.{n}.act
        body.{n}.body.1.body.0          body.{n}.conv2
        body.{n}.body.1.body.1          body.{n}.norm2
        conv02.body.0                   trunk_conv
        conv02.body.1                   trunk_end
        tail.{n}.body.0.body.0          upsample.{n}.conv
        tail.{n}.body.2                 upsample.{n}.act
        last_conv.body.0                last
        """,
        {**_TANH, "input_units": "signed"},
        "conv01.body.0.weight",
    ),
    _dialect(
        "eriklindernoren",
        "eriklindernoren/PyTorch-GAN",
        """
        conv1.0                         head
        conv1.1                         head_act
        res_blocks.{n}.conv_block.0     body.{n}.conv1
        res_blocks.{n}.conv_block.1     body.{n}.norm1
        res_blocks.{n}.conv_block.2     body.{n}.act
        res_blocks.{n}.conv_block.3     body.{n}.conv2
        res_blocks.{n}.conv_block.4     body.{n}.norm2
        conv2.0                         trunk_conv
        conv2.1                         trunk_end
        upsampling.{4n}                 upsample.{n}.conv
        upsampling.{4n+1}               upsample.{n}.norm
        upsampling.{4n+3}               upsample.{n}.act
        conv3.0                         last
        """,
        {"eps": 0.8, "input_units": "imagenet", "output": "tanh", "output_units": "imagenet"},
        "res_blocks.0.conv_block.2.weight",
    ),
    _dialect(
        "eriklindernoren-2018",
        "eriklindernoren/PyTorch-GAN",
        """
        conv1.0                         head
        res_blocks.{n}.conv_block.0     body.{n}.conv1
        res_blocks.{n}.conv_block.1     body.{n}.norm1
        res_blocks.{n}.conv_block.3     body.{n}.conv2
        res_blocks.{n}.conv_block.4     body.{n}.norm2
        conv2.0                         trunk_conv
        conv2.1                         trunk_end
        upsampling.{4n}                 upsample.{n}.conv
        upsampling.{4n+1}               upsample.{n}.norm
        conv3.0                         last
        """,
        {
            **_TANH,
            "input_units": "signed",
            "head_activation": "relu",
            "block_activation": "relu",
            "stage_activation": "relu",
        },
        "res_blocks.0.conv_block.0.weight",
    ),
    _dialect(
        "aitorzip",
        "aitorzip/PyTorch-SRGAN",
        """
        conv1                           head
        residual_block{n+1}.conv1       body.{n}.conv1
        residual_block{n+1}.bn1         body.{n}.norm1
        residual_block{n+1}.conv2       body.{n}.conv2
        residual_block{n+1}.bn2         body.{n}.norm2
        conv2                           trunk_conv
        bn2                             trunk_end
        upsample{n+1}.conv              upsample.{n}.conv
        conv3                           last
        """,
        {
            "head_activation": "silu",
            "block_activation": "silu",
            "stage_activation": "silu",
            "input_units": "imagenet",
            "output_units": "imagenet",
        },
        "residual_block1.conv1.weight",
    ),
    _dialect(
        "fast-srgan",
        "HasnainRaz/Fast-SRGAN",
        """
        neck.0                          head
        neck.1                          head_act
        stem.{n}.conv1                  body.{n}.conv1
        stem.{n}.bn1                    body.{n}.norm1
        stem.{n}.relu1                  body.{n}.act
        stem.{n}.conv2                  body.{n}.conv2
        stem.{n}.bn2                    body.{n}.norm2
        bottleneck.0                    trunk_conv
        bottleneck.1                    trunk_end
        upsampling.{n}.conv             upsample.{n}.conv
        upsampling.{n}.relu             upsample.{n}.act
        head.0                          last
        """,
        {**_TANH, "input_units": "signed", "norm": "instance"},
        "stem.0.conv1.weight",
        "neck.0.weight",
    ),
    _dialect(
        "swift-srgan",
        "Koushik0901/Swift-SRGAN",
        """
        initial.cnn                     head
        initial.act                     head_act
        residual.{n}.block1.cnn         body.{n}.conv1
        residual.{n}.block1.bn          body.{n}.norm1
        residual.{n}.block1.act         body.{n}.act
        residual.{n}.block2.cnn         body.{n}.conv2
        residual.{n}.block2.bn          body.{n}.norm2
        residual.{n}.block2.act
        convblock.cnn                   trunk_conv
        convblock.bn                    trunk_end
        convblock.act
        upsampler.{n}.conv              upsample.{n}.conv
        upsampler.{n}.act               upsample.{n}.act
        final_conv                      last
        """,
        _TANH,
        "initial.cnn.depthwise.weight",
    ),
    _dialect(
        "basicsr-msrresnet",
        "XPixelGroup/BasicSR",
        """
        conv_first                      head
        body.{n}.conv1                  body.{n}.conv1
        body.{n}.conv2                  body.{n}.conv2
        upconv{n+1}                     upsample.{n}.conv
        conv_hr                         hr_conv
        conv_last                       last
        """,
        _MSRRESNET,
        "body.0.conv1.weight",
        "upconv1.weight",
    ),
    _dialect(
        "basicsr-2019-msrresnet",
        "XPixelGroup/BasicSR",
        """
        conv_first                      head
        recon_trunk.{n}.conv1           body.{n}.conv1
        recon_trunk.{n}.conv2           body.{n}.conv2
        upconv{n+1}                     upsample.{n}.conv
        HRconv                          hr_conv
        conv_last                       last
        """,
        _MSRRESNET,
        "recon_trunk.0.conv1.weight",
    ),
    _dialect(
        "mmagic-msrresnet",
        "open-mmlab/mmagic",
        """
        conv_first                      head
        trunk_net.{n}.conv1             body.{n}.conv1
        trunk_net.{n}.conv2             body.{n}.conv2
        upsample{n+1}.upsample_conv     upsample.{n}.conv
        conv_hr                         hr_conv
        conv_last                       last
        """,
        {**_MSRRESNET, "stage_activation": "none"},
        "trunk_net.0.conv1.weight",
        "upsample1.upsample_conv.weight",
        "conv_hr.weight",
    ),
    _dialect(
        "basicsr-2018-srresnet",
        "XPixelGroup/BasicSR",
        """
        model.0                         head
        model.1.sub.{n}.res.0           body.{n}.conv1
        model.1.sub.{n}.res.2           body.{n}.conv2
        model.1.sub.{last}              trunk_conv
        model.{last}                    last
        model.{last-2}                  hr_conv
        model.{3n+2}                    upsample.{n}.conv
        """,
        {
            "head_activation": "none",
            "block_activation": "relu",
            "stage_activation": "relu",
            "hr_activation": "relu",
        },
        "model.1.sub.0.res.0.weight",
    ),
)
