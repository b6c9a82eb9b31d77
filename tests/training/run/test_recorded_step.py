"""A step that is recorded and replayed does what it does piece by piece, bit for bit."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F

from napari_srgan.training.config import from_settings
from napari_srgan.training.optimise.distributed import own_team
from napari_srgan.training.run import recorded_step, trainers
from napari_srgan.training.run.recorded_step import EAGER, RecordedStep
from napari_srgan.training.run.trainers import AdversarialTrainer, PretrainTrainer, Trainer

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
STEPS = EAGER + 4


SMALL = {"network.blocks": 1, "network.features": 4, "data.crop": 32, "data.batch": 2}


def content(device: str) -> PretrainTrainer:
    phase = {"schedule": "cosine", "steps": 20, "learning_rate": 1e-3}
    settings = {f"pretrain.{name}": value for name, value in phase.items()}
    recipe = from_settings({**SMALL, "precision": "float32", **settings})
    return PretrainTrainer(recipe, F.mse_loss, torch.device(device), own_team())


def adversarial(device: str, translation: int = 0) -> AdversarialTrainer:
    phase = {
        "content_loss": "mse", "steps": 20, "learning_rate": 1e-3, "drop_at": 5,
        "discriminator_features": 4, "random_translation": translation,
    }  # fmt: skip
    settings = {f"adversarial.{name}": value for name, value in phase.items()}
    recipe = from_settings({**SMALL, "precision": "float32", **settings})
    torch.manual_seed(0)
    return AdversarialTrainer(recipe, None, F.mse_loss, torch.device(device), own_team())


TRAINERS = pytest.mark.parametrize("trainer", [content, adversarial])


def batch(step: int, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(step)
    low, high = (torch.rand(2, 3, side, side, generator=random) for side in (8, 32))
    return low.to(device), high.to(device)


def trained(made: Trainer, device: str, steps: range) -> list[float]:
    measured = (made.update(*batch(step, device)) for step in steps)
    return [float(sum(each.values())) for each in measured]


@pytest.fixture
def replayed(monkeypatch):
    """Have steps recorded on the CPU, too: what would be replayed is done again, in its memory."""
    calls = []

    def record(work):
        calls.append(work)
        return work

    monkeypatch.setattr(trainers, "in_one_launch", lambda work, _device: RecordedStep(work, record))
    return calls


@TRAINERS
@pytest.mark.parametrize("device", DEVICES)
def test_it_is_the_same_training(trainer, device, replayed, monkeypatch) -> None:
    recorded = trainer(device)
    if device == "cuda":
        monkeypatch.undo()
        recorded = trainer(device)
    found = trained(recorded, device, range(STEPS))
    monkeypatch.setattr(trainers, "in_one_launch", lambda work, _device: work)
    plain = trainer(device)

    exact = {} if device == "cpu" else {"rel": 1e-4}
    assert found == (
        trained(plain, device, range(STEPS))
        if device == "cpu"
        else pytest.approx(trained(plain, device, range(STEPS)), **exact)
    )
    for one, other in zip(
        recorded.average.network.parameters(), plain.average.network.parameters(), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=0 if device == "cpu" else 1e-3, atol=1e-5)


@TRAINERS
def test_it_is_recorded_once_and_anew_after_a_restart(trainer, replayed) -> None:
    made = trainer("cpu")
    trained(made, "cpu", range(STEPS))
    assert len(replayed) == 1
    state = copy.deepcopy(made.state())
    goes_on = trainer("cpu")
    goes_on.restore(state)

    rest = range(STEPS, STEPS + EAGER + 2)
    assert trained(goes_on, "cpu", rest) == trained(made, "cpu", rest)
    assert len(replayed) == 2


def test_steps_that_draw_where_to_look_are_not_recorded(monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(trainers, "in_one_launch", lambda work, device: asked.append(device))
    adversarial("cpu", translation=2)
    adversarial("cpu")
    assert asked == [None, torch.device("cpu")]


def test_what_was_measured_stays_as_it_was() -> None:
    total = torch.zeros(())

    def work(low: torch.Tensor, high: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"sum": total.copy_(low.sum() + high.sum())}

    step = RecordedStep(work, lambda done: done)
    sums = [step(torch.full((2,), float(n)), torch.ones(2))["sum"] for n in range(EAGER + 3)]
    assert [float(value) for value in sums[EAGER:]] == [2 * n + 2 for n in range(EAGER, EAGER + 3)]


def test_on_a_processor_nothing_is_recorded() -> None:
    def work(low: torch.Tensor, high: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"low": low, "high": high}

    assert recorded_step.in_one_launch(work, torch.device("cpu")) is work
