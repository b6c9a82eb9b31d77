import sys
from types import ModuleType

import pytest
import torch
from torch import nn

from napari_srgan.models.perceptual.vgg import VGG16Features
from napari_srgan.training.metrics.dists import load_dists
from napari_srgan.training.optimise.vgg import read_trunk


@pytest.fixture
def images():
    """Two of an odd height, so that poolings meet their border."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand(2, 2, 3, 45, 70, generator=generator)


def test_the_distance_is_none_to_itself_and_the_same_both_ways(weights, images):
    dists = load_dists(weights)
    one, other = images
    assert dists(one, one).abs().max() < 1e-6
    assert (dists(one, other) > 0.01).all()
    torch.testing.assert_close(dists(one, other), dists(other, one))


def test_texture_may_be_elsewhere(weights, images):
    """An image that was moved keeps the means of its channels; only its structure is another."""
    dists = load_dists(weights)
    one = images[0]
    elsewhere, darker = torch.roll(one, (16, 32), (2, 3)), one / 2
    assert (dists(elsewhere, one) < dists(darker, one)).all()


def test_it_is_what_the_authors_package_gives(weights, images, monkeypatch):
    trunk = VGG16Features(5, 3)
    trunk.load_state_dict(read_trunk(weights / "a.safetensors", trunk))
    expected = _package(monkeypatch, trunk.features)(*images)
    torch.testing.assert_close(load_dists(weights)(*images), expected, atol=1e-4, rtol=0)


def _package(monkeypatch, features: nn.Sequential) -> nn.Module:
    """Return DISTS of `DISTS_pytorch`, which takes its trunk from torchvision."""
    models = ModuleType("torchvision.models")
    models.vgg16 = lambda pretrained: type("VGG", (), {"features": features})
    torchvision = ModuleType("torchvision")
    torchvision.models, torchvision.transforms = models, ModuleType("torchvision.transforms")
    monkeypatch.setitem(sys.modules, "torchvision", torchvision)
    return pytest.importorskip("DISTS_pytorch").DISTS()
