"""Several processes, on one machine or more, that train one network: what they share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Team:
    """Which of the processes that train together this one is: number ``rank`` of ``size``."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0


def own_team() -> Team:
    """Return the place of this process among those that ``torchrun`` started, or of one alone."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    return Team(int(os.environ.get("RANK", "0")), size) if size > 1 else Team()


def own_device(device: torch.device) -> torch.device:
    """Return the CUDA device that torchrun meant for this process; other devices as they are."""
    place = os.environ.get("LOCAL_RANK")
    return torch.device("cuda", int(place)) if device.type == "cuda" and place else device


@contextmanager
def team(device: torch.device) -> Iterator[Team]:
    """Join the processes that ``torchrun`` started; alone where it did not.

    NCCL connects CUDA devices, gloo everything else.
    """
    here = own_team()
    if here.size == 1:
        yield here
        return
    torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield here
    finally:
        torch.distributed.destroy_process_group()


def wait_for_all(team: Team) -> None:
    """Wait until every process of the team has come this far."""
    if team.size > 1:
        torch.distributed.barrier()


@contextmanager
def leader_first(team: Team) -> Iterator[None]:
    """Let one process do what makes files, and the others after it, who find them made."""
    if not team.leads:
        wait_for_all(team)
    yield
    if team.leads:
        wait_for_all(team)


def agree(network: nn.Module, team: Team, device: torch.device) -> None:
    """Make sure that every process of the team has the same parameters, bit for bit.

    Raises
    ------
    RuntimeError
        If they have drifted apart.
    """
    if team.size == 1:
        return
    mine = torch.cat([p.detach().flatten() for p in network.parameters()]).to(device)
    lowest, highest = mine.clone(), mine.clone()
    torch.distributed.all_reduce(lowest, torch.distributed.ReduceOp.MIN)
    torch.distributed.all_reduce(highest, torch.distributed.ReduceOp.MAX)
    if not torch.equal(lowest, highest):
        raise RuntimeError(
            "The processes' networks differ, though they were trained together. Do they run the "
            "same versions on the same images?"
        )


def anyone(says: bool, team: Team, device: torch.device) -> bool:
    """Return whether any process of the team says so: all of them get the same answer."""
    if team.size == 1:
        return says
    flag = torch.tensor(float(says), device=device)
    torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX)
    return bool(flag)


def averaged(values: dict[str, float], team: Team, device: torch.device) -> dict[str, float]:
    """Return the means of values over the team, in every process."""
    if team.size == 1:
        return values
    total = torch.tensor(list(values.values()), dtype=torch.float32, device=device)
    torch.distributed.all_reduce(total)
    return dict(zip(values, (total / team.size).tolist(), strict=True))


def shared(network: nn.Module, team: Team, *, in_part: bool = False) -> nn.Module:
    """Return a network whose gradients are averaged over the team; itself where there is none.

    Its batch norms must be :class:`SharedBatchNorm` before. ``in_part`` says that a step may leave
    some of its parameters unused.
    """
    if team.size == 1:
        return network
    return DistributedDataParallel(network, find_unused_parameters=in_part)


def share_batch_norms(network: nn.Module, team: Team) -> None:
    """Let every batch norm of a network use the whole team's batch, in place.

    So one process and several compute the same from the same global batch. (PyTorch's own
    SyncBatchNorm does so on CUDA only.)
    """
    if team.size == 1:
        return
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.__class__ = SharedBatchNorm


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch norm whose statistics are those of all processes' batches together."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``(n, c, h, w)`` by the statistics of the whole team's batch."""
        if not self.training:
            return super().forward(x)
        count = x.numel() // x.shape[1] * torch.distributed.get_world_size()
        values = x.float()
        mean = _total(values.sum((0, 2, 3))) / count
        centred = values - mean[:, None, None]
        variance = _total(centred.square().sum((0, 2, 3))) / count
        self._remember(mean.detach(), variance.detach(), count)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        out = centred * scale[:, None, None] + self.bias[:, None, None]
        return out.to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Update the running statistics; the variance without its bias, as PyTorch does."""
        momentum = 0.1 if self.momentum is None else self.momentum
        if self.running_mean is not None and self.running_var is not None:
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(variance * count / (count - 1), momentum)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)


class _Total(torch.autograd.Function):
    """The sum over the team; its gradient is the sum of the team's gradients."""

    @staticmethod
    def forward(_context: Any, values: Tensor) -> Tensor:
        total = values.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(_context: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        torch.distributed.all_reduce(total)
        return total


def _total(values: Tensor) -> Tensor:
    """Return the sum over the team, through which gradients flow."""
    total: Tensor = _Total.apply(values)  # type: ignore[no-untyped-call]
    return total
