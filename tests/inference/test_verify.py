from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_srgan.inference import verify as verification
from napari_srgan.inference.runner import Runner
from napari_srgan.inference.verify import LIMITS, Outcome, iter_verify, verify
from napari_srgan.store.self_test import SelfTest, make_self_test

CPU = torch.device("cpu")


@pytest.fixture
def tested(random_model):
    """Return a maker of models with a self-test."""

    def make(**sizes):
        model = random_model(**sizes)
        return replace(model, self_test=make_self_test(model.network))

    return make


@pytest.mark.parametrize("precision", LIMITS)
@pytest.mark.parametrize(
    "sizes", [{}, {"batch_norm": False}, {"scale": 3}, {"channels": 1, "scale": 2}]
)
def test_a_model_passes_on_the_cpu(tested, sizes, precision):
    outcome = verify(tested(**sizes), CPU, precision)

    assert outcome.passed, outcome
    assert "as it should be" in str(outcome)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", [torch.float32, torch.float16])
def test_a_model_passes_on_the_gpu(tested, precision):
    from napari_srgan.inference.devices import choose_device

    outcome = verify(tested(), choose_device("auto"), precision)

    assert outcome.passed, outcome


def test_float32_is_off_by_rounding_alone(tested):
    assert verify(tested(), CPU, torch.float32).largest < 0.005


@pytest.mark.parametrize("sizes", [{}, {"batch_norm": False}])
def test_any_tensor_that_is_5_percent_off_fails(tested, sizes):
    model, unnoticed = tested(**sizes), []

    for key, value in model.network.state_dict().items():
        if value.is_floating_point():
            kept = value.clone()
            value.mul_(1.05)
            if verify(model, CPU, torch.float32).passed:
                unnoticed.append(key)
            value.copy_(kept)

    assert unnoticed == []
    assert verify(model, CPU, torch.float32).passed


def test_a_single_value_that_is_one_level_off_fails(tested):
    model = tested()
    wrong = model.self_test.upscaled.copy()
    wrong[1, 5, 7] += 1 / 255

    outcome = verify(
        replace(model, self_test=SelfTest(model.self_test.low, wrong)), CPU, torch.float32
    )

    assert not outcome.passed
    assert outcome.largest == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("precision", LIMITS)
def test_a_result_that_is_a_little_off_everywhere_fails(tested, precision):
    model = tested()
    off = 2 * LIMITS[precision].mean / 255
    wrong = SelfTest(model.self_test.low, model.self_test.upscaled + np.float32(off))

    assert not verify(replace(model, self_test=wrong), CPU, precision).passed


def test_a_result_that_is_not_finite_fails_and_is_no_error(tested):
    model = tested(batch_norm=False)
    with torch.no_grad():
        for block in model.network.body.blocks:
            block.conv2.weight.mul_(1e38)

    outcome = verify(model, CPU, torch.float32)

    assert not outcome.passed
    assert np.isinf(outcome.largest)


class Stream:
    """A stream whose rows are given as ``change`` has them."""

    def __init__(self, work, change):
        self.steps, self._work, self._change = work.steps, work, change

    def feed(self, low):
        return self._change(self._work.feed(low))


@pytest.mark.parametrize("precision", LIMITS)
@pytest.mark.parametrize("change", [lambda rows: rows.flip(2), lambda rows: rows[:, :, 1:]])
def test_bands_are_verified_as_well(tested, monkeypatch, precision, change):
    model, begin = tested(), Runner.begin

    def changed(runner, height, width, band=None):
        work = begin(runner, height, width, band)
        return work if band is None else Stream(work, change)

    assert verify(model, CPU, precision).passed
    monkeypatch.setattr(Runner, "begin", changed)
    assert not verify(model, CPU, precision).passed


def test_every_device_is_verified_in_float32_and_in_what_pays_there(tested, monkeypatch):
    halves = {"cuda": torch.float16, "cpu": torch.float32}
    monkeypatch.setattr(verification, "available_devices", lambda: ["cuda:0", "cuda:1", "cpu"])
    monkeypatch.setattr(verification, "half_precision", lambda device: halves[device.type])
    run = []

    def verified(model, device, precision):
        run.append((str(device), precision))
        return Outcome(model.name, device, precision, 0, 0)

    monkeypatch.setattr(verification, "verify", verified)
    outcomes = list(iter_verify(tested()))

    assert all(outcome.passed for outcome in outcomes)
    assert run == [
        ("cuda:0", torch.float32),
        ("cuda:0", torch.float16),
        ("cuda:1", torch.float32),
        ("cuda:1", torch.float16),
        ("cpu", torch.float32),
    ]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            RuntimeError("no kernel image is available\nCompile with ..."),
            "no kernel image is avail",
        ),
        (MemoryError(), "MemoryError"),
    ],
)
def test_a_device_that_cannot_run_it_fails_and_the_next_is_verified(
    tested, monkeypatch, error, told
):
    monkeypatch.setattr(verification, "available_devices", lambda: ["cuda:0", "cpu"])
    monkeypatch.setattr(verification, "half_precision", lambda device: torch.float32)

    def no_card(model, device, precision):
        if device.type == "cuda":
            raise error
        return verify(model, device, precision)

    monkeypatch.setattr(verification, "verify", no_card)
    first, second = iter_verify(tested())

    assert not first.passed
    assert str(first).startswith(f"random on cuda:0, float32: cannot be run: {told}")
    assert "\n" not in str(first)
    assert second.passed


def test_a_model_without_a_self_test_cannot_be_verified(random_model):
    with pytest.raises(ValueError, match="random has no self-test"):
        verify(random_model(), CPU, torch.float32)


def test_a_model_of_other_images_cannot_be_verified(tested):
    with pytest.raises(ValueError, match="has 5 channels; images have 1 or 3"):
        verify(tested(channels=5), CPU, torch.float32)


@pytest.mark.parametrize(
    ("device", "precision", "advice"),
    [
        ("cpu", torch.float32, "Install another version of torch"),
        ("cuda:1", torch.float32, "Choose the CPU, and update the device's driver"),
        ("cuda:1", torch.float16, "Choose precision float32."),
        ("cpu", torch.bfloat16, "Choose precision float32."),
    ],
)
def test_what_fails_is_told_with_where_by_how_much_and_what_to_do(device, precision, advice):
    outcome = Outcome("tiny", torch.device(device), precision, 123.456, 9.87)
    name = str(precision).removeprefix("torch.")

    assert not outcome.passed
    for text in (str(outcome), outcome.warning):
        assert advice in text
        assert "120 levels" in text
    assert str(outcome).startswith(f"tiny on {device}, {name}: ")
    assert f"This computer's {device} in {name} computes something else" in outcome.warning


@pytest.mark.parametrize(
    ("levels", "text"), [(0.0, "0"), (0.000412, "0.00041"), (0.05, "0.05"), (7.46, "7.5")]
)
def test_small_differences_are_told_in_plain_digits(levels, text):
    outcome = Outcome("tiny", CPU, torch.bfloat16, levels, levels / 8)

    assert str(outcome) == f"tiny on cpu, bfloat16: {text} levels off, as it should be."
