"""Find the system libraries that are missing, and install them where the user may.

Nothing here needs more than the standard library: it runs before anything is installed.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from with_display import has_display

if TYPE_CHECKING:
    from collections.abc import Sequence

# What the Qt and OpenGL wheels load at run time, and the Debian package that has each.
QT_LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libxkbcommon.so.0": "libxkbcommon0",
}
# What Qt's X11 platform needs beyond that, on a real screen or under Xvfb.
X11_LIBRARIES = {
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
APT_OPTIONS = ("-q", "-y", "-o", "DPkg::Lock::Timeout=300")


class MissingPackagesError(Exception):
    """System packages are missing, and this user may not install them."""


@dataclass(frozen=True)
class Need:
    """One missing thing: its name, the Debian package that has it, and whether to insist."""

    name: str
    package: str
    required: bool = True


def find_missing(window: str) -> list[Need]:
    """Return what this machine lacks.

    Parameters
    ----------
    window : {"no", "maybe", "yes"}
        Whether windows are opened: never; with real pixels if a screen can be had; always.
    """
    missing = []
    if importlib.util.find_spec("ensurepip") is None:
        python = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        missing.append(Need("ensurepip", f"{python}-venv"))
    if not sys.platform.startswith("linux") or window == "no":
        return missing
    on_screen = window == "yes"
    missing += [Need(lib, deb) for lib, deb in QT_LIBRARIES.items() if not loads(lib)]
    missing += [Need(lib, deb, on_screen) for lib, deb in X11_LIBRARIES.items() if not loads(lib)]
    if not has_display() and shutil.which("Xvfb") is None:
        missing.append(Need("Xvfb", "xvfb", on_screen))
    return missing


def ensure(window: str) -> None:
    """Install what is missing, or say exactly how to.

    Raises
    ------
    MissingPackagesError
        If something required is missing and cannot be installed from here.
    """
    missing = find_missing(window)
    if not missing:
        return
    prefix = administrator() if shutil.which("apt-get") else None
    if prefix is not None:
        _apt_install(prefix, [need.package for need in missing])
        missing = find_missing(window)
    if any(need.required for need in missing):
        raise MissingPackagesError(_advice(missing))
    if missing:
        print(f"Tests that need a screen will be skipped. {_advice(missing)}", flush=True)


def loads(library: str) -> bool:
    """Return whether a shared library can be loaded."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def administrator() -> list[str] | None:
    """Return what to put before a command to run it as root, or None if that is not possible."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    asked = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False)
    return ["sudo", "-n"] if asked.returncode == 0 else None


def _apt_install(prefix: Sequence[str], packages: Sequence[str]) -> None:
    print(f"Installing system packages: {' '.join(packages)}", flush=True)
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *APT_OPTIONS]
    # A source that cannot be reached makes `update` fail, though the packages may be at hand.
    subprocess.run([*apt, "update"], capture_output=True, check=False)
    install = [*apt, "install", "--no-install-recommends", *packages]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"apt-get failed: {(done.stderr or done.stdout).strip()}", flush=True)


def _advice(missing: Sequence[Need]) -> str:
    names = ", ".join(need.name for need in missing)
    if shutil.which("apt-get") is None:
        return f"Missing on this system: {names}. Install them with its package manager."
    packages = " ".join(need.package for need in missing)
    sudo = "sudo " if shutil.which("sudo") and os.geteuid() != 0 else ""
    as_root = "" if sudo or os.geteuid() == 0 else ", as root"
    return (
        f"Missing on this system: {names}. To install them{as_root}:\n"
        f"    {sudo}apt-get update && {sudo}apt-get install --no-install-recommends {packages}"
    )
