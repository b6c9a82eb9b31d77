"""Arithmetic of 16 bits in forward passes, of networks that are trained and of those in losses."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_srgan.inference.devices import half_precision
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


def seen_in(precision: str, device: torch.device, loss: ContentLoss) -> ContentLoss:
    """Return a loss whose network computes in a precision; its terms are summed in float32."""
    autocast = Autocast(precision, device)

    def content(upscaled: Tensor, high: Tensor) -> Tensor:
        with autocast():
            return loss(upscaled, high)

    return content
