"""Optimizers: Adam as in the paper, or Muon for kernels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

_SHARE = "share"  # of the learning rate, in a group of parameters
_SLOPE_SHARE = 0.1
_SMALLEST_SHARE = 1e-5  # layers may begin at 0, and would stay there


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
    relative : bool
        Whether Adam's learning rate is that of weights whose root mean square is 1, and each
        layer's in proportion to its own at this moment. With norms folded into them, layers can be
        orders of magnitude apart.
    most : float
        Norm that gradients are scaled down to where they exceed it; 0 leaves them as they are.

    Raises
    ------
    ValueError
        If this torch has no Muon.
    """

    def __init__(
        self,
        network: nn.Module,
        betas: tuple[float, float],
        optimizer: str = "adam",
        *,
        relative: bool = False,
        most: float = 0.0,
    ) -> None:
        self._network, self._most = network, most
        self._kernels = _kernels_for_muon(network, optimizer)
        # Views: what Muon writes there is in the kernels.
        self._matrices = [_rows(kernel.detach()).view(len(kernel), -1) for kernel in self._kernels]
        by_muon = {id(kernel) for kernel in self._kernels}
        others = [p for p in network.parameters() if id(p) not in by_muon]
        # On a card rates are in its memory, so that a step can be recorded and replayed.
        self._on_card = others[0].is_cuda
        self._options = {"fused": True, "capturable": True} if self._on_card else {}
        groups = _in_proportion(network, others) if relative else others
        adam = torch.optim.Adam(groups, betas=betas, **self._options)
        self._optimizers: dict[str, torch.optim.Optimizer] = {"adam": adam}
        self._place_rates()
        if self._matrices:
            self._optimizers["muon"] = _muon(self._matrices)

    def set_rate(self, learning_rate: float) -> None:
        """Set the size of the next steps."""
        for optimizer in self._optimizers.values():
            for group in optimizer.param_groups:
                rate = learning_rate * group.get(_SHARE, 1.0)
                if isinstance(group["lr"], Tensor):
                    group["lr"].fill_(rate)
                else:
                    group["lr"] = rate

    def _place_rates(self) -> None:
        if self._on_card:
            for group in self._optimizers["adam"].param_groups:
                group["lr"] = torch.zeros((), device=group["params"][0].device)

    def step(self, loss: Tensor, at_output: Tensor | None = None) -> Tensor:
        """Make one step down a loss and return the norm of its gradient.

        In place of a loss it may be the network's output, with the loss's gradient at it.
        """
        self._network.zero_grad()
        loss.backward(at_output)  # type: ignore[no-untyped-call]
        gradients = [p.grad for p in self._network.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if self._most:
            torch.nn.utils.clip_grads_with_norm_(self._network.parameters(), self._most, norm)
        for kernel, matrix in zip(self._kernels, self._matrices, strict=True):
            matrix.grad = None if kernel.grad is None else _rows(kernel.grad).flatten(1)
        for optimizer in self._optimizers.values():
            optimizer.step()
        return norm

    def state(self) -> dict[str, Any]:
        """Return what an exact continuation needs."""
        return {name: optimizer.state_dict() for name, optimizer in self._optimizers.items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state` returned."""
        for name, optimizer in self._optimizers.items():
            given = state[name]
            if name == "adam":  # what is saved may be of another kind of device
                here = {"fused": None, "capturable": False, **self._options}
                groups = [{**group, **here} for group in given["param_groups"]]
                given = {**given, "param_groups": groups}
            optimizer.load_state_dict(given)
        self._place_rates()


def _in_proportion(network: nn.Module, parameters: list[nn.Parameter]) -> list[dict[str, Any]]:
    """Return a group for each parameter, with its share of the learning rate.

    A bias has the share of its layer's weights. What a PReLU learns is about one slope, whatever
    the size of the values, so that all have one share.
    """
    shares = {}
    for module in network.modules():
        for parameter in module.parameters(recurse=False):
            weights = getattr(module, "weight", None)
            if isinstance(module, nn.PReLU) or weights is None:
                shares[id(parameter)] = _SLOPE_SHARE
            else:
                shares[id(parameter)] = max(_rms(weights), _SMALLEST_SHARE)
    return [{"params": [p], _SHARE: shares[id(p)]} for p in parameters]


def _rms(weights: Tensor) -> float:
    return float(weights.detach().square().mean().sqrt())


def _kernels_for_muon(network: nn.Module, optimizer: str) -> list[nn.Parameter]:
    if optimizer == "adam":
        return []
    return [p for p in network.parameters() if p.ndim == 4][1:-1]


def _rows(kernel: Tensor) -> Tensor:
    """Return ``(out, in, h, w)`` as ``(out, h, w, in)``: the order in memory."""
    return kernel.permute(0, 2, 3, 1)


def _muon(matrices: list[Tensor]) -> torch.optim.Optimizer:
    if not hasattr(torch.optim, "Muon"):
        raise ValueError(f"Muon (pretrain.optimizer) needs torch 2.9; this is {torch.__version__}.")
    return torch.optim.Muon(
        matrices, weight_decay=0.0, momentum=0.95, adjust_lr_fn="match_rms_adamw"
    )
