"""A result several times larger than the memory that its process may take.

    python benchmarks/memory_limit.py [--limit MIB] [--edge 4096] [--output npy|zarr] [--model NAME]

Linux refuses the process more data memory than the limit (RLIMIT_DATA: all that is allocated, by
Python and PyTorch too). A uint16 photograph on disk is then upscaled into an array on disk, through
``out=``. Mapped files are not data: their pages are the system's, which writes them out when it
needs the room. RLIMIT_AS would count them, and the code of all libraries; RLIMIT_RSS is not heeded.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from memory import MIB, status
from samples import photograph
from workers import Array

from napari_srgan import iter_upscale, load_model, upscale
from napari_srgan.models.srresnet import SRResNet
from napari_srgan.store.checkpoint import Model

EDGE = 4096  # of the image, in pixels
# MiB beyond what libraries have taken; zarr runs threads of its own.
ROOM = {"npy": 140, "zarr": 240}
_THREADS = 2  # at most: each one's stack is data
_STRIP = 512  # rows written at a time
_ZARR_ROWS = 64  # of a chunk: what a few bands make
_ONLY_LINUX = "Left out: only Linux limits what a process allocates."


@dataclass(frozen=True)
class Limited:
    """What was written under which limit, in bytes.

    Attributes
    ----------
    limit : int
        What the process may allocate.
    before : int
        What it had allocated before, libraries included.
    most : int
        The most that it had allocated when a band was done; never above the limit.
    result : int
        The result's size.
    refused : str
        What the same call said without ``out=``.
    notes : tuple of str
        What the run told its user: that memory ran out, and what was done.
    seconds : float
        Of the run.
    """

    limit: int
    before: int
    most: int
    result: int
    refused: str
    notes: tuple[str, ...]
    seconds: float


def measure() -> Limited | str:
    """Run this file as a script, with its defaults; return why not where that cannot be."""
    if not sys.platform.startswith("linux"):
        return _ONLY_LINUX
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figures.json"
        command = [sys.executable, __file__, "--json", str(path)]
        # NumPy's linear algebra, which is not used, takes room for each thread.
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
        figures = json.loads(path.read_text(encoding="utf-8"))
    return Limited(**{**figures, "notes": tuple(figures["notes"])})


def run(model: Model, edge: int, limit: int | None, output: str, folder: Path) -> Limited:
    """Limit this process to so many bytes of data, for good, and upscale an image of this edge.

    Raises
    ------
    MemoryError
        If the limit is too low even for the result on disk.
    ValueError
        If it is so high that the result fits in memory.
    """
    low = _image(edge, folder / "low.npy")
    high = _room(output, model.scale * edge, folder)
    size = low.nbytes * model.scale**2
    before = status("VmData")
    limit = before + ROOM[output] * MIB if limit is None else limit
    _limit_data(limit)
    refused = refusal(low, model)
    most, notes, began = before, [], time.perf_counter()
    for progress in iter_upscale(low, model, device="cpu", out=high):
        most = max(most, status("VmData"))
        notes += [progress.note] if progress.note else []
    seconds = time.perf_counter() - began
    return Limited(limit, before, most, size, refused, tuple(notes), seconds)


def _image(edge: int, path: Path) -> Array:
    """Return a photograph, uint16, in a mapped file; in strips, each the mirror of the last."""
    low = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint16, shape=(edge, edge, 3))
    strip = photograph(_STRIP, edge)
    for number, top in enumerate(range(0, edge, _STRIP)):
        rows = strip[:: -1 if number % 2 else 1]
        low[top : top + _STRIP] = rows[: edge - top]
    low.flush()
    return np.load(path, mmap_mode="r")  # type: ignore[no-any-return]


def _room(output: str, edge: int, folder: Path) -> Any:
    """Return an empty array on disk, ``(edge, edge, 3)``, uint16."""
    shape = (edge, edge, 3)
    if output == "npy":
        return np.lib.format.open_memmap(
            folder / "high.npy", mode="w+", dtype=np.uint16, shape=shape
        )
    import zarr

    return zarr.create_array(
        str(folder / "high.zarr"),
        shape=shape,
        dtype="uint16",
        chunks=(min(_ZARR_ROWS, edge), edge, 3),
        compressors=None,
    )


def _limit_data(limit: int) -> None:
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def refusal(low: Array, model: Model) -> str:
    """Return what upscaling into memory says."""
    try:
        upscale(low, model, device="cpu")
    except MemoryError as error:
        return str(error)
    raise ValueError("The result fits in memory: choose a lower --limit or a larger --edge.")


def small_model() -> Model:
    """Return a small network with random weights: what is shown does not depend on them."""
    torch.manual_seed(0)
    return Model("small", SRResNet(blocks=2, features=8).eval().requires_grad_(False), {})


def report(limited: Limited | str) -> str:
    """Return what was found as text."""
    if isinstance(limited, str):
        return limited
    limit, result = limited.limit / MIB, limited.result / MIB
    lines = [
        f"The process may allocate {limit:.0f} MiB, {limited.before / MIB:.0f} MiB of which Python "
        "and its libraries have.",
        f"In memory: {limited.refused}",
        f"Into out=: {result:.0f} MiB, {result / limit:.1f} times the limit, in "
        f"{limited.seconds:.0f} s, with {limited.most / MIB:.0f} MiB allocated at most.",
    ]
    return "\n".join([*lines, *(f"It said: {note}" for note in limited.notes)])


def main() -> None:
    """Run, and print what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--limit", type=int, metavar="MIB", help=f"default: {ROOM} beyond what libraries take"
    )
    parser.add_argument("--edge", type=int, default=EDGE, metavar="PIXELS")
    parser.add_argument("--output", choices=("npy", "zarr"), default="npy")
    parser.add_argument("--model", help="a model's name or file (default: a small random network)")
    parser.add_argument("--folder", type=Path, help="where the files are, for a while")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    if not sys.platform.startswith("linux"):
        parser.error(_ONLY_LINUX)
    torch.set_num_threads(min(_THREADS, torch.get_num_threads()))
    model = load_model(options.model) if options.model else small_model()
    limit = options.limit and MIB * options.limit
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        limited = run(model, options.edge, limit, options.output, Path(folder))
    print(report(limited))
    if options.json:
        options.json.write_text(json.dumps(dataclasses.asdict(limited)), encoding="utf-8")


if __name__ == "__main__":
    main()
