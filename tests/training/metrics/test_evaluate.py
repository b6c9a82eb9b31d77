import csv
import json
import math
import os
import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from napari_srgan.models.mdsr import MDSR
from napari_srgan.resampling import enlarge, shrink
from napari_srgan.store.checkpoint import save_checkpoint
from napari_srgan.training.cli import app
from napari_srgan.training.metrics.evaluate import (
    Evaluation,
    Progress,
    Row,
    as_table,
    iter_evaluate,
    write_csv,
    write_json,
)
from napari_srgan.training.metrics.fidelity import Scores, score
from napari_srgan.training.metrics.pairs import Pair, find_data_sets, read_pair
from napari_srgan.training.metrics.perceptual import checkerboard
from napari_srgan.training.metrics.table import FURTHER, Outcome, column_of

# PSNR, daala's SSIM and Wang's, measured once with an independent script; the publication has
# 26.26 / .7552 and 28.43 / .8211 on Set5, 24.64 / .7100 and 25.99 / .7486 on Set14.
CONTROLS = {
    ("Set5", "nearest"): (26.25, 0.7555),
    ("Set5", "bicubic"): (28.42, 0.8215),
    ("Set14", "nearest"): (24.64, 0.7104),
    ("Set14", "bicubic"): (25.99, 0.7490),
}


def _drain(generator):
    """Return what a generator yields, and what it returns."""
    yielded = []
    while True:
        try:
            yielded.append(next(generator))
        except StopIteration as stop:
            return yielded, stop.value


def _image(*shape, seed=0):
    """Blurred noise: something that interpolation can follow."""
    h, w, *channels = shape
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (h // 6 + 1, w // 6 + 1, *channels), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((w, h), Image.Resampling.BICUBIC))


@pytest.fixture
def folder(tmp_path):
    """Two data sets: high images alone, one of them grey, and a pair."""
    for name in ("Alone", "Paired"):
        (tmp_path / name).mkdir()
    Image.fromarray(_image(49, 62, 3)).save(tmp_path / "Alone" / "a.png")
    Image.fromarray(_image(40, 56, seed=1)).save(tmp_path / "Alone" / "grey.png")
    high = _image(44, 36, 3, seed=2)
    Image.fromarray(high).save(tmp_path / "Paired" / "b_HR.png")
    Image.fromarray(shrink(high)).save(tmp_path / "Paired" / "b_LR.png")
    return tmp_path


def _four_times(low):
    return low.repeat(4, axis=0).repeat(4, axis=1)


def test_controls_come_first_and_the_means_are_those_of_the_rows(folder):
    data_sets = find_data_sets(folder)
    _, evaluation = _drain(iter_evaluate(data_sets, {"repeat": _four_times}))
    results = evaluation.results
    assert list(results) == ["Alone", "Paired"]
    assert all(list(rows) == ["nearest", "bicubic", "repeat"] for rows in results.values())
    assert len(evaluation.rows) == 9
    images = [read_pair(pair) for pair in data_sets["Alone"]]
    expected = [score(high, _four_times(low)) for low, high in images]
    for measure in ("psnr", "ssim_daala", "ssim_wang"):
        mean = sum(getattr(one, measure) for one in expected) / 2
        assert results["Alone"]["repeat"][measure] == pytest.approx(mean)


def test_repeated_pixels_are_the_nearest_control(folder):
    _, evaluation = _drain(iter_evaluate(find_data_sets(folder), {"repeat": _four_times}))
    for rows in evaluation.results.values():
        assert rows["repeat"] == rows["nearest"] != rows["bicubic"]


def test_progress_counts_the_images_of_all_data_sets(folder):
    progress, _ = _drain(iter_evaluate(find_data_sets(folder), {}))
    assert progress == [
        Progress(1, 3, "Alone", "a"),
        Progress(2, 3, "Alone", "grey"),
        Progress(3, 3, "Paired", "b"),
    ]


def test_a_perfect_upscaler_scores_infinity_and_one(folder):
    pair = find_data_sets(folder)["Paired"][0]
    high = read_pair(pair)[1]
    _, evaluation = _drain(iter_evaluate({"Paired": [pair]}, {"oracle": lambda low: high}))
    scores = evaluation.results["Paired"]["oracle"]
    assert scores["psnr"] == math.inf
    assert scores["ssim_daala"] == scores["ssim_wang"] == pytest.approx(1)


def test_another_scale_is_used(folder):
    pairs = {"Alone": find_data_sets(folder)["Alone"]}
    low_shapes = []

    def twice(low):
        low_shapes.append(low.shape)
        return low.repeat(2, axis=0).repeat(2, axis=1)

    _, evaluation = _drain(iter_evaluate(pairs, {"repeat": twice}, scale=2))
    assert low_shapes == [(24, 31, 3), (20, 28)]
    assert evaluation.results["Alone"]["repeat"] == evaluation.results["Alone"]["nearest"]


@pytest.mark.parametrize(("border", "seen"), [(5, True), (6, False)])
def test_another_border_is_used(folder, border, seen):
    pair = find_data_sets(folder)["Paired"][0]
    framed = np.zeros_like(read_pair(pair)[1])
    framed[6:-6, 6:-6] = read_pair(pair)[1][6:-6, 6:-6]
    _, evaluation = _drain(
        iter_evaluate({"x": [pair]}, {"framed": lambda low: framed}, border=border)
    )
    assert math.isfinite(evaluation.results["x"]["framed"]["psnr"]) is seen


def test_an_upscaler_cannot_take_the_name_of_a_control(folder):
    with pytest.raises(ValueError, match="bicubic"):
        _drain(iter_evaluate(find_data_sets(folder), {"bicubic": _four_times}))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda low: low,
        lambda low: _four_times(low).astype(np.float32),
        lambda low: _four_times(low)[..., :1],
    ],
    ids=["size", "dtype", "channels"],
)
def test_a_wrong_result_is_an_error_that_names_upscaler_and_image(folder, wrong):
    with pytest.raises(ValueError, match=r"Alone, a: wrong made .* \(12, 15, 3\)"):
        _drain(iter_evaluate(find_data_sets(folder), {"wrong": wrong}))


