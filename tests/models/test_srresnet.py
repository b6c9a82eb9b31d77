from fractions import Fraction
from math import ceil

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import interpolate

from napari_srgan.graph.analyse import extents
from napari_srgan.graph.trace import trace
from napari_srgan.models.srresnet import (
    SRResNet,
    for_grey,
    start_as_interpolation,
    without_norms,
)

SCALES = (2, 3, 4, 8)


def parameters_of(network):
    return sum(parameter.numel() for parameter in network.parameters())


def parameters_of_convolution(inputs, outputs, kernel):
    return inputs * outputs * kernel**2 + outputs


def parameters_by_formula(blocks, features, channels, stages, batch_norm=True):
    inner = parameters_of_convolution(features, features, 3) + 2 * features * batch_norm
    body = parameters_of_convolution(channels, features, 9) + 1 + blocks * (2 * inner + 1) + inner
    tail = sum(parameters_of_convolution(features, features * s**2, 3) + 1 for s in stages)
    return body + tail + parameters_of_convolution(features, channels, 9)


def test_the_papers_network_has_1_549_462_parameters():
    assert parameters_by_formula(16, 64, 3, (2, 2)) == 1_549_462
    assert parameters_of(SRResNet()) == 1_549_462


@pytest.mark.parametrize(
    ("sizes", "formula"),
    [
        ({"blocks": 3, "features": 10}, (3, 10, 3, (2, 2))),
        ({"blocks": 1, "features": 8, "channels": 1, "scale": 3}, (1, 8, 1, (3,))),
        ({"blocks": 2, "features": 6, "channels": 5, "scale": 8}, (2, 6, 5, (2, 2, 2))),
        ({"blocks": 2, "features": 6, "batch_norm": False}, (2, 6, 3, (2, 2), False)),
    ],
)
def test_every_size_is_a_parameter(sizes, formula):
    assert parameters_of(SRResNet(**sizes)) == parameters_by_formula(*formula)


def test_the_tensors_of_the_papers_network_keep_their_names():
    convolutions = {"body.head", "body.trunk", "tail.last"}
    convolutions |= {f"tail.upsample.{stage}.conv" for stage in (0, 1)}
    convolutions |= {f"body.blocks.{block}.conv{i}" for block in range(16) for i in (1, 2)}
    norms = {"body.norm"} | {f"body.blocks.{block}.norm{i}" for block in range(16) for i in (1, 2)}
    slopes = {"body.act", "tail.upsample.0.act", "tail.upsample.1.act"}
    slopes |= {f"body.blocks.{block}.act" for block in range(16)}
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    expected = {f"{layer}.{part}" for layer in convolutions for part in ("weight", "bias")}
    expected |= {f"{layer}.{part}" for layer in norms for part in ("weight", "bias", *statistics)}
    expected |= {f"{layer}.weight" for layer in slopes}

    assert set(SRResNet().state_dict()) == expected


def test_without_batch_norm_only_the_norms_are_missing():
    sizes = {"blocks": 2, "features": 8}
    with_norms = SRResNet(**sizes).state_dict()

    without = set(SRResNet(**sizes, batch_norm=False).state_dict())

    assert without == {name for name in with_norms if "norm" not in name}


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_each_side_grows_by_the_scale(random_network, scale, channels):
    network = random_network(scale=scale, channels=channels)

    for h, w in ((1, 1), (1, 4), (5, 3)):
        high = network(torch.rand(2, channels, h, w))
        assert high.shape == (2, channels, scale * h, scale * w)


def radius_of(network):
    """Return how far an output sees, in pixels of the input, as its layers say."""
    rows, columns = extents(trace(network))[-1].radius
    assert rows == columns
    return rows


def test_the_radius_is_the_papers():
    assert radius_of(SRResNet().eval()) == 4 + 2 * 16 + 1 + (1 + Fraction(1, 2) + Fraction(4, 4))


@pytest.mark.parametrize(
    ("layers", "radius"),
    [
        ([nn.Conv2d(1, 1, 9, padding=4)], 4),
        ([nn.Conv2d(1, 1, 3, dilation=3, padding=3)], 3),
        ([nn.Conv2d(1, 4, 3, padding=1), nn.PixelShuffle(2), nn.Conv2d(1, 1, 9, padding=4)], 3),
        (
            [nn.Conv2d(1, 9, 1), nn.PixelShuffle(3), nn.Conv2d(1, 1, 3, padding=1)],
            Fraction(1, 3),
        ),
    ],
)
def test_a_radius_is_the_sum_over_the_layers_in_pixels_of_the_input(layers, radius):
    assert radius_of(nn.Sequential(*layers)) == radius


@torch.no_grad()
def columns_that_change(network, width, column):
    """Return the output columns that one pixel of a flat image reaches."""
    low = torch.rand(1, network.channels, 1, width, dtype=torch.float64)
    poked = low.clone()
    poked[..., column] += 5
    changed = (network(low) != network(poked)).any(dim=(0, 1, 2))
    return torch.nonzero(changed).flatten().tolist()


