import pytest
import torch
from torch.nn import functional as F

from napari_srgan.training.metrics.lpips import load_lpips


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
