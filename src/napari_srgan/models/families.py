"""Families of generators, by the names that recipes and model files use."""

from __future__ import annotations

from napari_srgan.models.edsr import EDSR
from napari_srgan.models.generator import Generator
from napari_srgan.models.srresnet import SRResNet

FAMILIES: dict[str, type[Generator]] = {
    SRResNet.family: SRResNet,
    EDSR.family: EDSR,
}
