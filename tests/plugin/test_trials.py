"""What a run is said to take before it begins."""

import dask.array as da
import numpy as np
import pytest
import torch

from napari_srgan.inference import devices
from napari_srgan.inference.planning import Tiles
from napari_srgan.inference.settings import Settings
from napari_srgan.plugin.job import Needs, Trial, refuse_too_large, runner_for, try_out
from napari_srgan.plugin.messages import Choices, Failed, Source
from napari_srgan.store.load import load_model

UINT8 = np.dtype(np.uint8)


def choices(model, **settings):
    return Choices(model, "auto", Settings(**settings), None)


def source(*shape, dtype=np.uint8, rgb=False):
    return Source(np.zeros(shape, dtype), rgb, None)


@pytest.fixture
def needs(own_model):
    return lambda tile=64: Needs(
        runner_for(load_model(own_model()), choices("tiny"), False, UINT8), tile
    )


def test_memory_is_the_result_and_one_window(needs):
    tiles = Tiles.of(64, needs().runner)
    per_pixel, reach = tiles.bytes_per_pixel, 64 + 2 * tiles.halo

    small, large = 30 * 50, 300 * 500
    window = reach**2
    assert needs().memory(source(30, 50)) == (16 + per_pixel) * small
    assert needs().memory(source(300, 500)) == 16 * large + per_pixel * window
    deep = source(5, 30, 50, dtype=np.uint16)
    assert needs().memory(deep) == 2 * 5 * 16 * small + per_pixel * small
    assert needs().memory(source(30, 50, 3, rgb=True)) == (3 * 16 + per_pixel) * small


def test_memory_of_bands_does_not_grow_with_the_height(needs):
    low, high = (needs("auto").memory(source(height, 999)) for height in (500, 5000))

    assert high - low == 16 * 999 * 4500


def test_an_array_that_must_be_read_takes_its_own_memory_too(needs):
    read = Source(da.zeros((5, 30, 50), dtype=np.uint16), False, None)
    one = Source(da.zeros((5, 30, 50), dtype=np.uint16), False, (2,))
    at_hand = source(5, 30, 50, dtype=np.uint16)

    assert needs().memory(read) - needs().memory(at_hand) == 2 * 5 * 1500
    assert needs().memory(one) - needs().memory(source(30, 50, dtype=np.uint16)) == 2 * 1500


def test_a_graphics_card_has_its_own_memory(needs):
    of_card = needs()
    of_card.runner.device = torch.device("cuda")

    assert of_card.memory(source(30, 50)) == 16 * 1500


def test_time_grows_with_the_pixels_that_the_network_sees(needs):
    tiled, streamed = (Trial(needs(tile), seconds_per_pixel=1e-3) for tile in (64, "auto"))

    assert tiled.seconds(source(30, 50)) == pytest.approx(1.5)
    assert tiled.seconds(source(7, 30, 50)) == pytest.approx(7 * 1.5)
    assert tiled.seconds(source(300, 500)) > 150  # halos are computed twice
    assert streamed.seconds(source(300, 500)) == pytest.approx(150)  # nothing is


def test_several_devices_share_the_time(own_model, needs, monkeypatch):
    image, cpu = source(30, 50), torch.device("cpu")
    assert Trial(needs(), 1e-3, devices=2).seconds(image) == pytest.approx(0.75)
    monkeypatch.setattr(devices, "choose_devices", lambda device: [cpu, cpu, cpu])
    trial = try_out(choices(own_model()), False, UINT8)
    assert isinstance(trial, Trial)
    assert trial.devices == 3


def test_a_trial_tells_what_the_run_will_use(own_model):
    trial = try_out(choices(own_model(scale=2), tile=48), False, UINT8)

    assert isinstance(trial, Trial)
    assert (trial.needs.scale, trial.needs.tile) == (2, 48)
    assert 0 < trial.seconds_per_pixel < 1e-2


@pytest.mark.parametrize(
    ("settings", "reason"),
    [({"device": "tpu"}, "'tpu' is not available"), ({"precision": "int4"}, "got 'int4'")],
)
def test_a_trial_that_fails_says_why(own_model, settings, reason):
    failed = try_out(choices(own_model(), **settings), False, UINT8)

    assert isinstance(failed, Failed)
    assert reason in failed.reason


def test_a_trial_of_a_model_that_is_gone_says_why(own_model, tmp_path):
    name = own_model()
    (tmp_path / "tiny.safetensors").unlink()

    failed = try_out(choices(name), False, UINT8)
    assert isinstance(failed, Failed)
    assert f"No model file at {tmp_path}" in failed.reason


def test_a_run_that_does_not_fit_is_refused_with_what_to_do(monkeypatch, needs):
    monkeypatch.setattr(devices, "free_memory", lambda device: 2**22)

    refuse_too_large(source(20, 30), needs())
    with pytest.raises(
        MemoryError, match=r"takes [\d.]+ MiB of memory; only 4\.0 MiB are free\. Cho"
    ):
        refuse_too_large(source(900, 950), needs())


def test_free_memory_is_the_computers(needs):
    assert 2**20 < needs().free_memory() < 2**50
