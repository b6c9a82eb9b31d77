import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_srgan.graph.fold import folded, single_channel, with_unit_output

SCALES = (2, 3, 4, 8)


def equal_within_rounding(one, other):
    torch.testing.assert_close(one, other, atol=2e-5, rtol=2e-5)


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

    equal_within_rounding(folded(network)(low), network(low))


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

    equal_within_rounding(single_channel(network)(grey), replicated)


@torch.no_grad()
def test_unit_output_maps_the_output_range_to_0_and_1(random_network):
    network = random_network()
    low = torch.rand(1, 3, 5, 7)
    high = network(low)

    unit = with_unit_output(folded(network))

    equal_within_rounding(unit(low), (high + 1) / 2)
    assert unit.output_range == (0, 1)
    assert torch.equal(network(low), high)


@torch.no_grad()
def test_another_output_range_is_kept_by_folding_and_mapped_by_unit_output(random_network):
    network = random_network()
    network.output_range = (-2.0, 6.0)
    low = torch.rand(1, 1, 5, 7)

    unit = with_unit_output(single_channel(network))

    equal_within_rounding(unit(low), (single_channel(network)(low) + 2) / 8)


@pytest.mark.parametrize("fold", [folded, single_channel])
def test_the_folded_network_is_for_evaluation_in_float32_without_norms(random_network, fold):
    result = fold(random_network().double())

    assert not result.training
    assert not result.batch_norm
    assert not any("norm" in name for name in result.state_dict())
    assert all(value.dtype == torch.float32 for value in result.parameters())
    assert not any(value.requires_grad for value in result.parameters())


@torch.no_grad()
def test_a_network_in_training_is_folded_with_its_statistics_and_left_alone(random_network):
    network = random_network()
    expected = network(torch.ones(1, 3, 4, 5))
    before = copy.deepcopy(network.train().state_dict())

    result = with_unit_output(folded(network))

    equal_within_rounding(2 * result(torch.ones(1, 3, 4, 5)) - 1, expected)
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_folding_takes_no_random_numbers(random_network):
    network = random_network()
    before = torch.random.get_rng_state()

    single_channel(network)

    assert torch.equal(torch.random.get_rng_state(), before)
