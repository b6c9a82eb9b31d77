"""LPIPS as a content loss, made harder to please by what is no content."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_srgan.training.metrics.lpips import LPIPS
from napari_srgan.training.optimise.losses import as_unit_rgb

SHIFT = 16  # pixels: as far apart as what VGG16's last stage looks at
NOISE = 2 / 255  # standard deviation, white being 1


class LPIPSLoss(nn.Module):
    """The mean LPIPS of two batches of images in [-1, 1].

    A different window of the images, smaller by 16 pixels, is looked at each time, so that no place
    of a pooling becomes the place of a pixel. Both have one and the same noise added, below which
    no weak pattern is worth its while. Window and noise are drawn from torch's generator of random
    numbers on the CPU, whose state is part of a checkpoint.

    Parameters
    ----------
    lpips : LPIPS
        With VGG16, whose gradients are the better ones.
    """

    def __init__(self, lpips: LPIPS) -> None:
        super().__init__()
        self.lpips = lpips

    def forward(self, upscaled: Tensor, high: Tensor) -> Tensor:
        """Return the loss of `upscaled` against `high`; sides are to be 32 pixels or more."""
        noise = NOISE * torch.randn(high.shape).to(high.device)
        top, left = torch.randint(SHIFT, (2,)).tolist()
        bottom, right = (side - SHIFT for side in high.shape[2:])
        found, wanted = (
            (as_unit_rgb(images + 2 * noise))[:, :, top : top + bottom, left : left + right]
            for images in (upscaled, high)
        )
        distances: Tensor = self.lpips(found, wanted)
        return distances.mean()
