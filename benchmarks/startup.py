"""What a person waits for: the import, the first result, the first widget; each in a new process.

Times are those of the process's own clock, without the start of Python. The first round, which
fills the disk's cache and passes the model's self-test, does not count.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from texts import say, table

ROUNDS = 5
_TIMED = """
import time
began = time.perf_counter()
{code}
print("seconds", time.perf_counter() - began)
"""
_WIDGET = """
import time
import napari
viewer = napari.Viewer()
napari.qt.get_qapp().processEvents()
began = time.perf_counter()
viewer.window.add_plugin_dock_widget("napari-srgan", "SRGAN upscale")
napari.qt.get_qapp().processEvents()
print("seconds", time.perf_counter() - began)
viewer.close()
"""
STEPS = {
    "import napari_srgan": _TIMED.format(code="import napari_srgan"),
    "command line": _TIMED.format(code="from napari_srgan.cli import app"),
    "first result, 64 × 64": _TIMED.format(
        code="import numpy, napari_srgan\n"
        "napari_srgan.upscale(numpy.zeros((64, 64, 3), numpy.uint8))"
    ),
    "first widget, in an open viewer": _WIDGET,
}


@dataclass(frozen=True)
class Wait:
    """What a step took: the median of its rounds, in seconds; or why it was left out."""

    step: str
    seconds: float | None
    note: str = ""


def measure(rounds: int = ROUNDS) -> tuple[Wait, ...]:
    """Run every step in turns, each time in a new process."""
    notes = {step: "" if code is not _WIDGET else no_window() for step, code in STEPS.items()}
    times: dict[str, list[float]] = {step: [] for step, note in notes.items() if not note}
    for number in range(rounds + 1):
        say(f"starting: {number} of {rounds}")
        for step, taken in times.items():
            taken.append(_seconds(STEPS[step]))
    return tuple(
        Wait(step, statistics.median(times[step][1:]) if step in times else None, note)
        for step, note in notes.items()
    )


def _seconds(code: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True
    )
    word, seconds = done.stdout.splitlines()[-1].split()
    if word != "seconds":
        raise ValueError(f"A step said {done.stdout!r}.")
    return float(seconds)


def no_window() -> str:
    """Return why no viewer can be opened here; empty where one can."""
    bindings = ("PyQt6", "PySide6", "PyQt5", "PySide2")
    if not any(importlib.util.find_spec(binding) for binding in bindings):
        return 'no Qt: python -m pip install "napari[pyqt6]"'
    screen = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    if sys.platform.startswith("linux") and not screen:
        return "no screen: python tools/with_display.py -- python benchmarks"
    return ""


def report(waits: Sequence[Wait]) -> str:
    """Return the steps as text."""
    rows = [
        (wait.step, f"{1000 * wait.seconds:.0f}" if wait.seconds is not None else wait.note)
        for wait in waits
    ]
    return table(("", "ms"), rows)
