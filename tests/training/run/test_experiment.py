"""Whole runs of both phases: resumed, killed, refused, exported."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from safetensors.torch import save_file
from typer.testing import CliRunner, Result

from napari_srgan.inference.verify import verify
from napari_srgan.models.perceptual.vgg import VGG16Features
from napari_srgan.models.srresnet import SRResNet
from napari_srgan.store.checkpoint import load_checkpoint, save_checkpoint
from napari_srgan.store.registry import entry
from napari_srgan.store.self_test import make_self_test
from napari_srgan.training.cli import app
from napari_srgan.training.config import Recipe, from_settings, load_recipe
from napari_srgan.training.data.packing import PackingProgress
from napari_srgan.training.run import export as exporting
from napari_srgan.training.run.checkpoints import Checkpoints, read_state
from napari_srgan.training.run.experiment import Note, PhaseReport, Plan, iter_run
from napari_srgan.training.run.export import export_generator
from napari_srgan.training.run.folder import RunFolder, standing
from napari_srgan.training.run.loop import Pace

SMALL = {
    "network.blocks": 1,
    "network.features": 8,
    "data.batch": 2,
    "data.crop": 16,
    "pretrain.steps": 6,
    "pretrain.schedule": "cosine",
    "precision": "float32",
    "ema": 0.9,
}
GAN = {
    "adversarial.steps": 4,
    "adversarial.drop_at": 2,
    "adversarial.content_loss": "mse",
    "adversarial.random_translation": 3,
    "adversarial.grid_weight": 2.0,
    "adversarial.overshoot_weight": 0.5,
}
EVERY_STEP = Pace(report=1, save=2, validate=3)


def small(**changes: object) -> Recipe:
    return from_settings(SMALL | {key.replace("__", "."): v for key, v in changes.items()})


def small_gan() -> Recipe:
    return from_settings(SMALL | GAN)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    folder = tmp_path / "images"
    folder.mkdir()
    for i, (h, w) in enumerate([(40, 52), (33, 47), (64, 36), (41, 90)]):
        coarse = Image.fromarray(rng.integers(0, 256, (h // 4, w // 4, 3), dtype=np.uint8))
        coarse.resize((w, h), Image.Resampling.BICUBIC).save(folder / f"{i}.png")
    return folder


def plan_of(images: Path, out: Path, recipe: Recipe, **options: object) -> Plan:
    values = {"cache": images.parent / "cache", "device": "cpu", "pace": EVERY_STEP}
    return Plan(recipe, images, out, **{**values, **options})  # type: ignore[arg-type]


def run(plan: Plan, *, stop_at: tuple[str, int] | None = None) -> list[Note | PhaseReport]:
    stop, events = Event(), []
    for event in iter_run(plan, stop):
        events.append(event)
        if isinstance(event, PhaseReport) and (event.phase, event.report.step) == stop_at:
            stop.set()
    return events


def final_state(out: Path, phase: str) -> dict[str, object]:
    state = Checkpoints(RunFolder(out).phase(phase)).latest()
    assert state is not None
    return state


def assert_same(one: object, other: object) -> None:
    if isinstance(one, torch.Tensor):
        assert isinstance(other, torch.Tensor)
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert isinstance(other, dict)
        assert one.keys() == other.keys()
        for key, value in one.items():
            assert_same(value, other[key])
    elif isinstance(one, list):
        assert isinstance(other, list)
        for value, its in zip(one, other, strict=True):
            assert_same(value, its)
    else:
        assert one == other


@pytest.mark.parametrize(
    "stop_at", [("pretrain", 1), ("pretrain", 6), ("adversarial", 1), ("adversarial", 3)]
)
def test_a_stopped_run_goes_on_to_the_same_networks_bit_for_bit(
    tmp_path, images, stop_at: tuple[str, int]
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run(plan_of(images, whole, small_gan()))
    run(plan_of(images, parts, small_gan()), stop_at=stop_at)
    run(plan_of(images, parts, small_gan()))
    for phase in ("pretrain", "adversarial"):
        assert_same(final_state(whole, phase), final_state(parts, phase))


def test_degraded_batches_are_drawn_again_when_a_run_is_resumed(tmp_path, images) -> None:
    recipe = small(data__degradation="second-order")
    whole, parts, clean = tmp_path / "whole", tmp_path / "parts", tmp_path / "clean"
    run(plan_of(images, whole, recipe))
    run(plan_of(images, parts, recipe), stop_at=("pretrain", 3))
    run(plan_of(images, parts, recipe))
    run(plan_of(images, clean, small()))
    assert_same(final_state(whole, "pretrain"), final_state(parts, "pretrain"))
    with pytest.raises(AssertionError):
        assert_same(final_state(whole, "pretrain"), final_state(clean, "pretrain"))


KILLED = """
import sys
from pathlib import Path
from napari_srgan.training.cli import app
app(sys.argv[1:])
"""


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_networks_bit_for_bit(tmp_path, images) -> None:
    settings = {**SMALL, **GAN, "pretrain.steps": 40, "adversarial.steps": 30}
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run(plan_of(images, whole, from_settings(settings), pace=Pace(5, 3, 1000)))
    arguments = ["train", str(images), "--out", str(killed), "--recipe", "smoke"]
    arguments += ["--cache", str(tmp_path / "cache"), "--device", "cpu"]
    arguments += ["--report-every", "5", "--save-every", "3"]
    recipe = json.dumps(json.loads((whole / "run.json").read_text())["settings"])
    for name, value in json.loads(recipe).items():
        arguments += ["--set", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    chance, kills = random.Random(4), 0
    while True:
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        lines = []
        until = chance.randrange(3, 9) if kills < 3 else 10**9
        for line in process.stdout:
            lines.append(line)
            if line.startswith(("pretrain ", "adversarial ")) and len(lines) >= until:
                time.sleep(chance.random() / 20)  # anywhere between two steps, or in one
                process.send_signal(signal.SIGKILL)
                kills += 1
                break
        process.stdout.close()
        if process.wait() != -signal.SIGKILL:
            break
    assert process.returncode == 0, "".join(lines)
    assert kills == 3
    for phase in ("pretrain", "adversarial"):
        assert_same(final_state(whole, phase), final_state(killed, phase))
    steps = [
        row.split(",")[0] for row in (killed / "adversarial" / "training.csv").read_text().split()
    ]
    assert len(steps) == len(set(steps))


def test_both_phases_report_validate_and_keep_the_best(tmp_path, images) -> None:
    plan = plan_of(images, tmp_path / "run", small_gan(), hold_back=("0.png", "1.png"))
    events = run(plan)
    reports = [e for e in events if isinstance(e, PhaseReport)]
    assert [(e.phase, e.report.step) for e in reports] == [
        *(("pretrain", i) for i in range(1, 7)),
        *(("adversarial", i) for i in range(1, 5)),
    ]
    notes = " ".join(e.text for e in events if isinstance(e, Note))
    assert "2 held back" in notes
    assert "PSNR" in notes
    folder = tmp_path / "run" / "adversarial"
    assert {p.name for p in (folder / "panels").iterdir()} == {
        f"0000000{step}-{name}.png" for step in (3, 4) for name in (0, 1)
    }
    assert {"best.pt", "best.json", "training.csv", "validation.csv"} <= {
        p.name for p in folder.iterdir()
    }


def test_phase_2_starts_from_phase_1(tmp_path, images) -> None:
    recipe = from_settings({**SMALL, **GAN, "adversarial.learning_rate": 1e-30})
    run(plan_of(images, tmp_path / "run", recipe))
    first = final_state(tmp_path / "run", "pretrain")["generator"]
    second = final_state(tmp_path / "run", "adversarial")["generator"]
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    torch.testing.assert_close(first["body.head.weight"], second["body.head.weight"])


def test_phase_2_is_refused_without_weights_of_phase_1(tmp_path, images) -> None:
    run(plan_of(images, tmp_path / "run", small_gan()), stop_at=("pretrain", 2))
    other = tmp_path / "other.safetensors"
    export_generator(RunFolder(tmp_path / "run"), other, "other", which="plain")
    given = plan_of(images, tmp_path / "given", small_gan(), phase_1_weights=other)
    assert {e.phase for e in run(given) if isinstance(e, PhaseReport)} == {"adversarial"}
    alone = plan_of(images, tmp_path / "alone", small_gan(), without_phase_1=True)
    assert {e.phase for e in run(alone) if isinstance(e, PhaseReport)} == {"adversarial"}


def test_a_network_of_other_sizes_cannot_start_phase_2(tmp_path, images) -> None:
    run(plan_of(images, tmp_path / "run", small()))
    other = tmp_path / "other.safetensors"
    export_generator(RunFolder(tmp_path / "run"), other, "other", which="average")
    recipe = from_settings({**SMALL, **GAN, "network.blocks": 2})
    with pytest.raises(ValueError, match="blocks"):
        run(plan_of(images, tmp_path / "second", recipe, phase_1_weights=other))


def test_training_goes_on_from_the_weights_that_are_given(tmp_path, images) -> None:
    run(plan_of(images, tmp_path / "first", small()))
    given = tmp_path / "given.safetensors"
    export_generator(RunFolder(tmp_path / "first"), given, "given", which="plain")
    still = small(pretrain__learning_rate=1e-30, pretrain__batch_norm="frozen")

    run(plan_of(images, tmp_path / "second", still, start_from=given))

    found = final_state(tmp_path / "second", "pretrain")["generator"]
    wanted = load_checkpoint(given).network.state_dict()
    assert isinstance(found, dict)
    for key, value in wanted.items():  # the statistics of its norms among them
        torch.testing.assert_close(found[key], value, msg=key)


def test_a_run_remembers_which_weights_it_began_with(tmp_path, images) -> None:
    run(plan_of(images, tmp_path / "first", small()))
    given, other = tmp_path / "given.safetensors", tmp_path / "other.safetensors"
    for path, which in ((given, "plain"), (other, "average")):
        export_generator(RunFolder(tmp_path / "first"), path, "given", which=which)
    run(plan_of(images, tmp_path / "second", small(), start_from=given), stop_at=("pretrain", 2))

    with pytest.raises(ValueError, match="it started from other weights"):
        run(plan_of(images, tmp_path / "second", small(), start_from=other))
    run(plan_of(images, tmp_path / "second", small(), start_from=given))


def test_a_network_learns_from_a_teacher_of_another_size(tmp_path, images) -> None:
    run(plan_of(images, tmp_path / "first", small(network__features=16)))
    teacher, other = tmp_path / "teacher.safetensors", tmp_path / "other.safetensors"
    for path, which in ((teacher, "plain"), (other, "average")):
        export_generator(RunFolder(tmp_path / "first"), path, "teacher", which=which)
    taught = small(pretrain__teacher_share=1.0)
    whole = plan_of(images, tmp_path / "whole", taught, teacher=teacher)
    run(whole)

    halves = replace(whole, out=tmp_path / "halves")
    run(halves, stop_at=("pretrain", 3))
    with pytest.raises(ValueError, match="it had another teacher"):
        run(replace(halves, teacher=other))
    run(halves)

    alone = plan_of(images, tmp_path / "alone", small())
    run(alone)
    states = [final_state(plan.out, "pretrain")["generator"] for plan in (whole, halves, alone)]
    weights = [state["body.head.weight"] for state in states if isinstance(state, dict)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.allclose(weights[0], weights[2])


def test_a_teacher_of_another_scale_is_refused(tmp_path, images, random_network) -> None:
    teacher = tmp_path / "teacher.safetensors"
    save_checkpoint(teacher, random_network(scale=2), {"name": "twice"})
    recipe = small(pretrain__teacher_share=0.5)
    with pytest.raises(ValueError, match="makes ×2 of 3 channels"):
        run(plan_of(images, tmp_path / "run", recipe, teacher=teacher))


@pytest.mark.parametrize(
    ("share", "given"), [(0.5, {}), (0.0, {"teacher": Path("a")}),
                         (0.5, {"teacher": Path("a"), "without_phase_1": True})]
)  # fmt: skip
def test_a_teacher_and_its_share_go_together_and_with_phase_1(
    tmp_path, images, share, given
) -> None:
    recipe = from_settings({**SMALL, **GAN, "pretrain.teacher_share": share})
    with pytest.raises(ValueError, match="go together"):
        plan_of(images, tmp_path, recipe, **given)


def test_a_run_from_before_a_setting_was_there_goes_on(tmp_path, images) -> None:
    plan = plan_of(images, tmp_path / "run", small())
    run(plan, stop_at=("pretrain", 2))
    described = json.loads((plan.out / "run.json").read_text())
    del described["settings"]["pretrain.teacher_share"], described["teacher"]
    (plan.out / "run.json").write_text(json.dumps(described))
    run(plan)
    assert final_state(plan.out, "pretrain")["step"] == 6


def test_weights_to_start_from_are_refused_where_there_is_no_phase_1(tmp_path, images) -> None:
    with pytest.raises(ValueError, match="--start-from is where phase 1 begins"):
        plan_of(images, tmp_path, small_gan(), start_from=tmp_path / "a", without_phase_1=True)


@pytest.mark.parametrize("norms", ["train", "frozen"])
def test_norms_are_taken_from_the_batch_or_held(tmp_path, images, norms) -> None:
    recipe = from_settings(
        SMALL
        | GAN
        | {"pretrain.batch_norm": norms, "adversarial.batch_norm": norms, "pretrain.start": "paper"}
    )
    run(plan_of(images, tmp_path / "run", recipe))
    for phase in ("pretrain", "adversarial"):
        state = final_state(tmp_path / "run", phase)["generator"]
        assert isinstance(state, dict)
        untouched = bool((state["body.norm.running_mean"] == 0).all())
        assert untouched == (norms == "frozen")


def test_what_the_run_is_stands_there_before_its_first_step(tmp_path, images) -> None:
    events = iter_run(plan_of(images, tmp_path / "run", small()), Event())
    for event in events:
        if isinstance(event, PhaseReport):
            break
    events.close()
    described = json.loads((tmp_path / "run" / "run.json").read_text())
    assert described["settings"]["pretrain.steps"] == 6
    assert described["settings"]["seed"] == 0
    assert len(described["data_digest"]) == 64
    assert {"torch", "numpy", "python", "napari-srgan", "began"} <= described.keys()


def test_another_recipe_or_other_images_in_the_same_folder_are_refused(tmp_path, images) -> None:
    run(plan_of(images, tmp_path / "run", small()))
    with pytest.raises(ValueError, match="seed was 0 and is 5"):
        run(plan_of(images, tmp_path / "run", small(seed=5)))
    (images / "3.png").unlink()
    with pytest.raises(ValueError, match="other images"):
        run(plan_of(images, tmp_path / "run", small()))


def test_a_run_may_be_made_longer(tmp_path, images) -> None:
    run(plan_of(images, tmp_path / "run", small()))
    events = run(plan_of(images, tmp_path / "run", small(pretrain__steps=8)))
    assert [e.report.step for e in events if isinstance(e, PhaseReport)] == [7, 8]


def test_a_run_inside_its_images_is_refused(tmp_path, images) -> None:
    with pytest.raises(ValueError, match="within the images"):
        run(plan_of(images, images / "run", small()))


def test_a_damaged_newest_checkpoint_is_named_and_the_one_before_used(
    tmp_path, images, caplog
) -> None:
    run(plan_of(images, tmp_path / "run", small()))
    checkpoints = Checkpoints(tmp_path / "run" / "pretrain")
    newest = checkpoints.paths()[-1]
    newest.write_bytes(newest.read_bytes()[:1000])
    state = checkpoints.latest()
    assert state is not None
    assert state["step"] == 4
    assert newest.name in caplog.text


def test_a_loss_that_is_not_finite_stops_and_keeps_what_was_before(tmp_path, images) -> None:
    recipe = small(pretrain__learning_rate=1e30, pretrain__steps=50)
    with pytest.raises(FloatingPointError, match="Lower the learning rate"):
        run(plan_of(images, tmp_path / "run", recipe))
    state = Checkpoints(tmp_path / "run" / "pretrain").latest()
    assert state is None or all(
        torch.isfinite(value).all() for value in state["generator"].values()
    )


def test_a_full_disk_is_named_and_loses_no_checkpoint(tmp_path, images, monkeypatch) -> None:
    run(plan_of(images, tmp_path / "run", small()))
    before = Checkpoints(tmp_path / "run" / "pretrain").paths()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(
        OSError, match=r"00000008.pt could not be written; its disk had .* MiB free .*No space left"
    ):
        run(plan_of(images, tmp_path / "run", small(pretrain__steps=8)))
    assert Checkpoints(tmp_path / "run" / "pretrain").paths() == before
    assert not list((tmp_path / "run").rglob("*.part"))


@pytest.mark.parametrize("which", ["average", "plain"])
def test_an_exported_generator_upscales_and_says_how_it_was_made(
    tmp_path, images, which: str
) -> None:
    run(plan_of(images, tmp_path / "run", small_gan()))
    target = tmp_path / "mine.safetensors"
    entry = export_generator(RunFolder(tmp_path / "run"), target, "mine", which=which)
    model = load_checkpoint(target)
    state = final_state(tmp_path / "run", "adversarial")
    expected = state["average"]["network"] if which == "average" else state["generator"]  # type: ignore[index]
    assert_same(model.network.state_dict(), expected)
    assert model.generative
    assert json.loads(model.metadata["settings"])["adversarial.steps"] == 4
    assert json.loads(model.metadata["data"]) == images.name
    assert str(tmp_path) not in "".join([*model.metadata.values(), entry["training_data"]])
    assert entry["size"] == target.stat().st_size


def test_an_exported_generator_can_be_stored_in_half_and_passes_its_self_test(
    tmp_path, images
) -> None:
    run(plan_of(images, tmp_path / "run", small(pretrain__steps=1)))
    folder, sizes = RunFolder(tmp_path / "run"), {}
    for half in (False, True):
        target = tmp_path / f"{half}.safetensors"
        entry = export_generator(folder, target, "mine", which="plain", half=half)
        model = load_checkpoint(target)
        outcome = verify(model, torch.device("cpu"), torch.float32)
        assert outcome.passed, outcome
        assert outcome.largest < 0.01  # the expectation is that of the weights as they are stored
        sizes[half] = entry["size"] - model.self_test.upscaled.nbytes  # type: ignore[union-attr]
    assert sizes[True] < 0.75 * sizes[False]


def test_a_file_that_fails_its_self_test_is_named(tmp_path, images, monkeypatch) -> None:
    run(plan_of(images, tmp_path / "run", small(pretrain__steps=1)))
    monkeypatch.setattr(
        exporting, "make_self_test", lambda network: make_self_test(SRResNet(blocks=1))
    )
    with pytest.raises(OSError, match=r"x\.safetensors was written, but fails its self-test: mine"):
        export_generator(
            RunFolder(tmp_path / "run"), tmp_path / "x.safetensors", "mine", which="plain"
        )


def test_a_generator_of_many_channels_is_exported_with_a_self_test(tmp_path) -> None:
    images = tmp_path / "stacks"
    images.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (5, 40, 52), dtype=np.uint8)
    for i in range(2):
        tifffile.imwrite(images / f"{i}.tif", noise, photometric="minisblack")
    recipe = small(network__channels=5, pretrain__steps=1)
    run(plan_of(images, tmp_path / "run", recipe))
    target = tmp_path / "five.safetensors"
    export_generator(RunFolder(tmp_path / "run"), target, "five", which="plain")
    test = load_checkpoint(target).self_test
    assert test is not None
    assert test.low.shape[0] == 5


def test_the_best_generator_is_exported_before_there_is_a_checkpoint(tmp_path, images) -> None:
    """Of a run that was killed after it was validated and before it was saved."""
    run(plan_of(images, tmp_path / "run", small(), hold_back=("0.png",)))
    for checkpoint in Checkpoints(tmp_path / "run" / "pretrain").paths():
        checkpoint.unlink()
    folder, target = RunFolder(tmp_path / "run"), tmp_path / "x.safetensors"
    export_generator(folder, target, "x", which="best")
    best = read_state(tmp_path / "run" / "pretrain" / "best.pt")
    assert_same(load_checkpoint(target).network.state_dict(), best["generator"])
    for which in ("average", "plain"):
        with pytest.raises(FileNotFoundError, match="no checkpoint yet"):
            export_generator(folder, target, "x", which=which)


def test_without_images_held_back_there_is_no_best_generator(tmp_path, images) -> None:
    run(plan_of(images, tmp_path / "run", small(pretrain__steps=1)))
    with pytest.raises(FileNotFoundError, match="no best generator: nothing was held back"):
        export_generator(RunFolder(tmp_path / "run"), tmp_path / "x.safetensors", "x", which="best")


def test_only_a_run_can_be_exported(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="not the folder of a run"):
        export_generator(RunFolder(tmp_path), tmp_path / "x.safetensors", "x", which="plain")


def test_it_says_where_a_run_stands(tmp_path, images) -> None:
    run(plan_of(images, tmp_path / "run", small_gan()), stop_at=("pretrain", 3))
    assert "pretrain: step 3 of 6 (50%)" in standing(RunFolder(tmp_path / "run"))
    assert "adversarial: step 0 of 4 (0%)" in standing(RunFolder(tmp_path / "run"))


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_command_line_trains_exports_and_tells(tmp_path, images) -> None:
    sets = [part for name, value in SMALL.items() for part in ("--set", f"{name}={value}")]
    sets += ["--set", "adversarial.steps=2", "--set", "adversarial.drop_at=1"]
    out = tmp_path / "run"
    trained = call("train", images, "--out", out, "--recipe", "smoke", "--report-every", 2, *sets)
    assert trained.exit_code == 0, trained.output
    assert "pretrain 6/6" in trained.stdout
    assert "adversarial 2/2" in trained.stdout
    exported = call("export", out, tmp_path / "m.safetensors")
    assert json.loads(exported.stdout)["generative"] is True
    halved = call("export", out, tmp_path / "h.safetensors", "--half")
    assert json.loads(halved.stdout)["size"] < json.loads(exported.stdout)["size"]
    assert "adversarial: step 2 of 2" in call("info", out).stdout


def test_the_command_line_goes_on_from_a_model_that_it_is_told_by_name(tmp_path, images) -> None:
    sets = ["pretrain.steps=1", "pretrain.warmup=0", "data.crop=16", "data.batch=2"]
    given = [part for text in sets for part in ("--set", text)]
    given += ["--recipe", "espcn", "--start-from", "espcn-x4"]
    done = call("train", images, "--out", tmp_path / "run", *given)
    assert done.exit_code == 0, done.output
    begun = json.loads((tmp_path / "run" / "run.json").read_text())
    assert begun["weights"] == entry("espcn-x4").sha256


@pytest.mark.parametrize("option", ["--start-from", "--teacher", "--phase-1-weights"])
def test_a_model_that_is_not_there_is_refused_before_images_are_looked_at(
    tmp_path, images, option
) -> None:
    out = tmp_path / "run"
    done = call("train", images, "--out", out, "--recipe", "smoke", option, "srresnet-x5")
    assert done.exit_code == 1
    assert "no model named 'srresnet-x5'" in done.output
    assert "srresnet-x4" in done.output
    assert not out.exists()


@pytest.mark.slow
def test_the_smoke_recipe_goes_through_both_phases(tmp_path, images) -> None:
    for path in images.iterdir():  # its crops are larger than these images
        picture = Image.open(path)
        picture.resize((2 * picture.width, 2 * picture.height)).save(path)
    arguments = ["--recipe", "smoke", "--report-every", 20, "--validate-every", 20]
    Image.open(images / "0.png").save(images / "held.png")
    done = call("train", images, "--out", tmp_path / "run", "--hold-back", "held.png", *arguments)
    assert done.exit_code == 0, done.output
    assert "pretrain 60/60" in done.stdout
    assert "adversarial 20/20" in done.stdout
    assert "PSNR" in done.stdout


def test_all_settings_are_listed_with_their_defaults() -> None:
    listed = call("settings").stdout
    assert "adversarial.adversarial_weight" in listed
    assert "eq. 3). [0.001]" in listed


def test_ctrl_c_finishes_the_step_saves_and_says_how_to_go_on(tmp_path, images) -> None:
    sets = {**SMALL, "pretrain.steps": 10**6}
    arguments = ["train", str(images), "--out", str(tmp_path / "run"), "--recipe", "srresnet-mse"]
    arguments += [part for name, value in sets.items() for part in ("--set", f"{name}={value}")]
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, *arguments, "--report-every", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("pretrain "):
            process.send_signal(signal.SIGINT)
            break
    _out, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "The same command goes on" in errors
    assert Checkpoints(tmp_path / "run" / "pretrain").latest() is not None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "adversarial.stepz=3"], "did you mean 'adversarial.steps'"),
        (["--set", "seed"], "NAME=VALUE"),
        (["--set", "seed=x"], "seed takes int; got 'x'"),
        (["--recipe", "srgan-vg"], "did you mean"),
    ],
)
def test_a_wrong_setting_is_told_before_any_work(
    tmp_path, images, arguments: list[str], message: str
) -> None:
    given = ["--recipe", "smoke", *arguments]
    result = call("train", images, "--out", tmp_path / "run", *given)
    assert result.exit_code == 1
    assert message in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(os.name == "nt", reason="gloo's rendezvous is tested on POSIX")
def test_two_processes_train_what_one_trains_from_the_same_batch(tmp_path, images) -> None:
    sets = {**SMALL, **GAN, "pretrain.steps": 3, "pretrain.warmup": 0, "adversarial.steps": 2}
    flags = [part for name, value in sets.items() for part in ("--set", f"{name}={value}")]
    common = ["--recipe", "smoke", "--cache", str(tmp_path / "cache"), "--device", "cpu"]
    common += ["--report-every", "1", *flags]
    one, two = tmp_path / "one", tmp_path / "two"
    alone = call("train", images, "--out", one, *common)
    assert alone.exit_code == 0, alone.output
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    module = ["-m", "napari_srgan.training", "train", str(images), "--out", str(two), *common]
    done = subprocess.run([*launch, *module], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Done. Next:") == alone.stdout.count("Done. Next:") == 1
    rows = [(out / "pretrain" / "training.csv").read_text().split("\n") for out in (one, two)]
    for mine, theirs in zip(*rows, strict=True):
        if mine and mine[0].isdigit():
            loss, its = float(mine.split(",")[1]), float(theirs.split(",")[1])
            assert loss == pytest.approx(its, rel=1e-4)
    # That both processes ended with the same parameters is checked by the run itself.
    for phase in ("pretrain", "adversarial"):
        first, second = final_state(one, phase), final_state(two, phase)
        for key, value in first["generator"].items():  # type: ignore[attr-defined]
            # Adam divides by the gradient's size: where that is rounding, so is the step (1e-3).
            other = second["generator"][key]  # type: ignore[index]
            torch.testing.assert_close(value, other, rtol=1e-3, atol=1e-3)


FORMER = {
    "pretrain": "srresnet", "adversarial": "srgan", "content_loss": "loss", "batch_norm": "norms",
    "optimizer": "optimiser", "random_translation": "shift",
}  # fmt: skip
ADDED = ("network.family", "network.batch_norm", "pretrain.halve_every")


def as_it_was_written_before(run_folder: Path) -> None:
    """Give a run the names of folders and settings that version 0.1 gave it."""
    described = json.loads((run_folder / "run.json").read_text())
    settings = {}
    for name, value in described["settings"].items():
        table, _, key = name.rpartition(".")
        if name in ADDED:
            continue
        former = "content" if name == "adversarial.content_loss" else FORMER.get(key, key)
        kept = {"train": "batch", "frozen": "running"}.get(value, value)
        settings[f"{FORMER.get(table, table)}.{former}" if table else name] = kept
    (run_folder / "run.json").write_text(json.dumps(described | {"settings": settings}))
    for phase in ("pretrain", "adversarial"):
        if (run_folder / phase).exists():
            (run_folder / phase).rename(run_folder / FORMER[phase])


@pytest.mark.parametrize("stop_at", [("pretrain", 2), ("adversarial", 2)])
def test_a_run_of_the_version_before_is_resumed_to_the_same_networks(
    tmp_path, images, stop_at: tuple[str, int]
) -> None:
    whole = plan_of(images, tmp_path / "whole", small_gan())
    former = plan_of(images, tmp_path / "former", small_gan())
    run(whole)
    run(former, stop_at=stop_at)
    as_it_was_written_before(former.out)

    run(former)

    assert (former.out / "srresnet").is_dir()
    assert not (former.out / "pretrain").exists()
    for phase in ("pretrain", "adversarial"):
        folder = RunFolder(former.out).phase(phase)
        assert_same(final_state(whole.out, phase), Checkpoints(folder).latest())


def div2k(images: Path, folder: Path, validation: int) -> Path:
    """Return a folder with these images as DIV2K has them, some set apart for validation."""
    for path in images.glob("*.png"):
        (folder / "DIV2K_train_HR").mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / "DIV2K_train_HR")
    source = next(images.glob("*.png"))
    for i in range(validation):
        (folder / "DIV2K_valid_HR").mkdir(exist_ok=True)
        shutil.copy(source, folder / "DIV2K_valid_HR" / f"{801 + i:04}.png")
    return folder


@pytest.mark.parametrize(("there", "used"), [(3, 3), (20, 10)])
def test_div2ks_own_validation_images_are_validated_on(tmp_path, images, there, used) -> None:
    data = div2k(images, tmp_path / "data", there)
    plan = plan_of(data, tmp_path / "run", small(), cache=tmp_path / "cache")
    notes = [event.text for event in run(plan) if isinstance(event, Note)]
    assert f"{used} of DIV2K's validation images are validated on" in notes
    assert any("on images held back: PSNR" in note for note in notes)


def test_what_is_held_back_by_name_is_validated_on_alone(tmp_path, images) -> None:
    data = div2k(images, tmp_path / "data", 2)
    plan = plan_of(data, tmp_path / "run", small(), cache=tmp_path / "cache", hold_back=("*0.png",))
    assert not any("DIV2K" in event.text for event in run(plan) if isinstance(event, Note))


def test_a_content_loss_looks_through_vgg16_from_a_folder_of_files(tmp_path, images) -> None:
    folder = tmp_path / "networks"
    folder.mkdir()
    (folder / "notes.pth").write_bytes(b"no network")
    save_file(VGG16Features(5, 3).state_dict(), folder / "trunk.safetensors")
    recipe = small(pretrain__content_loss="vgg16-22", pretrain__steps=1)
    plan = plan_of(images, tmp_path / "run", recipe, vgg_weights=folder)
    run(plan)
    assert list(RunFolder(plan.out).described()["vgg"]) == ["vgg16-22"]
    assert "trunk.safetensors" in RunFolder(plan.out).described()["vgg"]["vgg16-22"]
    other = plan_of(
        images, tmp_path / "other", small(pretrain__content_loss="vgg22"), vgg_weights=folder
    )
    with pytest.raises(OSError, match="holds VGG19's weights"):
        run(other)


@pytest.mark.parametrize(
    ("start", "loss", "answered", "expected"),
    [
        ("false", "l1", False, False),
        ("true", "l1", False, True),  # it draws already
        ("unknown", "l1", False, None),
        ("false", "l1", True, None),  # by whom, and what that draws, is not known
        ("false", "vgg16-22", True, True),
    ],
)
def test_what_was_shown_invented_detail_or_learned_what_looks_right_is_not_called_faithful(
    tmp_path, images, random_network, start: str, loss: str, answered: bool, expected: bool | None
) -> None:
    given = tmp_path / "start.safetensors"
    network = random_network(blocks=1, batch_norm=True)
    save_checkpoint(given, network, {"name": "start", "invents": start})
    if answered:
        (images / "answers.json").write_text("{}")
    recipe = small(pretrain__content_loss=loss)
    run(plan_of(images, tmp_path / "run", recipe, start_from=given, random_vgg=True))
    target = tmp_path / "made.safetensors"
    entry = export_generator(RunFolder(tmp_path / "run"), target, "made", which="plain")
    assert entry["generative"] is load_checkpoint(target).generative is expected


def test_answers_are_learned_by_lpips_from_a_start_whose_norms_are_folded(
    tmp_path, images, random_network
) -> None:
    """The recipe's own settings, on a tiny network; stopped, it goes on bit for bit."""
    start = tmp_path / "start.safetensors"
    save_checkpoint(start, random_network(blocks=1, features=8), {})
    changes = {"network.blocks": 1, "network.features": 8, "data.crop": 32, "data.batch": 2}
    steps = {"pretrain.steps": 3, "pretrain.warmup": 1}
    recipe = load_recipe("srresnet-lpips", {**changes, **steps})
    whole, parts = (
        plan_of(images, tmp_path / name, recipe, start_from=start, random_vgg=True)
        for name in ("whole", "parts")
    )
    reports = [event.report for event in run(whole) if isinstance(event, PhaseReport)]
    assert {"content", "l1", "mesh", "gradient"} <= reports[0].measured.keys()
    run(parts, stop_at=("pretrain", 1))
    run(parts)
    assert_same(*(final_state(plan.out, "pretrain") for plan in (whole, parts)))
    assert "random" in RunFolder(whole.out).described()["vgg"]["lpips-vgg"]


