"""ESPCN's own start."""

from __future__ import annotations

import pytest
import torch

from napari_srgan.models.espcn import ESPCN, start_as_bilinear
from napari_srgan.models.layers.choices import enlarged


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_it_can_start_as_nearly_the_bilinear_image_with_all_weights_learning(scale: int) -> None:
    torch.manual_seed(0)
    network, low = ESPCN(channels=1, scale=scale), torch.rand(1, 1, 9, 7)
    start_as_bilinear(network)
    high = network(low)
    wanted = enlarged(low, scale, "bilinear")
    inside = (..., slice(scale, -scale), slice(scale, -scale))
    assert (high - wanted)[inside].square().mean().sqrt() < 0.03
    high.square().mean().backward()
    assert all(p.grad is not None and p.grad.any() for p in network.parameters())
