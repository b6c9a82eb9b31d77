import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from napari_srgan.resampling import enlarge
from napari_srgan.training.cli import app
from napari_srgan.training.metrics.learned import HOW_TO_GET, LEARNED, find_distances
from napari_srgan.training.metrics.pairs import find_data_sets, read_pair

# Bicubic interpolation, RGB, as Zhang et al.'s own package measures it.
PUBLISHED = {"Set5": 0.3398, "Set14": 0.4386}


@pytest.mark.parametrize("name", LEARNED)
def test_grey_is_measured_as_its_three_equal_channels(weights, name):
    distance = find_distances(weights)[name]
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 256, (2, 40, 52), dtype=np.uint8)
    coloured = [np.repeat(image[..., None], 3, axis=-1) for image in (one, other)]
    assert distance(one, other) == pytest.approx(distance(*coloured))


def test_without_weights_there_is_none_and_the_log_says_how_to_get_them(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with caplog.at_level("INFO"):
        assert find_distances() == {}
    assert caplog.text.count(HOW_TO_GET) == 2
    assert "alexnet-owt-7be5be79.pth is not in" in caplog.text


def test_weights_that_are_named_and_serve_nothing_are_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds AlexNet's weights"):
        find_distances(tmp_path)


def test_evaluate_has_a_column_for_each_network_that_is_there(weights, tmp_path, caplog):
    (tmp_path / "images").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (48, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "images" / "one.png")
    given = ["--model", "srresnet-small-x4", "--data", str(tmp_path / "images")]
    file = ["--perceptual-weights", str(weights / "b.safetensors")]
    with caplog.at_level("INFO"):
        outcome = CliRunner().invoke(app, ["evaluate", *given, *file])
    assert outcome.exit_code == 0, outcome.output
    assert "LPIPS-Alex" in outcome.stdout
    assert "LPIPS-VGG" not in outcome.stdout
    assert "DISTS" not in outcome.stdout
    assert "Not measured: lpips_vgg, dists" in caplog.text


def test_only_known_networks_are_fetched():
    outcome = CliRunner().invoke(app, ["fetch", "vgg11"])
    assert outcome.exit_code == 1
    assert "Networks are vgg19, vgg16, alexnet; got 'vgg11'" in outcome.stderr


@pytest.mark.slow
def test_bicubic_interpolation_measures_what_is_published():
    """Needs Set5, Set14 and AlexNet, which are not ours to pass on."""
    folders = [os.environ.get(f"NAPARI_SRGAN_{name}") for name in ("BENCHMARKS", "NETWORKS")]
    if not all(folders):
        pytest.skip("NAPARI_SRGAN_BENCHMARKS and NAPARI_SRGAN_NETWORKS do not name folders")
    benchmarks, networks = (Path(str(folder)) for folder in folders)
    distance = find_distances(networks)["lpips_alex"]
    for name, pairs in find_data_sets(benchmarks).items():
        if name in PUBLISHED:
            images = [read_pair(pair) for pair in pairs]
            found = [distance(enlarge(low, 4, Image.Resampling.BICUBIC), hi) for low, hi in images]
            assert np.mean(found) == pytest.approx(PUBLISHED[name], abs=1e-4)
