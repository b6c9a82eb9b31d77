"""A network read as a list of layers: what can be streamed, and what is refused by name."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor, nn

from napari_srgan.models.fold import folded
from napari_srgan.models.layers import (
    Convolution,
    NotStreamableError,
    Pointwise,
    Shuffle,
    Sum,
    read_layers,
)


def test_a_generator_is_convolutions_activations_sums_and_shuffles(random_network) -> None:
    layers = read_layers(folded(random_network(blocks=3, scale=4)))
    counts = {kind: sum(isinstance(x, kind) for x in layers) for kind in (Convolution, Sum)}
    assert counts == {Convolution: 2 * 3 + 5, Sum: 3 + 1}
    assert [x.factor for x in layers if isinstance(x, Shuffle)] == [2, 2]
    assert all(x.slope is not None for x in layers if isinstance(x, Pointwise))


def test_norms_in_evaluation_mode_are_pointwise_and_in_training_mode_refused(
    random_network,
) -> None:
    network = random_network()
    assert any(
        isinstance(getattr(x, "function", None), nn.BatchNorm2d) for x in read_layers(network)
    )
    network.train()
    with pytest.raises(NotStreamableError, match=r"norm1 is a BatchNorm2d"):
        read_layers(network)
    network.eval()


def test_an_identity_is_no_layer() -> None:
    network = nn.Sequential(nn.Identity(), nn.Conv2d(1, 1, 3, padding=1), nn.Identity())
    assert [type(layer) for layer in read_layers(network)] == [Convolution]


class Attention(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * x.mean((2, 3), keepdim=True)


class Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


class Passed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(1, 1, 1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        self.second(y)
        return y


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (nn.InstanceNorm2d(3), "is a InstanceNorm2d"),
        (nn.Conv2d(3, 3, 3), "does not keep the image's size by zeros"),
        (nn.Conv2d(3, 3, 3, stride=2, padding=1), "does not keep the image's size by zeros"),
        (nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect"), "does not keep the image's size"),
        (nn.Conv2d(3, 3, 4, padding="same"), "has a kernel of even size"),
        (Attention(), "mean is not understood"),
        (Branching(), "forward cannot be read"),
        (Passed(), "output is not what it computes last"),
    ],
)
def test_what_cannot_be_streamed_is_named(network: nn.Module, reason: str) -> None:
    with pytest.raises(NotStreamableError, match=re.escape(reason)):
        read_layers(network if isinstance(network, (Attention, Branching, Passed)) else
                    nn.Sequential(network))  # fmt: skip


def test_reading_leaves_the_network_as_it_is(random_network) -> None:
    network = random_network()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    read_layers(network)
    after = network.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
