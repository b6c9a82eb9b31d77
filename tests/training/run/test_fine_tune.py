"""A model is fine-tuned in a given time, and ends as a file that says what it is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner, Result

from napari_srgan.inference.verify import verify
from napari_srgan.models.srresnet import SRResNet
from napari_srgan.runs import PATCH, VALIDATED, Asked, ask, read_status
from napari_srgan.store import registry
from napari_srgan.store.cache import cache_folder
from napari_srgan.store.checkpoint import load_checkpoint, save_checkpoint
from napari_srgan.store.own_models import recall_own_models
from napari_srgan.store.registry import list_models
from napari_srgan.training.cli import app
from napari_srgan.training.commands.fine_tune import seconds_of
from napari_srgan.training.data.sources import find_sources
from napari_srgan.training.run.checkpoints import Checkpoints
from napari_srgan.training.run.experiment import PhaseReport
from napari_srgan.training.run.fine_tune import iter_fine_tune
from napari_srgan.training.run.folder import RunFolder
from napari_srgan.training.run.trainers import PretrainTrainer
from napari_srgan.training.run.tuning_plan import FineTuning, every_fifth

SMALL = ["--set", "data.crop=32", "--set", "data.batch=2", "--set", "precision=float32"]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(6):
        coarse = Image.fromarray(rng.integers(0, 256, (10, 12, 3), dtype=np.uint8))
        coarse.resize((48, 40), Image.Resampling.BICUBIC).save(folder / f"[{i}].png")
    return folder


@pytest.fixture
def start(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "start.safetensors"
    network = SRResNet(blocks=1, features=8).eval()
    save_checkpoint(path, network, {"name": "start", "invents": "false"})
    return path


def fine_tune(images: Path, target: Path, start: Path | str, *options: str) -> Result:
    arguments = ["fine-tune", str(images), str(target), "--start", str(start), "--device", "cpu"]
    return CliRunner().invoke(app, [*arguments, *SMALL, *options])


def fifth_of(images: Path) -> tuple[str, ...]:
    return every_fifth(find_sources(images).training)


def test_a_model_its_card_and_a_comparison_come_out(tmp_path, images, start):
    target = tmp_path / "mine.safetensors"
    result = fine_tune(images, target, start, "--time", "2 seconds")
    assert result.exit_code == 0, result.output
    assert "warning: There are 5 images to train on" in result.output
    assert "On 1 images held back: PSNR" in result.output
    model = load_checkpoint(target)
    assert verify(model, torch.device("cpu"), torch.float32).passed
    assert model.generative is False
    assert json.loads(model.metadata["settings"])["data.crop"] == 32
    card = target.with_suffix(".md").read_text(encoding="utf-8")
    assert "# mine" in card
    assert "fine-tuned on 5 images of images" in card
    assert "family: srresnet, invents no detail" in card
    assert str(tmp_path) not in card.replace(str(start), "")


def test_a_run_that_was_stopped_goes_on_to_the_steps_it_was_planned_with(tmp_path, images, start):
    job = FineTuning(
        images, tmp_path / "mine.safetensors", tmp_path / "run", str(start), 3.0,
        changes={"data.crop": 32, "data.batch": 2, "pretrain.learning_rate": 1e-3}, device="cpu",
    )  # fmt: skip
    stop = Event()
    steps = iter_fine_tune(job, stop)
    next(steps)
    stop.set()
    assert list(steps) or not job.target.exists()
    planned = RunFolder(job.out).recipe().pretrain.steps
    list(iter_fine_tune(job, Event()))
    assert job.target.exists()
    state = Checkpoints(RunFolder(job.out).phase("pretrain")).latest()
    assert state is not None
    assert 0 < state["step"] <= planned
    assert RunFolder(job.out).recipe().pretrain.steps == planned


def test_a_generative_start_is_refused(tmp_path, images):
    result = fine_tune(images, tmp_path / "mine.safetensors", "srgan-x4")
    assert result.exit_code == 1
    assert "srgan-x4 draws texture" in result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--time", "soon"], "--time takes a number and seconds, minutes or hours; got 'soon'"),
        (["--hold-back", "none*"], "--hold-back none* matches none of the 6 images"),
        (["--set", "data.crop=31"], "must be a multiple of the scale 4"),
    ],
)
def test_what_cannot_be_is_told_before_any_step(tmp_path, images, start, options, message):
    result = fine_tune(images, tmp_path / "mine.safetensors", start, "--time", "2s", *options)
    assert result.exit_code == 1
    assert message in result.output
    assert not (tmp_path / "mine.safetensors").exists()


def test_an_unknown_start_is_told(tmp_path, images):
    result = fine_tune(images, tmp_path / "mine.safetensors", "srresnet-x5")
    assert result.exit_code == 1
    assert "There is no model named 'srresnet-x5'" in result.output


def test_a_fifth_is_held_back_and_one_at_least(images):
    assert fifth_of(images) == ("[[]2].png",)
    for path in sorted(images.iterdir())[2:]:
        path.unlink()
    assert fifth_of(images) == ("[[]0].png",)
    (images / "[1].png").unlink()
    with pytest.raises(ValueError, match="is the only image"):
        fifth_of(images)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("20 minutes", 1200), ("90s", 90), ("1.5 h", 5400), ("1 Hour", 3600), ("2min", 120)],
)
def test_times_are_read_as_people_write_them(text, seconds):
    assert seconds_of(text) == seconds


def job_of(images: Path, start: Path, **changes: object) -> FineTuning:
    settings = {"data.crop": 32, "data.batch": 2, "precision": "float32"}
    values = {"seconds": 1.5, "changes": settings, "device": "cpu"} | changes
    folder = start.parent
    return FineTuning(images, folder / "mine.safetensors", folder / "run", str(start), **values)  # type: ignore[arg-type]


def test_whoever_watches_sees_it_go_on_and_end(images, start):
    job, seen = job_of(images, start), []
    for _ in iter_fine_tune(job, Event()):
        status = read_status(job.out)
        assert status is not None
        assert status.is_alive
        seen.append(status.state)
    assert list(dict.fromkeys(seen)) == ["preparing", "training"]
    status = read_status(job.out)
    assert status is not None
    assert (status.state, status.model) == ("done", str(job.target))
    assert status.text.startswith("On 1 images held back: PSNR")
    assert status.images == ("[2].png",)
    assert "5 images to train on" in status.warnings[0]
    assert status.before["psnr"] > 0
    with Image.open(job.out / PATCH) as patch, Image.open(job.out / VALIDATED / "000.png") as whole:
        assert patch.width > 80
        assert whole.size == (48, 40)


def test_it_pauses_and_finishes_as_those_who_watch_ask(images, start):
    job = job_of(images, start, seconds=600.0)
    for event in iter_fine_tune(job, Event()):
        if isinstance(event, PhaseReport):
            ask(job.out, Asked("pause"))
    paused = read_status(job.out)
    assert paused is not None
    assert paused.state == "paused"
    assert not job.target.exists()
    steps = paused.steps
    for event in iter_fine_tune(job, Event()):  # what was asked before is forgotten
        if isinstance(event, PhaseReport):
            assert event.report.step > paused.step
            ask(job.out, Asked("finish", y=0.1))
    done = read_status(job.out)
    assert done is not None
    assert (done.state, done.steps) == ("done", steps)
    assert done.step < steps
    assert job.target.exists()


def test_what_ends_it_is_said_to_those_who_watch(images, start, monkeypatch):
    job = job_of(images, start)
    (images / "[1].png").rename(images / "[1]_HR.png")
    (images / "[0].png").rename(images / "[1]_LR.png")
    with pytest.raises(ValueError, match="1 images have low-resolution partners"):
        list(iter_fine_tune(replace(job, recipe="fine-tune-photo"), Event()))
    failed = read_status(job.out)
    assert failed is not None
    assert failed.state == "failed"
    assert "low-resolution partners" in failed.text

    def full(*_: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(PretrainTrainer, "update", full)
    (images / "[1]_LR.png").unlink()
    with pytest.raises(MemoryError, match="Memory ran out"):
        list(iter_fine_tune(job, Event()))
    failed = read_status(job.out)
    assert failed is not None
    assert "data.batch=2" in failed.text


def test_a_model_can_be_listed_and_is_then_there_by_its_name(tmp_path, images, start):
    target = tmp_path / "mine.safetensors"
    result = fine_tune(images, target, start, "--time", "1 s", "--list")
    assert result.exit_code == 0, result.output
    forgotten = registry.own_models.pop("mine")
    try:
        recall_own_models(cache_folder())  # as another program finds it
        assert "mine" in list_models()
    finally:
        registry.own_models.pop("mine", None)
    assert forgotten[0] == target


def test_a_start_for_colours_is_trained_on_for_grey(tmp_path, images, start):
    target = tmp_path / "grey.safetensors"
    options = ["--time", "1 s", "--recipe", "srresnet-microscopy"]
    result = fine_tune(images, target, start, *options)
    assert result.exit_code == 0, result.output
    assert load_checkpoint(target).network.channels == 1


def test_a_preview_shows_images_and_what_is_made_of_them(tmp_path, images, start):
    target = tmp_path / "preview.png"
    result = fine_tune(
        images, tmp_path / "mine.safetensors", start, "--preview", str(target),
        "--recipe", "fine-tune-photo",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert not (tmp_path / "mine-run").exists()
    with Image.open(target) as picture:
        assert picture.height > 3 * 40
