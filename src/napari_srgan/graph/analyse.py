"""What a network computes: its multiply-adds, which do not depend on a machine."""

from __future__ import annotations

from torch import nn


def multiply_adds(network: nn.Module) -> int:
    """Return the multiply-adds of a network's convolutions for each pixel of its input.

    The layers are taken in the order they are registered, with stride 1 and at the size that the
    pixel shuffles before them make: the network as the paper draws it. A convolution that is
    computed before the shuffle it comes after has other counts and the same result. Norms,
    activations and sums are left out: in the paper's network, a few thousandths of the whole.
    """
    count, scale = 0, 1
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            count += scale**2 * layer.weight.numel()
        elif isinstance(layer, nn.PixelShuffle):
            scale *= layer.upscale_factor
    return count
