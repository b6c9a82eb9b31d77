from __future__ import annotations

import pytest
import torch

from napari_srgan.models.layers.choices import enlarged
from napari_srgan.models.srcnn import SRCNN, start_as_bicubic


@pytest.mark.parametrize("second", [1, 5])
def test_it_can_start_as_nearly_the_bicubic_image_with_all_weights_learning(second: int) -> None:
    torch.manual_seed(0)
    network, low = SRCNN(second=second, scale=3), torch.rand(1, 3, 9, 7)
    start_as_bicubic(network)
    high = network(low)
    assert (high - enlarged(low, 3, "bicubic")).square().mean().sqrt() < 0.02
    high.square().mean().backward()
    assert all(p.grad is not None and p.grad.any() for p in network.parameters())
