"""What a second processor core brings: as a thread of one process, or to a process of its own.

A stack is upscaled with one thread, with two, and by two processes of one thread that have half of
its planes each; in turns, each time in new processes, which are ready before the clock starts.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from texts import say, table

PLANES, EDGE, ROUNDS = 8, 512, 3
# Processes and threads of each.
WAYS = {"1 thread": (1, 1), "2 threads": (1, 2), "2 processes": (2, 1)}
_CODE = """
import sys
import numpy as np
from napari_srgan import load_model, upscale

planes, edge, model = int(sys.argv[1]), int(sys.argv[2]), load_model(sys.argv[3])
stack = np.random.default_rng(0).integers(0, 255, (planes, edge, edge), dtype=np.uint8)
upscale(stack[:1], model, device="cpu")  # what libraries load at first use
print("ready", flush=True)
sys.stdin.readline()
upscale(stack, model, device="cpu")
print("done", flush=True)
sys.stdin.readline()
"""


@dataclass(frozen=True)
class Way:
    """Median seconds for all planes, and which share of twice one thread's work that is."""

    name: str
    seconds: float
    efficiency: float


def measure(model: str) -> tuple[Way, ...]:
    """Upscale a stack in each way, in turns."""
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    for turn in range(1, ROUNDS + 1):
        for name, (processes, threads) in WAYS.items():
            say(f"{name}: {turn} of {ROUNDS}")
            times[name].append(_seconds(model, processes, threads))
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    one = medians["1 thread"]
    return tuple(
        Way(name, seconds, one / seconds / (WAYS[name][0] * WAYS[name][1]))
        for name, seconds in medians.items()
    )


def _seconds(model: str, processes: int, threads: int) -> float:
    command = [sys.executable, "-c", _CODE, str(PLANES // processes), str(EDGE), model]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                subprocess.Popen(
                    command, env=environment, text=True,
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                )
            )
            for _ in range(processes)
        ]  # fmt: skip
        _await(started, "ready")
        began = time.perf_counter()
        _go_on(started)
        _await(started, "done")
        seconds = time.perf_counter() - began
        _go_on(started)
    return seconds


def _await(processes: Sequence[subprocess.Popen[str]], word: str) -> None:
    for process in processes:
        assert process.stdout is not None
        if process.stdout.readline().strip() != word:
            raise RuntimeError(f"A process ended before it was {word}.")


def _go_on(processes: Sequence[subprocess.Popen[str]]) -> None:
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()


def report(found: Sequence[Way]) -> str:
    """Return the measurements as text."""
    rows = [(way.name, f"{way.seconds:.1f}", f"{100 * way.efficiency:.0f} %") for way in found]
    return table((f"{PLANES} planes of {EDGE}²", "seconds", "efficiency"), rows)
