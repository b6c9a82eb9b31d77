"""How the widget words sizes, times, runs and errors."""

from __future__ import annotations

import math
import re

from napari_srgan.inference.images import Layout
from napari_srgan.store.registry import ModelInfo
from napari_srgan.wording import printable

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
    return (
        f"{shape_text(layout)} → {shape_text(layout, scale)} pixels\n"
        f"{_about(seconds)}\n"
        f"{size_text(memory)} of memory; {size_text(free)} are free"
    )


def deferred_text(layout: Layout, scale: int, seconds: float) -> str:
    """Return what a run will make whose planes, of so many seconds, are computed when shown."""
    return (
        f"{shape_text(layout)} → {shape_text(layout, scale)} pixels\n"
        f"computed when shown, {_about(seconds)} a plane"
    )


def too_large_text(memory: float, free: float, *, planes: bool) -> str:
    """Return why a run that does not fit in memory cannot begin, and what to choose instead.

    Parameters
    ----------
    memory, free : float
        Bytes that it takes and that are free.
    planes : bool
        Whether one of several planes could be chosen.
    """
    fewer = "Planes → current, or " if planes else ""
    return (
        f"This takes {size_text(memory)} of memory; only {size_text(free)} are free. Choose "
        f"{fewer}Advanced options → Compute → when shown."
    )


def _about(seconds: float) -> str:
    return f"{'about ' if seconds >= 1 else ''}{time_text(seconds)}"


def left_text(done: int, total: int, elapsed: float) -> str:
    """Return the time left at the pace so far."""
    if not done:
        return "starting"
    left = elapsed * (total - done) / done
    percent = math.floor(100 * done / total)
    return f"{percent} %, {time_text(left)} left"


def caution_text(info: ModelInfo) -> str:
    """Return what must be known before a model's result is believed; nothing of a faithful one."""
    if info.generative is None:
        return "⚠ May invent detail: not known"
    return "⚠ Invents detail: do not measure" if info.generative else ""


def details_text(info: ModelInfo) -> str:
    """Return a model's figures: ``×2 ×3 ×4 · 3.2 MiB · BSD-3-Clause``."""
    licence = printable(info.licence, 40) or "licence not known"
    factors = " ".join(f"×{scale}" for scale in info.scales)
    return f"{factors} · {size_text(info.size)} · {licence}"


# What messages say to people who write code, in the words of the widget's controls.
_ADVANCED = "Advanced options → "
_WORDS = (
    (r"say nan='fill' to fill them", f"choose {_ADVANCED}NaN → fill from neighbours to fill them"),
    (r"Use --overwrite to replace it", "Choose another name"),
    (r"\bnormalize must be", f"{_ADVANCED}Normalize must be"),
    (r"\bgive normalize\b", f"give {_ADVANCED}Normalize"),
    (r"Leave tile at 'auto'", f"Set {_ADVANCED}Tile to 0"),
    (r"\bprecision must be", f"{_ADVANCED}Precision must be"),
    (r"; choose auto or ", "; choose Device → automatic or "),
)


def in_controls_words(message: str) -> str:
    """Return an error's message, what to do being said in the words of the widget's controls."""
    for pattern, words in _WORDS:
        message = re.sub(pattern, words, message)
    return message
