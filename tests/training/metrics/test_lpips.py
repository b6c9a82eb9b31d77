import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch.nn import functional as F
from typer.testing import CliRunner

from napari_srgan.models.perceptual.alexnet import AlexNetFeatures
from napari_srgan.models.perceptual.vgg import VGG16Features
from napari_srgan.resampling import enlarge
from napari_srgan.training.cli import app
from napari_srgan.training.metrics.lpips import HOW_TO_GET, find_distances, load_lpips
from napari_srgan.training.metrics.pairs import find_data_sets, read_pair

# Bicubic interpolation, RGB, as Zhang et al.'s own package measures it.
PUBLISHED = {"Set5": 0.3398, "Set14": 0.4386}


@pytest.fixture
def weights(tmp_path):
    """A folder of both networks, their weights random, among other files."""
    torch.manual_seed(3)
    for name, network in (("a", VGG16Features(5, 3)), ("b", AlexNetFeatures())):
        save_file(network.state_dict(), tmp_path / f"{name}.safetensors")
    (tmp_path / "0.pth").write_bytes(b"no network")
    return tmp_path


@pytest.mark.parametrize(("net", "file"), [("alex", "b"), ("vgg", "a")])
def test_networks_are_told_apart_by_their_tensors(weights, net, file):
    assert load_lpips(net, weights).path == weights / f"{file}.safetensors"
    assert load_lpips(net, weights / f"{file}.safetensors").path.stem == file


def test_a_file_of_the_other_network_is_refused_and_said_what_it_is(weights):
    with pytest.raises(ValueError, match=r"does not hold AlexNet's weights.* It holds VGG16's\."):
        load_lpips("alex", weights / "a.safetensors")


def test_the_distance_is_what_eq_1_says(weights):
    lpips = load_lpips("alex", weights).network
    one, other = torch.rand(2, 2, 3, 48, 40)
    expected = torch.zeros(2)
    stages = zip(lpips.features.stages(one), lpips.features.stages(other), strict=True)
    for place, (found, wanted) in enumerate(stages):
        difference = F.normalize(found, dim=1) - F.normalize(wanted, dim=1)
        head = lpips.get_buffer(f"head{place}")
        assert (head >= 0).all()  # of v0.1
        expected += (head * difference**2).sum(dim=1).mean(dim=(1, 2))
    torch.testing.assert_close(lpips(one, other), expected)
    assert torch.equal(lpips(one, one), torch.zeros(2))


def test_grey_is_measured_as_its_three_equal_channels(weights):
    distance = find_distances(weights)["lpips_vgg"]
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


def test_evaluate_has_a_column_for_each_network_that_is_there(weights, tmp_path):
    (tmp_path / "images").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (48, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "images" / "one.png")
    given = ["--model", "srresnet-small-x4", "--data", str(tmp_path / "images")]
    file = ["--perceptual-weights", str(weights / "b.safetensors")]
    outcome = CliRunner().invoke(app, ["evaluate", *given, *file])
    assert outcome.exit_code == 0, outcome.output
    assert "LPIPS-Alex" in outcome.stdout
    assert "LPIPS-VGG" not in outcome.stdout


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
