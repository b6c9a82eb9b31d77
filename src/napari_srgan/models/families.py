"""Families of generators, by the names that recipes and model files use."""

from __future__ import annotations

from napari_srgan.models.drcn import DRCN
from napari_srgan.models.edsr import EDSR
from napari_srgan.models.espcn import ESPCN
from napari_srgan.models.generator import Generator
from napari_srgan.models.mdsr import MDSR
from napari_srgan.models.rir_srresnet import RIRSRResNet
from napari_srgan.models.rrdb import RRDBNet
from napari_srgan.models.srcnn import SRCNN
from napari_srgan.models.srresnet import SRResNet
from napari_srgan.models.srresnet_variant import SRResNetVariant
from napari_srgan.models.srvgg import SRVGG

FAMILIES: dict[str, type[Generator]] = {
    SRResNet.family: SRResNet,
    SRResNetVariant.family: SRResNetVariant,
    EDSR.family: EDSR,
    MDSR.family: MDSR,
    RIRSRResNet.family: RIRSRResNet,
    RRDBNet.family: RRDBNet,
    SRVGG.family: SRVGG,
    SRCNN.family: SRCNN,
    ESPCN.family: ESPCN,
    DRCN.family: DRCN,
}
