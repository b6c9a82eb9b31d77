"""The layer that the lens is seen in: over its source, where its pixels belong, and alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import napari.layers
import numpy as np

from napari_srgan.plugin.layers import METADATA_KEY, pixels_at, upscaled_geometry, upscaled_layer
from napari_srgan.plugin.lens.regions import Region

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_srgan.plugin.lens.messages import Picture

NAME = "SRGAN lens"
# What is changed in the source's looks while one looks holds for the lens as well.
_FOLLOWED = (
    "blending",
    "colormap",
    "contrast_limits",
    "gamma",
    "interpolation2d",
    "opacity",
)
_OPAQUE = {"opaque", "translucent", "translucent_no_depth"}


class Overlay:
    """Shows pictures over the layer that they are of.

    A source that lets what is under it be seen would be seen twice: it is hidden where the picture
    stands in for it, and shown again as soon as that does not.

    Parameters
    ----------
    viewer : ViewerModel
        Where it is.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._source: napari.layers.Image | None = None
        self._region: Region | None = None
        self._hidden = False  # the source, by this
        self.layer: napari.layers.Image | None = None

    @property
    def hides_source(self) -> bool:
        """Whether the source is hidden because its picture stands in for it."""
        return self._hidden

    @property
    def region(self) -> Region | None:
        """What of the source is upscaled on the screen."""
        return self._region

    def shows(self, region: Region) -> bool:
        """Whether a region is upscaled on the screen already."""
        return self._region is not None and self._region.contains(region)

    def show(self, source: napari.layers.Image, picture: Picture) -> None:
        """Show a picture of a layer, in place of the one before."""
        if self.layer is None or self._source is not source or self._of_another_kind(picture):
            self.clear()
            self._add(source, picture)
        else:
            self._renew(source, picture)
        self._region = picture.region
        self.stand_in(True)

    def stand_in(self, covers: bool) -> None:
        """Say whether the picture covers all of the source that is in view."""
        layer, source = self.layer, self._source
        if layer is None or source is None or not (self._hidden or source.visible):
            return
        if _is_opaque(source) or not covers:
            self._show_source()
        elif not self._hidden:
            self._hidden = True
            source.visible = False
        layer.visible = covers or _is_opaque(source)

    def clear(self) -> None:
        """Take it away, and leave the source as it was."""
        layer, self.layer, self._region = self.layer, None, None
        self._show_source()
        if self._source is not None:
            self._source.events.disconnect(self._follow)
            self._source.events.visible.disconnect(self._follow_visible)
            for name in _FOLLOWED:
                getattr(self._source.events, name).disconnect(self._follow)
        self._source = None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    def _of_another_kind(self, picture: Picture) -> bool:
        layer = self.layer
        return (
            layer is None
            or layer not in self._viewer.layers
            or layer.data.ndim != picture.pixels.ndim
            or layer.data.dtype != picture.pixels.dtype
        )

    def _add(self, source: napari.layers.Image, picture: Picture) -> None:
        region = picture.region
        layer = upscaled_layer(
            source, picture.pixels, picture.scale, picture.made_by, region.start, region.level
        )
        layer.name = NAME
        selected = set(self._viewer.layers.selection)
        self._viewer.layers.insert(self._viewer.layers.index(source) + 1, layer)
        self._viewer.layers.selection = selected  # it is the source that one works with
        self.layer, self._source = layer, source
        for name in _FOLLOWED:
            getattr(source.events, name).connect(self._follow)
        source.events.visible.connect(self._follow_visible)

    def _renew(self, source: napari.layers.Image, picture: Picture) -> None:
        layer, region = self.layer, picture.region
        assert layer is not None
        layer.data = picture.pixels
        layer.metadata = {**source.metadata, METADATA_KEY: picture.made_by}
        for name, value in upscaled_geometry(
            source, picture.scale, region.start, region.level
        ).items():
            if not _same(getattr(layer, name), value):
                setattr(layer, name, value)

    def _follow(self, event: Any) -> None:
        """Take over what was changed in the source's looks."""
        source, layer = self._source, self.layer
        if source is None or layer is None:
            return
        if event.type == "contrast_limits":
            layer.contrast_limits_range = source.contrast_limits_range
        setattr(layer, event.type, getattr(source, event.type))

    def _follow_visible(self) -> None:
        if self.layer is not None and self._source is not None and not self._hidden:
            self.layer.visible = self._source.visible

    def _show_source(self) -> None:
        hidden, self._hidden = self._hidden, False
        if hidden and self._source is not None:
            self._source.visible = True


def _is_opaque(layer: napari.layers.Image) -> bool:
    """Whether nothing is seen through a layer."""
    with_alpha = layer.rgb and pixels_at(layer).shape[-1] == 4
    return layer.opacity == 1 and str(layer.blending) in _OPAQUE and not with_alpha


def _same(one: Any, other: Any) -> bool:
    first, second = (np.asarray(getattr(each, "affine_matrix", each)) for each in (one, other))
    return first.shape == second.shape and bool(np.array_equal(first, second))
