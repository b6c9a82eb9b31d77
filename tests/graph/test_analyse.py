"""What a network needs, held against hand counts and against what is computed."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from napari_srgan.graph.analyse import multiply_adds, numbers_at_once, receptive_radius
from napari_srgan.graph.network import inference_network
from napari_srgan.graph.ops import Convolution, PixelShuffle, PixelUnshuffle, run_layers
from napari_srgan.graph.trace import trace
from napari_srgan.models.srresnet import SRResNet

OUTER, INNER = 9 * 9, 3 * 3


def test_the_papers_network_costs_what_its_figure_says():
    head, last = OUTER * 3 * 64, OUTER * 64 * 3
    at_low = head + 16 * 2 * INNER * 64 * 64 + INNER * 64 * 64
    stages = INNER * 64 * 256 + 4 * INNER * 64 * 256
    cost = multiply_adds(trace(SRResNet().eval()))
    assert cost == at_low + stages + 16 * last == 2_218_176


def test_a_norm_that_is_folded_away_costs_nothing():
    sizes = {"blocks": 2, "features": 8}
    normed, plain = (SRResNet(**sizes, batch_norm=norm).eval() for norm in (True, False))
    assert multiply_adds(trace(normed)) == multiply_adds(trace(plain))


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
    assert 2 * h * w * multiply_adds(trace(layers.eval())) == counted.get_total_flops()


def test_doubling_the_features_costs_nearly_four_times_as_much():
    small, large = (
        multiply_adds(trace(SRResNet(features=features).eval())) for features in (32, 64)
    )
    assert 3.5 < large / small < 4


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_the_papers_network_sees_40_pixels_to_each_side(scale):
    network = SRResNet(scale=scale).eval()
    assert receptive_radius(trace(network)) == 40
    assert inference_network(network).radius == 40


class LargestMoment(torch.utils._python_dispatch.TorchDispatchMode):
    """Records the most bytes that one operation's inputs and output take together."""

    def __init__(self):
        super().__init__()
        self.most = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        tensors = [value for value in (*args, out) if isinstance(value, torch.Tensor)]
        self.most = max(self.most, sum(value.nbytes for value in tensors))
        return out


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_the_memory_estimate_covers_every_operation(random_network, scale):
    network = inference_network(random_network(scale=scale))
    compute = network.placed(torch.device("cpu"), torch.float32)

    with LargestMoment() as moment, torch.inference_mode():
        compute(torch.rand(1, 3, 64, 48))

    assert moment.most <= 64 * 48 * network.bytes_per_pixel(torch.float32)


def test_memory_follows_precision_width_and_scale(random_network):
    def numbers(**sizes):
        return numbers_at_once(inference_network(random_network(**sizes)).layers)

    network = inference_network(random_network())
    full, half = map(network.bytes_per_pixel, (torch.float32, torch.float16))
    assert 2 * half == full == 4 * numbers()
    assert numbers(features=16) == 2 * numbers()
    assert numbers(scale=8) == 4 * numbers()


def test_skip_connections_hold_memory():
    class Dense(nn.Module):
        def __init__(self, skips):
            super().__init__()
            self.first, self.skips = nn.Conv2d(4, 4, 3, padding=1), skips
            self.others = nn.ModuleList(nn.Conv2d(4, 4, 3, padding=1) for _ in range(3))

        def forward(self, x):
            x = y = self.first(x)
            for conv in self.others:
                y = conv(y)
            return y + x if self.skips else y

    assert numbers_at_once(trace(Dense(skips=True))) > numbers_at_once(trace(Dense(skips=False)))


@pytest.mark.parametrize("reach", [0, 1, 2, 4, 5])
@torch.no_grad()
def test_the_radius_through_pixels_made_small_again_is_what_a_poked_pixel_reaches(reach):
    def at_high(source):
        inputs = 1 if source == 0 else 16
        kernel = torch.ones(1, 1, 2 * reach + 1, 2 * reach + 1)
        return (
            Convolution(source, torch.ones(16, inputs, 1, 1), None, (0, 0)),
            PixelShuffle(source + 1, 4),
            Convolution(source + 2, kernel, None, (reach, reach)),
            PixelUnshuffle(source + 3, 4),
        )

    layers = (*at_high(0), *at_high(4))
    poked = torch.zeros(1, 1, 21, 21)
    poked[..., 10, 10] = 1
    rows = run_layers(layers, poked).sum((0, 1, 3)).nonzero()
    assert int((rows - 10).abs().max()) == receptive_radius(layers)