def test_odd_images_are_left_out_by_name_and_all_others_measured(folder):
    Image.fromarray(_image(11, 9)).save(folder / "Paired" / "b_LR.png")
    (folder / "Alone" / "a.png").write_bytes(b"no image")
    sets = find_data_sets(folder)
    _, evaluation = _drain(iter_evaluate(sets, {}))
    pair, broken = sorted(evaluation.left_out, reverse=True)
    assert re.match(r"Paired, b: .*\(44, 36, 3\).*\(11, 9\)", pair)
    assert broken.startswith("Alone, a: ")
    measured = {(row.data_set, row.image) for row in evaluation.rows}
    assert measured == {(name, pair.name) for name, pairs in sets.items() for pair in pairs} - {
        ("Paired", "b"),
        ("Alone", "a"),
    }
    assert {pair.name for pair in evaluation.measured_of(sets)["Paired"]} == {
        name for data_set, name in measured if data_set == "Paired"
    }


def test_an_image_too_small_to_measure_is_named(tmp_path):
    Image.fromarray(_image(24, 40)).save(tmp_path / "tiny.png")
    with pytest.raises(ValueError, match="Small, tiny: "):
        _drain(iter_evaluate({"Small": [Pair("tiny", tmp_path / "tiny.png", None)]}, {}))


def test_the_table_is_aligned_and_has_every_row():
    means = {"psnr": 28.416, "ssim_daala": 0.82149, "ssim_wang": 0.8}
    exact = {"psnr": math.inf, "ssim_daala": 1.0, "ssim_wang": 1.0}
    table = as_table({"Set5": {"bicubic": means, "a-longer-name": exact}})
    assert table.splitlines() == [
        "data set  upscaler       PSNR dB  SSIM daala  SSIM Wang",
        "Set5      bicubic          28.42      0.8215     0.8000",
        "Set5      a-longer-name      inf      1.0000     1.0000",
    ]


def test_a_table_of_every_measure_fits_into_170_columns():
    measures = ["psnr", "ssim_daala", "ssim_wang", *FURTHER, "lpips_alex", "lpips_vgg"]
    table = as_table({"Set14": {"srresnet-small-x4": dict.fromkeys(measures, -0.123456)}})
    assert len(table.splitlines()[0]) <= 170
    assert "  flat noise  " in table


def test_a_measure_that_has_no_column_is_shown_by_its_own_name():
    assert as_table({"a": {"b": {"own": 0.5}}}).splitlines()[0] == "data set  upscaler     own"


