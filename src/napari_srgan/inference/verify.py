"""Run a model's self-test on a device and dtype, at first use or when asked; cache the pass."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from napari_srgan.files.atomic import written_whole
from napari_srgan.graph.network import inference_network
from napari_srgan.inference.devices import (
    available_devices,
    half_precision,
    is_out_of_memory,
    precision_name,
    release_memory,
)
from napari_srgan.inference.runner import Runner, check_channels
from napari_srgan.store.checkpoint import Model
from napari_srgan.store.self_test import SelfTest

log = logging.getLogger(__name__)

LEVELS = 255  # differences are told in the steps of an 8-bit image
BAND = 8  # rows: a few bands to a picture
PASSED = "self-tests.json"


@dataclass(frozen=True)
class Limit:
    """How far a right result may be off, in levels of 255, at most and on average."""

    largest: float
    mean: float


# Rounding, with room for other orders of summation and other algorithms. On a CPU, the paper's
# network is 0.002 levels off in float32 (0.0002 on average), 0.9 in float16 (0.08) and 8 in
# bfloat16 (0.7). TF32 keeps as many bits as float16: it is beyond the limits of float32.
LIMITS = {
    torch.float32: Limit(0.1, 0.01),
    torch.float16: Limit(8.0, 0.5),
    torch.bfloat16: Limit(64.0, 4.0),
}


@dataclass(frozen=True)
class Outcome:
    """What a model's self-test came to on a device.

    Attributes
    ----------
    model : str
        The model's name.
    device : torch.device
        Where it was run.
    precision : torch.dtype
        In which arithmetic.
    largest, mean : float
        How far the result was off, in levels of 255; infinite where it was not finite.
    trouble : str
        Why there is no result; mostly empty.
    """

    model: str
    device: torch.device
    precision: torch.dtype
    largest: float
    mean: float
    trouble: str = ""

    @property
    def limit(self) -> Limit:
        """How far it may be off in this arithmetic."""
        return LIMITS[self.precision]

    @property
    def passed(self) -> bool:
        """Whether it was off by rounding only."""
        return self.largest <= self.limit.largest and self.mean <= self.limit.mean

    def __str__(self) -> str:
        where = f"{self.model} on {self.device}, {precision_name(self.precision)}"
        if self.passed:
            return f"{where}: {_text(self.largest)} levels off, as it should be."
        if self.trouble:
            return f"{where}: cannot be run: {self.trouble}"
        return (
            f"{where}: {_text(self.largest)} levels off, {_text(self.mean)} on average; "
            f"no more than {_text(self.limit.largest)} and {_text(self.limit.mean)} are rounding. "
            f"{self.advice}"
        )

    @property
    def warning(self) -> str:
        """What somebody is told who is about to use the model there, where it has not passed."""
        where = f"{self.device} in {precision_name(self.precision)}"
        return (
            f"This computer's {where} computes something else than the self-test of {self.model} "
            f"expects (up to {_text(self.largest)} levels of {LEVELS} off): results are not "
            f"reliable. {self.advice}"
        )

    @property
    def advice(self) -> str:
        """What to do where it has not passed."""
        if self.precision != torch.float32:
            return "Choose precision float32."
        if self.device.type != "cpu":
            return "Choose the CPU, and update the device's driver and torch."
        return "Install another version of torch, and get the model's file again."


def verify(model: Model, device: torch.device, precision: torch.dtype) -> Outcome:
    """Run a model's self-test as images are run, whole and in bands, and compare.

    Parameters
    ----------
    model : Model
        One with a self-test.
    device : torch.device
        Where to run it.
    precision : torch.dtype
        In which arithmetic: float32, float16 or bfloat16.

    Raises
    ------
    ValueError
        If the model has no self-test, or is for other images than grey and colour ones.
    MemoryError, RuntimeError
        If the device has no memory for it, or cannot run it.
    """
    test = model.self_test
    if test is None:
        raise ValueError(f"The model {model.name} has no self-test.")
    check_channels(model, colour=model.network.channels != 1)
    runner = Runner(inference_network(model.network), device, precision)
    wanted = torch.from_numpy(test.upscaled)[None]
    results = list(_iter_results(runner, test))
    if not all(x.shape == wanted.shape and bool(torch.isfinite(x).all()) for x in results):
        return Outcome(model.name, device, precision, math.inf, math.inf)
    off = [(LEVELS * (result - wanted)).abs() for result in results]
    largest, mean = (max(float(f(each)) for each in off) for f in (torch.max, torch.mean))
    return Outcome(model.name, device, precision, largest, mean)


def iter_verify(model: Model) -> Iterator[Outcome]:
    """Run a model's self-test on every device, in float32 and in what ``auto`` takes there.

    A device that cannot run it is an outcome, too. Errors are the other ones of :func:`verify`.
    """
    for device in map(torch.device, available_devices()):
        for precision in dict.fromkeys((torch.float32, half_precision(device))):
            try:
                yield verify(model, device, precision)
            except (MemoryError, RuntimeError) as error:
                trouble = str(error).partition("\n")[0] or type(error).__name__
                yield Outcome(model.name, device, precision, math.inf, math.inf, trouble)


def _iter_results(runner: Runner, test: SelfTest) -> Iterator[Tensor]:
    """Yield the upscaled picture ``(1, c, h, w)``, unbounded, by each way that images go."""
    low = torch.from_numpy(test.low)[None].float() / LEVELS
    yield runner.run(low).float().cpu()
    if runner.plan is not None:
        work = runner.begin(low.shape[2], low.shape[3], BAND)
        bands = [work.feed(low[:, :, a:b]).float().cpu().clone() for a, b in work.steps]
        yield torch.cat(bands, 2)


def _text(levels: float) -> str:
    return np.format_float_positional(levels, precision=2, fractional=False, trim="-")


_passed: set[tuple[Path, str]] = set()  # what this process has found to be well


def first_use_note(model: Model, device: torch.device, precision: torch.dtype, cache: Path) -> str:
    """Run a model's self-test where it has not passed before, and return what the user must know.

    That it has passed is kept in a small file, for this kind of device, this arithmetic and this
    version of torch. A new driver cannot be seen from here: ``napari-srgan models --verify`` asks
    anew.

    Parameters
    ----------
    model : Model
        The model about to be used; without a self-test there is nothing to run.
    device : torch.device
        Where it will run.
    precision : torch.dtype
        In which arithmetic.
    cache : Path
        The cache folder, where the file is. One that cannot be written is no error.

    Returns
    -------
    str
        That the results are not reliable, and what to do; empty where all is well, or where there
        is no memory at present to know.
    """
    if model.self_test is None:
        return ""
    path, key = cache / PASSED, _key(model.self_test, device, precision)
    if (path, key) in _passed or key in _read(path):
        _passed.add((path, key))
        return ""
    try:
        outcome = verify(model, device, precision)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        log.info("no memory on %s for the self-test of %s: not run", device, model.name)
        release_memory(device)
        return ""
    if outcome.passed:
        _add(path, key, outcome.largest)
        _passed.add((path, key))
        return ""
    log.warning(outcome.warning)
    return outcome.warning


def _key(test: SelfTest, device: torch.device, precision: torch.dtype) -> str:
    return f"{_digest(test)} on {_kind(device)}, {precision}, torch {torch.__version__}"


@lru_cache(maxsize=64)
def _digest(test: SelfTest) -> str:
    """Return what weights are known by: what they make of the picture."""
    return hashlib.sha256(test.low.tobytes() + test.upscaled.tobytes()).hexdigest()[:16]


def _kind(device: torch.device) -> str:
    """Return what computes: the kind of device and, where it can be told, its libraries."""
    if device.type == "cuda":
        cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
        return f"{torch.cuda.get_device_name(device)}, cuDNN {cudnn}"
    if device.type == "mps":
        return f"Apple GPU, macOS {platform.mac_ver()[0]}"
    return f"{platform.machine()} CPU, {torch.backends.cpu.get_cpu_capability()}"


def _read(path: Path) -> dict[str, float]:
    """Return the self-tests that have passed, and by how many levels they were off."""
    try:
        passed = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        log.info("%s cannot be read (%s): self-tests are run again", path, error)
        return {}
    return passed if isinstance(passed, dict) else {}


def _add(path: Path, key: str, largest: float) -> None:
    text = json.dumps({**_read(path), key: largest}, indent=2)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as part:  # another process may be at it, too
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        log.info("%s cannot be written (%s): the self-test is run again next time", path, error)
