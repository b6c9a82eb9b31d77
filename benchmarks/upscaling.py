"""Every engine on the same image and weights, in turns: time, memory, error, share of the peak."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import psutil
import torch
from arithmetic import computed_multiply_adds, peak_rate
from comparison import Comparison, Row
from engines import EXPORT_NEEDS, Engine, chosen, list_engines, not_installed
from onnx_file import export_apart
from samples import photograph
from texts import say
from workers import Array, Bench, Load, Run, Worker, WorkerError

from napari_srgan.graph.analyse import multiply_adds
from napari_srgan.graph.network import LayerNetwork, inference_network
from napari_srgan.graph.ops import Layers
from napari_srgan.graph.trace import trace
from napari_srgan.store.checkpoint import Model
from napari_srgan.store.load import load_model

LEVELS = 255  # of 8 bits, from black to white
WHOLE_IMAGE = frozenset({"reference", "whole"})  # they hold the features of the whole image
_ROWS_AT_ONCE = 256  # compared

Start: TypeAlias = Callable[[Load, Path, int], Bench]


def measure(
    weights: str, height: int, width: int, rounds: int, parts: Sequence[str] = ()
) -> Comparison:
    """Compare engines, each in a process of its own, on a photograph.

    ``parts`` of names choose some of them; see :func:`engines.chosen`.

    Raises
    ------
    MemoryError
        If the chosen engines that take the image whole would not fit, side by side.
    ExportError
        If the model cannot be exported, though all that this needs is installed.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        engines = chosen(list_engines(weights, path, torch.get_num_threads()), parts)
        check_memory(engines, weights, height, width)
        if not not_installed(*EXPORT_NEEDS):
            export_apart(weights, path)
        return compare(engines, weights, photograph(height, width), rounds, Worker)


def check_memory(engines: Sequence[Engine], weights: str, height: int, width: int) -> None:
    """Refuse what would not fit: some engines keep their memory for as long as they live.

    Raises
    ------
    MemoryError
        If it would not.
    """
    network = inference_network(load_model(weights).network)
    whole = sum(engine.kind in WHOLE_IMAGE and not engine.missing for engine in engines)
    need = whole * height * width * network.bytes_per_pixel(torch.float32)
    free = psutil.virtual_memory().available
    if need > free:
        raise MemoryError(
            f"Engines that take the whole image need about {need / 2**30:.1f} GiB for {height} × "
            f"{width} pixels; {free / 2**30:.1f} GiB are free. Choose a smaller --size, or fewer "
            "--engines."
        )


def compare(
    engines: Sequence[Engine], weights: str, image: Array, rounds: int, start: Start
) -> Comparison:
    """Run engines in turns and return what each took.

    Parameters
    ----------
    engines : sequence of Engine
        Ours first, then the reference that results are compared with.
    weights : str
        The model that they have.
    image : ndarray
        ``(h, w, 3)``, uint8; the engines are given it as float32 in [0, 1].
    rounds : int
        Runs of each engine that are timed, after one that is not.
    start : callable
        Makes a bench: :class:`workers.Worker`, or :class:`workers.LocalBench` to stay in this
        process, whose memory then tells nothing.

    Raises
    ------
    WorkerError
        If the reference fails, or another engine after it has gone well once.
    """
    model = load_model(weights)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "image.npy", image.astype(np.float32) / LEVELS)
        entrants = [_Entrant(engine, folder / f"{i}.npy") for i, engine in enumerate(engines)]
        try:
            for entrant in entrants:
                entrant.enter(folder / "image.npy", model.scale, start)
            rates = _take_turns([entrant for entrant in entrants if not entrant.note], rounds)
        finally:
            for entrant in entrants:
                entrant.leave()
        rows = tuple(entrant.row(entrants[1].result) for entrant in entrants)
    return Comparison(
        weights=weights,
        height=image.shape[0],
        width=image.shape[1],
        rows=rows,
        peak_rates=rates,
        flop_of_paper=2 * multiply_adds(trace(model.network)),
        flop_computed=2 * computed_multiply_adds(_rewritten(model)),
    )


def _rewritten(model: Model) -> Layers:
    network = inference_network(model.network)
    if not isinstance(network, LayerNetwork):
        raise ValueError(f"{model.name} cannot be read as layers.")  # noqa: TRY004
    return network.layers


class _Entrant:
    """An engine in the comparison: at work, or with a note why not."""

    def __init__(self, engine: Engine, result: Path) -> None:
        self.engine, self.result, self.note = engine, result, engine.missing
        self.bench: Bench | None = None
        self.runs: list[Run] = []

    def enter(self, image: Path, scale: int, start: Start) -> None:
        """Load the engine and run it once, which is not timed, unless it is missing."""
        if self.note:
            return
        say(f"{self.engine.name}, {self.engine.precision}: first run")
        try:
            self.bench = start(self.engine.load, image, scale)
            self.run()
            self.bench.save(self.result)
        except WorkerError as error:
            self.note = f"failed: {error}"

    def run(self) -> None:
        if self.bench is None:
            raise WorkerError(f"{self.engine.name} is not at work.")
        self.runs.append(self.bench.run())

    def leave(self) -> None:
        if self.bench is not None:
            self.bench.close()

    def row(self, reference: Path) -> Row:
        engine = self.engine
        if self.note:
            return Row(engine.name, engine.kind, engine.precision, note=self.note)
        return Row(
            engine.name,
            engine.kind,
            engine.precision,
            tuple(run.seconds for run in self.runs[1:]),
            max(run.growth for run in self.runs),
            *difference(np.load(self.result, mmap_mode="r"), np.load(reference, mmap_mode="r")),
        )


def _take_turns(entrants: Sequence[_Entrant], rounds: int) -> dict[str, float]:
    """Run all, round after round; return the peaks that were reached between."""
    rates = {entrant.engine.precision: 0.0 for entrant in entrants}
    for number in range(1, rounds + 1):
        for entrant in entrants:
            say(f"{entrant.engine.name}, {entrant.engine.precision}: {number} of {rounds}")
            entrant.run()
        for precision in rates:
            rates[precision] = max(rates[precision], peak_rate(precision))
    return rates


def difference(result: Array, reference: Array) -> tuple[float, float]:
    """Return the largest error in grey levels, and the share of values off by more than one.

    Both are float32 ``(h, w, c)`` in [0, 1]; compared in stretches of rows, in little memory.
    """
    largest, changed = 0.0, 0
    for first in range(0, len(result), _ROWS_AT_ONCE):
        rows = slice(first, first + _ROWS_AT_ONCE)
        error = LEVELS * np.abs(result[rows] - reference[rows])
        largest = max(largest, float(error.max()))
        changed += int(np.count_nonzero(error > 1))
    return largest, changed / result.size
