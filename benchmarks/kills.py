"""A store many times larger than the memory of its process, killed again and again on the way.

    python benchmarks/kills.py [--planes 30] [--edge 1500] [--kills 5] [--room MIB] [--model NAME]

A stack in OME-Zarr is upscaled in processes of their own, which Linux refuses more data memory than
a limit (RLIMIT_DATA, see memory_limit.py): once from the beginning to the end, and once killed
(SIGKILL) at moments drawn by chance. After each kill, nothing may be there that opens as an image,
for zarr, for napari or for this package; in the end both stores have the same files, byte by byte.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from memory import MIB, status

from napari_srgan.models.espcn import ESPCN
from napari_srgan.store.checkpoint import Model

PLANES, EDGE, KILLS = 40, 1500, 5
ROOM = 400  # MiB beyond what the libraries have taken
_OVER = 0.5  # of the work that is left, within which a process is killed
_REMAINS = ".out.ome.zarr.part"


@dataclass(frozen=True)
class Survived:
    """What came of it.

    Attributes
    ----------
    limit, most, result : int
        Bytes: what each process might allocate, the most that it had, and the result's pixels.
    kills : tuple of float
        How far the job was at each, of 1.
    """

    limit: int
    most: int
    result: int
    kills: tuple[float, ...]


def run(folder: Path, planes: int, edge: int, kills: int, room: int, model: str, seed: int = 0
        ) -> Survived:  # fmt: skip
    """Upscale a stack with and without kills, and compare.

    Raises
    ------
    ValueError
        If the stores differ, or something half-written opened as an image.
    """
    source = stack(folder / "in.ome.zarr", planes, edge)
    whole, target = folder / "whole.ome.zarr", folder / "out.ome.zarr"
    command = [sys.executable, __file__, "--room", str(room), "--model", model, "--child"]
    limit, most = _finished(_started([*command, str(source), str(whole)]))
    chance, when, done = random.Random(seed), [], 0.0
    for _ in range(kills):
        child = _started([*command, str(source), str(target)])
        done = _killed(child, chance.uniform(done, done + _OVER * (1 - done)))
        when.append(done)
        refuse_to_open(folder, target)
    again = _started([*command, str(source), str(target)])
    _, peak = _finished(again)
    if differing := differences(whole, target):
        raise ValueError(f"{len(differing)} files differ, such as {differing[0]}.")
    high = 16 * planes * edge**2 * 2
    return Survived(limit, max(most, peak), high, tuple(when))


def stack(path: Path, planes: int, edge: int) -> Path:
    """Write a stack (z, y, x), uint16, as OME-Zarr 0.5."""
    import zarr

    group = zarr.create_group(path)
    array = group.create_array("0", shape=(planes, edge, edge), dtype="uint16",
                               chunks=(1, min(edge, 512), min(edge, 512)))  # fmt: skip
    y, x = np.mgrid[:edge, :edge]
    for plane in range(planes):
        wave = np.sin(x / (7 + plane)) * np.cos(y / 11) + np.hypot(x - edge / 2, y) / edge
        noise = np.random.default_rng(plane).normal(0, 0.05, wave.shape)
        array[plane] = (1000 * (2 + wave + noise)).astype(np.uint16)
    axes: list[Any] = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    transforms = [{"type": "scale", "scale": [2.0, 0.5, 0.5]}]
    datasets: list[Any] = [{"path": "0", "coordinateTransformations": transforms}]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    return path


def refuse_to_open(folder: Path, target: Path) -> None:
    """Raise ValueError if anything half-written opens as an image."""
    import zarr
    from napari.components import ViewerModel

    from napari_srgan.ngff.stored import open_image

    readers: dict[str, Callable[[Path], Any]] = {
        "zarr": lambda path: zarr.open(path, mode="r"),
        "napari": lambda path: ViewerModel().open(path, plugin="napari"),
        "this package": open_image,
    }
    places = [target, folder / _REMAINS, folder / _REMAINS / "store"]
    for place in places:
        for name, read in readers.items():
            try:
                found = read(place)
            except (OSError, ValueError):
                continue
            if name == "zarr" and "multiscales" not in found.attrs.get("ome", {}):
                continue  # arrays that nothing says are an image
            raise ValueError(f"{name} opens {place}, which is not whole.")


def differences(one: Path, other: Path) -> list[str]:
    """Return the files that two folders do not have alike."""
    names = {
        str(path.relative_to(root))
        for root in (one, other)
        for path in root.rglob("*")
        if path.is_file()
    }
    return sorted(name for name in names if _content(one / name) != _content(other / name))


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _started(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _killed(child: subprocess.Popen[str], at: float) -> float:
    """Kill a process when it is so far, and return how far it was, of 1."""
    assert child.stdout is not None
    done = 0.0
    with child.stdout as lines:
        for line in lines:
            done = float(line.split()[0])
            if done >= at:
                break
        child.kill()
        for line in lines:  # what it had written meanwhile
            done = float(line.split()[0])
    child.wait()
    return done


def _finished(child: subprocess.Popen[str]) -> tuple[int, int]:
    """Return the limit of a process that ends by itself, and the most that it had allocated."""
    out, _ = child.communicate()
    if child.returncode:
        raise ValueError(f"A process ended with {child.returncode}.")
    _, limit, most = out.split("\n")[-2].split()
    return int(limit), int(most)


def work(source: Path, target: Path, model: str, room: int) -> None:
    """Upscale within a limit, printing how far it is, the limit and the most allocated so far."""
    import resource

    from napari_srgan import load_model, upscale
    from napari_srgan.inference.settings import Settings
    from napari_srgan.volume.upscale import iter_upscale_store

    loaded = load_model(model) if model else quick_model()
    upscale(np.zeros((64, 64), np.uint16), loaded, device="cpu")  # what torch loads at first use
    limit = status("VmData") + room * MIB
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    most = 0
    for step in iter_upscale_store(
        source, target, loaded, normalize="auto", settings=Settings(device="cpu")
    ):
        most = max(most, status("VmData"))
        print(f"{step.done / step.total:.4f} {limit} {most}", flush=True)


def quick_model() -> Model:
    """Return a network of few operations with random weights, so that writing takes the time."""
    import torch

    torch.manual_seed(0)
    return Model("quick", ESPCN(features=4, mapped=4, channels=1).eval().requires_grad_(False), {})


def report(found: Survived) -> str:
    """Return what was found as text."""
    limit, most, result = (value / MIB for value in (found.limit, found.most, found.result))
    moments = ", ".join(f"{100 * share:.0f} %" for share in found.kills)
    return (
        f"A result of {result:.0f} MiB in processes that may allocate {limit:.0f} MiB, "
        f"{result / limit:.1f} times as much; they had {most:.0f} MiB at most.\n"
        f"Killed at {moments}: nothing half-written opened, and in the end every file is the same."
    )


def main() -> None:
    """Run, and print what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--planes", type=int, default=PLANES)
    parser.add_argument("--edge", type=int, default=EDGE, metavar="PIXELS")
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--room", type=int, default=ROOM, metavar="MIB")
    parser.add_argument("--model", default="", help="default: a small random network")
    parser.add_argument("--folder", type=Path, help="where the files are, for a while")
    parser.add_argument("--child", nargs=2, metavar=("IN", "OUT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not sys.platform.startswith("linux"):
        parser.error("Only Linux limits what a process allocates.")
    if options.child:
        source, target = map(Path, options.child)
        work(source, target, options.model, options.room)
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        print(report(run(Path(folder), options.planes, options.edge, options.kills, options.room,
                         options.model)))  # fmt: skip


if __name__ == "__main__":
    main()
