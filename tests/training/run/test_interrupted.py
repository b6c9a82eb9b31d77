"""Runs that were killed at a bad moment, or whose files were damaged, go on."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import torch
from PIL import Image

from napari_srgan.training.config import from_settings
from napari_srgan.training.run.checkpoints import Checkpoints, read_state
from napari_srgan.training.run.experiment import Plan, iter_run
from napari_srgan.training.run.folder import RunFolder, standing
from napari_srgan.training.run.lock import locked
from napari_srgan.training.run.loop import Pace
from napari_srgan.training.watch import log as logs
from napari_srgan.training.watch import observer
from napari_srgan.training.watch.log import read_rows

SMALL = {
    "network.blocks": 1,
    "network.features": 8,
    "data.batch": 2,
    "data.crop": 16,
    "pretrain.steps": 2,
    "adversarial.steps": 4,
    "adversarial.content_loss": "mse",
    "precision": "float32",
}
PACE = Pace(report=1, save=2, validate=2)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    rng = np.random.default_rng(1)
    folder = tmp_path / "images"
    folder.mkdir()
    for i, (h, w) in enumerate([(40, 52), (36, 48), (64, 36)]):
        coarse = Image.fromarray(rng.integers(0, 256, (h // 4, w // 4, 3), dtype=np.uint8))
        coarse.resize((w, h), Image.Resampling.BICUBIC).save(folder / f"{i}.png")
    return Plan(
        recipe=from_settings(SMALL),
        data=folder,
        out=tmp_path / "run",
        cache=tmp_path / "cache",
        device="cpu",
        hold_back=("0.png",),
        pace=PACE,
    )


def run(plan: Plan) -> None:
    for _ in iter_run(plan, Event()):
        pass


def steps(plan: Plan, phase: str, name: str) -> list[int]:
    return [int(row["step"]) for row in read_rows(plan.out / phase / f"{name}.csv")]


class Killed(BaseException):
    """What stands for a process that is no more."""


@pytest.mark.parametrize("phase", ["pretrain", "adversarial"])
@pytest.mark.parametrize("what", ["measure", "_write"])
def test_a_run_killed_between_a_checkpoint_and_its_validation_validates_that_step(
    plan, monkeypatch, phase, what
) -> None:
    last = {"pretrain": 2, "adversarial": 4}[phase]
    there = getattr(observer, what)

    def kill(*arguments: object) -> object:
        if Checkpoints(plan.out / phase).paths()[-1:] == [plan.out / phase / f"{last:08d}.pt"]:
            raise Killed
        return there(*arguments)

    monkeypatch.setattr(observer, what, kill)
    with pytest.raises(Killed):
        run(plan)
    assert last not in [
        step
        for path in (plan.out / phase).glob("validation.csv")
        for step in [int(row["step"]) for row in read_rows(path)]
    ]

    monkeypatch.setattr(observer, what, there)
    run(plan)

    assert steps(plan, "pretrain", "validation") == [2]
    assert steps(plan, "adversarial", "validation") == [2, 4]
    assert steps(plan, "pretrain", "training") == [1, 2]
    assert steps(plan, "adversarial", "training") == [1, 2, 3, 4]
    state = read_state(plan.out / phase / "best.pt")
    score = json.loads((plan.out / phase / "best.json").read_text())
    assert state["step"] == score["step"] <= last
    if phase == "adversarial":
        monitor = json.loads((plan.out / phase / "monitor.json").read_text())
        assert [health["step"] for health in monitor["past"]] == [1, 2, 3, 4]


def test_a_finished_run_that_is_begun_again_changes_nothing(plan) -> None:
    run(plan)
    files = {p: p.read_bytes() for p in plan.out.rglob("*") if p.suffix in (".csv", ".pt", ".json")}
    run(plan)
    for path, content in files.items():
        assert path.name == "run.json" or path.read_bytes() == content, path


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe\x00"])
def test_damaged_files_are_named_set_aside_and_stop_nothing(plan, caplog, content) -> None:
    run(plan)
    names = ["monitor.json", "best.json", "training.csv", "validation.csv"]
    paths = [plan.out / "adversarial" / name for name in names]
    for path in paths:
        path.write_bytes(content)
    longer = from_settings(SMALL | {"adversarial.steps": 6})

    run(Plan(**{**plan.__dict__, "recipe": longer}))

    assert Checkpoints(plan.out / "adversarial").paths()[-1].name == "00000006.pt"
    assert steps(plan, "adversarial", "training")[-1] == 6
    assert steps(plan, "adversarial", "validation")[-1] == 6
    score = json.loads((plan.out / "adversarial" / "best.json").read_text())
    assert score["step"] == read_state(plan.out / "adversarial" / "best.pt")["step"]
    for path in paths:
        if path.suffix == ".json" or content != b"{":  # which is no row, and a line of text
            assert f"{path.name} is damaged" in caplog.text
            assert path.with_name(f"{path.name}.damaged").read_bytes() == content


def test_a_damaged_best_generator_is_set_aside_where_its_score_is_lost(plan, caplog) -> None:
    run(plan)
    folder = plan.out / "adversarial"
    (folder / "best.json").unlink()
    (folder / "best.pt").write_bytes(b"PK")
    run(Plan(**{**plan.__dict__, "recipe": from_settings(SMALL | {"adversarial.steps": 6})}))
    assert "best.pt is damaged" in caplog.text
    assert read_state(folder / "best.pt")["step"] == 6


def test_a_damaged_description_is_named(plan) -> None:
    run(plan)
    (plan.out / "run.json").write_text("{")
    with pytest.raises(OSError, match=r"run\.json is damaged"):
        run(plan)
    with pytest.raises(OSError, match=r"run\.json is damaged"):
        standing(RunFolder(plan.out))


def test_a_run_in_use_is_refused_before_any_work(plan) -> None:
    with locked(plan.out), pytest.raises(OSError, match="Another process is training in"):
        run(plan)
    assert not plan.cache.exists()


def _full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("where", "name"), [(logs, "_write"), (observer, "_write"), (Image.Image, "save")]
)
def test_a_disk_that_fills_in_mid_run_ends_it_with_words_and_it_goes_on(
    plan, monkeypatch, where: object, name: str
) -> None:
    there: Callable[..., object] = getattr(where, name)
    monkeypatch.setattr(where, name, _full)
    with pytest.raises(OSError, match=r"The disk of .*pretrain is full .*make room"):
        run(plan)
    monkeypatch.setattr(where, name, there)
    run(plan)
    assert steps(plan, "pretrain", "training") == [1, 2]
    assert steps(plan, "pretrain", "validation") == [2]
    assert all(
        torch.isfinite(value).all()
        for value in read_state(plan.out / "pretrain" / "00000002.pt")["generator"].values()
    )
