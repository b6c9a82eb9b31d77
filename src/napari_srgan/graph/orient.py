"""The eight orientations of an image, of a network: turned kernels instead of turned images.

A network that is given the image turned, and whose answer is turned back, is the network with every
kernel turned back. It takes and gives rows like any other, so that it can be streamed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from napari_srgan.graph.analyse import extents
from napari_srgan.graph.ops import (
    Convolution,
    Layer,
    Layers,
    PixelShuffle,
    PixelUnshuffle,
    Pointwise,
    is_of_any_channel,
    users_of,
    with_sources,
)


@dataclass(frozen=True)
class Orientation:
    """A flip or a turn: rows and columns are swapped, then either is reversed.

    Attributes
    ----------
    transposed, upside_down, mirrored : bool
        Whether rows and columns are swapped, rows are reversed, columns are reversed.
    """

    transposed: bool
    upside_down: bool
    mirrored: bool

    def turn(self, image: Tensor) -> Tensor:
        """Return images ``(…, h, w)`` in this orientation; a view, or a copy."""
        image = image.mT if self.transposed else image
        return image.flip(self._reversed())

    def turn_back(self, image: Tensor) -> Tensor:
        """Undo :meth:`turn`."""
        image = image.flip(self._reversed())
        return image.mT if self.transposed else image

    def _reversed(self) -> list[int]:
        return [axis for axis, flip in ((-2, self.upside_down), (-1, self.mirrored)) if flip]


ORIENTATIONS = tuple(
    Orientation(transposed, upside_down, mirrored)
    for transposed in (False, True)
    for upside_down in (False, True)
    for mirrored in (False, True)
)
"""All of them; the first leaves images as they are."""


def oriented(layers: Layers, orientation: Orientation) -> Layers:
    """Return layers that turn an image, do what these do, and turn the result back."""
    makers, orders = _makers(layers), _orders(layers, orientation)
    made = {maker: orders[place] for place, maker in makers.items() if maker is not None}
    new: list[Layer] = []
    at = [0]  # where the values of the old list are in the new one
    for place, old in enumerate(layers):
        layer = with_sources(old, at.__getitem__)
        if isinstance(layer, Convolution):
            layer = _turned(layer, orientation, made.get(place))
        elif isinstance(layer, PixelShuffle) and makers[place] is None:
            new.append(_reordered(layer.source, orders[place]))
            layer = replace(layer, source=len(new))
        new.append(layer)
        if isinstance(layer, PixelUnshuffle):
            new.append(_reordered(len(new), orders[place].argsort()))
        at.append(len(new))
    return tuple(new)


def _makers(layers: Layers) -> dict[int, int | None]:
    """Return for each pixel shuffle the place of the convolution that can make its order.

    None where something in between is not the same for all channels.
    """
    users = users_of(layers)
    found: dict[int, int | None] = {}
    for place, layer in enumerate(layers):
        if isinstance(layer, PixelShuffle):
            found[place] = _maker(layers, layer.source, users)
    return found


def _maker(layers: Layers, value: int, users: list[int]) -> int | None:
    while value and users[value] == 1:
        layer = layers[value - 1]
        if isinstance(layer, Convolution):
            return value - 1 if layer.groups == 1 else None
        if not isinstance(layer, Pointwise) or not is_of_any_channel(layer):
            return None
        value = layer.source
    return None


def _turned(conv: Convolution, orientation: Orientation, order: Tensor | None) -> Convolution:
    """Return a convolution with its kernels turned back, its outputs in another order."""
    weight, bias = orientation.turn_back(conv.weight), conv.bias
    if order is not None:
        weight, bias = weight[order], None if bias is None else bias[order]
    weight = weight.contiguous(memory_format=torch.channels_last)
    reach, dilation = conv.reach, conv.dilation
    if orientation.transposed:
        reach, dilation = reach[::-1], dilation[::-1]
    return replace(conv, weight=weight, bias=bias, reach=reach, dilation=dilation)


def _orders(layers: Layers, orientation: Orientation) -> dict[int, Tensor]:
    """Return for each shuffle, or its inverse, from which channel each is to come.

    What is shuffled in this order comes out turned back.
    """
    sizes = extents(layers)
    orders = {}
    for place, layer in enumerate(layers):
        if isinstance(layer, (PixelShuffle, PixelUnshuffle)):
            before = sizes[layer.source if isinstance(layer, PixelShuffle) else place + 1]
            channels = torch.arange(before.channels, device="cpu")
            grid = channels.view(-1, layer.factor, layer.factor)
            orders[place] = orientation.turn_back(grid).flatten()
    return orders


def _reordered(source: int, order: Tensor) -> Pointwise:
    return Pointwise(source, torch.index_select, {"dim": 1, "index": order})
