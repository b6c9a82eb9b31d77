"""An exponential moving average of a network, which is steadier than the network itself."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import nn

Averaged = TypeVar("Averaged", bound=nn.Module)


class Average(Generic[Averaged]):
    """The average of a network's parameters over its updates.

    Running statistics of batch norms are averages already and are copied. Averaging reads the
    network and never changes it, so that training is the same with it and without.

    Parameters
    ----------
    network : nn.Module
        What is averaged; its present state is where the average begins.
    decay : float
        Weight of the past, from 0 (the network itself) to below 1.
    """

    def __init__(self, network: Averaged, decay: float) -> None:
        self.network: Averaged = copy.deepcopy(network).eval().requires_grad_(False)
        self._decay, self._updates = decay, 0
        device = next(self.network.parameters()).device
        self._share = torch.zeros((), device=device)  # of the latest state, in the average

    def begin_update(self) -> None:
        """Count one more update of the network, before :meth:`update` takes it in."""
        self._updates += 1
        # Early on the past is short: without this the random start would linger for 1/(1 − decay).
        decay = min(self._decay, self._updates / (self._updates + 10))
        self._share.fill_(1 - decay)

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take the latest state of the network into account."""
        for average, latest in zip(self.network.parameters(), network.parameters(), strict=True):
            average.lerp_(latest, self._share)
        for copied, buffer in zip(self.network.buffers(), network.buffers(), strict=True):
            copied.copy_(buffer)

    def state(self) -> dict[str, object]:
        """Return everything an exact continuation needs."""
        return {"network": self.network.state_dict(), "updates": self._updates}

    def restore(self, state: dict[str, object]) -> None:
        """Continue from what :meth:`state` returned."""
        self.network.load_state_dict(state["network"])  # type: ignore[arg-type]
        self._updates = int(state["updates"])  # type: ignore[call-overload]
