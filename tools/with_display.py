"""Run a command on a screen: the one there is, else a private Xvfb that ends with the command.

    python tools/with_display.py -- COMMAND [ARGUMENT ...]

Where Linux has neither a screen nor Xvfb, Qt draws off screen. The exit status is the command's.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

XVFB = ("Xvfb", "-screen", "0", "1600x1000x24", "+extension", "GLX", "-nolisten", "tcp")
START_SECONDS = 30.0


def has_display() -> bool:
    """Tell whether windows can be shown as things are."""
    if not sys.platform.startswith("linux"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


@contextmanager
def private_display() -> Iterator[str]:
    """Start Xvfb on a free number, yield its display name, and stop it afterwards.

    Raises
    ------
    RuntimeError
        If Xvfb does not come up; with what it said.
    """
    ours, theirs = os.pipe()
    with tempfile.TemporaryFile() as said:
        command = [*XVFB, "-displayfd", str(theirs)]
        # In a session of its own, so that Ctrl-C lets the command finish before its screen goes.
        server = subprocess.Popen(
            command,
            pass_fds=[theirs],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        os.close(theirs)
        try:
            number = _read_line(ours)
            if not number:
                said.seek(0)
                raise RuntimeError(f"Xvfb did not start: {said.read().decode(errors='replace')}")
            yield f":{number}"
        finally:
            os.close(ours)
            server.terminate()
            server.wait()


def _read_line(descriptor: int) -> str:
    """Return the line Xvfb writes when it is ready; empty if it ends or says nothing in time."""
    line = b""
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([descriptor], [], [], START_SECONDS)
        chunk = os.read(descriptor, 16) if ready else b""
        if not chunk:
            return ""
        line += chunk
    return line.decode().strip()


def run(command: list[str]) -> int:
    """Run `command` and return its exit status."""
    environment = dict(os.environ)
    if has_display() or environment.get("QT_QPA_PLATFORM", "xcb") != "xcb":
        return _wait(command, environment)
    with tempfile.TemporaryDirectory(prefix="runtime-") as runtime:
        # Qt warns on every start without one, and a login session that would make it is absent.
        Path(runtime).chmod(0o700)
        environment.setdefault("XDG_RUNTIME_DIR", runtime)
        if shutil.which(XVFB[0]) is None:
            print("No screen and no Xvfb: Qt draws off screen.", flush=True)
            return _wait(command, {**environment, "QT_QPA_PLATFORM": "offscreen"})
        with private_display() as display:
            environment.update(DISPLAY=display, QT_QPA_PLATFORM="xcb", PRIVATE_DISPLAY="1")
            return _wait(command, environment)


def _wait(command: list[str], environment: dict[str, str]) -> int:
    child = subprocess.Popen(command, env=environment)
    # Ctrl-C reaches the child as well, and it decides; being asked to end is passed on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for request in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        signal.signal(request, lambda *_: child.terminate())
    status = child.wait()
    return 128 - status if status < 0 else status


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments[:1] == ["--"]:
        arguments = arguments[1:]
    if not arguments:
        sys.exit("with_display: expected a command, as in: with_display.py -- python -m pytest")
    try:
        sys.exit(run(arguments))
    except (OSError, RuntimeError) as error:
        sys.exit(f"with_display: {error}")
