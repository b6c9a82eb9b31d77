"""What a run is said to take before it begins."""

import dask.array as da
import numpy as np
import pytest
import torch

from napari_srgan import _trials, devices
from napari_srgan._requests import Choices, Failed, Source
from napari_srgan._trials import Needs, Trial, refuse_too_large, runner_for, try_out
from napari_srgan.inference import Settings
from napari_srgan.library import load_model

UINT8 = np.dtype(np.uint8)
NEEDS = Needs(scale=4, tile=64, halo=10, bytes_per_pixel=1000)


def choices(model, **settings):
    return Choices(model, "auto", Settings(**settings), None)


def source(*shape, dtype=np.uint8, rgb=False):
    return Source(np.zeros(shape, dtype), rgb, None)


def test_memory_is_the_result_and_one_window():
    assert NEEDS.memory(source(30, 50)) == 16 * 30 * 50 + 1000 * 30 * 50
    assert NEEDS.memory(source(300, 500)) == 16 * 300 * 500 + 1000 * 84 * 84
    assert NEEDS.memory(source(5, 30, 50, dtype=np.uint16)) == 2 * 5 * 16 * 1500 + 1000 * 1500
    assert NEEDS.memory(source(30, 50, 3, rgb=True)) == 3 * 16 * 1500 + 1000 * 1500


def test_an_array_that_must_be_read_takes_its_own_memory_too():
    read = Source(da.zeros((5, 30, 50), dtype=np.uint16), False, None)
    one = Source(da.zeros((5, 30, 50), dtype=np.uint16), False, (2,))

    assert NEEDS.memory(read) - NEEDS.memory(source(5, 30, 50, dtype=np.uint16)) == 2 * 5 * 1500
    assert NEEDS.memory(one) - NEEDS.memory(source(30, 50, dtype=np.uint16)) == 2 * 1500


def test_a_graphics_card_has_its_own_memory(own_model):
    runner = runner_for(load_model(own_model()), choices("tiny"), False, UINT8)
    assert Needs.of(runner, 64).bytes_per_pixel > 0

    runner.device = torch.device("cuda")
    assert Needs.of(runner, 64).bytes_per_pixel == 0


def test_time_grows_with_the_pixels_that_the_network_sees():
    trial = Trial(NEEDS, seconds_per_pixel=1e-3)

    assert trial.seconds(source(30, 50)) == pytest.approx(1.5)
    assert trial.seconds(source(7, 30, 50)) == pytest.approx(7 * 1.5)
    assert trial.seconds(source(300, 500)) > 150  # halos are computed twice


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


def test_a_run_that_does_not_fit_is_refused_with_what_to_do(monkeypatch):
    monkeypatch.setattr(devices, "free_memory", lambda device: 2**20)

    refuse_too_large(source(20, 30), NEEDS)
    with pytest.raises(
        MemoryError, match=r"about 7\.4 MiB of memory; only 1\.0 MiB are free\. Cho"
    ):
        refuse_too_large(source(300, 150), NEEDS)


def test_free_memory_is_the_computers():
    assert 2**20 < _trials.free_memory() < 2**50
