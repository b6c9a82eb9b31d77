from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from napari_srgan.training.cli import app
from napari_srgan.training.metrics.pairs import find_pairs, read_pair


@pytest.fixture
def images(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    folder = tmp_path / "images"
    (folder / "below").mkdir(parents=True)
    for name, size in [("a.png", (50, 41, 3)), ("b.png", (40, 64)), ("below/c.png", (32, 32, 3))]:
        Image.fromarray(rng.integers(0, 256, size, dtype=np.uint8)).save(folder / name)
    return folder


def degrade(images: Path, out: Path, *options: str):
    return CliRunner().invoke(app, ["degrade", str(images), str(out), *options])


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_pairs_can_be_measured_on_and_say_what_was_done(images, tmp_path):
    result = degrade(images, tmp_path / "out", "--set", "degradation.clean_share=0")
    assert result.exit_code == 0, result.output
    assert "3 pairs" in result.output
    pairs = find_pairs(tmp_path / "out")
    assert [pair.name for pair in pairs] == ["a", "b"]
    low, high = read_pair(pairs[0])
    assert (low.shape, high.shape) == ((12, 10, 3), (48, 40, 3))
    original = np.asarray(Image.open(images / "a.png"))
    np.testing.assert_array_equal(high, original[:48, :40])
    with (tmp_path / "out" / "degradations.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == ["a.png", "b.png", "below/c.png"]
    assert all(" to " in row["degradation"] for row in rows)


def test_the_same_seed_writes_the_same_bytes_and_other_images_change_nothing(images, tmp_path):
    degrade(images, tmp_path / "one")
    degrade(images, tmp_path / "only", "--only", "a.*")
    degrade(images, tmp_path / "other", "--seed", "1")
    one, only, other = (contents(tmp_path / name) for name in ("one", "only", "other"))
    assert set(only) == {"a_HR.png", "a_LR.png", "degradations.csv"}
    assert only["a_LR.png"] == one["a_LR.png"]
    assert other["a_HR.png"] == one["a_HR.png"]
    assert other["a_LR.png"] != one["a_LR.png"]


@pytest.mark.parametrize(
    ("out", "options", "message"),
    [
        ("images/out", [], "lies within the images"),
        ("out", ["--only", "z*"], "matches none of the 3 images"),
        ("out", ["--set", "degradation.quality_min=0"], "must be from 1 to 95"),
        ("out", ["--set", "data.degradation=third-order"], "must be one of bicubic"),
    ],
)
def test_what_cannot_be_done_is_said(images, tmp_path, out, options, message):
    result = degrade(images, tmp_path / out, *options)
    assert result.exit_code == 1
    assert message in result.output


def test_a_file_that_is_no_image_is_left_out_by_name(images, tmp_path):
    (images / "broken.png").write_bytes(b"none")
    result = degrade(images, tmp_path / "out")
    assert result.exit_code == 1
    assert "3 pairs" in result.output
    assert "Left out: broken.png" in result.output
