import numpy as np
import pytest
import torch

from napari_srgan.store.self_test import SIZE, hard_picture, make_self_test


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_the_picture_has_black_white_and_much_between_in_every_channel(channels):
    picture = hard_picture(channels)

    assert picture.shape == (channels, *SIZE)
    assert picture.dtype == np.uint8
    for plane in picture:
        assert {0, 255} <= set(plane.flat)
        assert len(set(plane.flat)) > 100
    assert len({plane.tobytes() for plane in picture}) == channels


def test_the_picture_is_not_square_so_that_rows_and_columns_cannot_be_swapped():
    assert SIZE[0] != SIZE[1]


@pytest.mark.parametrize("sizes", [{}, {"batch_norm": False}, {"channels": 1, "scale": 2}])
def test_the_expectation_is_what_the_network_makes_of_the_picture_in_units(random_network, sizes):
    network = random_network(**sizes)

    test = make_self_test(network)

    with torch.no_grad():
        high = network(torch.from_numpy(test.low)[None].float() / 255)[0].numpy()
    assert test.upscaled.dtype == np.float32
    np.testing.assert_allclose(test.upscaled, (high + 1) / 2, atol=1e-5)


def test_it_is_of_the_network_in_use_and_leaves_one_in_training_as_it_is(random_network):
    network = random_network().train()
    before = {key: value.clone() for key, value in network.state_dict().items()}

    test = make_self_test(network)

    assert network.training
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    np.testing.assert_array_equal(test.upscaled, make_self_test(random_network()).upscaled)


def test_it_takes_no_random_numbers(random_network):
    network = random_network()
    before = torch.random.get_rng_state()

    make_self_test(network)

    assert torch.equal(torch.random.get_rng_state(), before)
