"""Networks, and those of losses, that compute in 16 bits."""

from __future__ import annotations

import pytest
import torch

from napari_srgan.models.edsr import EDSR
from napari_srgan.models.generator import Generator
from napari_srgan.models.layers.residual import Residual
from napari_srgan.models.mdsr import MDSR
from napari_srgan.models.perceptual.vgg import VGG16Features
from napari_srgan.models.rir_srresnet import RIRSRResNet
from napari_srgan.models.rrdb import RRDBNet
from napari_srgan.models.srresnet import SRResNet
from napari_srgan.models.srresnet_variant import SRResNetVariant
from napari_srgan.models.srvgg import SRVGG
from napari_srgan.store.load import load_model
from napari_srgan.training.metrics.lpips import LPIPS, heads_of
from napari_srgan.training.optimise.losses import VGGLoss
from napari_srgan.training.optimise.precision import Autocast, blocks_in, seen_in

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


WITH_BLOCKS = [SRResNet, SRResNetVariant, EDSR, MDSR, RIRSRResNet, RRDBNet]
ROUGHLY = Autocast("bfloat16", CPU)


def made(family: type[Generator]) -> Generator:
    torch.manual_seed(0)
    return family(blocks=2, features=8).train()  # type: ignore[call-arg]


def types_within(network: torch.nn.Module, low: torch.Tensor) -> dict[bool, set[torch.dtype]]:
    """The types of what convolutions return, in residual blocks and outside of them."""
    inside = {
        id(part)
        for block in network.modules()
        if isinstance(block, Residual)
        for part in block.modules()
    }
    found: dict[bool, set[torch.dtype]] = {True: set(), False: set()}
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(
                lambda module, _given, out: found[id(module) in inside].add(out.dtype)
            )
    with blocks_in(ROUGHLY, network):
        assert network(low).dtype == torch.float32
    return found


@pytest.mark.parametrize("family", WITH_BLOCKS)
def test_residual_blocks_alone_are_computed_in_16_bits(family) -> None:
    found = types_within(made(family), torch.rand(1, 3, 8, 8))
    assert found == {True: {torch.bfloat16}, False: {torch.float32}}


def test_a_network_without_blocks_stays_in_float32() -> None:
    network = SRVGG(features=8, blocks=2)
    low = torch.rand(1, 3, 8, 8)
    expected = network(low)
    with blocks_in(ROUGHLY, network):
        assert torch.equal(network(low), expected)


@pytest.mark.parametrize("family", WITH_BLOCKS)
def test_afterwards_a_network_computes_as_before(family) -> None:
    network, low = made(family).eval(), torch.rand(1, 3, 8, 8)
    expected = network(low)
    with blocks_in(ROUGHLY, network):
        rough = network(low)
    assert not torch.equal(rough, expected)
    assert torch.equal(network(low), expected)
    with blocks_in(Autocast("float32", CPU), network):
        assert torch.equal(network(low), expected)


def test_an_error_in_a_block_leaves_nothing_in_16_bits() -> None:
    network = made(SRResNet)
    with pytest.raises(RuntimeError), blocks_in(ROUGHLY, network):
        network.body.blocks(torch.rand(1, 5, 8, 8))
    assert not torch.is_autocast_enabled("cpu")
    assert network(torch.rand(1, 3, 8, 8)).dtype == torch.float32


def test_what_a_network_does_already_it_is_not_taught_to_do_otherwise() -> None:
    """16 bits everywhere shift its colours, and a gradient in all steps alike undoes that."""
    model = load_model("srresnet-small-x4")
    network = model.network.requires_grad_(requires_grad=True)
    torch.manual_seed(0)
    low = torch.nn.functional.interpolate(torch.rand(4, 3, 6, 6), size=(24, 24), mode="bicubic")
    low = low.clamp(0, 1)
    target = network(low).detach()

    def slope(context) -> torch.Tensor:
        with context:
            made = network(low).float()
        (gradient,) = torch.autograd.grad((made - target).square().mean(), network.tail.last.bias)
        return gradient.norm()

    assert slope(blocks_in(ROUGHLY, network)) < 0.2 * slope(ROUGHLY())
