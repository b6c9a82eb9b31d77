from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_srgan.training.optimise.distributed import (
    SharedBatchNorm,
    Team,
    agree,
    anyone,
    averaged,
    own_device,
    share_batch_norms,
    shared,
)

ALONE, CPU = Team(), torch.device("cpu")


def test_each_process_gets_the_card_that_is_meant_for_it(monkeypatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert own_device(torch.device("cuda:0")) == torch.device("cuda:3")
    assert own_device(CPU) == CPU
    monkeypatch.delenv("LOCAL_RANK")
    assert own_device(torch.device("cuda:1")) == torch.device("cuda:1")


def test_a_process_alone_has_nothing_to_share() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    share_batch_norms(network, ALONE)
    assert type(network[1]) is nn.BatchNorm2d
    assert shared(network, ALONE) is network
    assert anyone(True, ALONE, CPU)
    assert averaged({"loss": 2.0}, ALONE, CPU) == {"loss": 2.0}
    agree(network, ALONE, CPU)


def test_a_shared_norm_of_one_process_is_pytorchs(tmp_path) -> None:
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1
    )
    try:
        plain, own = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
        share_batch_norms(own, Team(0, 2))
        assert type(own) is SharedBatchNorm
        x = torch.randn(4, 3, 5, 6)
        inputs = [x.clone().requires_grad_() for _ in range(2)]
        outputs = [norm(i) for norm, i in zip((plain, own), inputs, strict=True)]
        weights = torch.randn_like(outputs[0])
        for output in outputs:
            (output * weights).sum().backward()
        torch.testing.assert_close(outputs[1], outputs[0])
        torch.testing.assert_close(inputs[1].grad, inputs[0].grad)
        for key, value in plain.state_dict().items():
            torch.testing.assert_close(own.state_dict()[key], value)
        torch.testing.assert_close(own.eval()(x), plain.eval()(x))
    finally:
        torch.distributed.destroy_process_group()


def test_a_team_of_drifted_networks_is_an_error(tmp_path, monkeypatch) -> None:
    def highest(values: torch.Tensor, op: object) -> None:
        if op == torch.distributed.ReduceOp.MAX:
            values += 1  # as if another process had other parameters

    monkeypatch.setattr(torch.distributed, "all_reduce", highest)
    with pytest.raises(RuntimeError, match="networks differ"):
        agree(nn.Linear(2, 2), Team(0, 2), CPU)
