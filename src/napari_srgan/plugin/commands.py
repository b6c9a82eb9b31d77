"""The commands that the manifest puts in napari's menus and its command palette."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.notifications import show_error, show_info

from napari_srgan.plugin.worker import in_background

if TYPE_CHECKING:
    import napari.viewer

    from napari_srgan.plugin.widget import Upscale

log = logging.getLogger(__name__)

DOCK = "SRGAN upscale (SRGAN)"
"""The name by which napari's own menu entry finds the dock, to show and hide it."""


def upscale_selected(viewer: napari.viewer.Viewer) -> None:
    """Upscale the selected image layer in the widget, where its progress is seen and stopped."""
    from napari.layers import Image

    layer = viewer.layers.selection.active
    if not isinstance(layer, Image):
        show_error("Select one image layer first.")
        return
    widget = _widget_of(viewer)
    if widget.busy:
        show_error("SRGAN is at work: wait for it to finish, or cancel it.")
        return
    widget.reset_choices()
    widget.layer.value = layer
    widget.start()


def _widget_of(viewer: napari.viewer.Viewer) -> Upscale:
    """Return the viewer's widget, its dock opened or shown if need be."""
    from napari_srgan.plugin.docks import docked
    from napari_srgan.plugin.widget import Upscale

    return docked(viewer, Upscale, DOCK)


def open_images(viewer: napari.viewer.Viewer) -> None:
    """Ask for image files and open them, as a stack if several, with pixel sizes and units."""
    from napari.layers import Layer
    from qtpy.QtWidgets import QFileDialog

    from napari_srgan.plugin.io.pictures import FILTER, read_images

    paths, _ = QFileDialog.getOpenFileNames(None, "Open images with their pixel sizes", "", FILTER)
    if not paths:
        return
    try:
        pixels, options, kind = read_images(paths)
    except (OSError, ValueError) as error:
        log.info("the chosen images could not be opened", exc_info=True)
        show_error(str(error))
        return
    viewer.add_layer(Layer.create(pixels, options, kind))


def open_store(viewer: napari.viewer.Viewer) -> None:
    """Ask for an OME-Zarr store and open it, lazily, with all levels, pixel sizes and units."""
    from napari.layers import Layer

    from napari_srgan.plugin.io.dialogs import store_to_open
    from napari_srgan.plugin.io.stores import read_ome_zarr

    if (path := store_to_open()) is None:
        return
    try:
        pixels, options, kind = read_ome_zarr(path)
    except (OSError, ValueError, ImportError) as error:
        log.info("the chosen store could not be opened", exc_info=True)
        show_error(str(error))
        return
    viewer.add_layer(Layer.create(pixels, options, kind))


def open_model() -> None:
    """Ask for a model file and make it one of those that can be chosen."""
    from qtpy.QtWidgets import QFileDialog

    from napari_srgan.plugin.io.reader import read_model
    from napari_srgan.store.registry import MODEL_SUFFIXES

    kinds = f"Models ({' '.join(f'*{suffix}' for suffix in MODEL_SUFFIXES)})"
    path, _ = QFileDialog.getOpenFileName(None, "Add a model file", "", kinds)
    if not path:
        return
    try:
        read_model(path)
    except (OSError, ValueError) as error:
        log.info("the chosen model could not be added", exc_info=True)
        show_error(str(error))


def save_tiff(viewer: napari.viewer.Viewer) -> None:
    """Ask for a file name and save the selected image layer as TIFF with pixel size and units."""
    from napari.layers import Image
    from qtpy.QtWidgets import QFileDialog

    from napari_srgan.plugin.io.writer import write_tiff

    layer = viewer.layers.selection.active
    if not isinstance(layer, Image):
        show_error("Select one image layer first.")
        return
    kinds = "TIFF with pixel size (*.tif *.tiff)"
    path, _ = QFileDialog.getSaveFileName(None, "Save as TIFF", f"{layer.name}.tif", kinds)
    if not path:
        return
    pixels, state, _kind = layer.as_layer_data_tuple()
    try:
        write_tiff(path if Path(path).suffix else f"{path}.tif", pixels, state)
    except (OSError, ValueError) as error:
        log.info("the layer could not be saved", exc_info=True)
        show_error(str(error))
    else:
        show_info(f"Saved {layer.name} with its pixel size.")


def fetch_weights() -> None:
    """Download the weights that are not on this computer yet, for use without a network."""
    show_info("Looking for weights that are not on this computer yet …")
    in_background(fetch_missing, _say)


def fetch_missing() -> tuple[list[str], list[str]]:
    """Return the names of the models that are here now, and what went wrong with the others."""
    from napari_srgan.plugin.preferences import preferred_cache
    from napari_srgan.store.cache import locate, registry

    here, failed = [], []
    for weights in registry():
        try:
            locate(weights, cache=preferred_cache())
        except Exception as error:
            log.exception("the weights of %s could not be fetched", weights.name)
            failed.append(str(error))
        else:
            here.append(weights.name)
    return here, failed


def _say(outcome: tuple[list[str], list[str]]) -> None:
    here, failed = outcome
    for reason in failed:
        show_error(reason)
    if here:
        show_info(f"Ready for use without a network: {', '.join(here)}.")
