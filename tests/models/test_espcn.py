"""ESPCN's start: near the image, with tanh at work."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from napari_srgan.models.espcn import ESPCN


@pytest.mark.parametrize(("features", "mapped", "scale"), [(64, 32, 4), (4, 3, 2), (1, 1, 3)])
def test_it_starts_near_the_image(features: int, mapped: int, scale: int) -> None:
    torch.manual_seed(0)
    network = ESPCN(features=features, mapped=mapped, scale=scale, channels=1)
    image = torch.linspace(0.25, 0.65, 20).expand(1, 1, 20, 20)
    with torch.no_grad():
        result = F.avg_pool2d(network(image), scale)
    assert (result - image)[..., 4:-4, 4:-4].abs().max() < 0.1


def test_it_starts_where_tanh_is_no_straight_line() -> None:
    torch.manual_seed(0)
    network = ESPCN()
    smooth = F.avg_pool2d(torch.rand(1, 1, 64, 64), 3, 1)  # contrasts of about a tenth
    with torch.no_grad():
        values = network.conv1(smooth)
        bent = (values - torch.tanh(values)).abs()
    assert 0.5 < values.std() < 2
    assert bent.mean() > 0.05
