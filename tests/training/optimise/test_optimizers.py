"""What one step down a loss does to the weights of a network."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from napari_srgan.models.srresnet import SRResNet
from napari_srgan.training.config import from_settings
from napari_srgan.training.optimise.optimizers import NetworkOptimizer

BETAS = (0.9, 0.999)
needs_muon = pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="needs torch 2.9")


@pytest.fixture
def network() -> SRResNet:
    torch.manual_seed(0)
    network = SRResNet(blocks=2, features=8)
    return network.to(memory_format=torch.channels_last)


def loss_of(network: nn.Module, seed: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    low = torch.rand(2, 3, 6, 6, generator=random)
    return (network(low) - torch.rand(2, 3, 24, 24, generator=random)).square().mean()


def step_of(optimizer: NetworkOptimizer, loss: torch.Tensor, rate: float = 1e-3) -> torch.Tensor:
    optimizer.set_rate(rate)
    return optimizer.step(loss)


def weights(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in network.named_parameters()}


def test_adam_is_torchs(network) -> None:
    other = copy.deepcopy(network)
    optimizer, adam = (
        NetworkOptimizer(network, BETAS),
        torch.optim.Adam(other.parameters(), 1e-3, BETAS),
    )
    for seed in range(3):
        norm = step_of(optimizer, loss_of(network, seed))
        adam.zero_grad()
        loss_of(other, seed).backward()
        assert float(norm) == pytest.approx(
            math.sqrt(sum(float(p.grad.square().sum()) for p in other.parameters()))
        )
        adam.step()
    assert all(torch.equal(weights(network)[name], p) for name, p in weights(other).items())


@needs_muon
def test_muon_makes_all_directions_of_a_kernels_step_about_equally_long(network) -> None:
    before = weights(network)
    step_of(NetworkOptimizer(network, BETAS, "muon"), loss_of(network, 0))
    kernels = [name for name, p in before.items() if p.ndim == 4]
    for name in kernels[1:-1]:
        moved = (weights(network)[name] - before[name]).flatten(1)
        lengths = torch.linalg.svdvals(moved) / (1e-3 * 0.2 * math.sqrt(max(moved.shape)))
        assert 0.5 < float(lengths.median()) < 1.5, name
        assert float(lengths.max()) < 1.5, name


@needs_muon
def test_all_but_the_inner_kernels_move_as_by_adam(network) -> None:
    other = copy.deepcopy(network)
    step_of(NetworkOptimizer(network, BETAS, "muon"), loss_of(network, 0))
    step_of(NetworkOptimizer(other, BETAS), loss_of(other, 0))
    by_muon, by_adam = weights(network), weights(other)
    kernels = [name for name, p in by_adam.items() if p.ndim == 4]
    alike = {name for name in by_adam if torch.equal(by_muon[name], by_adam[name])}
    assert alike == by_adam.keys() - set(kernels[1:-1])


@needs_muon
@pytest.mark.parametrize("kind", ["adam", "muon"])
def test_a_continued_descent_is_the_same_bit_for_bit(network, kind) -> None:
    optimizer = NetworkOptimizer(network, BETAS, kind)
    for seed in range(2):
        step_of(optimizer, loss_of(network, seed))
    other = copy.deepcopy(network)
    goes_on = NetworkOptimizer(other, BETAS, kind)
    goes_on.restore(copy.deepcopy(optimizer.state()))
    for seed in range(2, 4):
        step_of(optimizer, loss_of(network, seed))
        step_of(goes_on, loss_of(other, seed))
    assert all(torch.equal(weights(network)[name], p) for name, p in weights(other).items())


def test_a_torch_without_muon_is_named(network, monkeypatch) -> None:
    monkeypatch.delattr(torch.optim, "Muon", raising=False)
    with pytest.raises(ValueError, match=r"needs torch 2\.9; this is"):
        NetworkOptimizer(network, BETAS, "muon")


def test_an_unknown_optimizer_is_refused() -> None:
    with pytest.raises(ValueError, match=r"pretrain\.optimizer must be one of adam, muon"):
        from_settings({"pretrain.optimizer": "sgd"})


def test_a_relative_step_is_in_proportion_to_the_layer_and_of_its_bias_too(network) -> None:
    with torch.no_grad():
        network.tail.last.weight.mul_(1e-3)
    before = weights(network)
    step_of(NetworkOptimizer(network, BETAS, relative=True), loss_of(network, 0), 1e-2)
    after = weights(network)
    for layer in ("tail.last", "body.head"):
        size = before[f"{layer}.weight"].square().mean().sqrt()
        for kind in ("weight", "bias"):  # Adam's first step is its rate, either way
            step = (after[f"{layer}.{kind}"] - before[f"{layer}.{kind}"]).abs().max()
            assert float(step) == pytest.approx(1e-2 * float(size), rel=0.05)


def test_the_share_of_a_layer_is_that_of_its_start_in_a_run_that_goes_on(network) -> None:
    first = NetworkOptimizer(network, BETAS, relative=True)
    step_of(first, loss_of(network, 0), 0.5)
    saved, at = copy.deepcopy(first.state()), copy.deepcopy(network)
    step_of(first, loss_of(network, 1), 0.5)
    second = NetworkOptimizer(at, BETAS, relative=True)
    second.restore(saved)
    step_of(second, loss_of(at, 1), 0.5)
    found, expected = weights(at), weights(network)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_gradient_that_is_too_long_is_shortened_and_measured_as_it_was(network) -> None:
    other = copy.deepcopy(network)
    norm = step_of(NetworkOptimizer(network, BETAS, most=1e-3), loss_of(network, 0))
    assert norm == step_of(NetworkOptimizer(other, BETAS), loss_of(other, 0))
    gradients = [p.grad for p in network.parameters()]
    assert float(torch.nn.utils.get_total_norm(gradients)) == pytest.approx(1e-3, rel=1e-3)
