"""A network with its kernels turned is the network between a turn of the image and its undoing."""

import pytest
import torch
from torch import nn

from napari_srgan.graph.network import inference_network
from napari_srgan.graph.ops import (
    Convolution,
    PixelShuffle,
    PixelUnshuffle,
    run_layers,
)
from napari_srgan.graph.orient import ORIENTATIONS, oriented
from napari_srgan.graph.trace import trace
from napari_srgan.models.families import FAMILIES


def assert_turned(layers, image):
    for each in ORIENTATIONS:
        wanted = each.turn_back(run_layers(layers, each.turn(image)))
        found = run_layers(oriented(layers, each), image)
        torch.testing.assert_close(found, wanted, atol=2e-5, rtol=2e-5)


def test_the_eight_orientations_are_all_there_are():
    image = torch.arange(6.0).view(1, 1, 2, 3)
    turned = {tuple(map(tuple, each.turn(image)[0, 0].tolist())) for each in ORIENTATIONS}
    assert len(turned) == 8
    assert torch.equal(ORIENTATIONS[0].turn(image), image)


@pytest.mark.parametrize("each", ORIENTATIONS)
def test_turning_back_undoes_a_turn(each):
    image = torch.rand(2, 3, 5, 7)
    assert torch.equal(each.turn_back(each.turn(image)), image)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@torch.no_grad()
def test_the_papers_network_can_be_turned(random_network, scale):
    layers = inference_network(random_network(scale=scale)).layers
    assert_turned(layers, torch.rand(1, 3, 9, 14))
    # No layer is needed for it: sub-pixels are reordered by the convolutions that make them.
    assert len(oriented(layers, ORIENTATIONS[-1])) == len(layers)


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_every_family_that_is_read_as_layers_can_be_turned(family):
    torch.manual_seed(0)
    network = FAMILIES[family]().eval()
    assert_turned(inference_network(network).layers, torch.rand(1, network.channels, 6, 9))


class Odd(nn.Module):
    """Kernels of other sides, dilated and grouped, slopes of each channel before a shuffle."""

    def __init__(self):
        super().__init__()
        self.wide = nn.Conv2d(2, 4, (5, 3), padding=(2, 1))
        self.dilated = nn.Conv2d(4, 12, (3, 1), padding=(3, 0), dilation=(3, 1), groups=2)
        self.each = nn.PReLU(12)
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, x):
        nn.init.uniform_(self.each.weight)
        return self.shuffle(self.each(self.dilated(self.wide(x))))


@torch.no_grad()
def test_what_is_of_one_channel_goes_where_the_channel_goes():
    torch.manual_seed(0)
    assert_turned(trace(Odd().eval()), torch.randn(1, 2, 7, 10))


@torch.no_grad()
def test_pixels_made_small_again_can_be_turned():
    torch.manual_seed(0)
    layers = (
        Convolution(0, torch.randn(9, 1, 3, 3), None, (1, 1)),
        PixelShuffle(1, 3),
        PixelUnshuffle(2, 3),
        Convolution(3, torch.randn(9, 9, 1, 1), None, (0, 0)),
        PixelShuffle(4, 3),
    )
    assert_turned(layers, torch.randn(1, 1, 4, 5))
