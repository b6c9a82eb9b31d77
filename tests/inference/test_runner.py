import logging

import numpy as np
import pytest
import torch

from napari_srgan.graph.fold import folded, with_unit_output
from napari_srgan.inference.images import ValueRange
from napari_srgan.inference.planes import Units
from napari_srgan.inference.runner import Runner, inference_network

CPU = torch.device("cpu")


UNBOUNDED = Units(ValueRange(0, 1, -np.inf, np.inf), np.dtype(np.float32))


def random_window(*channels, h=5, w=7):
    return np.random.default_rng(0).random((h, w, *channels), np.float32)


def overflowing(network):
    """Return a network of ordinary results whose features do not fit in float16."""
    with torch.no_grad():
        network.body.head.weight.mul_(2e5)
        network.body.head.bias.zero_()
        network.body.norm.weight.zero_()
        network.body.norm.bias.zero_()
        network.tail.last.weight.mul_(5e-6)
    return network


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16, torch.float16])
def test_a_window_becomes_what_the_network_makes_of_it_in_units(random_model, precision):
    model, window = random_model(), random_window(3)

    high = Runner(inference_network(model, colour=True), CPU, precision)(window, UNBOUNDED)

    with torch.no_grad():
        low = torch.from_numpy(window).movedim(-1, 0)
        expected = (model.network(low[None])[0].movedim(0, -1) + 1) / 2
    assert high.dtype == np.float32
    assert high.shape == (20, 28, 3)
    np.testing.assert_allclose(high, expected, atol=1e-5 if precision == torch.float32 else 0.1)


def test_a_grey_window_becomes_the_mean_of_the_colours_of_its_replica(random_model):
    model, window = random_model(), random_window()

    high = Runner(inference_network(model, colour=False), CPU, torch.float32)(window, UNBOUNDED)

    with torch.no_grad():
        colours = model.network(torch.from_numpy(window).expand(1, 3, -1, -1))[0]
    np.testing.assert_allclose(high, (colours.mean(0) + 1) / 2, atol=1e-5)


def test_a_window_is_not_written_to_and_the_network_not_changed(random_model):
    network = inference_network(random_model(), colour=True)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    window = random_window(3)
    copy = window.copy()

    Runner(network, CPU, torch.bfloat16)(window, UNBOUNDED)

    assert (window == copy).all()
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_half_precision_that_overflows_is_computed_again_in_float32(random_network, caplog):
    network = with_unit_output(folded(overflowing(random_network())))
    window = random_window(3)
    exact = Runner(network, CPU, torch.float32)(window, UNBOUNDED)

    with caplog.at_level(logging.INFO):
        guarded = Runner(network, CPU, torch.float16)(window, UNBOUNDED)

    assert "computed again in float32" in caplog.text
    assert (guarded == exact).all()
    assert np.ptp(exact) > 0.01


def test_only_the_window_that_overflows_is_computed_again(random_network, caplog):
    network = with_unit_output(folded(overflowing(random_network())))
    runner = Runner(network, CPU, torch.float16)

    with caplog.at_level(logging.INFO):
        runner(np.zeros((5, 7, 3), np.float32), UNBOUNDED)
        assert "again" not in caplog.text
        runner(random_window(3), UNBOUNDED)
        assert "again" in caplog.text


def test_what_is_not_finite_in_float32_either_is_an_error(random_network):
    runner = Runner(folded(random_network()), CPU, torch.float32)
    window = random_window(3)
    window[2, 3, 0] = np.inf

    with pytest.raises(FloatingPointError, match=r"not finite.*Check the image's value range"):
        runner(window, UNBOUNDED)


def test_nothing_is_placed_on_a_device_before_the_first_window(random_network):
    Runner(random_network(), torch.device("cuda:99"), torch.float32)


def test_a_grey_model_refuses_colours_and_takes_grey(random_model):
    grey = random_model(channels=1)

    assert inference_network(grey, colour=False).channels == 1
    with pytest.raises(ValueError, match="model random is for grey images only"):
        inference_network(grey, colour=True)


@pytest.mark.parametrize("channels", [2, 4, 5])
@pytest.mark.parametrize("colour", [True, False])
def test_a_model_of_other_channels_is_refused(random_model, channels, colour):
    with pytest.raises(ValueError, match=f"has {channels} channels; images have 1 or 3"):
        inference_network(random_model(channels=channels), colour=colour)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_runner_elsewhere_does_the_same_and_reads_no_network(
    random_network, monkeypatch, precision
):
    first, window = Runner(folded(random_network()), CPU, precision), random_window(3)
    expected = list(first.iter_bands(lambda i, j: window[i:j], UNBOUNDED, 5, 7, 2))

    other = first.elsewhere(CPU)
    monkeypatch.setattr("napari_srgan.inference.runner.read_layers", None)
    found = list(other.iter_bands(lambda i, j: window[i:j], UNBOUNDED, 5, 7, 2))

    assert [row for row, _ in found] == [row for row, _ in expected]
    assert all((a == b).all() for (_, a), (_, b) in zip(found, expected, strict=True))
    assert (other(window, UNBOUNDED) == first(window, UNBOUNDED)).all()
