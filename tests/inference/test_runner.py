"""A runner computes what its network does; runners are made once and kept within bounds."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from napari_srgan.graph import network as graph
from napari_srgan.graph.network import inference_network
from napari_srgan.inference.runner import Runner, RunnerCache, check_channels, runner_for, runners

CPU = torch.device("cpu")


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("band", [None, 2])
def test_a_window_becomes_what_the_network_makes_of_it(random_network, precision, band):
    network, low = random_network(), torch.rand(1, 3, 5, 7)
    work = Runner(inference_network(network), CPU, precision).begin(5, 7, band)

    high = torch.cat([work.feed(low[:, :, a:b]).clone() for a, b in work.steps], 2)

    with torch.no_grad():
        expected = (network(low) + 1) / 2
    assert high.shape == (1, 3, 20, 28)
    limit = 1e-5 if precision == torch.float32 else 0.1
    torch.testing.assert_close(high.float(), expected, atol=limit, rtol=0)


def test_a_window_is_not_written_to_and_the_network_not_changed(random_network):
    network = inference_network(random_network())
    before = [layer.weight.clone() for layer in network.layers if hasattr(layer, "weight")]
    window = torch.rand(1, 3, 5, 7)
    copy = window.clone()

    Runner(network, CPU, torch.bfloat16).run(window)

    assert torch.equal(window, copy)
    after = [layer.weight for layer in network.layers if hasattr(layer, "weight")]
    assert all(map(torch.equal, before, after))


def test_nothing_is_placed_on_a_device_before_the_first_window(random_network):
    Runner(inference_network(random_network()), torch.device("cuda:99"), torch.float32)


def test_a_runner_elsewhere_runs_the_same_network(random_network):
    first, window = (
        Runner(inference_network(random_network()), CPU, torch.float32),
        torch.rand(1, 3, 5, 7),
    )
    other = first.on(CPU)
    assert other.network is first.network
    assert torch.equal(other.run(window), first.run(window))
    assert first.on(CPU, torch.float16).precision == torch.float16


def test_a_grey_model_refuses_colours_and_takes_grey(random_model):
    grey = random_model(channels=1)
    runner = runner_for(grey, colour=False, device=CPU, precision=torch.float32)
    assert runner.network.channels == 1
    with pytest.raises(ValueError, match="model random is for grey images only"):
        check_channels(grey, colour=True)


@pytest.mark.parametrize("channels", [2, 4, 5])
@pytest.mark.parametrize("colour", [True, False])
def test_a_model_of_other_channels_is_refused(random_model, channels, colour):
    with pytest.raises(ValueError, match=f"has {channels} channels; images have 1 or 3"):
        check_channels(random_model(channels=channels), colour=colour)


# Kept


@pytest.fixture
def read(monkeypatch):
    """Return the list of the generators that have been read."""
    seen, make = [], graph.inference_network

    def counted(generator, *, grey=False):
        seen.append((generator, grey))
        return make(generator, grey=grey)

    monkeypatch.setattr(graph, "inference_network", counted)
    return seen


def get(cache, generator, *, grey=False, device=CPU, precision=torch.float32):
    return cache.get(generator, grey=grey, device=device, precision=precision)


def test_a_generator_is_read_once_for_grey_and_once_for_colour(random_network, read):
    cache, network = RunnerCache(), random_network()

    first = get(cache, network)
    assert get(cache, network) is first
    half = get(cache, network, precision=torch.float16)
    assert half is not first
    assert half.network is first.network
    get(cache, network, grey=True)
    get(cache, network, grey=True)

    assert [grey for _, grey in read] == [False, True]


def test_changed_weights_are_read_anew(random_network, read):
    cache, network, window = RunnerCache(), random_network(), torch.rand(1, 3, 5, 7)
    before = get(cache, network).run(window)

    with torch.no_grad():
        network.tail.last.weight.mul_(0.5)

    assert not torch.equal(get(cache, network).run(window), before)
    assert len(read) == 2
    assert len(cache) == 1
    network.value_range = (0.0, 1.0)
    get(cache, network)
    assert len(read) == 3


def test_no_more_are_kept_than_allowed_and_the_last_used_stay(random_network, read):
    cache = RunnerCache(most=2)
    one, two, three = (random_network(seed) for seed in range(3))

    get(cache, one)
    get(cache, two)
    get(cache, one)
    get(cache, three)

    assert len(cache) == 2
    get(cache, one)
    assert len(read) == 3
    get(cache, two)
    assert len(read) == 4


def test_their_weights_are_bounded_too_but_the_newest_is_kept(random_network):
    size = inference_network(random_network()).nbytes
    for room, kept in [(0, 1), (1.5 * size, 1), (2.5 * size, 2)]:
        cache = RunnerCache(most_bytes=int(room))
        for seed in range(3):
            get(cache, random_network(seed))
        assert len(cache) == kept


def test_clearing_releases_them(random_network):
    cache = RunnerCache()
    get(cache, random_network())
    cache.clear()
    assert len(cache) == 0


def test_threads_that_ask_at_once_share_one(random_network, read):
    cache, network, together = RunnerCache(), random_network(), threading.Barrier(4, timeout=30)

    def ask(_):
        together.wait()
        return get(cache, network)

    with ThreadPoolExecutor(4) as pool:
        assert len({id(runner) for runner in pool.map(ask, range(4))}) == 1
    assert len(read) == 1


def test_the_packages_own_cache_can_be_released(random_model):
    import napari_srgan as ns

    runner_for(random_model(), colour=True, device=CPU, precision=torch.float32)
    assert len(runners) > 0
    ns.release_memory()
    assert len(runners) == 0
