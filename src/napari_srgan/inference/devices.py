"""Devices and floating types: choices, names, free memory."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from threading import Lock

import numpy as np
import psutil
import torch

# What the allocators of torch, C++, cuBLAS, cuDNN and oneDNN say; the last two say it of other
# troubles also, which smaller tiles or the CPU then get round, or which remain.
_NO_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "bad_alloc",
    "alloc_failed",
    "unable to find an engine",
    "could not create a primitive",
)

PRECISIONS = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}

ALL_CARDS = "cuda:all"


def available_devices() -> list[str]:
    """Return the devices that torch can use here, fastest first: CUDA cards, MPS, CPU."""
    names = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        names.append("mps")
    return [*names, "cpu"]


def device_choices() -> list[str]:
    """Return what :func:`choose_devices` takes here, but for ``auto``."""
    names = available_devices()
    return [*names, ALL_CARDS] if len(_cards()) > 1 else names


def choose_devices(name: str = "auto") -> list[torch.device]:
    """Return the devices of a name: all cards for ``cuda:all``, else the one it names.

    Raises
    ------
    ValueError
        If torch cannot use it here.
    """
    cards = _cards()
    return cards if name == ALL_CARDS and cards else [choose_device(name)]


def _cards() -> list[torch.device]:
    return [torch.device(name) for name in available_devices() if name.startswith("cuda")]


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of a name: ``auto`` (CUDA, then MPS, then CPU), ``cpu``, ``cuda:0`` ….

    Raises
    ------
    ValueError
        If torch cannot use it here.
    """
    available = available_devices()
    if name == "auto":
        return torch.device(available[0])
    wanted = "cuda:0" if name == "cuda" else str(name)
    if wanted not in available:
        hint = cuda_hint() if wanted.startswith("cuda") else None
        raise ValueError(
            f"Device {name!r} is not available here; choose auto or {', '.join(available)}."
            + (f" {hint}" if hint else "")
        )
    return torch.device(wanted)


def describe_device(device: torch.device) -> str:
    """Return a device as a person reads it: its name and its free memory."""
    free = free_memory(device) / 2**30
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, {free:.1f} GiB free"
    if device.type == "mps":
        return f"Apple GPU, {free:.1f} GiB free"
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'s' if threads > 1 else ''}, {free:.1f} GiB free"


def cuda_hint() -> str | None:
    """Return what to do where an NVIDIA card is present and torch was built without CUDA."""
    if torch.version.cuda is not None or shutil.which("nvidia-smi") is None:
        return None
    return (
        f"This computer has an NVIDIA card, but torch {torch.__version__} is a CPU build. For a "
        f"CUDA build: {sys.executable} -m pip install --force-reinstall torch "
        "--index-url https://download.pytorch.org/whl/cu126"
    )


def free_memory(device: torch.device) -> int:
    """Return the bytes that a run on this device can still take."""
    if device.type == "cuda":
        try:
            free, _total = torch.cuda.mem_get_info(device)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return 0  # not even room to ask
        reusable = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(free) + int(reusable)
    if device.type == "mps":
        limit = torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
        return max(0, int(limit))
    return int(psutil.virtual_memory().available)


def choose_precision(name: str, device: torch.device, dtype: np.dtype[np.generic]) -> torch.dtype:
    """Return the floating type for images of a dtype on a device.

    ``auto`` is half precision where the device computes faster in it and the image has no more than
    8 bits, whose steps are wider than its rounding; float32 everywhere else.

    Raises
    ------
    ValueError
        If the name is not ``auto`` or one of :data:`PRECISIONS`.
    """
    if name != "auto":
        if name not in PRECISIONS:
            raise ValueError(f"precision must be auto or {', '.join(PRECISIONS)}; got {name!r}.")
        return PRECISIONS[name]
    if dtype.itemsize > 1:
        return torch.float32
    return half_precision(device)


def precision_name(precision: torch.dtype) -> str:
    """Return the name by which a floating type is chosen."""
    return str(precision).removeprefix("torch.")


def half_precision(device: torch.device) -> torch.dtype:
    """Return the 16-bit type that pays on a device, or float32 where none does."""
    if device.type == "cuda":
        # Tensor cores for float16 came with compute capability 7.
        return (
            torch.float16 if torch.cuda.get_device_capability(device) >= (7, 0) else torch.float32
        )
    if device.type == "cpu" and _cpu_has_bfloat16():
        return torch.bfloat16
    return torch.float32


def _cpu_has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 natively; emulation is slower than float32."""
    if not hasattr(torch.cpu, "get_capabilities"):  # older torch; float32 is always right
        return False
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


@contextmanager
def exact_float32(device: torch.device) -> Iterator[None]:
    """Have a device compute float32 in float32.

    CUDA's convolutions else drop 13 of its 23 bits (TF32), and more than one level of a uint16.
    That is a setting of the whole process: it is made when the first thread asks for it, and what
    was before returns when the last one is done.
    """
    if device.type != "cuda":
        yield
        return
    _tf32_off.enter()
    try:
        yield
    finally:
        _tf32_off.leave()


class _Shared:
    """A setting of the process, made while it is wanted by anyone in any thread."""

    def __init__(self, setting: Callable[[], AbstractContextManager[None]]) -> None:
        self._setting, self._made = setting, ExitStack()
        self._wanted, self._counting = 0, Lock()

    def enter(self) -> None:
        with self._counting:
            if not self._wanted:
                self._made.enter_context(self._setting())
            self._wanted += 1

    def leave(self) -> None:
        with self._counting:
            self._wanted -= 1
            if not self._wanted:
                self._made.close()


@contextmanager
def _without_tf32() -> Iterator[None]:
    conv = getattr(torch.backends.cudnn, "conv", None)
    if conv is None:  # torch before 2.9
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            yield
        return
    before = conv.fp32_precision
    conv.fp32_precision = "ieee"
    try:
        yield
    finally:
        conv.fp32_precision = before


_tf32_off = _Shared(_without_tf32)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that a device, or the computer, has no memory left."""
    if isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(sign in text for sign in _NO_MEMORY)


def release_memory(device: torch.device) -> None:
    """Give memory that torch keeps for later back to the device."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def release_all_memory() -> None:
    """Give memory that torch keeps for later back to every device."""
    for name in available_devices():
        release_memory(torch.device(name))
