"""Set this checkout up: system libraries, a virtual environment, torch, and the package, editable.

    python3 tools/bootstrap.py [--extras testing] [--window maybe] [--venv .venv] [--torch SPEC]

Standard library only. Run again, it does nothing unless something changed; an interrupted run is
started over. When pip fails, its last lines are shown, and where all that it said is kept.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shlex
import shutil
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import system_packages

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = ROOT / "napari.yaml"
INSTALLED_MANIFEST = ROOT / "src" / "napari_srgan" / "napari.yaml"
OLDEST_PYTHON = (3, 11)
TORCH = "torch==2.13.0"
# The default torch for Linux brings several gigabytes of CUDA; here are builds without it.
CPU_TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
PROBE_SECONDS = 5.0
LOG_LINES = 15
# Kept in the virtual environment: what was installed, and whether that came to an end.
STAMP = "napari-srgan-setup.json"


class SetupError(Exception):
    """A step failed; the message says which, and what to do."""


def main() -> int:
    """Set up as the command line asks, and return the exit status."""
    options = _parse()
    if sys.version_info < OLDEST_PYTHON:
        return _start_over_with_newer_python()
    try:
        system_packages.ensure(options.window)
        set_up(options.venv.absolute(), options.torch, set(options.extras.split(",")))
    except (SetupError, system_packages.MissingPackagesError) as error:
        print(f"Setup stopped. {error}", file=sys.stderr)
        return 1
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Set this checkout up; see the file's head.")
    parser.add_argument("--extras", default="testing", help="pyproject extras, comma-separated")
    parser.add_argument("--window", choices=("no", "maybe", "yes"), default="maybe")
    parser.add_argument("--venv", type=Path, default=os.environ.get("VENV") or ROOT / ".venv")
    parser.add_argument("--torch", default=os.environ.get("TORCH") or TORCH)
    return parser.parse_args()


def _start_over_with_newer_python() -> int:
    for minor in (13, 12, 11):
        python = shutil.which(f"python3.{minor}")
        # A version manager's stub is found on the path though nothing stands behind it.
        if python and subprocess.call([python, "-c", ""], stderr=subprocess.DEVNULL) == 0:
            return subprocess.call([python, *sys.argv])
    have, need = (".".join(map(str, v)) for v in (sys.version_info[:2], OLDEST_PYTHON))
    print(f"This is Python {have}; {need} or newer is needed. Name one: make PYTHON=python{need}")
    return 1


def set_up(venv: Path, torch: str, extras: set[str]) -> None:
    """Bring `venv` up to date with this checkout.

    Raises
    ------
    SetupError
        If the environment cannot be made, or an installation fails.
    """
    interrupted = _read_stamp(venv).get("state") == "installing"
    python = ensure_venv(venv, start_over=interrupted)
    stamp = _read_stamp(venv)
    wanted = _fingerprint(python, torch)
    have = set(stamp.get("extras", [])) if stamp.get("fingerprint") == wanted else set()
    complete = stamp.get("state") == "ready" and have >= extras
    if complete and _manifest_is_installed():
        return
    record = {"fingerprint": wanted, "extras": sorted(have | extras)}
    _write_stamp(venv, {"state": "installing", **record})
    try:
        if complete:
            pip_install(
                python, "Installing napari-srgan again", ["install", "--no-deps", *_editable()]
            )
        else:
            install(python, torch, record["extras"])
    except SetupError:
        # pip ended by itself, so what it left is whole: the next run can go on from there.
        _write_stamp(venv, {"state": "failed"})
        raise
    _write_stamp(venv, {"state": "ready", **record})


def ensure_venv(venv: Path, *, start_over: bool) -> Path:
    """Return the Python of a virtual environment at `venv`, made anew where it is not sound."""
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not start_over and _runs(python, "import pip"):
        return python
    ours = venv == ROOT / ".venv" or (venv / "pyvenv.cfg").exists()
    if not ours and venv.exists() and any(venv.iterdir()):
        raise SetupError(f"{venv} is not a virtual environment. Name another folder: VENV=...")
    again = " again, as the last setup was interrupted" if start_over else ""
    print(f"Making a virtual environment in {venv}{again}", flush=True)
    command = [sys.executable, "-m", "venv", "--clear", str(venv)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SetupError(f"No virtual environment could be made: {done.stdout or done.stderr}")
    return python


def install(python: Path, torch: str, extras: Sequence[str]) -> None:
    """Install torch, then the package and its `extras`, without letting them change torch."""
    builder = _project()["build-system"]["requires"]
    pip_install(python, f"Installing {torch}", ["install", *torch_arguments(torch), *builder])
    version = "import importlib.metadata as m; print(m.version('torch'))"
    asked = subprocess.run([python, "-c", version], capture_output=True, text=True, check=True)
    constraints = python.parent.parent / "constraints.txt"
    constraints.write_text(f"torch=={asked.stdout.strip()}\n", encoding="utf-8")
    doing = f"Installing napari-srgan[{','.join(extras)}] and what it needs"
    pip_install(python, doing, ["install", "-c", str(constraints), *_editable(extras)])


def torch_arguments(torch: str) -> list[str]:
    """Return what pip is told to install torch, which may be a requirement and pip's options.

    Where no NVIDIA card is found on Linux, torch comes without CUDA if its index can be reached.
    """
    words = shlex.split(torch)
    nvidia = shutil.which("nvidia-smi") or Path("/proc/driver/nvidia").exists()
    if any("index-url" in word for word in words) or nvidia or not sys.platform.startswith("linux"):
        return words
    return [*words, "--extra-index-url", CPU_TORCH_INDEX] if answers(CPU_TORCH_INDEX) else words


def _editable(extras: Sequence[str] = ()) -> list[str]:
    named = f"[{','.join(extras)}]" if extras else ""
    return ["--no-build-isolation", "-e", f"{ROOT}{named}"]


def answers(url: str) -> bool:
    """Return whether a server answers at an address."""
    try:
        with urlopen(Request(f"{url}/", method="HEAD"), timeout=PROBE_SECONDS):
            return True
    except URLError as error:
        # The server is there; pip brings certificates that a bare system lacks.
        return isinstance(error.reason, ssl.SSLCertVerificationError)
    except OSError:
        return False


def pip_install(python: Path, doing: str, arguments: Sequence[str]) -> None:
    """Run pip, say what is done and how long it took, and log what it says."""
    log = python.parent.parent / "setup.log"
    print(f"{doing} ...", end=" ", flush=True)
    start = time.monotonic()
    with log.open("w", encoding="utf-8") as out:
        command = [str(python), "-m", "pip", "--no-input", *arguments]
        status = subprocess.call(command, stdout=out, stderr=subprocess.STDOUT)
    print(f"{'done' if status == 0 else 'failed'} in {time.monotonic() - start:.0f} s", flush=True)
    if status != 0:
        last = "\n".join(log.read_text(encoding="utf-8").splitlines()[-LOG_LINES:])
        raise SetupError(f"pip said:\n{last}\nThe whole log: {log}")


def _runs(python: Path, code: str) -> bool:
    if not python.exists():
        return False
    return subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0


def _fingerprint(python: Path, torch: str) -> str:
    """Return a digest of everything that decides what has to be installed."""
    version = subprocess.run([python, "-VV"], capture_output=True, text=True, check=True).stdout
    project = _project()
    build = [project.get(name) for name in ("build-system", "project")]
    build.append(project.get("tool", {}).get("setuptools"))
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    parts = json.dumps([str(ROOT), torch, version, build, setup])
    return hashlib.sha256(parts.encode()).hexdigest()


def _project() -> dict[str, Any]:
    # Only now: older Pythons, which have no tomllib, are to reach the message that says so.
    import tomllib

    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _manifest_is_installed() -> bool:
    """Tell whether the package's copy of the manifest, which setup.py makes, is current."""
    if not INSTALLED_MANIFEST.exists():
        return False
    return INSTALLED_MANIFEST.read_bytes() == MANIFEST.read_bytes()


def _read_stamp(venv: Path) -> dict[str, Any]:
    path = venv / STAMP
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def _write_stamp(venv: Path, record: dict[str, Any]) -> None:
    # Moved into place, so that a reader never meets half of it.
    draft = venv / f"{STAMP}.part"
    draft.write_text(json.dumps(record, indent=1), encoding="utf-8")
    draft.replace(venv / STAMP)


if __name__ == "__main__":
    sys.exit(main())
