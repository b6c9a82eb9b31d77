"""An engine at work, in a process of its own, so that time and memory are its own.

A worker stays alive and runs when it is told to; engines can so take turns, and what the machine
does meanwhile falls on all of them alike.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from memory import forget_peak, peak, resident
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
# Takes an image (h, w, 3) and fills its result, (scale·h, scale·w, 3), of the same dtype.
Upscale: TypeAlias = Callable[[Array, Array], None]
Load: TypeAlias = Callable[[], Upscale]

# Edge of the image that an engine is first tried with: what libraries take once, whatever the
# image, is not counted as an image's memory.
_FIRST_EDGE = 32
_SETTLE_SECONDS = 0.2  # for the threads of the worker before, which wait in a loop for a while


class WorkerError(RuntimeError):
    """An engine failed; the message is its own."""


@dataclass(frozen=True)
class Run:
    """What a run took.

    Attributes
    ----------
    seconds : float
        Of the clock.
    growth : int
        Bytes at the peak beyond those taken before any run, when the engine was loaded and image
        and result were in memory.
    """

    seconds: float
    growth: int


class Bench(Protocol):
    """An engine with its image and room for the result."""

    def run(self) -> Run:
        """Upscale the image once."""

    def save(self, path: Path) -> None:
        """Write the result to a ``.npy`` file."""

    def close(self) -> None:
        """End it."""


class LocalBench:
    """An engine at work in this process.

    Parameters
    ----------
    load : callable
        Returns the engine.
    image : Path
        A ``.npy`` file, ``(h, w, 3)``.
    scale : int
        Upscaling factor.
    """

    def __init__(self, load: Load, image: Path, scale: int) -> None:
        self._upscale = load()
        self._image: Array = np.load(image)
        height, width, channels = self._image.shape
        self._result = np.empty((scale * height, scale * width, channels), self._image.dtype)
        self._result.fill(0)  # memory is taken when it is first written to
        first = self._image[:_FIRST_EDGE, :_FIRST_EDGE].copy()
        self._upscale(
            first, np.empty_like(self._result[: scale * len(first), : first.shape[1] * scale])
        )
        self._before = resident()
        forget_peak()

    def run(self) -> Run:
        """Upscale the image once."""
        began = time.perf_counter()
        self._upscale(self._image, self._result)
        return Run(time.perf_counter() - began, max(0, peak() - self._before))

    def save(self, path: Path) -> None:
        """Write the result to a ``.npy`` file."""
        np.save(path, self._result)

    def close(self) -> None:
        """Do nothing: it goes with its last reference."""


class Worker:
    """An engine at work in a process of its own; parameters are those of :class:`LocalBench`.

    Raises
    ------
    WorkerError
        If the engine cannot be loaded.
    """

    def __init__(self, load: Load, image: Path, scale: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, load, image, scale), daemon=True
        )
        self._process.start()
        theirs.close()
        self._answer()

    def run(self) -> Run:
        """Upscale the image once.

        Raises
        ------
        WorkerError
            If the engine fails, or its process was ended.
        """
        time.sleep(_SETTLE_SECONDS)
        self._connection.send(None)
        run = self._answer()
        if not isinstance(run, Run):
            raise WorkerError(f"It answered {run!r} in place of a run.")
        return run

    def save(self, path: Path) -> None:
        """Write the result to a ``.npy`` file."""
        self._connection.send(path)
        self._answer()

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.join()

    def _answer(self) -> Run | None:
        try:
            answer = self._connection.recv()
        except EOFError as error:
            self._process.join()
            status = self._process.exitcode
            raise WorkerError(f"its process ended with status {status}, as if killed.") from error
        if isinstance(answer, str):
            self._process.join()  # it ends with its own traceback
            raise WorkerError(answer)
        return answer if isinstance(answer, Run) else None


def _serve(connection: Connection[Any, Any], load: Load, image: Path, scale: int) -> None:
    """Answer with a run to None, and save the result to a path, until nobody asks any more."""
    try:
        bench = LocalBench(load, image, scale)
        connection.send(None)
        while True:
            try:
                path = connection.recv()
            except EOFError:
                return  # nobody asks any more
            if path is None:
                connection.send(bench.run())
            else:
                bench.save(path)
                connection.send(None)
    except Exception as error:
        connection.send(f"{type(error).__name__}: {error}")
        raise
