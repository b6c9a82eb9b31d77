"""Optimizers: Adam as in the paper, or Muon for inner layers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class NetworkOptimizer:
    """The optimizer of one network: Adam, or Muon and Adam.

    Adam divides each weight's step by the size of its own gradients. Muon (Jordan et al. 2024,
    https://kellerjordan.github.io/posts/muon/) takes a layer's weights as one matrix, and makes all
    directions of its step equally long. Its steps are scaled to the size of Adam's (Liu et al.
    2025, arXiv:2502.16982, §2.2), so that one learning rate serves both.

    Parameters
    ----------
    network : nn.Module
        What is trained, on its device and in channels-last memory format.
    betas : (float, float)
        Adam's β₁ and β₂.
    optimizer : {"adam", "muon"}
        With "muon" it is the kernels between the first convolution and the last that are moved by
        Muon, with a momentum of 0.95; all else is moved by Adam.

    Raises
    ------
    ValueError
        If this torch has no Muon.
    """

    def __init__(
        self, network: nn.Module, betas: tuple[float, float], optimizer: str = "adam"
    ) -> None:
        self._network = network
        self._kernels = _inner_kernels(network) if optimizer == "muon" else []
        # Views: what Muon writes there is in the kernels.
        self._matrices = [_rows(kernel.detach()).view(len(kernel), -1) for kernel in self._kernels]
        by_muon = {id(kernel) for kernel in self._kernels}
        others = [p for p in network.parameters() if id(p) not in by_muon]
        self._optimizers: dict[str, torch.optim.Optimizer] = {
            "adam": torch.optim.Adam(others, betas=betas)
        }
        if self._matrices:
            self._optimizers["muon"] = _muon(self._matrices)

    def step(self, loss: Tensor, learning_rate: float) -> Tensor:
        """Make one step down a loss and return the norm of its gradient."""
        self._network.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        gradients = [p.grad for p in self._network.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        for kernel, matrix in zip(self._kernels, self._matrices, strict=True):
            matrix.grad = None if kernel.grad is None else _rows(kernel.grad).flatten(1)
        for optimizer in self._optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = learning_rate
            optimizer.step()
        return norm

    def state(self) -> dict[str, Any]:
        """Return what an exact continuation needs."""
        return {name: optimizer.state_dict() for name, optimizer in self._optimizers.items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state` returned."""
        for name, optimizer in self._optimizers.items():
            optimizer.load_state_dict(state[name])


def _inner_kernels(network: nn.Module) -> list[nn.Parameter]:
    return [p for p in network.parameters() if p.ndim == 4][1:-1]


def _rows(kernel: Tensor) -> Tensor:
    """Return ``(out, in, h, w)`` as ``(out, h, w, in)``: the order in memory."""
    return kernel.permute(0, 2, 3, 1)


def _muon(matrices: list[Tensor]) -> torch.optim.Optimizer:
    if not hasattr(torch.optim, "Muon"):
        raise ValueError(f"pretrain.optimizer=muon needs torch 2.9; this is {torch.__version__}.")
    return torch.optim.Muon(
        matrices, weight_decay=0.0, momentum=0.95, adjust_lr_fn="match_rms_adamw"
    )
