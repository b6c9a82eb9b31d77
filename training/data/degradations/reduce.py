"""Make an image's low-resolution version as a recipe says: by the benchmarks' kernel, or worse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from napari_srgan.resampling import shrink
from napari_srgan.training.config import Recipe
from napari_srgan.training.data.decoding import Samples
from napari_srgan.training.data.degradations.draw import draw_steps
from napari_srgan.training.data.degradations.settings import ORDERS, Degradation
from napari_srgan.training.data.degradations.steps import degrade

_CLEAN = "bicubic alone"


@dataclass(frozen=True)
class Reduction:
    """How low-resolution images are made.

    Attributes
    ----------
    kind : {"bicubic", "first-order", "second-order"}
        The benchmarks' kernel and no more, or what ``settings`` draw.
    scale : int
        Factor.
    settings : Degradation
        What is drawn.
    """

    kind: str
    scale: int
    settings: Degradation = field(default_factory=Degradation)

    @property
    def is_drawn(self) -> bool:
        """Whether anything is drawn; else all images are reduced alike."""
        return ORDERS[self.kind] > 0

    def __call__(self, high: Samples, seed: int | Sequence[int]) -> tuple[Samples, str]:
        """Return an image made small, and in words what was done to it.

        Parameters
        ----------
        high : ndarray
            ``(h, w, channels)``, uint8 or uint16; sides are multiples of the scale.
        seed : int or sequence of int
            What is drawn follows from it, and from the image's size.
        """
        rng = np.random.default_rng(seed)
        if not self.is_drawn or rng.random() < self.settings.clean_share:
            return shrink(high, self.scale), _CLEAN
        size = high.shape[0], high.shape[1]
        steps = draw_steps(self.settings, ORDERS[self.kind], size, self.scale, rng)
        return degrade(high, steps, rng), "; ".join(map(str, steps))


def reduction_of(recipe: Recipe) -> Reduction:
    """Return how a recipe makes low-resolution images."""
    return Reduction(recipe.data.degradation, recipe.network.scale, recipe.degradation)
