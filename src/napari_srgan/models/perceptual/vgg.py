"""The convolutions of VGG16 and VGG19, through which perceptual losses look at images."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

# Table 1, column E: (feature maps, 3 × 3 convolutions) before each of the five max-poolings.
BLOCKS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
BLOCKS_16 = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # column D
# What the published weights expect of images in [0, 1]: ImageNet's mean and deviation, R, G, B.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class VGGFeatures(nn.Module):
    """The feature maps φ_{i,j} of a VGG network: RGB images in [0, 1], ``(n, 3, h, w)``, to those.

    φ_{i,j} is what the j-th convolution before the i-th max-pooling gives, after its activation;
    layers beyond it do not exist here. The result has the shape
    ``(n, blocks[i - 1][0], h // 2 ** (i - 1), w // 2 ** (i - 1))``. ImageNet's mean and deviation
    are taken off the images first. The parameters bear torchvision's names, ``features.0.weight``
    to, for φ_{5,4} of VGG19, ``features.34.bias``.

    Parameters
    ----------
    i : int
        The block, 1 to 5.
    j : int
        The convolution within the block.

    Attributes
    ----------
    name : str
        What the whole network is called.
    blocks : tuple of (int, int)
        Feature maps and convolutions of each block.

    Raises
    ------
    ValueError
        If the network has no such layer; on use, if the images are not RGB or too small to be
        pooled.

    References
    ----------
    Simonyan & Zisserman, arXiv:1409.1556, Table 1, columns D and E. Ledig et al.,
    arXiv:1609.04802v5, §2.2.1.
    """

    name: ClassVar[str]
    blocks: ClassVar[tuple[tuple[int, int], ...]]
    mean: Tensor
    std: Tensor

    def __init__(self, i: int, j: int) -> None:
        super().__init__()
        blocks = self.blocks
        if not (1 <= i <= len(blocks) and 1 <= j <= blocks[i - 1][1]):
            layers = ", ".join(f"φ{n},1 to φ{n},{count}" for n, (_, count) in enumerate(blocks, 1))
            raise ValueError(f"{self.name} has no layer φ{i},{j}; it has {layers}.")
        self.i, self.j = i, j
        self.features = nn.Sequential(*_layers(blocks, i, j))
        for name, values in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        self._check(x)
        out: Tensor = self.features((x - self.mean) / self.std)
        return out

    def stages(self, x: Tensor) -> list[Tensor]:
        """Return what each block gives, before it is pooled: as many as there are blocks, ``i``."""
        self._check(x)
        out, found = (x - self.mean) / self.std, []
        for layer in self.features:
            if isinstance(layer, nn.MaxPool2d):
                found.append(out)
            out = layer(out)
        return [*found, out]

    def _check(self, x: Tensor) -> None:
        smallest = 2 ** (self.i - 1)
        if x.ndim != 4 or x.shape[1] != 3 or min(x.shape[2:]) < smallest:
            raise ValueError(
                f"φ{self.i},{self.j} takes RGB images (n, 3, h, w) of {smallest} × {smallest} "
                f"pixels or more; got shape {tuple(x.shape)}."
            )


class VGG19Features(VGGFeatures):
    """Layers of VGG19, which the paper's content loss looks through."""

    name, blocks = "VGG19", BLOCKS


class VGG16Features(VGGFeatures):
    """Layers of VGG16: two stages like VGG19's, then three convolutions a block for four."""

    name, blocks = "VGG16", BLOCKS_16


def _layers(blocks: tuple[tuple[int, int], ...], i: int, j: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    inputs = 3
    for block, (outputs, convolutions) in enumerate(blocks[:i], 1):
        if block > 1:
            layers.append(nn.MaxPool2d(2))
        for _ in range(j if block == i else convolutions):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True)]
            inputs = outputs
    return layers
