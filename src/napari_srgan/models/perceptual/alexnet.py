"""The convolutions of AlexNet, through which LPIPS looks at images."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from napari_srgan.models.perceptual.vgg import IMAGENET_MEAN, IMAGENET_STD


class AlexNetFeatures(nn.Module):
    """The five stages of AlexNet: RGB images in [0, 1], ``(n, 3, h, w)``, to feature maps.

    The parameters bear torchvision's names, ``features.0.weight`` to ``features.10.bias``.

    References
    ----------
    Krizhevsky, "One weird trick for parallelizing convolutional neural networks",
    arXiv:1404.5997: the variant of one column, as torchvision has it.
    """

    name: ClassVar[str] = "AlexNet"
    smallest: ClassVar[int] = 31  # pixels along each axis, for the second pooling to have any
    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *(nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU()),
        )
        for name, values in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.stages(x)[-1]

    def stages(self, x: Tensor) -> list[Tensor]:
        """Return what each of the five convolutions gives, after its activation."""
        if x.ndim != 4 or x.shape[1] != 3 or min(x.shape[2:]) < self.smallest:
            raise ValueError(
                f"AlexNet takes RGB images (n, 3, h, w) of {self.smallest} × {self.smallest} "
                f"pixels or more; got shape {tuple(x.shape)}."
            )
        out, found = (x - self.mean) / self.std, []
        for layer in self.features:
            out = layer(out)
            if isinstance(layer, nn.ReLU):
                found.append(out)
        return found
