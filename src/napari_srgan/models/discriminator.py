"""The discriminator of SRGAN (Ledig et al. 2017, arXiv:1609.04802v5, §2.1.1 and Fig. 4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SLOPE = 0.2  # §2.1.1: LeakyReLU, α = 0.2
CROP = 96  # §3.2: 96 × 96 crops
HIDDEN = 1024  # Fig. 4: dense (1024)

# Fig. 4, after the first convolution: (feature maps, as multiples of the first one's; stride)
_LAYERS = ((1, 2), (2, 1), (2, 2), (4, 1), (4, 2), (8, 1), (8, 2))


class Discriminator(nn.Module):
    """Tells photographs from upscaled images: crops ``(n, channels, crop, crop)`` to ``(n, 1)``.

    The output is the logit; its sigmoid is the probability, D(x) in the paper, that the crop is a
    photograph. (Losses on logits do not overflow where the sigmoid saturates.)

    Parameters
    ----------
    features : int
        Feature maps of the first convolution.
    channels : int
        Channels of the image.
    crop : int
        Side of the square crops, which the dense layer is built for; a multiple of 16.

    Raises
    ------
    ValueError
        If the crop is not a positive multiple of 16.

    References
    ----------
    Ledig et al., arXiv:1609.04802v5, §2.1.1 and Figure 4.
    """

    def __init__(self, *, features: int = 64, channels: int = 3, crop: int = CROP) -> None:
        super().__init__()
        if crop < 16 or crop % 16:
            raise ValueError(f"crop must be a multiple of 16 (four strides of 2); got {crop}.")
        layers: list[nn.Module] = [
            nn.Conv2d(channels, features, 3, padding=1),
            nn.LeakyReLU(SLOPE, inplace=True),
        ]
        inputs = features
        for multiple, stride in _LAYERS:
            outputs = features * multiple
            layers += [
                nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1),
                nn.BatchNorm2d(outputs),
                nn.LeakyReLU(SLOPE, inplace=True),
            ]
            inputs = outputs
        self.convolutions = nn.Sequential(*layers)
        self.decision = nn.Sequential(
            nn.Linear(inputs * (crop // 16) ** 2, HIDDEN),
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.Linear(HIDDEN, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.decision(torch.flatten(self.convolutions(x), 1))
        return out
