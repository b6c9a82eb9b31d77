"""Losses whose networks compute in 16 bits."""

from __future__ import annotations

import pytest
import torch

from napari_srgan.models.perceptual.vgg import VGG16Features
from napari_srgan.training.metrics.lpips import LPIPS, heads_of
from napari_srgan.training.optimise.losses import VGGLoss
from napari_srgan.training.optimise.precision import seen_in

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def losses() -> list[torch.nn.Module]:
    torch.manual_seed(0)
    return [VGGLoss(VGG16Features(2, 2)), LPIPS(VGG16Features(5, 3), heads_of("vgg"))]


@pytest.mark.parametrize("which", [0, 1])
def test_sixteen_bits_change_a_loss_and_its_gradient_little_and_not_its_type(losses, which) -> None:
    high = torch.rand(1, 3, 32, 32)
    found = {}
    for precision in ("float32", "bfloat16"):
        upscaled = (0.5 * high).requires_grad_()
        loss = seen_in(precision, CPU, losses[which])(upscaled, high).sum()
        loss.backward()
        found[precision] = loss.detach(), upscaled.grad
    (exact, slope), (rough, rough_slope) = found.values()
    assert rough.dtype == torch.float32
    assert rough != exact  # else nothing was computed in 16 bits
    torch.testing.assert_close(rough, exact, rtol=0.03, atol=0)
    assert torch.cosine_similarity(slope.flatten(), rough_slope.flatten(), dim=0) > 0.9


def test_float32_is_the_loss_itself(losses) -> None:
    high = torch.rand(1, 3, 32, 32)
    for loss in losses:
        exact = loss(0.5 * high, high)
        assert torch.equal(seen_in("float32", CPU, loss)(0.5 * high, high), exact)
