import logging
import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from napari_srgan.training.metrics import lpips as learned
from napari_srgan.training.metrics.lpips import load_lpips


class _Network:
    """Stands in for the package's: it measures the mean absolute difference of its inputs."""

    def __init__(self, net, verbose):
        assert (net, verbose) == ("alex", False)

    def __call__(self, a, b):
        assert a.shape == b.shape == (1, 3, 20, 31)
        assert a.abs().max() <= 1
        return (a - b).abs().mean().reshape(1, 1, 1, 1)


@pytest.fixture
def packages(monkeypatch, tmp_path):
    """The two packages as if installed, and torch's cache in an empty folder."""
    module = ModuleType("lpips")
    module.LPIPS = _Network
    monkeypatch.setitem(sys.modules, "lpips", module)
    monkeypatch.setattr(learned, "find_spec", lambda name: name)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints"


def test_without_the_package_there_is_no_lpips_and_the_log_says_so(monkeypatch, caplog):
    monkeypatch.setattr(learned, "find_spec", lambda name: None if name == "lpips" else name)
    with caplog.at_level(logging.INFO):
        assert load_lpips() is None
    assert caplog.messages == ["No LPIPS: lpips not installed."]


def test_without_its_weights_there_is_no_lpips_and_nothing_is_fetched(packages, caplog):
    with caplog.at_level(logging.INFO):
        assert load_lpips() is None
    assert len(caplog.messages) == 1
    assert str(packages) in caplog.text


@pytest.mark.parametrize("shape", [(20, 31), (20, 31, 3)])
def test_with_its_weights_it_measures_images_on_minus_one_to_one(packages, shape):
    (packages / "alexnet-owt-7be5be79.pth").touch()
    distance = load_lpips()
    assert distance is not None
    black, white = np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8)
    assert distance(black, white) == 2
    assert distance(white, white) == 0
