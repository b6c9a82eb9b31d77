"""Figures as the widget and the command line put them to a person."""

from __future__ import annotations

import math

from napari_srgan.images import Layout

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def size_text(count: float) -> str:
    """Return a number of bytes: ``18 MiB``, ``3.2 GiB``."""
    power = 0
    while count >= 1000 and power < len(_UNITS) - 1:
        count, power = count / 1024, power + 1
    return (
        f"{count:.0f} {_UNITS[power]}"
        if count >= 10 or power == 0
        else f"{count:.1f} {_UNITS[power]}"
    )


def time_text(seconds: float) -> str:
    """Return a duration as a person says it: ``12 s``, ``3 min 20 s``, ``1.5 h``."""
    if seconds < 1:
        return "under a second"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds / 10) * 10, 60)
    if minutes < 10:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def shape_text(layout: Layout, scale: int = 1) -> str:
    """Return an image's size, width first as people say it: ``3 planes of 640 × 480``."""
    size = f"{scale * layout.width} × {scale * layout.height}"
    return size if layout.planes == 1 else f"{layout.planes} planes of {size}"


def run_text(layout: Layout, scale: int, memory: float, free: float, seconds: float) -> str:
    """Return what a run will make and take."""
    about = "about " if seconds >= 1 else ""
    room = f"{size_text(free)} are free" if memory <= free else f"only {size_text(free)} are free"
    return (
        f"{shape_text(layout)} → {shape_text(layout, scale)} pixels\n"
        f"{about}{time_text(seconds)}\n"
        f"{size_text(memory)} of memory; {room}"
    )


def left_text(done: int, total: int, elapsed: float) -> str:
    """Return the time left at the pace so far."""
    if not done:
        return "starting"
    left = elapsed * (total - done) / done
    percent = math.floor(100 * done / total)
    return f"{percent} %, {time_text(left)} left"
