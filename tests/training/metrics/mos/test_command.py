"""The command, from CSV files to tables, a figure and JSON: in words whatever it is given."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from PIL import Image
from synthetic_raters import TRUTH, opinions_of
from typer.testing import CliRunner

from napari_srgan.rating.ratings import Rating, write_ratings
from napari_srgan.training.cli import app
from napari_srgan.training.metrics.mos.analysis import analyse
from napari_srgan.training.metrics.mos.figure import draw_distribution


def run(*arguments):
    return CliRunner().invoke(app, ["mos", *map(str, arguments)])


@pytest.fixture
def table(tmp_path):
    def write(ratings, name="ratings.csv"):
        write_ratings(ratings, tmp_path / name)
        return tmp_path / name

    return write


def test_the_table_is_the_papers_methods_in_columns_a_block_for_each_data_set(table):
    ratings = [
        *opinions_of(data_set="Set14", images=14, raters=10),
        *opinions_of(data_set="Set5", images=5, raters=10, seed=1),
    ]
    done = run(table(ratings))
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0].split() == ["Set5", *TRUTH]
    assert lines[6].split() == ["Set14", *TRUTH]
    mos = [float(cell.strip("*")) for cell in lines[7].split()[1:]]
    assert mos == pytest.approx(list(TRUTH.values()), abs=0.35)
    assert "*" in lines[7].split()[4]
    assert lines[10].split() == ["ratings", *["140"] * 5]
    for text in ("Wilcoxon", "rater 9", "Agreement: 0."):
        assert text in done.output


def test_psnr_and_ssim_of_an_evaluation_stand_above(table, tmp_path):
    scores = tmp_path / "scores.json"
    measured = {"Set5": {"bicubic": {"psnr": 28.42, "ssim_daala": 0.8215}}}
    scores.write_text(json.dumps(measured), encoding="utf-8")
    done = run(table(opinions_of(data_set="Set5")), "--scores", scores)
    lines = done.output.splitlines()
    assert lines[1].split() == ["PSNR", "dB", "–", "28.42", "–", "–", "–"]
    assert lines[2].split() == ["SSIM", "daala", "–", "0.8215", "–", "–", "–"]
    scores.write_text('{"Set5": 3}', encoding="utf-8")
    assert "not what evaluate --json writes" in run(table(opinions_of()), "--scores", scores).output


def test_raters_who_were_not_calibrated_are_said_and_can_be_left_out(table):
    ratings = [
        row
        if row.rater != "rater 3"
        else Rating("", row.image, row.method, row.rater, 6 - row.rating)
        for row in opinions_of()
    ]
    path = table(ratings)
    assert "Not calibrated: rater 3 gave nearest 4." in run(path).output
    left = run(path, "--leave-out", "rater 3").output
    assert "Not calibrated" not in left
    assert "rater 3" not in left
    done = run(path, "--leave-out", "rater 33")
    assert done.exit_code == 1
    assert "No rater is called rater 33" in done.output
    everyone = [word for n in range(6) for word in ("--leave-out", f"rater {n}")]
    assert "nothing is left" in run(path, *everyone).output


def test_json_has_every_figure_and_null_for_what_is_not_known(table, tmp_path):
    ratings = [Rating("", "a", "bicubic", "ann", 2), Rating("", "b", "HR", "ann", 5)]
    done = run(table(ratings), "--json", tmp_path / "out.json")
    assert done.exit_code == 0, done.output
    values = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    found = values["data_sets"]["all images"]
    assert [one["mean"] for one in found["scores"]] == [2, 5]
    assert found["scores"][0]["low"] is None
    (comparison,) = found["comparisons"]
    assert (comparison["pairs"], comparison["p"], comparison["better"]) == (0, None, None)
    assert (values["agreement"], values["raters"][0]["calibrated"]) == (None, None)


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"images": 1}, "1 image"),
        ({"raters": 1}, "There is one rater"),
        ({"images": 1, "raters": 1}, "There is one rater"),
        ({"truth": {"bicubic": 2.0}}, "not known whether they were"),
        ({"noise": 0, "of_image": 0, "of_rater": 0}, "Agreement: 1.00"),
    ],
)
def test_few_ratings_are_analysed_as_far_as_they_go(table, tmp_path, sizes, said):
    path = tmp_path / "figure.png"
    done = run(table(opinions_of(**sizes)), "--figure", path)
    assert done.exit_code == 0, done.output
    assert said in done.output or said in draw_title(opinions_of(**sizes))
    with Image.open(path) as picture:
        assert picture.width > 400


def draw_title(ratings):
    return draw_distribution(analyse(ratings)).axes[0].get_title(loc="left")


def test_missing_ratings_are_counted(table):
    ratings = opinions_of()
    del ratings[5], ratings[-1]
    assert "Missing in all images: 2 of 300 ratings" in run(table(ratings)).output


def test_the_figure_shows_the_share_of_each_score_centred_on_it_and_the_mean_in_red():
    analysis = analyse(opinions_of(data_set="Set5"))
    figure = draw_distribution(analysis)
    axes, _colourbar = figure.axes
    shares = axes.collections[0].get_array()
    scores = analysis.data_sets[0].scores
    assert shares.shape == (5, 5)
    np.testing.assert_allclose(shares.sum(axis=0), 1)
    np.testing.assert_allclose(shares[:, 0], np.array(scores[0].counts) / scores[0].ratings)
    corners = axes.collections[0].get_coordinates()[:, 0, 1]
    np.testing.assert_allclose(corners, [0.5, 1.5, 2.5, 3.5, 4.5, 5.5])
    markers = axes.lines[0]
    np.testing.assert_allclose(markers.get_ydata(), [one.mean for one in scores])
    assert markers.get_color() == "#d62728"
    assert [label.get_text() for label in axes.get_xticklabels()] == list(TRUTH)


@pytest.mark.parametrize(
    "arguments",
    [["missing.csv"], ["--figure", "no/folder/f.png"], ["--paired-by", "x"], ["--figure", "f.xyz"]],
)
def test_what_cannot_be_done_is_said_in_a_line(table, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    done = run(table(opinions_of(images=2)), *arguments)
    assert done.exit_code == 1
    assert "Error: " in done.output
    assert not isinstance(done.exception, ValueError | OSError)


def test_the_figure_without_matplotlib_is_refused_in_words(table, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    done = run(table(opinions_of(images=2)), "--figure", tmp_path / "f.png")
    assert done.exit_code == 1
    assert 'pip install "napari-srgan[training]"' in done.output
