"""A teacher: a trained network whose answers are part of what another one learns.

An original is one of many images that its low-resolution image may come from, and most of what a
network gets to see of it is chance. A teacher's answer is their mean, as far as it has learned it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from napari_srgan.graph.network import inference_network
from napari_srgan.models.generator import Generator
from napari_srgan.training.data.crops import ORIENTATIONS


class Teacher:
    """Answers for batches of low-resolution images, turned or flipped another way each time.

    A network's answers to the ways an image can be turned differ, and their mean is better than
    each of them (Timofte et al. 2016, "Seven ways to improve example-based single image super
    resolution", arXiv:1511.02228, "enhanced prediction"). Whoever learns from one of them at a
    time learns their mean. The way an image lies is left out: to a network that is taught by
    itself it would teach nothing.

    Parameters
    ----------
    network : Generator
        The teacher; not changed.
    share : float
        Of its answer in what is learned, above 0 up to 1; the rest is the original's.
    device : torch.device
        Where to compute.
    """

    def __init__(self, network: Generator, share: float, device: torch.device) -> None:
        self._upscale = inference_network(network).placed(device, torch.float32)
        self._share = share

    @torch.no_grad()
    def lesson(self, low: Tensor, high: Tensor) -> Tensor:
        """Return what is to be learned of low ``(n, c, h, w)`` in [0, 1] and high in [-1, 1].

        The way is drawn from torch's generator of random numbers on the CPU.
        """
        way = int(torch.randint(1, ORIENTATIONS, ()))  # 0 leaves images as they are
        seen = turned(low, way).contiguous(memory_format=torch.channels_last)
        answer = 2 * self._upscale(seen) - 1
        return torch.lerp(high, turned_back(answer, way), self._share)


def turned(images: Tensor, way: int) -> Tensor:
    """Return images ``(n, c, h, w)`` turned by ``way % 4`` quarters, then flipped from 4 on."""
    images = torch.rot90(images, way % 4, (2, 3))
    return images.flip(3) if way >= ORIENTATIONS // 2 else images


def turned_back(images: Tensor, way: int) -> Tensor:
    """Return images as they were before :func:`turned`."""
    images = images.flip(3) if way >= ORIENTATIONS // 2 else images
    return torch.rot90(images, -(way % 4), (2, 3))
