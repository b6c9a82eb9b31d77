"""A teacher's answers, as pairs to train on."""

from __future__ import annotations

import json
from zlib import crc32

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from napari_srgan.inference.run import upscale_array
from napari_srgan.inference.settings import Settings, finish
from napari_srgan.resampling import enlarge, shrink
from napari_srgan.training.cli import app
from napari_srgan.training.data.answers import iter_answers, with_colours_of
from napari_srgan.training.data.decoding import read_image
from napari_srgan.training.data.degradations.reduce import Reduction
from napari_srgan.training.data.sources import find_sources
from napari_srgan.training.metrics.perceptual import colour_drift

SETTINGS = Settings(precision="float32")


@pytest.fixture
def images(tmp_path):
    """A photograph of sides that 4 does not divide, a grey one in a folder, and a small one."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "images"
    (folder / "more").mkdir(parents=True)
    coarse = rng.integers(0, 256, (12, 15, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((121, 98), Image.Resampling.BICUBIC).save(folder / "a.png")
    Image.fromarray(rng.integers(0, 256, (80, 96), dtype=np.uint8)).save(folder / "more" / "a.png")
    Image.fromarray(coarse[:8, :8]).save(folder / "tiny.png")
    return folder


def read(path):
    return read_image(path, channels=3)


def answered(model, images, out, **changes):
    settings = {"patches": 0, "side": 16, "settings": SETTINGS, **changes}
    return finish(iter_answers(model, images, out, **settings))


def test_training_finds_each_answer_with_the_image_that_it_answers(tmp_path, images, random_model):
    model = random_model()
    assert answered(model, images, tmp_path / "out") == []
    pairs = {source.high.stem: source for source in find_sources(tmp_path / "out").training}
    assert list(pairs) == ["a.png", "more__a.png", "tiny.png"]
    high = read(images / "a.png")[:96, :120]
    low = read(pairs["a.png"].low)
    assert np.array_equal(low, shrink(high))
    expected = with_colours_of(low, upscale_array(low, model, settings=SETTINGS), 4)
    assert np.array_equal(read(pairs["a.png"].high), expected)


def test_a_teacher_answers_degraded_images_as_they_are(tmp_path, images, random_model):
    model, reduction = random_model(), Reduction("second-order", 4)
    answered(model, images, tmp_path / "out", reduction=reduction)
    (pair,) = (p for p in find_sources(tmp_path / "out").training if p.high.stem == "a.png")
    high = read(images / "a.png")[:96, :120]
    low = read(pair.low)
    assert np.array_equal(low, reduction(high, [0, crc32(b"a.png")])[0])
    assert not np.array_equal(low, shrink(high))
    expected = with_colours_of(low, upscale_array(low, model, settings=SETTINGS), 4)
    assert np.array_equal(read(pair.high), expected)
    answered(model, images, tmp_path / "out", reduction=reduction)
    with pytest.raises(ValueError, match="holds answers of"):
        answered(model, images, tmp_path / "out")
    with pytest.raises(ValueError, match="is for ×4; the recipe is for ×2"):
        answered(model, images, tmp_path / "two", reduction=Reduction("bicubic", 2))


def test_patches_are_where_texture_is_and_the_same_each_time(tmp_path, images, random_model):
    model = random_model()
    for folder in ("one", "two"):
        left_out = answered(model, images, tmp_path / folder, patches=2)
        assert [image.name for image in left_out] == ["tiny.png"]
    one, two = (sorted((tmp_path / name).rglob("*.png")) for name in ("one", "two"))
    assert len(one) == 2 * 2 * 2
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    assert {read(path).shape for path in one} == {(16, 16, 3), (64, 64, 3)}


def test_what_is_there_is_not_made_again_and_other_terms_are_refused(
    tmp_path, images, random_model
):
    model, out = random_model(), tmp_path / "out"
    answered(model, images, out)
    missing, other = sorted((out / "DIV2K_train_HR").iterdir())[:2]
    wanted = missing.read_bytes()
    missing.unlink()
    other.write_bytes(b"not touched")
    answered(model, images, out)
    assert missing.read_bytes() == wanted
    assert other.read_bytes() == b"not touched"
    with pytest.raises(ValueError, match=r"holds answers of .*'patches': 0"):
        answered(model, images, out, patches=1)
    with pytest.raises(ValueError, match="lies within the images"):
        answered(model, images, images / "out")


def test_answers_get_the_colours_of_their_image_and_keep_their_texture():
    rng = np.random.default_rng(0)
    low = rng.integers(60, 190, (20, 24, 3), dtype=np.uint8)
    true = enlarge(low, 4, Image.Resampling.BICUBIC).astype(np.int16)
    texture = np.tile([[6, -6], [-6, 6]], (40, 48))[..., None]
    found = with_colours_of(low, (true + texture + [9, -4, 2]).astype(np.uint8), 4)
    assert colour_drift(found, low).worst < 0.5
    away = found - (true + texture)
    assert np.abs(away - away.mean(axis=(0, 1))).max() < 3


def test_the_command_names_what_is_left_out(tmp_path, images):
    given = ["answers", "srresnet-small-x4", str(images), str(tmp_path / "out")]
    outcome = CliRunner().invoke(app, [*given, "--patches", "1", "--side", "8"])
    assert outcome.exit_code == 0, outcome.output
    assert "Left out: tiny.png: 2 × 2 pixels hold no patch of 8" in outcome.stderr
    record = json.loads((tmp_path / "out" / "answers.json").read_text())
    assert record["model"] == "srresnet-small-x4"
    assert len(record["sha256"]) == 64
