"""Dialects of ESRGAN and Real-ESRGAN: RRDBNet, and the compact SRVGG."""

from __future__ import annotations

from napari_srgan.models.rrdb import RRDBNet
from napari_srgan.models.srvgg import SRVGG
from napari_srgan.store.foreign.dialects import Dialect, table

ESRGANS = (
    Dialect(
        "esrgan",
        "xinntao/ESRGAN",
        RRDBNet.family,
        table("""
        conv_first                              head
        RRDB_trunk.{n}.RDB{m}.conv{k}           body.{n}.dense{m}.conv{k}
        trunk_conv                              trunk
        upconv{n+1}                             upsample.{n}
        HRconv                                  hr
        conv_last                               last
        """),
        marks=("RRDB_trunk.0.RDB1.conv1.weight",),
    ),
    Dialect(
        "esrgan-old",
        "xinntao/ESRGAN",
        RRDBNet.family,
        table("""
        model.0                                 head
        model.1.sub.{n}.RDB{m}.conv{k}.0        body.{n}.dense{m}.conv{k}
        model.1.sub.{last}                      trunk
        model.{last}                            last
        model.{last-2}                          hr
        model.{3n+3}                            upsample.{n}
        """),
        marks=("model.1.sub.0.RDB1.conv1.0.weight",),
    ),
    Dialect(
        "realesrgan",
        "XPixelGroup/BasicSR",
        RRDBNet.family,
        table("""
        conv_first                              head
        body.{n}.rdb{m}.conv{k}                 body.{n}.dense{m}.conv{k}
        conv_body                               trunk
        conv_up{n+1}                            upsample.{n}
        conv_hr                                 hr
        conv_last                               last
        """),
        marks=("conv_first.weight", "body.0.rdb1.conv1.weight", "conv_body.weight"),
    ),
    Dialect(
        "realesr-compact",
        "xinntao/Real-ESRGAN",
        SRVGG.family,
        table("body.{n} body.{n}"),
        {},
        marks=("body.0.weight", "body.1.weight", "body.2.weight"),
    ),
    *(
        Dialect(
            f"realesr-compact-{kind.partition('-')[0]}",
            "xinntao/Real-ESRGAN",
            SRVGG.family,
            table("body.{n} body.{n}"),
            {"activation": kind},
            marks=("body.0.weight", "body.2.weight"),
            unlike=("body.1.weight", "conv_first.weight"),
            note=f"with {kind} between its convolutions",
        )
        for kind in ("relu", "leaky-0.1")
    ),
)
