"""How much memory this process takes, and took at most."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil

_STATUS, _FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
MIB = 2**20


def resident() -> int:
    """Return the bytes of memory that this process takes at present."""
    return int(psutil.Process().memory_info().rss)


def forget_peak() -> None:
    """Have :func:`peak` begin anew; does nothing where only Linux's way is missing."""
    if _FORGET.exists():
        _FORGET.write_text("5")  # as Linux documents it: reset the high-water mark


def peak() -> int:
    """Return the bytes that this process took at most since :func:`forget_peak`.

    Elsewhere than on Linux: since it began, or what it takes now where the system does not say.
    """
    if _STATUS.exists():
        return status("VmHWM")
    if sys.platform == "win32":
        return resident()
    import resource

    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else 1024 * largest


def status(field: str) -> int:
    """Return a size that Linux keeps of this process, in bytes, such as ``VmData``."""
    for line in _STATUS.read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return 1024 * int(value.split()[0])
    raise ValueError(f"{_STATUS} has no line {field}.")
