"""What the lens asks of its work, and what it is answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from napari_srgan.plugin.lens.ranges import Ranges, Scope
from napari_srgan.plugin.lens.regions import Region
from napari_srgan.plugin.messages import Choices, Source


@dataclass(frozen=True)
class Look:
    """What is to be upscaled: a box of the pixels of one level, by a model."""

    source: Source
    region: Region
    choices: Choices
    ranges: Ranges


@dataclass(frozen=True)
class Picture:
    """An upscaled box.

    Attributes
    ----------
    pixels : ndarray or list of ndarray
        As many axes as the level has; levels, the finest first, of a large one that is kept.
    region : Region
        What it was made of.
    scale : int
        Upscaling factor.
    made_by : dict
        Its provenance.
    scope : {"all", "plane", "part"}
        Whose values are black and white.
    seconds : float
        That it took.
    """

    pixels: Any
    region: Region
    scale: int
    made_by: dict[str, Any]
    scope: Scope
    seconds: float
