"""Arithmetic of 16 bits in forward passes, of networks that are trained and of those in losses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from napari_srgan.inference.devices import half_precision
from napari_srgan.models.layers.residual import Residual
from napari_srgan.training.optimise.losses import ContentLoss


class Autocast:
    """Forward passes in the arithmetic of a precision; weights stay float32.

    Parameters
    ----------
    precision : {"auto", "float32", "bfloat16"}
        "auto" is bfloat16 where the device multiplies it natively.
    device : torch.device
        Where.
    """

    def __init__(self, precision: str, device: torch.device) -> None:
        native = half_precision(device) != torch.float32
        wanted = precision == "bfloat16" or (precision == "auto" and native)
        self._device, self._wanted = device.type, wanted

    def __call__(self) -> torch.autocast:
        """Return the context."""
        return torch.autocast(self._device, torch.bfloat16, enabled=self._wanted)


@contextmanager
def blocks_in(autocast: Autocast, generator: nn.Module) -> Iterator[None]:
    """Compute a generator's residual blocks by ``autocast`` within this context, all else as it is.

    What is rounded before the first block or after the last is rounded alike in every step, and a
    network learns to make up for it: in float32 its colours are then off.

    Parameters
    ----------
    autocast : Autocast
        The blocks' arithmetic.
    generator : nn.Module
        What is trained. A generator without residual blocks stays as it is.
    """
    entered: list[torch.autocast] = []

    def begin(*_given: object) -> None:
        entered.append(autocast())
        entered[-1].__enter__()  # type: ignore[no-untyped-call]

    def end(*_given: object) -> None:
        entered.pop().__exit__(None, None, None)

    hooks = []
    for block in _outermost(generator):
        hooks.append(block.register_forward_pre_hook(begin))
        hooks.append(block.register_forward_hook(end, always_call=True))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _outermost(network: nn.Module) -> Iterator[Residual]:
    """Yield the residual blocks that lie in no other."""
    for child in network.children():
        if isinstance(child, Residual):
            yield child
        else:
            yield from _outermost(child)


def seen_in(precision: str, device: torch.device, loss: ContentLoss) -> ContentLoss:
    """Return a loss whose network computes in a precision; its terms are summed in float32."""
    autocast = Autocast(precision, device)

    def content(upscaled: Tensor, high: Tensor) -> Tensor:
        with autocast():
            return loss(upscaled, high)

    return content
