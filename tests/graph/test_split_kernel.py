"""Columns of a kernel apart: the same function in convolutions that make more maps."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from napari_srgan.graph.network import inference_network
from napari_srgan.graph.ops import Convolution, PixelShuffle, Pointwise
from napari_srgan.graph.split_kernel import with_columns_apart
from napari_srgan.graph.stream_plan import StreamPlan
from napari_srgan.graph.trace import trace


def kernels(layers) -> list[tuple[int, ...]]:
    return [tuple(x.weight.shape) for x in layers if isinstance(x, Convolution)]


@given(
    outputs=st.integers(1, 3),
    sides=st.tuples(st.sampled_from([1, 3, 5]), st.sampled_from([3, 5, 7])),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    bias=st.booleans(),
)
def test_it_is_the_same_function(in_bands, outputs, sides, dilation, size, bias) -> None:
    padding = tuple(d * (side // 2) for d, side in zip(dilation, sides, strict=True))
    network = nn.Conv2d(24, outputs, sides, padding=padding, dilation=dilation, bias=bias)
    image = torch.rand(1, 24, *size)
    assert len(kernels(StreamPlan.of(trace(network)).layers)) == 2
    torch.testing.assert_close(
        in_bands(StreamPlan.of(trace(network)), image, 5), network(image), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize(("grey", "maps"), [(False, 12), (True, 4)])
def test_the_last_layer_is_taken_apart_and_no_other(random_network, grey, maps) -> None:
    before = inference_network(random_network(blocks=2, features=64), grey=grey).layers
    after = with_columns_apart(before)

    assert kernels(before)[-1] == (maps, 256, 5, 5)
    assert kernels(after) == [
        *kernels(before)[:-1], (5 * maps, 256, 5, 1), (maps, 5 * maps, 1, 5)
    ]  # fmt: skip
    assert isinstance(after[-1], PixelShuffle)
    assert after[-1].source == len(after) - 1


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(64, 16, 3, padding=1),  # fills its lanes
        nn.Conv2d(8, 3, 3, padding=1),  # adding would cost as much as it saves
        nn.Conv2d(32, 4, 3, padding=1, groups=4),
        nn.Conv2d(64, 3, 1),
        nn.Conv2d(64, 3, (3, 1), padding=(1, 0)),
    ],
)
def test_what_would_not_gain_is_left(layer) -> None:
    layers = trace(layer)
    assert with_columns_apart(layers) == layers


class Middle(nn.Module):
    """Few maps in the middle, which later layers and a sum read."""

    def __init__(self) -> None:
        super().__init__()
        self.few = nn.Conv2d(32, 2, 3, padding=1)
        self.many = nn.Conv2d(2, 2, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        few = self.few(x)
        return self.many(torch.relu(few)) + few


def test_layers_after_it_read_what_they_read_before(in_bands) -> None:
    network, image = Middle().eval().requires_grad_(False), torch.rand(1, 32, 9, 7)
    layers = with_columns_apart(trace(network))
    assert [type(x) for x in layers[:3]] == [Convolution, Convolution, Pointwise]
    torch.testing.assert_close(
        in_bands(StreamPlan.of(trace(network)), image, 5), network(image), atol=1e-5, rtol=1e-5
    )
