import pytest
import torch
from safetensors.torch import save_file

from napari_srgan.models.perceptual.alexnet import AlexNetFeatures
from napari_srgan.models.perceptual.vgg import VGG16Features


@pytest.fixture
def weights(tmp_path):
    """A folder of both networks, their weights random, among other files."""
    torch.manual_seed(3)
    for name, network in (("a", VGG16Features(5, 3)), ("b", AlexNetFeatures())):
        save_file(network.state_dict(), tmp_path / f"{name}.safetensors")
    (tmp_path / "0.pth").write_bytes(b"no network")
    return tmp_path
