"""What a CUDA card does with an image: end to end, whole, and in bands, recorded or not."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from arithmetic import peak_rate, wait_for
from samples import photograph
from texts import say, table
from torch import Tensor

from napari_srgan.graph import streaming
from napari_srgan.graph.analyse import multiply_adds
from napari_srgan.graph.network import inference_network
from napari_srgan.graph.stream_plan import StreamPlan
from napari_srgan.graph.streaming import RowStream
from napari_srgan.graph.trace import trace
from napari_srgan.inference.devices import exact_float32, half_precision, precision_name
from napari_srgan.inference.run import upscale_array
from napari_srgan.inference.settings import Settings
from napari_srgan.inference.transfers import recorded
from napari_srgan.store.load import load_model

SIZE = (540, 960)  # of the image; the result is 4K
BANDS = (32, 64, 128, 256)  # rows
_RUNS = 9


@dataclass(frozen=True)
class Way:
    """A way for an image to go.

    Attributes
    ----------
    name, precision : str
        What is done, and in which arithmetic.
    seconds : float
        Median of some runs.
    share : float
        The arithmetic of the network as trained, in that time, of a large product of matrices.
    """

    name: str
    precision: str
    seconds: float
    share: float


def measure(
    weights: str,
    device: torch.device,
    size: tuple[int, int] = SIZE,
    bands: Sequence[int] = BANDS,
    runs: int = _RUNS,
) -> tuple[Way, ...]:
    """Upscale a photograph on a device: a uint8 image and its result, then on the device alone."""
    ways = []
    model = load_model(weights)
    image = photograph(*size)
    network = inference_network(model.network)
    flop = 2 * multiply_adds(trace(model.network)) * math.prod(size)
    low = torch.from_numpy(image).movedim(-1, 0)[None] / 255
    for precision in dict.fromkeys((torch.float32, half_precision(device))):
        name = precision_name(precision)
        say(f"{device}, {name}")
        rate = peak_rate(name, device)
        settings = Settings(str(device), name)
        plan = network.stream_plan(precision)
        if plan is None:
            raise ValueError(f"{weights} cannot be streamed.")
        plan = plan.on(device)
        jobs: dict[str, Callable[[], object]] = {
            "image to image": partial(upscale_array, image, model, settings=settings)
        }
        placed = plan.placed(low)
        for rows in (*bands, size[0]):
            kind = "whole" if rows == size[0] else f"bands of {rows} rows"
            jobs[f"on the device, {kind}"] = partial(_stream, plan, placed, rows, None)
            if device.type == "cuda" and rows < size[0]:
                again = partial(_stream, plan, placed, rows, partial(recorded, device))
                jobs[f"on the device, {kind}, recorded"] = again
        for job, seconds in _timed(jobs, device, runs).items():
            ways.append(Way(job, name, seconds, flop / seconds / rate))
    return tuple(ways)


@torch.inference_mode()
def _stream(
    plan: StreamPlan,
    low: Tensor,
    band: int,
    record: Callable[[streaming.Work], streaming.Work] | None,
) -> None:
    stream = RowStream(plan, low.shape[2], low.shape[3], band, record)
    with exact_float32(low.device):
        for start, stop in stream.steps:
            stream.feed(low[:, :, start:stop])


def _timed(
    jobs: dict[str, Callable[[], object]], device: torch.device, runs: int
) -> dict[str, float]:
    """Return the median seconds of each job, all in turns, after a run that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for _run in range(runs + 1):
        for name, job in jobs.items():
            began = time.perf_counter()
            job()
            wait_for(device)
            times[name].append(time.perf_counter() - began)
    return {name: statistics.median(seconds[1:]) for name, seconds in times.items()}


def report(ways: Sequence[Way], size: tuple[int, int] = SIZE) -> str:
    """Return the figures as a table."""
    head = (f"{size[1]} × {size[0]} pixels", "arithmetic", "ms", "of peak")
    rows = [(w.name, w.precision, f"{1000 * w.seconds:.1f}", f"{w.share:.0%}") for w in ways]
    return table(head, rows)
