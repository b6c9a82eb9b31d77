"""A run's logs, drawn: every panel shows the rows that were logged, and only those."""

from __future__ import annotations

import csv
import json
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from napari_srgan.training.cli import app
from napari_srgan.training.config import CONTENT_LOSSES
from napari_srgan.training.watch.curves import _smooth, draw_curves, read_logs

SETTINGS = {"pretrain.content_loss": "l1", "adversarial.content_loss": "vgg54"}
STEPS = range(100, 3001, 100)


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def begin(run, *phases, settings=SETTINGS):
    run.mkdir(exist_ok=True)
    (run / "run.json").write_text(json.dumps({"settings": settings}), encoding="utf-8")
    for phase in phases:
        more = (
            {"adversarial": 2e-3, "d_high": 0.75, "d_upscaled": 0.25}
            if phase == "adversarial"
            else {}
        )
        training = [{"step": step, "content": 1 / step, **more} for step in STEPS]
        write(run / phase / "training.csv", training)
        measured = {"psnr": 28.0, "high_frequency": 0.5}
        write(run / phase / "validation.csv", [{"step": s, **measured} for s in (1000, 2000)])
    return run


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes]


def lines(figure, title):
    (axes,) = (axes for axes in figure.axes if title in axes.get_title(loc="left"))
    return [(line.get_xdata(), line.get_ydata()) for line in axes.get_lines()]


@pytest.mark.parametrize(
    ("phases", "panels"),
    [(["pretrain"], 2), (["adversarial"], 4), (["pretrain", "adversarial"], 6)],
)
def test_each_phase_that_was_come_to_has_its_panels(tmp_path, phases, panels):
    figure = draw_curves(read_logs(begin(tmp_path, *phases)))
    assert len(titles(figure)) == panels
    for number, phase in ((1, "pretrain"), (2, "adversarial")):
        assert any(f"Phase {number}" in title for title in titles(figure)) is (phase in phases)
    assert all(axes.get_xlabel() == "step" and axes.get_ylabel() for axes in figure.axes)


def test_lines_go_through_what_was_logged(tmp_path):
    figure = draw_curves(read_logs(begin(tmp_path, "pretrain", "adversarial")))
    reported, smoothed = lines(figure, "content loss")
    np.testing.assert_array_equal(reported, (np.array(STEPS), 1 / np.array(STEPS)))
    np.testing.assert_array_equal(smoothed[0], np.array(STEPS))
    assert figure.axes[0].get_yscale() == "log"
    (psnr,) = lines(figure, "Phase 2: PSNR")
    np.testing.assert_array_equal(psnr, ([1000, 2000], [28, 28]))
    belief = [values for _, values in lines(figure, "discriminator")[:2]]
    np.testing.assert_allclose(belief, [[0.75] * len(STEPS), [0.25] * len(STEPS)])


def test_losses_are_called_by_what_they_compare(tmp_path):
    logs = read_logs(begin(tmp_path, "pretrain", "adversarial"))
    assert [log.content for log in logs] == ["L1 on [-1, 1]", "MSE of VGG19 φ5,4"]


@pytest.mark.parametrize("loss", CONTENT_LOSSES)
def test_every_content_loss_has_its_unit(tmp_path, loss):
    (log,) = read_logs(begin(tmp_path, "pretrain", settings={"pretrain.content_loss": loss}))
    assert any(unit in log.content for unit in ("MSE", "L1", "LPIPS"))


def test_rows_of_a_log_whose_columns_changed_are_one_line(tmp_path):
    begin(tmp_path, "pretrain")
    more = [{"step": 9000, "psnr": 29.0}, {"step": 3000, "psnr": 28.5}]
    write(tmp_path / "pretrain" / "validation-2.csv", more)
    (psnr,) = lines(draw_curves(read_logs(tmp_path)), "PSNR")
    np.testing.assert_array_equal(psnr, ([1000, 2000, 3000, 9000], [28, 28, 28.5, 29]))


def test_a_run_that_holds_nothing_back_says_so(tmp_path):
    begin(tmp_path, "pretrain")
    (tmp_path / "pretrain" / "validation.csv").unlink()
    figure = draw_curves(read_logs(tmp_path))
    assert [text.get_text() for text in figure.axes[1].texts] == ["none yet"]


@given(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=200))
def test_smoothing_keeps_the_length_and_stays_within_the_values(values):
    smoothed = _smooth(np.array(values))
    assert smoothed.shape == (len(values),)
    slack = 1e-9 * sum(values)
    assert np.all((smoothed >= min(values) - slack) & (smoothed <= max(values) + slack))


@given(st.integers(1, 200), st.floats(-5, 5), st.floats(1e-3, 5))
def test_smoothing_moves_no_straight_line_but_at_its_ends(count, offset, slope):
    values = offset + slope * np.arange(count)
    reach = -(-count // 40)
    middle = slice(reach, max(reach, count - reach))
    np.testing.assert_allclose(_smooth(values)[middle], values[middle], atol=1e-6)


def test_the_command_draws_900_pixels_on_white(tmp_path):
    target = tmp_path / "curves.png"
    run = begin(tmp_path / "run", "pretrain", "adversarial")
    done = CliRunner().invoke(app, ["plot", str(run), str(target)])
    assert done.exit_code == 0, done.output
    with Image.open(target) as picture:
        assert picture.width == 900
        assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_a_run_without_logs_is_an_error_in_words(tmp_path):
    begin(tmp_path)
    done = CliRunner().invoke(app, ["plot", str(tmp_path), str(tmp_path / "curves.png")])
    assert done.exit_code == 1
    assert "has logged nothing yet" in done.output


def test_a_folder_that_is_no_run_is_an_error_in_words(tmp_path):
    done = CliRunner().invoke(app, ["plot", str(tmp_path), str(tmp_path / "curves.png")])
    assert done.exit_code == 1
    assert "is not the folder of a run" in done.output


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    run = begin(tmp_path, "pretrain")
    done = CliRunner().invoke(app, ["plot", str(run), str(tmp_path / "curves.png")])
    assert done.exit_code == 1
    assert 'pip install "napari-srgan[training]"' in done.output
