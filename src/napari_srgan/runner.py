"""One network on one device: a window in, the upscaled window out."""

from __future__ import annotations

import copy
import logging

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_srgan.checkpoints import Model
from napari_srgan.devices import exact_float32
from napari_srgan.models.fold import folded, single_channel, with_unit_output
from napari_srgan.models.srresnet import SRResNet

log = logging.getLogger(__name__)


def inference_network(model: Model, *, colour: bool) -> SRResNet:
    """Return a model's network for colour or for grey images: folded, from [0, 1] to [0, 1].

    Raises
    ------
    ValueError
        If the model's number of channels does not suit.
    """
    channels = model.network.channels
    if channels not in (1, 3):
        raise ValueError(f"The model {model.name} has {channels} channels; images have 1 or 3.")
    if colour and channels == 1:
        raise ValueError(f"The model {model.name} is for grey images only. Choose another one.")
    return with_unit_output(folded(model.network) if colour else single_channel(model.network))


class Runner:
    """A network on a device: unit-range windows in, unit-range windows out.

    Parameters
    ----------
    network : SRResNet
        Folded, with unit output, float32, on the CPU.
    device : torch.device
        Where to compute.
    precision : torch.dtype
        In which arithmetic. A result that is not finite is computed again in float32.
    """

    def __init__(self, network: SRResNet, device: torch.device, precision: torch.dtype) -> None:
        self.network, self.device, self.precision = network, device, precision
        self._placed: SRResNet | None = None

    def __call__(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return ``(c, scale·h, scale·w)`` for a window ``(c, h, w)``.

        Raises
        ------
        FloatingPointError
            If the result is not finite in float32 either.
        """
        if self._placed is None:  # not before: a full device is met where running out is handled
            self._placed = self._place(self.precision)
        high = self._compute(window, self._placed, self.precision)
        if high is None and self.precision != torch.float32:
            log.info("a tile was not finite in %s: computed again in float32", self.precision)
            high = self._compute(window, self._place(torch.float32), torch.float32)
        if high is None:
            raise FloatingPointError(
                "The network gave values that are not finite. Check the image's value range "
                "(normalize) and the model."
            )
        return high

    def _place(self, precision: torch.dtype) -> SRResNet:
        placed = copy.deepcopy(self.network).to(self.device, precision)
        placed.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # as documented
        return placed

    @torch.inference_mode()
    def _compute(
        self, window: NDArray[np.float32], network: SRResNet, precision: torch.dtype
    ) -> NDArray[np.float32] | None:
        low = torch.from_numpy(window)[None].to(self.device, precision)
        with exact_float32(self.device):
            high: Tensor = network(low.contiguous(memory_format=torch.channels_last))
        if not bool(torch.isfinite(high).all()):
            return None
        result: NDArray[np.float32] = high[0].float().cpu().numpy()
        return result
