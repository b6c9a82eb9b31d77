"""Open napari with the plugin, upscale its sample by the widget's own button, and take pictures.

    python tools/demo.py [--out demo-output] [--timeout 300] [--no-wait]

On a screen of one's own, napari stays open afterwards.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Settings of this run only: what the demo shows should not depend on the user's, nor change them.
os.environ.setdefault("NAPARI_CONFIG", "")

import napari
import numpy as np
from napari.qt import get_qapp
from napari.utils.notifications import notification_manager
from npe2 import PluginManager
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

PLUGIN = "napari-srgan"
WIDGET = "SRGAN upscale"
PLATFORMS_WITHOUT_PIXELS = ("offscreen", "minimal")
WINDOW = (1500, 900)
OPEN_SECONDS = 60.0
SETTLE_SECONDS = 1.0
# How much closer than a view of the whole image: single low-resolution pixels can be told apart.
CLOSER = 1.8
GAP = 12  # screen pixels between the two
# Grey levels: an empty canvas has a single colour.
LEAST_VARIATION = 5.0


class DemoError(Exception):
    """The demo did not come to its end; the message says where."""


def main() -> int:
    """Run the demo, and return the exit status."""
    options = _parse()
    if os.environ.get("QT_QPA_PLATFORM") in PLATFORMS_WITHOUT_PIXELS:
        print("The demo needs a screen. Install Xvfb (Debian package xvfb).", file=sys.stderr)
        return 1
    # It warns where the programs that tell a screen's resolution are not installed.
    logging.getLogger("vispy").setLevel(logging.ERROR)
    try:
        viewer = napari.Viewer(show=True)
        viewer.window.resize(*WINDOW)
        seconds = upscale_sample(viewer, options.timeout)
        show_side_by_side(viewer)
        save(viewer, options.out.absolute(), seconds)
    except DemoError as error:
        print(f"The demo failed. {error}", file=sys.stderr, flush=True)
        # The work may go on in a thread, and Qt would crash if it were taken down under it.
        os._exit(1)
    if options.wait:
        print("napari stays open; close its window to end.", flush=True)
        napari.run()
    else:
        viewer.close()
    return 0


def _parse() -> argparse.Namespace:
    nobody_looks = bool(os.environ.get("CI") or os.environ.get("PRIVATE_DISPLAY"))
    parser = argparse.ArgumentParser(description="Upscale the sample in napari.")
    parser.add_argument("--out", type=Path, default=Path("demo-output"), help="folder of pictures")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds for the upscaling")
    parser.add_argument(
        "--no-wait",
        action="store_false",
        dest="wait",
        default=not nobody_looks,
        help="close napari at the end, as on a machine without a screen",
    )
    return parser.parse_args()


def upscale_sample(viewer: napari.Viewer, timeout: float) -> float:
    """Open the sample and the widget, press its button, and return the seconds until the result."""
    samples = PluginManager.instance().get_manifest(PLUGIN).contributions.sample_data
    if not samples:
        raise DemoError(f"{PLUGIN} offers no sample.")
    viewer.open_sample(PLUGIN, samples[0].key)
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
    return press_upscale(viewer, widget, timeout)


def press_upscale(viewer: napari.Viewer, widget: Any, timeout: float) -> float:
    """Press the widget's button for a lone layer, and return the seconds until the result."""
    wait_until(lambda: bool(widget.run.enabled), OPEN_SECONDS, "the button to become ready")
    start = time.monotonic()
    widget.run.native.click()
    wait_until(lambda: len(viewer.layers) > 1 or not widget.busy, timeout, "the upscaled layer")
    if len(viewer.layers) < 2:
        raise DemoError(f"No layer was added. {_last_notice()}")
    return time.monotonic() - start


def show_side_by_side(viewer: napari.Viewer) -> None:
    """Put the layers next to each other, the low-resolution one on the left."""
    grid = viewer.canvas.grid
    grid.shape, grid.stride, grid.spacing = (1, len(viewer.layers)), 1, GAP
    grid.enabled = True
    viewer.reset_view()
    viewer.scene.camera.zoom *= CLOSER
    pause(SETTLE_SECONDS)


def save(viewer: napari.Viewer, folder: Path, seconds: float) -> None:
    """Write the pictures and say where they are.

    Raises
    ------
    DemoError
        If the canvas shows nothing, or a picture is of one colour.
    """
    folder.mkdir(parents=True, exist_ok=True)
    canvas = viewer.screenshot(canvas_only=True, flash=False)
    for side, half in zip(("left", "right"), np.array_split(canvas, 2, axis=1), strict=True):
        _require_variation(half, f"the {side} half of napari's canvas")
    low, upscaled = viewer.layers[0], viewer.layers[-1]
    pictures = {
        "window.png": viewer.screenshot(canvas_only=False, flash=False),
        "low.png": np.asarray(low.data),
        "upscaled.png": np.asarray(upscaled.data),
    }
    print(f"{low.name} → {upscaled.name} in {seconds:.1f} s")
    for name, pixels in pictures.items():
        _require_variation(pixels, name)
        Image.fromarray(pixels).save(folder / name)
        h, w = pixels.shape[:2]
        print(f"  {folder / name}  {w} × {h} pixels", flush=True)


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Let the window work until `condition` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise DemoError(f"Waited {seconds:.0f} s for {what}. {_last_notice()}")
        pause(0.02)


def pause(seconds: float) -> None:
    """Let the window work for some time."""
    application = get_qapp()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        application.processEvents()
        time.sleep(0.005)


def _require_variation(pixels: np.ndarray[Any, Any], what: str) -> None:
    if float(pixels[..., :3].std()) < LEAST_VARIATION:
        raise DemoError(f"There is nothing to see in {what}: all of it has about one colour.")


def _last_notice() -> str:
    records = notification_manager.records
    return f"napari's last notice: {records[-1].message}" if records else "napari said nothing."


if __name__ == "__main__":
    sys.exit(main())
