"""Windows of an image in a store, computed by the workers of a dask.distributed cluster."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

from napari_srgan.inference.devices import precision_name
from napari_srgan.inference.run import set_up
from napari_srgan.inference.settings import Progress, Settings, finish
from napari_srgan.inference.values.ranges import ValueRange
from napari_srgan.ngff.arrays import Arrays
from napari_srgan.ngff.making import Making
from napari_srgan.ngff.stored import open_image
from napari_srgan.store.reference import ModelReference
from napari_srgan.volume.plan import Part, Pixels, Plan, plan_of
from napari_srgan.volume.upscale import Windows, arrays_of
from napari_srgan.volume.window import iter_part

NEEDS_DISTRIBUTED = "A cluster needs the package distributed: pip install 'napari-srgan[cluster]'."
_AHEAD = 3  # windows that are given out for each thread of a worker

_one_at_a_time = threading.Lock()  # a network uses all processors of a worker


@dataclass(frozen=True)
class Job:
    """What a worker has to know: names of things that it can open itself.

    Attributes
    ----------
    source, store : str
        Folders that all workers see: the image, and the store that is being made.
    model : ModelReference
        What upscales it.
    ranges : tuple of ValueRange
        Black and white.
    settings : Settings
        How it is upscaled.
    """

    source: str
    store: str
    model: ModelReference
    ranges: tuple[ValueRange, ...]
    settings: Settings


def windows_on(address: str, model: ModelReference) -> Windows:
    """Return what does the windows of a plan on a cluster.

    A window whose worker dies is done by another one. Nothing but names and digests goes over the
    network: workers read the source and write the store themselves.

    Parameters
    ----------
    address : str
        Of its scheduler, such as ``tcp://10.0.0.1:8786``; or the path of its scheduler file.
    model : ModelReference
        The plan's model, as workers find it.

    Raises
    ------
    ImportError
        If the package distributed is missing.
    """
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise ImportError(NEEDS_DISTRIBUTED) from error
    return partial(_iter_windows, address, model)


def _iter_windows(
    address: str, model: ModelReference, plan: Plan, making: Making
) -> Generator[Progress, None, None]:
    from distributed import Client, as_completed

    if plan.image.path is None:
        raise ValueError("A cluster upscales images in stores: its workers open them by name.")
    source, store = (str(path.resolve()) for path in (plan.image.path, making.store))
    job = Job(source, store, model, plan.ranges, plan.settings)
    by_file = {"scheduler_file": address} if Path(address).is_file() else {"address": address}
    done = kept = 0
    with Client(**by_file, set_as_default=False) as client:
        parts, sent = plan.parts(), {}

        def give(count: int) -> Iterator[Any]:
            for part in islice(parts, count):
                known = making.done.get(part.key, "")
                future = client.submit(do_window, job, part, known, pure=False)
                sent[future.key] = part, known
                yield future

        seats = max(1, sum(client.nthreads().values()))
        waiting = as_completed(give(_AHEAD * seats), loop=client.loop)
        for future in waiting:
            digest, device, precision = future.result()
            part, known = sent.pop(future.key)
            if digest == known:
                kept += part.tile.pixels
            else:
                making.mark(part.key, digest)
            done += part.tile.pixels
            waiting.update(give(1))
            yield Progress(done, plan.layout.pixels, device, precision, kept=kept)


def do_window(job: Job, part: Part, known: str) -> tuple[str, str, str]:
    """Do a window on a worker; return its digest, and where and in which precision it was done."""
    with _one_at_a_time:
        plan, pixels, arrays = _opened(job)
        runner = set_up(plan.layout, plan.model, plan.settings)
        digest = finish(iter_part(plan, pixels, arrays, part, known))
        return digest, str(runner.device), precision_name(runner.precision)


@lru_cache(maxsize=2)
def _opened(job: Job) -> tuple[Plan, Pixels, Arrays]:
    """Open what a job names, once in a process."""
    plan = plan_of(open_image(Path(job.source)), job.model.load(), job.ranges, job.settings)
    pixels = Pixels(plan.image, plan.layout, fill=job.settings.nan == "fill")
    return plan, pixels, arrays_of(plan, Path(job.store))
