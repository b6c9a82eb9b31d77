"""What puts layers and folders into a viewer's queue, whose dock is opened or shown."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import napari.layers
from napari.utils.notifications import show_error
from qtpy.QtWidgets import QFileDialog

from napari_srgan.plugin.docks import docked
from napari_srgan.plugin.layers import unwrapped
from napari_srgan.plugin.messages import Choices
from napari_srgan.plugin.queue.widget import DOCK, Queue

if TYPE_CHECKING:
    import napari.viewer

log = logging.getLogger(__name__)


def enqueue_selected(viewer: napari.viewer.Viewer, choices: Choices) -> None:
    """Put the selected image layers into the queue, in the order of the list."""
    selected = [
        layer
        for layer in map(unwrapped, viewer.layers)
        if isinstance(layer, napari.layers.Image) and layer in viewer.layers.selection
    ]
    if not selected:
        show_error("Select image layers first: Ctrl or Shift selects several.")
        return
    docked(viewer, Queue, DOCK).add_layers(selected, choices)


def enqueue_folder(viewer: napari.viewer.Viewer, choices: Choices) -> None:
    """Ask for a folder of image files, and one to write into, and put the files into the queue."""
    folder = QFileDialog.getExistingDirectory(None, "Folder of images")
    if not folder:
        return
    output = QFileDialog.getExistingDirectory(None, "Folder to write the upscaled images into")
    if not output:
        return
    try:
        docked(viewer, Queue, DOCK).add_folder(Path(folder), Path(output), choices)
    except (OSError, ValueError) as error:
        log.info("the folder could not be queued", exc_info=True)
        show_error(str(error))