def test_further_measures_are_taken_of_controls_and_upscalers_alike(folder):
    data_sets = find_data_sets(folder)
    _, evaluation = _drain(iter_evaluate(data_sets, {"repeat": _four_times}, also=FURTHER))
    for means in evaluation.results["Paired"].values():
        assert list(means) == ["psnr", "ssim_daala", "ssim_wang", *FURTHER]
    low, high = read_pair(data_sets["Paired"][0])
    expected = {
        key: measure(Outcome(low, _four_times(low), high)) for key, measure in FURTHER.items()
    }
    for row in ("nearest", "repeat"):
        found = evaluation.results["Paired"][row]
        assert {key: found[key] for key in FURTHER} == expected


def test_each_measure_is_shown_what_it_is_about(folder):
    seen = []
    pair = find_data_sets(folder)["Paired"][0]
    also = {"own": lambda made: seen.append(made) or 2.5}
    _, evaluation = _drain(iter_evaluate({"Paired": [pair]}, {"repeat": _four_times}, also=also))
    low, high = read_pair(pair)
    np.testing.assert_array_equal(seen[-1].low, low)
    np.testing.assert_array_equal(seen[-1].upscaled, _four_times(low))
    np.testing.assert_array_equal(seen[-1].high, high)
    assert [means["own"] for means in evaluation.results["Paired"].values()] == [2.5] * 3


def test_the_original_is_perfect_by_every_further_measure():
    high = _image(64, 80, 3)
    found = {key: measure(Outcome(shrink(high), high, high)) for key, measure in FURTHER.items()}
    best = {**dict.fromkeys(FURTHER, 0), "high_frequency": 1}
    assert found == pytest.approx(best, abs=1e-6)


def test_a_shift_of_one_colour_shows_in_its_measure_and_in_no_other():
    high = _image(64, 80, 3) // 2
    redder = high + np.array([6, 0, 0], np.uint8)
    made = Outcome(shrink(high), redder, high)
    assert FURTHER["colour_drift"](made) == pytest.approx(6, abs=0.01)
    assert FURTHER["checkerboard"](made) == pytest.approx(0, abs=0.02)
    assert FURTHER["flat_noise"](made) == pytest.approx(0, abs=0.2)


def test_help_explains_every_column():
    help_text = CliRunner().invoke(app, ["evaluate", "--help"], terminal_width=100).output
    for measure in ("psnr", "ssim_daala", "ssim_wang", *FURTHER, "lpips_alex", "lpips_vgg"):
        assert column_of(measure).title in help_text


@pytest.mark.parametrize("scale", [2, 3, 8])
def test_another_scale_has_its_own_border_and_grid(tmp_path, scale):
    high = _image(24 * scale, 30 * scale, 3)
    (tmp_path / "set").mkdir()
    Image.fromarray(high).save(tmp_path / "set" / "one.png")

    def repeat(low):
        return low.repeat(scale, 0).repeat(scale, 1)

    steps = iter_evaluate(find_data_sets(tmp_path), {"repeat": repeat}, also=FURTHER, scale=scale)
    _, evaluation = _drain(steps)

    found = evaluation.results["set"]["repeat"]
    low = shrink(high, scale)
    assert found["psnr"] == score(high, repeat(low), scale).psnr
    assert found["checkerboard"] == checkerboard(repeat(low), high, scale)


def test_a_model_of_several_scales_is_measured_at_the_one_asked_for(folder, tmp_path):
    path, means = tmp_path / "several.safetensors", tmp_path / "means.json"
    network = MDSR(blocks=1, features=4, all_scales="2 4")
    save_checkpoint(path, network, {"name": "several"})
    chosen = ["--model", str(path), "--data", str(folder), "--scale", "2", "--json", str(means)]
    outcome = CliRunner().invoke(app, ["evaluate", *chosen])
    assert outcome.exit_code == 0, outcome.output
    found = json.loads(means.read_text())["Paired"]["bicubic"]["psnr"]
    high = _image(44, 36, 3, seed=2)  # its partner is of ×4
    assert found == pytest.approx(
        score(high, enlarge(shrink(high, 2), 2, Image.Resampling.BICUBIC), 2).psnr
    )
    assert "several" in json.loads(means.read_text())["Alone"]

    outcome = CliRunner().invoke(app, ["evaluate", *chosen[:5], "3"])
    assert outcome.exit_code == 1
    assert "by 2, 4, not by 3" in " ".join(outcome.output.split())


def test_models_of_different_scales_are_refused(tmp_path, own_model):
    names = [own_model("twice", scale=2), own_model("thrice", scale=3)]
    chosen = [part for name in names for part in ("--model", name)]
    outcome = CliRunner().invoke(app, ["evaluate", *chosen, "--data", str(tmp_path)])
    assert outcome.exit_code == 1
    assert "(twice by 2, thrice by 3). Measure them apart." in outcome.output


