"""A model is fine-tuned in a given time, and ends as a file that says what it is."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner, Result

from napari_srgan.inference.verify import verify
from napari_srgan.models.srresnet import SRResNet
from napari_srgan.store.checkpoint import load_checkpoint, save_checkpoint
from napari_srgan.training.cli import app
from napari_srgan.training.commands.fine_tune import seconds_of
from napari_srgan.training.run.checkpoints import Checkpoints
from napari_srgan.training.run.fine_tune import FineTuning, every_fifth, iter_fine_tune
from napari_srgan.training.run.folder import RunFolder

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
    save_checkpoint(path, SRResNet(blocks=1, features=8).eval(), {"name": "start"})
    return path


def fine_tune(images: Path, target: Path, start: Path | str, *options: str) -> Result:
    arguments = ["fine-tune", str(images), str(target), "--start", str(start), "--device", "cpu"]
    return CliRunner().invoke(app, [*arguments, *SMALL, *options])


def test_a_model_its_card_and_a_comparison_come_out(tmp_path, images, start):
    target = tmp_path / "mine.safetensors"
    result = fine_tune(images, target, start, "--time", "4 seconds")
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
    assert every_fifth(images, 4) == ("[[]2].png",)
    for path in sorted(images.iterdir())[2:]:
        path.unlink()
    assert every_fifth(images, 4) == ("[[]0].png",)
    (images / "[1].png").unlink()
    with pytest.raises(ValueError, match="has one image"):
        every_fifth(images, 4)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("20 minutes", 1200), ("90s", 90), ("1.5 h", 5400), ("1 Hour", 3600), ("2min", 120)],
)
def test_times_are_read_as_people_write_them(text, seconds):
    assert seconds_of(text) == seconds
