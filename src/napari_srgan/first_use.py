"""A model's first use in an arithmetic on this computer: its self-test is run, once it passes."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
from pathlib import Path

import torch

from napari_srgan.checkpoints import Model
from napari_srgan.devices import is_out_of_memory, release_memory
from napari_srgan.self_test import SelfTest
from napari_srgan.verification import verify

PASSED = "self-tests.json"

log = logging.getLogger(__name__)


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
    if key in _read(path):
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
        return ""
    log.warning(outcome.warning)
    return outcome.warning


def _key(test: SelfTest, device: torch.device, precision: torch.dtype) -> str:
    # Weights are known by what they make of the picture.
    digest = hashlib.sha256(test.low.tobytes() + test.upscaled.tobytes()).hexdigest()[:16]
    return f"{digest} on {_kind(device)}, {precision}, torch {torch.__version__}"


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
    part = path.with_name(f"{path.name}.{os.getpid()}.part")  # another process may be at it, too
    text = json.dumps({**_read(path), key: largest}, indent=2)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        log.info("%s cannot be written (%s): the self-test is run again next time", path, error)
