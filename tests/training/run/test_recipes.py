"""Every shipped recipe trains: a step or two of each phase, on networks made small."""

from __future__ import annotations

import csv
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from napari_srgan.store.checkpoint import load_checkpoint
from napari_srgan.training.cli import app
from napari_srgan.training.config import load_recipe, recipe_names
from napari_srgan.training.run.checkpoints import Checkpoints
from napari_srgan.training.run.experiment import Plan, iter_run
from napari_srgan.training.run.export import export_generator
from napari_srgan.training.run.folder import RunFolder
from napari_srgan.training.run.loop import Pace
from napari_srgan.training.run.trainers import build_generator

SMALL = {
    "srresnet": {"network.blocks": 1, "network.features": 8},
    "edsr": {"network.blocks": 1, "network.features": 8},
    "mdsr": {"network.blocks": 1, "network.features": 8},
    "rir-srresnet": {"network.blocks": 1, "network.features": 8, "network.growth": 4},
    "srcnn": {"network.features": 8, "network.mapped": 4},
    "espcn": {"network.features": 8, "network.mapped": 4},
    "drcn": {"network.recursions": 2, "network.features": 8},
}


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for n in range(4):
        noise = rng.integers(0, 256, (50, 67, 3), np.uint8)
        Image.fromarray(noise).save(folder / f"{n}.png")
    return folder


def tiny(name: str):
    """Return a recipe whose networks and crops are as small as they can be."""
    recipe = load_recipe(name)
    changes = {
        **SMALL[recipe.network.family],
        "data.batch": 2,
        "data.crop": 16,
        "pretrain.steps": 2,
        "pretrain.warmup": 0,
        "pretrain.content_loss": "mse",
        "precision": "float32",
    }
    if recipe.adversarial is not None:
        second = {"steps": 1, "content_loss": "mse", "discriminator_features": 4}
        changes |= {f"adversarial.{key}": value for key, value in second.items()}
    return load_recipe(name, changes)


def trained(recipe, images: Path, out: Path) -> RunFolder:
    plan = Plan(
        recipe,
        images,
        out,
        out / "images",
        device="cpu",
        hold_back=("0.png", "1.png"),
        pace=Pace(report=1, save=1, validate=1),
    )
    for _ in iter_run(plan, Event()):
        pass
    return RunFolder(out)


@pytest.mark.parametrize("name", sorted(set(recipe_names()) - {"smoke"}))
def test_a_recipe_trains_a_generator_that_can_be_loaded(name: str, images, tmp_path) -> None:
    recipe = tiny(name)
    run = trained(recipe, images, tmp_path / "run")
    export_generator(run, tmp_path / "made.safetensors", "made", which="plain")
    made = load_checkpoint(tmp_path / "made.safetensors").network
    assert made.family == recipe.network.family
    untrained = build_generator(recipe).state_dict()
    assert any(not torch.equal(untrained[key], value) for key, value in made.state_dict().items())


def test_what_edsr_8_exports_is_the_generator_of_the_highest_psnr(images, tmp_path) -> None:
    run = trained(tiny("edsr-8"), images, tmp_path / "run")
    with (run.phase("pretrain") / "validation.csv").open(newline="") as file:
        best = max(csv.DictReader(file), key=lambda row: float(row["psnr"]))
    target = tmp_path / "made.safetensors"
    done = CliRunner().invoke(app, ["export", str(run.path), str(target)])
    assert done.exit_code == 0, done.output
    metadata = load_checkpoint(target).metadata
    assert (metadata["generator"], metadata["step"]) == ("best", best["step"])


def test_each_step_of_mdsr_trains_the_branch_of_its_scale_alone(images, tmp_path) -> None:
    recipe = load_recipe("mdsr", SMALL["mdsr"] | {"data.batch": 2, "data.crop": 16,
                                                  "pretrain.steps": 1})  # fmt: skip
    run = trained(recipe, images, tmp_path / "run")
    state = Checkpoints(run.phase("pretrain")).latest()
    assert state is not None
    before = build_generator(recipe).state_dict()
    moved = {
        key for key, value in state["generator"].items() if not torch.equal(value, before[key])
    }
    branches = {key.split(".")[1] for key in moved if key.startswith(("before", "upsample"))}
    assert len(branches) == 1
    assert {"head.weight", "trunk.weight", "last.weight"} <= moved
