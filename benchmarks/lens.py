"""How soon the lens follows, and how long the window ever waits meanwhile; in a process of its own.

The view is moved over a layer, each time by as much as there is in view. *first picture* is from
the camera's move to the picture on its layer, the rest of the view that it waits for included. The
longest stall is the longest time between two turns of the window's event loop, pictures being drawn
included, while the lens works.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from startup import no_window
from texts import say, table

MOVES = 4
_CODE = """
import os, sys, time
os.environ["NAPARI_CONFIG"] = ""
import napari, numpy as np
from napari.qt import get_qapp
from skimage.data import camera, astronaut

kind, edge, moves = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
photo = astronaut() if kind == "RGB" else camera().astype(kind)
image = np.concatenate([photo] * 8, axis=1)
viewer, app = napari.Viewer(), get_qapp()
viewer.window.resize(1100, 900)  # with the docks beside it, a canvas about as wide as high
viewer.add_image(image, rgb=kind == "RGB")
stalls = []

def turn_until(done, seconds=600):
    last = end = time.perf_counter()
    while not done() and last < end + seconds:
        app.processEvents()
        now = time.perf_counter()
        stalls.append(now - last)
        last = now
        time.sleep(0.001)

def aim(column):
    viewer.scene.camera.center = (edge / 2, column)
    viewer.scene.camera.zoom = viewer.canvas.size[0] / edge

turn_until(lambda: False, 1)
_, lens = viewer.window.add_plugin_dock_widget("napari-srgan", "SRGAN lens")
aim(0)
turn_until(lambda: lens.look.overlay is not None and not lens.look.busy)
times, pixels = [], []
for number in range(1, moves + 1):
    stalls.clear()
    before = lens.look.region
    began = time.perf_counter()
    aim(2.2 * edge * number)
    turn_until(lambda: lens.look.region != before and not lens.look.busy)
    times.append(time.perf_counter() - began)
    pixels.append(lens.look.region.pixels)
    turn_until(lambda: False, 0.2)
    print("move", times[-1], max(stalls), pixels[-1])
viewer.close()
"""


@dataclass(frozen=True)
class Following:
    """Medians over moves: seconds to the picture; the longest stall of all; pixels in view."""

    what: str
    seconds: float | None
    stall: float | None
    pixels: int
    note: str = ""


def measure() -> tuple[Following, ...]:
    """Move the view over a grey, a 16-bit and a colour layer."""
    found = []
    for kind, edge in (("uint8", 256), ("uint16", 256), ("RGB", 256)):
        what = f"{kind}, {edge} rows in view"
        if note := no_window():
            found.append(Following(what, None, None, 0, note))
            continue
        say(f"lens: {what}")
        done = subprocess.run(
            [sys.executable, "-c", _CODE, kind, str(edge), str(MOVES)],
            stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
        moves = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("move")]
        seconds, stalls, pixels = zip(*(map(float, move) for move in moves), strict=True)
        found.append(
            Following(what, statistics.median(seconds), max(stalls), int(statistics.median(pixels)))
        )
    return tuple(found)


def report(found: Sequence[Following]) -> str:
    """Return the measurements as text."""
    rows = [
        (one.what, one.note)
        if one.seconds is None or one.stall is None
        else (one.what, str(one.pixels), f"{1000 * one.seconds:.0f}", f"{1000 * one.stall:.0f}")
        for one in found
    ]
    return table(("", "pixels", "first picture, ms", "longest stall, ms"), rows)
