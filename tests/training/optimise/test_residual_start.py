"""The start of EDSR and MDSR as interpolation."""

from __future__ import annotations

import pytest
import torch

from napari_srgan.models.edsr import EDSR
from napari_srgan.models.layers.choices import enlarged
from napari_srgan.models.mdsr import MDSR
from napari_srgan.training.optimise.residual_start import start_as_bilinear


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("family", [EDSR, MDSR])
def test_an_untrained_network_nearly_interpolates_and_all_its_weights_learn(
    family: type[EDSR | MDSR], scale: int
) -> None:
    torch.manual_seed(0)
    network, low = family(blocks=2, features=8, scale=scale), torch.rand(1, 3, 9, 7)
    start_as_bilinear(network)
    high = network(low)
    inside = (..., slice(2 * scale, -2 * scale), slice(2 * scale, -2 * scale))
    wanted = enlarged(low, scale, "bilinear")
    if scale == 4:  # twice by two
        wanted = enlarged(enlarged(low, 2, "bilinear"), 2, "bilinear")
    assert (high - wanted)[inside].abs().mean() < 0.05
    high.square().mean().backward()
    used = {n: p for n, p in network.named_parameters() if p.grad is not None}
    assert used
    assert all(p.grad.any() for p in used.values())


def test_fewer_features_than_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="2 features, 3 channels"):
        start_as_bilinear(EDSR(blocks=1, features=2))
