"""bfloat16 where it does not show: the same function, to a fraction of a level."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.data import astronaut

from napari_srgan.graph.bfloat16 import in_bfloat16, rounded_with_its_sum
from napari_srgan.graph.network import inference_network
from napari_srgan.graph.ops import Add, Cast, Concat, Convolution, Pointwise
from napari_srgan.graph.stream_plan import StreamPlan
from napari_srgan.graph.trace import trace
from napari_srgan.inference.runner import Runner
from napari_srgan.models.edsr import EDSR
from napari_srgan.store.load import load_model

CPU = torch.device("cpu")


def test_a_photograph_is_within_a_level_of_float32_nearly_everywhere() -> None:
    network = inference_network(load_model("srresnet-x4").network)
    window = torch.from_numpy(astronaut()[120:184, 180:244]).movedim(-1, 0)[None] / 255

    exact, half = (
        255 * Runner(network, CPU, p).run(window).float().numpy()
        for p in (torch.float32, torch.bfloat16)
    )

    levels = [np.rint(x.clip(0, 255)) for x in (exact, half)]
    assert np.mean(np.abs(levels[0] - levels[1]) > 1) < 2e-3
    difference = half - exact
    assert np.sqrt(np.mean(difference**2)) < 0.4
    assert abs(difference.mean()) < 0.05


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_it_is_the_same_function(random_network, in_bands, scale) -> None:
    network, image = random_network(scale=scale), torch.rand(1, 3, 19, 13)
    wanted = 0.5 * network(image).detach() + 0.5
    found = in_bands(inference_network(network).stream_plan(torch.bfloat16), image, 7)
    assert found.shape == wanted.shape
    assert (found - wanted).abs().max() < 0.02 * wanted.abs().max()


def test_grey_and_networks_without_skips_are_computed_too(random_network, in_bands) -> None:
    grey = random_network(channels=1, batch_norm=False)
    plain = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(4, 1, 3, padding=1)
    ).eval()
    image = torch.rand(1, 1, 19, 13)
    for network in (grey, plain):
        wanted = network(image).detach()
        found = in_bands(StreamPlan.of(trace(network), torch.bfloat16), image, 7)
        assert (found - wanted).abs().max() < 0.02 * wanted.abs().max()


def test_what_carries_the_image_stays_in_float32(random_network) -> None:
    layers = in_bfloat16(inference_network(random_network(blocks=3)).layers)
    kinds = [layer.weight.dtype for layer in layers if isinstance(layer, Convolution)]

    assert kinds == [torch.float32, *[torch.bfloat16] * 10]
    assert StreamPlan.of_prepared(layers).values[-1].dtype == torch.float32
    assert isinstance(layers[-1], Add)  # the image, to which the difference is added
    assert any(isinstance(layer, Concat) for layer in layers)


def test_the_last_sum_is_convolved_with_sixteen_bits(random_network) -> None:
    network = inference_network(random_network(blocks=1, features=8))
    layers = in_bfloat16(network.layers)
    wide = next(
        layer
        for layer in layers
        if isinstance(layer, Convolution) and layer.weight.shape[1] == 2 * 8
    )
    halves = wide.weight.split(8, 1)
    assert torch.equal(*halves)

    joined = layers[wide.source - 1]
    assert isinstance(joined, Concat)
    rounded, rest = (layers[source - 1] for source in joined.sources)
    assert isinstance(rounded, Cast)
    assert isinstance(rest, Cast)
    left = layers[rest.source - 1]
    assert isinstance(left, Pointwise)
    value = torch.randn(1, 8, 5, 5)
    parts = [value.to(torch.bfloat16), left.function(value).to(torch.bfloat16)]
    assert ((sum(part.double() for part in parts) - value) / value).abs().max() < 2**-16


def test_rounding_keeps_the_sum_of_each_kernel() -> None:
    weight = torch.randn(16, 8, 5, 5)
    rounded = rounded_with_its_sum(weight)

    assert rounded.dtype == torch.bfloat16
    kept = (rounded.double().sum((2, 3)) - weight.double().sum((2, 3))).abs().max()
    plain = (weight.bfloat16().double().sum((2, 3)) - weight.double().sum((2, 3))).abs().max()
    assert kept < plain / 20
    assert (rounded.float() - weight).abs().max() <= 2**-7 * weight.abs().max()


@pytest.mark.parametrize("grey", [False, True])
def test_a_mean_shift_does_not_cost_the_image_its_precision(grey) -> None:
    network = EDSR(blocks=2, features=8, scale=2).eval()
    layers = in_bfloat16(inference_network(network, grey=grey).layers)
    dtypes = [x.weight.dtype for x in layers if isinstance(x, Convolution)]
    assert set(dtypes[: 2 if grey else 1]) == {torch.float32}  # the replicated image, the head
    assert dtypes[3] == torch.bfloat16
