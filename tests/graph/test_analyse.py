"""Multiply-adds of a network, held against hand counts and against what is computed."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from napari_srgan.graph.analyse import multiply_adds
from napari_srgan.models.srresnet import SRResNet

OUTER, INNER = 9 * 9, 3 * 3


def test_the_papers_network_costs_what_its_figure_says():
    head, last = OUTER * 3 * 64, OUTER * 64 * 3
    at_low = head + 16 * 2 * INNER * 64 * 64 + INNER * 64 * 64
    stages = INNER * 64 * 256 + 4 * INNER * 64 * 256
    assert multiply_adds(SRResNet()) == at_low + stages + 16 * last == 2_218_176


def test_a_norm_that_is_folded_away_costs_nothing():
    sizes = {"blocks": 2, "features": 8}
    assert multiply_adds(SRResNet(**sizes)) == multiply_adds(SRResNet(**sizes, batch_norm=False))


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("factor", [1, 2, 3])
def test_the_count_is_what_is_computed(groups, factor):
    layers = nn.Sequential(
        nn.Conv2d(4, 8 * factor**2, 3, padding=1, groups=groups),
        nn.PixelShuffle(factor),
        nn.PReLU(),
        nn.Conv2d(8, 4, (5, 1), padding=(2, 0), groups=groups),
    )
    h, w = 6, 10
    with FlopCounterMode(display=False) as counted:
        layers(torch.zeros(1, 4, h, w))
    assert 2 * h * w * multiply_adds(layers) == counted.get_total_flops()


def test_doubling_the_features_costs_nearly_four_times_as_much():
    small, large = (multiply_adds(SRResNet(features=features)) for features in (32, 64))
    assert 3.5 < large / small < 4
