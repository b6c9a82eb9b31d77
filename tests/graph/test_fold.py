"""Rewritten layers are the same function in fewer operations."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from napari_srgan.graph.fold import convolve_before_shuffle, fold_affine, for_grey, to_unit_range
from napari_srgan.graph.network import inference_network
from napari_srgan.graph.ops import Convolution, PixelShuffle, Pointwise, run_layers
from napari_srgan.graph.trace import trace

SCALES = (2, 3, 4, 8)
CPU = torch.device("cpu")


def equal_within_rounding(one, other):
    torch.testing.assert_close(one, other, atol=2e-5, rtol=2e-5)


def kinds(layers):
    return [type(layer) for layer in layers]


@given(
    seed=st.integers(0, 99),
    scale=st.sampled_from(SCALES),
    channels=st.sampled_from((1, 3)),
    batch_norm=st.booleans(),
    h=st.integers(1, 9),
    w=st.integers(1, 9),
)
@settings(max_examples=40)
@torch.no_grad()
def test_folding_keeps_the_function(random_network, seed, scale, channels, batch_norm, h, w):
    network = random_network(seed, scale=scale, channels=channels, batch_norm=batch_norm)
    low = torch.rand(2, channels, h, w)

    folded = fold_affine(trace(network))

    equal_within_rounding(run_layers(folded, low), network(low))
    assert sum(isinstance(layer, Pointwise) and layer.slope is None for layer in folded) == 0


@given(
    seed=st.integers(0, 99),
    scale=st.sampled_from(SCALES),
    channels=st.sampled_from((1, 3, 5)),
    h=st.integers(1, 9),
    w=st.integers(1, 9),
)
@settings(max_examples=40)
@torch.no_grad()
def test_one_channel_equals_replicating_and_averaging(random_network, seed, scale, channels, h, w):
    network = random_network(seed, scale=scale, channels=channels)
    grey = torch.rand(2, 1, h, w)

    replicated = network(grey.expand(-1, channels, -1, -1)).mean(1, keepdim=True)

    layers = fold_affine(trace(network))
    single = for_grey(layers, channels)
    equal_within_rounding(run_layers(single, grey), replicated)
    assert kinds(single) == kinds(layers)  # it is all in the weights


class Skipping(nn.Module):
    """Adds the interpolated image, and neither begins nor ends with a convolution."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 12, 3, padding=1)
        self.shuffle = nn.PixelShuffle(2)
        self.upsample = nn.Upsample(scale_factor=2, mode="bicubic")

    def forward(self, x):
        return self.shuffle(self.conv(x - 0.4) * 0.1) + self.upsample(x)


@torch.no_grad()
def test_grey_images_through_any_beginning_and_end():
    network, grey = Skipping().eval(), torch.rand(1, 1, 9, 7)

    replicated = network(grey.expand(-1, 3, -1, -1)).mean(1, keepdim=True)

    equal_within_rounding(run_layers(for_grey(trace(network), 3), grey), replicated)


@pytest.mark.parametrize("value_range", [(-1.0, 1.0), (0.0, 1.0), (-2.0, 6.0), (0.0, 255.0)])
@pytest.mark.parametrize("kind", ["convolution last", "sum last"])
@torch.no_grad()
def test_black_and_white_become_0_and_1(random_network, value_range, kind):
    network = random_network() if kind == "convolution last" else Skipping().eval()
    low, (black, white) = torch.rand(1, 3, 5, 7), value_range

    unit = run_layers(to_unit_range(trace(network), value_range), low)

    equal_within_rounding(unit, (network(low) - black) / (white - black))


class Affine(nn.Module):
    """Constants of every kind around two convolutions, the first of which has two users."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.register_buffer("each", torch.tensor([0.5, 2.0, -1.0, 3.0]).view(1, 4, 1, 1))

    def forward(self, x):
        x = self.first(x + 1)
        y = self.second(x * 2)
        return (y * 0.1 + self.each) / self.each - 3 + x


@torch.no_grad()
def test_constants_are_folded_into_convolutions_that_have_no_other_use():
    network, low = Affine().eval(), torch.rand(1, 3, 6, 5)

    folded = fold_affine(trace(network))

    equal_within_rounding(run_layers(folded, low), network(low))
    # What comes before a convolution stays, for padding is of zeros.
    assert sum(isinstance(layer, Pointwise) for layer in folded) == 2


@pytest.mark.parametrize(
    ("activation", "moved"), [(nn.PReLU(), True), (nn.ReLU(), True), (nn.PReLU(8), False)]
)
@torch.no_grad()
def test_the_last_convolution_goes_before_the_shuffle(activation, moved):
    network = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.PixelShuffle(2), activation,
        nn.Conv2d(8, 3, 5, padding=2),
    ).eval()  # fmt: skip
    low = torch.rand(1, 3, 6, 5)

    layers = convolve_before_shuffle(trace(network))

    equal_within_rounding(run_layers(layers, low), network(low))
    assert (kinds(layers)[-1] is PixelShuffle) == moved


@torch.no_grad()
def test_a_convolution_that_fills_its_lanes_stays_behind_the_shuffle():
    network = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.PixelShuffle(2), nn.Conv2d(8, 16, 3, padding=1)
    ).eval()
    layers = trace(network)
    assert convolve_before_shuffle(layers) == layers


@torch.no_grad()
def test_a_network_in_training_is_read_with_its_statistics_and_left_alone(random_network):
    network, image = random_network(), torch.ones(1, 3, 4, 5)
    expected = network(image)
    before = copy.deepcopy(network.train().state_dict())

    result = inference_network(network).placed(CPU, torch.float32)(image)

    equal_within_rounding(2 * result - 1, expected)
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_a_network_for_inference_is_float32_on_the_cpu(random_network):
    for grey in (False, True):
        network = inference_network(random_network().double(), grey=grey)
        weights = [layer.weight for layer in network.layers if isinstance(layer, Convolution)]
        assert {weight.dtype for weight in weights} == {torch.float32}
        assert not any(weight.requires_grad for weight in weights)
        assert network.channels == (1 if grey else 3)
        assert network.scale == 4


def test_folding_takes_no_random_numbers(random_network):
    network = random_network()
    before = torch.random.get_rng_state()

    inference_network(network, grey=True)

    assert torch.equal(torch.random.get_rng_state(), before)
