"""The layer that a comparison is seen in: all of the viewer's other layers stay as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import napari.layers
import numpy as np

from napari_srgan.plugin.compare.colours import Pixels
from napari_srgan.plugin.compare.sampling import Grid

if TYPE_CHECKING:
    from napari.components import ViewerModel

NAME = "SRGAN compare"


class Screen:
    """Shows pictures over the canvas, as a layer above all others.

    Parameters
    ----------
    viewer : ViewerModel
        Whose canvas it is.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self.layer: napari.layers.Image | None = None
        self.grid: Grid | None = None
        self.picture: Pixels | None = None

    def show(self, picture: Pixels, grid: Grid) -> None:
        """Show a picture whose pixels are the points of a grid."""
        pixels, options = self._placed(picture, grid)
        if self.layer is None or self.layer.ndim != len(grid.origin):
            self.clear()
            selected = set(self._viewer.layers.selection)
            layer = napari.layers.Image(
                pixels, name=NAME, rgb=True, blending="opaque", interpolation2d="nearest", **options
            )
            self._viewer.layers.append(layer)
            self._viewer.layers.selection = selected  # it is the others that one works with
            self.layer = layer
        else:
            self.layer.data = pixels
            if grid is not self.grid:
                self.layer.scale, self.layer.translate = options["scale"], options["translate"]
        self.picture, self.grid = picture, grid

    def clear(self) -> None:
        """Take it away."""
        layer, self.layer, self.grid, self.picture = self.layer, None, None, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    def _placed(self, picture: Pixels, grid: Grid) -> tuple[Pixels, dict[str, object]]:
        down, right = grid.axes
        shape = [1] * len(grid.origin)
        shape[down], shape[right] = picture.shape[:2]
        upright = picture if down < right else picture.swapaxes(0, 1)
        scale = np.ones(len(grid.origin))
        scale[[down, right]] = grid.step
        options: dict[str, object] = {"scale": scale, "translate": grid.origin}
        if grid.units is not None:
            options["units"] = grid.units
        return upright.reshape(*shape, 3), options
