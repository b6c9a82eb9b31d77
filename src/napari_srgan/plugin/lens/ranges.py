"""Black and white for a part of an image: of all its planes where they can be looked at in time."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any, Literal, TypeAlias

from napari_srgan.inference.values.extent import PlaneExtent, plane_extent
from napari_srgan.inference.values.ranges import ValueRange, fixed_range, iter_extents, range_of
from napari_srgan.inference.values.rules import Normalize, is_fixed, rule_for
from napari_srgan.plugin.lens.regions import Region
from napari_srgan.plugin.messages import Source

# Of which planes values set black and white: all, the one that is shown, or a part of it.
Scope: TypeAlias = Literal["all", "plane", "part"]
LOOKED_AT = 2**24  # pixels, about a tenth of a second


class Ranges:
    """The value ranges of one image, each worked out when it is first asked for.

    Parameters
    ----------
    source : Source
        The image.
    normalize : str or tuple of float
        The rule for black and white.
    """

    def __init__(self, source: Source, normalize: Normalize = "auto") -> None:
        self._source, self._whole = source, source.whole
        self._rule = rule_for(self._whole.dtype, normalize)
        self._known: dict[Any, ValueRange] = {}

    def scope(self) -> Scope:
        """Return which planes can be looked at within moments."""
        if is_fixed(self._rule):
            return "all"
        whole = self._whole
        of_a_channel = whole.pixels / whole.channel_axis_length
        if self._source.in_memory and of_a_channel <= LOOKED_AT:
            return "all"
        return "plane" if whole.height * whole.width <= LOOKED_AT else "part"

    def iter_of(
        self, index: tuple[int, ...], region: Region, scope: Scope
    ) -> Generator[None, None, ValueRange]:
        """Return the value range for a plane, yielding after each plane that is looked at.

        Parameters
        ----------
        index : tuple of int
            Of the plane, along the leading axes.
        region : Region
            What is looked at where the scope is ``part``.
        scope : {"all", "plane", "part"}
            ``all`` are those of the same channel.

        Raises
        ------
        ValueError
            If there is no finite value.
        """
        whole, rule = self._whole, self._rule
        if is_fixed(rule):
            return fixed_range(whole.dtype, rule)
        if scope == "all":
            key: Any = whole.channel_of(index)
        else:
            key = index if scope == "plane" else (index, region)
        if key not in self._known:
            parts = []
            for extent in self._extents(index, region, scope):
                parts.append(extent)
                yield
            self._known[key] = range_of(parts, whole.dtype, rule)
        return self._known[key]

    def _extents(
        self, index: tuple[int, ...], region: Region, scope: Scope
    ) -> Iterator[PlaneExtent]:
        whole, pixels = self._whole, self._source.pixels
        if scope == "all":
            own = whole.channel_of(index)
            yield from (part for _, part in iter_extents(pixels, whole, self._rule, own))
        else:
            part = () if scope == "plane" else (slice(*region.rows), slice(*region.columns))
            yield plane_extent(pixels[(*index, *part)], whole, self._rule)