@pytest.mark.parametrize("option", ["--json", "--csv", "--figure"])
def test_a_file_without_a_folder_is_refused_before_the_measuring(tmp_path, option):
    chosen = ["--model", "srresnet-small-x4", "--data", str(tmp_path / "no data")]
    outcome = CliRunner().invoke(app, ["evaluate", *chosen, option, str(tmp_path / "no" / "file")])
    assert outcome.exit_code == 1
    assert "There is no folder" in outcome.output
    assert "to write file to" in outcome.output


@pytest.mark.parametrize("name", ["figure", "figure.xyz", "figure.psd", "folder.png"])
def test_a_figure_that_cannot_be_written_is_refused_before_the_measuring(tmp_path, name):
    (tmp_path / "folder.png").mkdir()
    given = ["--model", "srresnet-small-x4", "--data", str(tmp_path / "no data")]
    outcome = CliRunner().invoke(app, ["evaluate", *given, "--figure", str(tmp_path / name)])
    assert outcome.exit_code == 1
    assert name in outcome.stderr
    assert "no data" not in outcome.stderr


def test_two_models_of_one_name_are_refused(tmp_path):
    chosen = ["--model", "srresnet-small-x4", "--model", "srresnet-small-x4"]
    outcome = CliRunner().invoke(app, ["evaluate", *chosen, "--data", str(tmp_path)])
    assert outcome.exit_code == 1
    assert "2 of the models are called srresnet-small-x4" in outcome.output


def test_json_is_standard_and_holds_the_means(tmp_path):
    means = {"psnr": 28.417654, "ssim_daala": 0.82149, "ssim_wang": 1.0}
    write_json({"Set5": {"x": means, "y": {**means, "psnr": math.inf}}}, tmp_path / "r.json")

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    read = json.loads((tmp_path / "r.json").read_text(), parse_constant=refuse)
    assert read["Set5"]["x"] == {"psnr": 28.4177, "ssim_daala": 0.8215, "ssim_wang": 1.0}
    assert read["Set5"]["y"]["psnr"] is None


def test_csv_has_a_line_for_each_image_and_upscaler(tmp_path):
    rows = [
        Row("Set5", "a, b", "bicubic", asdict(Scores(28.5, 0.8, 0.75))),
        Row("Set5", "c", "x", asdict(Scores(math.inf, 1.0, 1.0))),
    ]
    write_csv(rows, tmp_path / "r.csv")
    with (tmp_path / "r.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert [tuple(line.values()) for line in read] == [
        ("Set5", "a, b", "bicubic", "28.5", "0.8", "0.75"),
        ("Set5", "c", "x", "inf", "1.0", "1.0"),
    ]
    assert list(read[0]) == ["data_set", "image", "upscaler", "psnr", "ssim_daala", "ssim_wang"]


def test_no_rows_are_no_results():
    assert Evaluation(()).results == {}


@pytest.fixture(scope="module")
def benchmarks():
    """Set5 and Set14 as pairs; too large, and not ours, to be in the repository."""
    folder = os.environ.get("NAPARI_SRGAN_BENCHMARKS")
    if not folder:
        pytest.skip("NAPARI_SRGAN_BENCHMARKS does not name a folder with Set5 and Set14")
    data_sets = find_data_sets(Path(folder))
    return {name: data_sets[name] for name in ("Set5", "Set14")}


@pytest.mark.slow
def test_control_rows_agree_with_the_published_ones(benchmarks):
    _, evaluation = _drain(iter_evaluate(benchmarks, {}))
    for (data_set, control), (psnr, ssim) in CONTROLS.items():
        means = evaluation.results[data_set][control]
        assert means["psnr"] == pytest.approx(psnr, abs=0.03)
        assert means["ssim_daala"] == pytest.approx(ssim, abs=0.002)
    assert evaluation.results["Set5"]["bicubic"]["ssim_wang"] == pytest.approx(0.811, abs=0.002)


@pytest.mark.slow
def test_shrunken_images_are_the_published_low_ones_bit_for_bit(benchmarks):
    for pair in (pair for pairs in benchmarks.values() for pair in pairs):
        low, high = read_pair(pair)
        np.testing.assert_array_equal(shrink(high), low, err_msg=str(pair.high_path))
