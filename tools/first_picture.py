"""Take the README's first picture: a face in napari, and what SRGAN makes of it.

    python tools/with_display.py -- python tools/first_picture.py [docs/window.png]

The photograph comes with scikit-image (NASA, the public domain). It is made small as the paper
does, upscaled by the widget's own button, and compared by *SRGAN compare*, where the small one is
interpolated as smoothly as napari can.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

# Settings of this run only: the picture should not depend on the user's, nor change them.
os.environ.setdefault("NAPARI_CONFIG", "")

import napari
import numpy as np
from demo import PLUGIN, SETTLE_SECONDS, WIDGET, WINDOW, pause, press_upscale, wait_until
from napari.qt import get_qapp
from PIL import Image
from qtpy.QtWidgets import QDialog
from skimage import data

from napari_srgan.resampling import Pixels, shrink

if TYPE_CHECKING:
    from collections.abc import Callable

PHOTOGRAPH: Callable[[], Pixels] = data.astronaut
ROOT = Path(__file__).resolve().parent.parent
MODEL = "srgan-x4"
FACE = (47.0, 57.0)  # row and column of its middle, in low-resolution pixels
ZOOM = 9.0  # screen pixels to one of these
WAIT = 300.0  # seconds


def main() -> int:
    """Take the picture, and return the exit status."""
    parser = argparse.ArgumentParser(description="Take the README's first picture.")
    parser.add_argument("out", type=Path, nargs="?", default=ROOT / "docs" / "window.png")
    path: Path = parser.parse_args().out
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*WINDOW)
    low = viewer.add_image(shrink(PHOTOGRAPH()), name="astronaut")
    low.interpolation2d = "cubic"
    upscale(viewer)
    compare(viewer)
    picture = viewer.screenshot(canvas_only=False, flash=False)
    Image.fromarray(np.asarray(picture)[..., :3]).save(path, optimize=True)
    print(f"{path}  {picture.shape[1]} × {picture.shape[0]} pixels")
    viewer.close()
    return 0


def upscale(viewer: napari.Viewer) -> None:
    """Upscale the layer by the widget's button."""
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
    widget.model.value = MODEL
    press_upscale(viewer, widget, WAIT)


def compare(viewer: napari.Viewer) -> None:
    """Show both side by side, with no notice before them."""
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "SRGAN compare", tabify=True)
    widget.mode.value = "side by side"
    viewer.scene.camera.center = FACE
    viewer.scene.camera.zoom = ZOOM
    pause(SETTLE_SECONDS)
    wait_until(lambda: not widget.busy, WAIT, "the comparison")
    for notice in get_qapp().allWidgets():
        if isinstance(notice, QDialog) and notice.isVisible():
            notice.close()
    pause(SETTLE_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
