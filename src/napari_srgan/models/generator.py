"""Generator: what a family of super-resolution networks has to be, and what it gets for that."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

MOST_BLOCKS = 512
"""Of a network: many times the deepest published. A file may claim any number."""


class Generator(nn.Module, ABC):
    """Super-resolution network: ``(n, channels, h, w)`` to ``(n, channels, scale·h, scale·w)``.

    The input is in [0, 1], for any ``h, w ≥ 1``; mean shift, other ranges and interpolation of the
    image are part of ``forward``. A family is one class in one file, and an entry in
    :data:`napari_srgan.models.families.FAMILIES`.

    All else is read off ``forward``, which is run once on a stand-in for an image
    (:func:`napari_srgan.graph.trace.trace`): receptive radius, cost, memory, norms to fold, grey
    images, row streaming. Of a network that cannot be read so, images go through as tiles, as far
    apart as :attr:`radius` says.

    Attributes
    ----------
    family : str
        Name of the class in recipes, model files and messages.
    scale : int
        Upscaling factor.
    scales : tuple of int
        All upscaling factors that the weights are for; see :meth:`at_scale`.
    channels : int
        Channels of the image, in and out.
    value_range : tuple of float
        What the output is for black and for white; (0, 1) unless a family says otherwise.
    radius : int or None
        How many input pixels an output depends on, to each side, where ``forward`` cannot be read;
        None if that is the whole image.
    """

    family: ClassVar[str]
    value_range: tuple[float, float] = (0.0, 1.0)
    radius: int | None = None
    scale: int
    channels: int

    @classmethod
    @abstractmethod
    def sizes_of(cls, state: Mapping[str, Tensor]) -> dict[str, Any] | None:
        """Return the constructor's arguments for these tensors, by their names and shapes.

        None if they are not of this family. Whether they are all there and no others is found out
        by building the network of these sizes.

        Raises
        ------
        ValueError
            If they are of this family and of no network that it has.
        """

    @abstractmethod
    def sizes(self) -> dict[str, Any]:
        """Return the constructor's arguments that give a network like this one."""

    @property
    def scales(self) -> tuple[int, ...]:
        """All upscaling factors that the weights are for."""
        return (self.scale,)

    def at_scale(self, scale: int) -> Generator:
        """Return the network that enlarges by one of its scales, with the same weights.

        Raises
        ------
        ValueError
            If it has no such scale.
        """
        if scale != self.scale:
            raise ValueError(f"it enlarges by {self.scale}, not by {scale}")
        return self

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Upscale images in [0, 1]; the output is in :attr:`value_range`."""


def check_sizes(
    blocks: int, features: int, channels: int, scale: int, scales: Collection[int] | None = None
) -> None:
    """Check the sizes of a network of residual blocks, which has these scales, or all.

    Raises
    ------
    ValueError
        If a size is not positive, there are more blocks than any network has, or the scale is not
        one of those.
    """
    if blocks > MOST_BLOCKS:
        raise ValueError(f"blocks must be {MOST_BLOCKS} or fewer; got {blocks}.")
    if min(blocks, features, channels) < 1:
        raise ValueError(
            "blocks, features and channels must be 1 or more; "
            f"got {blocks}, {features} and {channels}."
        )
    if scales is None and scale < 1:
        raise ValueError(f"scale must be 1 or more; got {scale}.")
    if scales is not None and scale not in scales:
        raise ValueError(f"scale must be one of {sorted(scales)}; got {scale}.")
