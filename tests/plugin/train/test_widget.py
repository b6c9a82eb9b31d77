"""Models are trained from the dock by processes that go on without it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from napari.layers import Image
from PIL import Image as Pillow

from napari_srgan.plugin.train.controls import FOLDER, OWN
from napari_srgan.plugin.train.images import pair_folders, write_layers
from napari_srgan.plugin.train.trainings import RECIPES, Request, Training, check_name, trainings
from napari_srgan.plugin.train.widget import NEW, Train
from napari_srgan.plugin.train.words import figures_text, read_curves, standing_text
from napari_srgan.runs import LOGS, PREVIEW, Asked, Status, asked_of, this_process, write_status
from napari_srgan.store.cache import cache_folder
from napari_srgan.store.registry import list_models
from napari_srgan.training.config import recipe_names

MINUTES = 180_000  # milliseconds, in which a process starts on a busy computer


@pytest.fixture
def images(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for i in range(4):
        coarse = Pillow.fromarray(rng.integers(0, 256, (12, 14, 3), dtype=np.uint8))
        coarse.resize((112, 100), Pillow.Resampling.BICUBIC).save(tmp_path / f"images/{i}.png")
    return tmp_path / "images"


@pytest.fixture
def widget(make_napari_viewer_proxy: Any, qtbot: Any) -> Any:
    viewer = make_napari_viewer_proxy()
    viewer.add_image(np.zeros((100, 112), np.uint8), name="mine")
    made = Train(viewer)
    qtbot.addWidget(made)
    yield made
    made.watching.stop()


def begun(name: str, status: Status) -> Training:
    training = Training(cache_folder(), name)
    training.run.mkdir(parents=True)
    (training.folder / "request.json").write_text(
        '{"images": "i", "start": "s", "recipe": "fine-tune", "minutes": 1}', encoding="utf-8"
    )
    write_status(training.run, status)
    return training


@pytest.mark.slow
def test_a_model_is_trained_from_the_dock_and_is_in_the_list(widget, images, qtbot):
    setup = widget.setup
    setup.source.value, setup.folder.value = FOLDER, images
    setup.start.value, setup.minutes.value, setup.name_of.value = "srresnet-small-x4", 60, "mine"
    widget.train()
    qtbot.waitUntil(lambda: widget.training is not None, timeout=MINUTES)
    assert not setup.visible
    stands = widget.training.status
    qtbot.waitUntil(lambda: stands().state == "training", timeout=MINUTES)
    widget.watching.ask("finish")
    with qtbot.waitSignal(widget.watching.ended, timeout=MINUTES):
        pass
    assert stands().state == "done", stands().text
    assert "mine" in list_models()
    assert widget.training.model.with_suffix(".md").is_file()
    assert "On 1 images held back" in widget.watching.controls.state.value
    widget.remove()
    assert "mine" not in list_models()
    assert widget.chosen.value == NEW


def test_a_training_is_found_again_and_steered(widget, qtbot):
    status = Status("training", step=30, steps=90, seconds_left=61, **this_process())
    training = begun("earlier", replace(status, images=("a.png",), before={"psnr": 30.0}))
    again = Train(widget._viewer)
    qtbot.addWidget(again)
    assert again.chosen.value == "earlier"
    controls = again.watching.controls
    assert controls.state.value == "Step 30 of 90, 61 s left"
    assert controls.figures.value == "PSNR: 30.00 dB with the start model"
    again.watching.whole.clicked.emit(0.25, 0.75)
    again.watching.ask("pause")
    assert asked_of(training.run) == Asked("pause", 0, 0.25, 0.75)
    write_status(training.run, replace(status, state="paused", text="Paused."))
    again.watching.look()
    assert controls.state.value == "Paused."
    assert controls.resume.native.isVisibleTo(controls.native)
    assert not controls.pause.native.isVisibleTo(controls.native)
    again.watching.stop()


def test_a_process_that_was_killed_is_told_with_what_to_do(widget):
    dead = Status("training", step=3, steps=9, process=2**22 + 1, began=1.0)
    training = begun("killed", dead)
    widget._renew("killed")
    said = widget.watching.controls.state.value
    assert "as when memory runs out" in said
    assert "At most a minute is lost" in said
    (training.folder / "output.txt").write_text("…\nError: no room\n", encoding="utf-8")
    widget.watching.look()
    assert widget.watching.controls.state.value.startswith("⚠ no room\n")


def test_a_disk_that_is_full_is_told_as_what_ended_a_training(widget, monkeypatch):
    training = begun("full", Status("training", step=3, steps=9, process=2**22 + 1, began=1.0))
    usage = shutil.disk_usage(training.folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2**20))
    widget._renew("full")
    said = widget.watching.controls.state.value
    assert "The disk is full. Make room, then go on: at most a minute is lost." in said
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2**34))
    widget.watching.look()
    assert "disk" not in widget.watching.controls.state.value


def test_what_is_missing_is_told_before_anything_begins(widget):
    widget.setup.name_of.value = "../x"
    widget.train()
    assert "Name the model" in widget.problem.value
    widget.setup.name_of.value = "x"
    widget.setup.source.value = FOLDER
    widget.train()
    assert "Choose the folder of the images" in widget.problem.value
    widget.setup.source.value, widget.setup.low.value = "layers", OWN
    widget.train()
    assert "low-resolution layers" in widget.problem.value
    assert trainings(cache_folder()) == []


def test_the_dock_offers_recipes_that_there_are_and_faithful_models():
    assert set(RECIPES.values()) <= set(recipe_names())


def test_planes_of_layers_become_images(tmp_path):
    stack = Image(np.arange(3 * 40 * 56, dtype=np.uint16).reshape(3, 40, 56))
    grey = Image(np.linspace(-5, 7, 40 * 56).reshape(40, 56).astype(np.float32))
    write_layers([stack, grey], [], tmp_path / "out")
    files = sorted((tmp_path / "out").iterdir())
    assert [file.name for file in files] == [f"000{i}.tif" for i in range(4)]
    np.testing.assert_array_equal(tifffile.imread(files[1]), stack.data[1])
    written = tifffile.imread(files[3])
    assert (written.dtype, written.min(), written.max()) == (np.uint16, 0, 65535)


def test_one_pair_is_cut_at_the_same_places(tmp_path):
    high = np.random.default_rng(0).integers(0, 256, (110, 200), dtype=np.uint8)
    write_layers([Image(high)], [Image(high[::4, ::4][:27, :50])], tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == 8
    for i in range(4):
        part = tifffile.imread(tmp_path / "out" / f"000{i}_HR.tif")
        np.testing.assert_array_equal(
            part[::4, ::4], tifffile.imread(tmp_path / "out" / f"000{i}_LR.tif")
        )


def test_two_folders_become_pairs_in_the_order_of_their_names(tmp_path, images):
    (tmp_path / "low").mkdir()
    for name in ("a", "b", "c", "d"):
        (tmp_path / "low" / f"{name}.png").write_bytes(name.encode())
    pair_folders(images, tmp_path / "low", tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names[:2] == ["0000 0_HR.png", "0000 0_LR.png"]
    assert (tmp_path / "out" / "0003 3_LR.png").read_bytes() == b"d"
    (tmp_path / "low" / "a.png").unlink()
    with pytest.raises(ValueError, match=r"there are 3 in .* and 4 in"):
        pair_folders(images, tmp_path / "low", tmp_path / "out")


def test_names_that_would_lie_elsewhere_or_are_taken_are_refused(tmp_path):
    for name in ("", ".", "..", "a/b", "a\\b", " a"):
        with pytest.raises(ValueError, match="Name the model"):
            check_name(name, tmp_path)
    (tmp_path / "trainings" / "a").mkdir(parents=True)
    with pytest.raises(ValueError, match="There is a training called a"):
        check_name("a", tmp_path)
    check_name("a b-2.1", tmp_path)


def test_logs_are_read_as_far_as_they_go(tmp_path):
    assert read_curves(tmp_path).loss == []
    (tmp_path / LOGS).mkdir()
    (tmp_path / LOGS / "training.csv").write_text("step,content\n5,0.5\n9,\n", encoding="utf-8")
    (tmp_path / LOGS / "validation.csv").write_text("step,psnr\n9,31\n", encoding="utf-8")
    curves = read_curves(tmp_path)
    assert curves.loss == [(5.0, 0.5)]
    before = Status("done", "Done.", before={"psnr": 30.0})
    assert "31.00 dB now (+1.00)" in figures_text(before, curves)
    assert standing_text(before, "") == "Done."


def test_a_preview_that_fails_says_why(tmp_path):
    training = Training(tmp_path, "x")
    request = Request(str(tmp_path / "none"), "srresnet-small-x4", "fine-tune", 1, "cpu")
    assert training.preview(request, tmp_path / PREVIEW) == f"There is no folder {tmp_path}/none."
