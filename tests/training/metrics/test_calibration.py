"""A model's errors by its spread, on pairs of images."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from napari_srgan.inference.settings import finish
from napari_srgan.training.cli import app
from napari_srgan.training.metrics.calibration import as_lines, iter_calibrate
from napari_srgan.training.metrics.pairs import find_data_sets


@pytest.fixture
def images(tmp_path):
    rng = np.random.default_rng(0)
    for name in range(2):
        coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
        coarse.resize((64, 48), Image.Resampling.BICUBIC).save(tmp_path / f"{name}.png")
    return tmp_path


def test_it_counts_images_and_ends_with_a_law_that_is_true_of_them(images, random_model):
    steps = iter_calibrate(random_model(), find_data_sets(images), border=4)
    assert next(steps) == (1, 2)
    found = finish(steps)
    assert found.images == 2
    assert found.account.ratio == pytest.approx(1, abs=0.3)
    assert "rank correlation" in as_lines(found)


def test_a_law_that_is_given_is_held_to_account(images, random_model):
    data = find_data_sets(images)
    one, two = (
        finish(iter_calibrate(random_model(), data, border=4, law=(factor, 1.0)))
        for factor in (1.0, 2.0)
    )
    assert one.account.ratio == pytest.approx(2 * two.account.ratio, rel=1e-3)
    assert one.account.rank == pytest.approx(two.account.rank)


def test_the_command_prints_and_writes_what_it_found(images, tmp_path_factory):
    to = tmp_path_factory.mktemp("out") / "law.json"
    given = ["calibrate", "--model", "srresnet-small-x4", "--data", str(images), "--json", str(to)]
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 0, result.output
    assert "error to expect = " in result.output
    factor, power = json.loads(to.read_text())["law"]
    assert factor > 0
    assert power > 0