def test_packing_tells_how_far_it_is(tmp_path, images) -> None:
    plan = plan_of(images, tmp_path / "run", small(), cache=tmp_path / "cache")
    steps = [event for event in run(plan) if isinstance(event, PackingProgress)]
    assert [step.done for step in steps] == list(range(1, len(list(images.glob("*.png"))) + 1))
    again = plan_of(images, tmp_path / "again", small(), cache=tmp_path / "cache")
    assert not [event for event in run(again) if isinstance(event, PackingProgress)]


def test_a_pattern_that_holds_nothing_back_is_refused(tmp_path, images) -> None:
    plan = plan_of(images, tmp_path / "run", small(), hold_back=("val/*", "x*"))
    with pytest.raises(ValueError, match=r"--hold-back val/\* x\* matches none of the 4 images"):
        run(plan)


def test_a_checkpoint_is_written_when_seconds_have_passed_whatever_the_steps(images, tmp_path):
    out = tmp_path / "slow"
    pace = Pace(report=1, save=1000, validate=1000, save_seconds=0.0)
    steps = iter_run(plan_of(images, out, small(), pace=pace), Event())
    for event in steps:
        if isinstance(event, PhaseReport) and event.report.step == 2:
            break
    assert Checkpoints(out / "pretrain").paths()[-1].name == "00000002.pt"
    steps.close()