@given(blocks=st.integers(1, 3), scale=st.sampled_from(SCALES))
@settings(max_examples=20)
def test_one_pixel_reaches_as_far_as_the_layers_say(random_network, blocks, scale):
    network = random_network(blocks=blocks, scale=scale, features=4, channels=1).double()
    radius = radius_of(network)
    column = ceil(radius) + 1

    reached = columns_that_change(network, 2 * column + 1, column)

    assert reached[0] == scale * (column - radius)
    assert reached[-1] == scale * (column + radius + 1) - 1
    assert len(reached) == scale * (2 * radius + 1)


def test_one_row_reaches_as_far_as_one_column(random_network):
    network = random_network(features=4, channels=1).double()
    low = torch.rand(1, 1, 27, 27, dtype=torch.float64)
    poked = low.clone()
    poked[..., 13, 13] += 5

    changed = (network(low) != network(poked))[0, 0]

    assert torch.equal(changed.any(0), changed.any(1))


def test_the_papers_network_reaches_39_and_a_half_pixels():
    network = SRResNet(batch_norm=False).double()
    low = torch.rand(1, 3, 1, 83, dtype=torch.float64, requires_grad=True)
    high = network(low).sum(dim=(0, 1, 2))

    # Gradients, because a pixel's effect drowns in rounding on its way through 36 layers.
    def sees_pixel_41(column):
        (gradient,) = torch.autograd.grad(high[column], low, retain_graph=True)
        return bool(gradient[..., 41].any())

    first, last = int(4 * (41 - 39.5)), int(4 * (41 + 39.5 + 1)) - 1
    seen = [sees_pixel_41(column) for column in (first - 1, first, last, last + 1)]
    assert seen == [False, True, True, False]


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"blocks": 0}, "1 or more; got 0, 64 and 3"),
        ({"features": -1}, "1 or more; got 16, -1 and 3"),
        ({"channels": 0}, "1 or more; got 16, 64 and 0"),
        ({"scale": 1}, r"one of \[2, 3, 4, 8\]; got 1"),
        ({"scale": 5}, r"one of \[2, 3, 4, 8\]; got 5"),
    ],
)
def test_sizes_out_of_range_are_refused(sizes, message):
    with pytest.raises(ValueError, match=message):
        SRResNet(**sizes)


def nearest(low, scale):
    return interpolate(low, scale_factor=scale, mode="nearest")


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("channels", [1, 3])
@torch.no_grad()
def test_the_interpolation_start_nearly_repeats_each_pixel(scale, channels):
    network = SRResNet(blocks=2, features=12, channels=channels, scale=scale).eval()
    start_as_interpolation(network)
    low = torch.rand(1, channels, 7, 9)

    error = network(low) - (2 * nearest(low, scale) - 1)

    assert error.abs().mean() < 0.02


@torch.no_grad()
def test_the_interpolation_start_carries_the_image_exactly_beside_its_random_maps():
    network = SRResNet(blocks=2, features=12)
    start_as_interpolation(network)
    network.tail.last.weight[:, 3:] = 0
    low = torch.rand(2, 3, 7, 9)

    for mode in (network.train(), network.eval()):
        torch.testing.assert_close(mode(low), 2 * nearest(low, 4) - 1)


def test_the_interpolation_start_lets_every_weight_learn_within_two_steps():
    network = SRResNet(blocks=2, features=12)
    start_as_interpolation(network)
    step = torch.optim.SGD(network.parameters(), lr=0.1)
    low = torch.rand(2, 3, 7, 9)

    # The silent norms learn first; what lies behind them, from then on.
    for _ in range(3):
        step.zero_grad()
        network(low).square().mean().backward()
        step.step()

    still = [name for name, value in network.named_parameters() if not value.grad.any()]
    assert still == []


@pytest.mark.parametrize("sizes", [{"batch_norm": False}, {"features": 2}])
def test_the_interpolation_start_needs_norms_and_a_map_for_every_channel(sizes):
    network = SRResNet(**{"blocks": 1, "features": 4, **sizes})

    with pytest.raises(ValueError, match="needs batch norm and at least as many features"):
        start_as_interpolation(network)


def test_a_network_without_its_norms_computes_the_same(random_network) -> None:
    network = random_network(blocks=2, features=8)
    bare = without_norms(network)
    assert not bare.batch_norm
    low = torch.rand(1, 3, 9, 11)
    with torch.no_grad():
        torch.testing.assert_close(bare(low), network(low), atol=1e-5, rtol=1e-5)
    again = without_norms(bare)
    assert all(
        torch.equal(a, b) for a, b in zip(again.parameters(), bare.parameters(), strict=True)
    )


def test_a_network_for_grey_computes_what_colours_give_of_grey(random_network) -> None:
    network = random_network(blocks=2, features=8)
    grey = for_grey(network)
    assert grey.channels == 1
    image = torch.rand(1, 1, 9, 7)
    with torch.no_grad():
        expected = network(image.expand(1, 3, 9, 7)).mean(1, keepdim=True)
        torch.testing.assert_close(grey(image), expected, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(for_grey(grey)(image), expected)
