from contextlib import ExitStack

import numpy as np
import pytest
import torch

from napari_srgan.inference import devices
from napari_srgan.inference.devices import (
    available_devices,
    choose_device,
    choose_devices,
    choose_precision,
    cuda_hint,
    describe_device,
    device_choices,
    exact_float32,
    free_memory,
    half_precision,
    is_out_of_memory,
    release_memory,
)

CPU = torch.device("cpu")
CARD = torch.device("cuda:0")


@pytest.fixture
def two_cards(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def apple(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)


@pytest.fixture
def only_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def test_auto_is_a_card_before_the_cpu(two_cards):
    assert available_devices() == ["cuda:0", "cuda:1", "cpu"]
    assert choose_device() == CARD
    assert choose_device("cuda") == CARD
    assert choose_device("cuda:1") == torch.device("cuda:1")
    assert choose_device("cpu") == CPU


def test_all_cards_are_those_there_are(two_cards):
    assert choose_devices("cuda:all") == [torch.device("cuda:0"), torch.device("cuda:1")]
    assert choose_devices("cuda") == [CARD]
    assert device_choices() == ["cuda:0", "cuda:1", "cpu", "cuda:all"]


def test_all_cards_are_not_offered_where_there_are_not_two(only_the_cpu):
    assert device_choices() == ["cpu"]
    with pytest.raises(ValueError, match="'cuda:all' is not available here; choose auto or cpu"):
        choose_devices("cuda:all")


def test_auto_is_an_apple_gpu_before_the_cpu(apple):
    assert available_devices() == ["mps", "cpu"]
    assert choose_device("auto") == torch.device("mps")


def test_auto_is_the_cpu_where_there_is_nothing_else(only_the_cpu):
    assert choose_device("auto") == CPU
    assert choose_device(CPU) == CPU


@pytest.mark.parametrize("name", ["cuda:2", "mps", "gpu", "CPU", "", None, 0])
def test_a_device_that_is_not_there_is_refused_and_those_there_are_named(two_cards, name):
    with pytest.raises(ValueError, match="not available here; choose auto or cuda:0, cuda:1, cpu"):
        choose_device(name)


def test_a_card_that_torch_was_not_built_for_gets_the_fix(only_the_cpu, monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(devices.shutil, "which", lambda name: f"/usr/bin/{name}")

    assert "pip install" in cuda_hint()
    with pytest.raises(ValueError, match=r"is a CPU build.*--index-url https://"):
        choose_device("cuda")


def test_no_fix_is_offered_where_none_is_needed(monkeypatch):
    monkeypatch.setattr(devices.shutil, "which", lambda name: None)
    assert cuda_hint() is None

    monkeypatch.setattr(devices.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(torch.version, "cuda", "12.6")
    assert cuda_hint() is None


@pytest.mark.parametrize(("count", "text"), [(1, "CPU, 1 thread, "), (4, "CPU, 4 threads, ")])
def test_the_cpu_is_described_by_its_threads_and_free_memory(monkeypatch, count, text):
    monkeypatch.setattr(torch, "get_num_threads", lambda: count)
    assert describe_device(CPU).startswith(text)
    assert describe_device(CPU).endswith(" GiB free")


def test_a_card_is_described_by_its_name_and_free_memory(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Card X")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (5 * 2**29, 2**33))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 2**30)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 2**29)

    assert describe_device(CARD) == "Card X, 3.0 GiB free"


def test_a_card_too_full_to_be_asked_has_no_memory(monkeypatch):
    def full(device):
        raise RuntimeError("CUDA error: out of memory")

    monkeypatch.setattr(torch.cuda, "mem_get_info", full)

    assert free_memory(CARD) == 0


def test_another_trouble_with_a_card_is_not_taken_for_memory(monkeypatch):
    def broken(device):
        raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(torch.cuda, "mem_get_info", broken)

    with pytest.raises(RuntimeError, match="device-side assert"):
        free_memory(CARD)


def test_free_memory_is_a_plausible_number_of_bytes():
    assert 2**20 < free_memory(CPU) < 2**50


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        MemoryError(),
        MemoryError("Unable to allocate 3 GiB for an array"),
        RuntimeError("MPS backend out of memory (MPS allocated: 4.61 GB)"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
        RuntimeError("could not create a primitive"),
        RuntimeError("std::bad_alloc"),
    ],
)
def test_every_way_of_running_out_of_memory_is_known(error):
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)"),
        ValueError("out of memory"),
        NotImplementedError("not implemented for 'Half'"),
        KeyboardInterrupt(),
    ],
)
def test_other_errors_are_not_taken_for_memory(error):
    assert not is_out_of_memory(error)


@pytest.mark.parametrize("dtype", [np.uint8, bool, np.int8])
def test_eight_bits_are_computed_in_half_precision_where_it_pays(monkeypatch, dtype):
    monkeypatch.setattr(devices, "half_precision", lambda device: torch.bfloat16)

    assert choose_precision("auto", CPU, np.dtype(dtype)) == torch.bfloat16


@pytest.mark.parametrize("dtype", [np.uint16, np.float16, np.int32, np.float64])
def test_more_bits_are_computed_in_float32(monkeypatch, dtype):
    monkeypatch.setattr(devices, "half_precision", lambda device: torch.bfloat16)

    assert choose_precision("auto", CPU, np.dtype(dtype)) == torch.float32


@pytest.mark.parametrize(
    ("capabilities", "precision"),
    [
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True}, torch.bfloat16),
        ({"avx512_bf16": False, "avx2": True}, torch.float32),
        ({}, torch.float32),
    ],
)
def test_a_cpu_gets_bfloat16_only_where_it_computes_in_it(monkeypatch, capabilities, precision):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)

    assert half_precision(CPU) == precision


@pytest.mark.parametrize(
    ("capability", "precision"), [((6, 1), torch.float32), ((7, 5), torch.float16)]
)
def test_a_card_gets_float16_only_with_tensor_cores(monkeypatch, capability, precision):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)

    assert half_precision(CARD) == precision


@pytest.mark.parametrize("name", ["float32", "float16", "bfloat16"])
def test_a_precision_that_is_asked_for_is_given(name):
    assert choose_precision(name, CPU, np.dtype(np.uint8)) == getattr(torch, name)


@pytest.mark.parametrize("name", ["half", "fp16", "", None, torch.float16])
def test_another_precision_is_refused_and_the_choices_are_named(name):
    with pytest.raises(ValueError, match="must be auto or float32, float16, bfloat16; got"):
        choose_precision(name, CPU, np.dtype(np.uint8))


def test_memory_of_every_kind_of_device_can_be_released(monkeypatch):
    emptied = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append("cuda"))
    monkeypatch.setattr(torch.mps, "empty_cache", lambda: emptied.append("mps"))

    for device in (CPU, CARD, torch.device("mps")):
        release_memory(device)

    assert emptied == ["cuda", "mps"]


def convolutions_are_exact():
    return torch.backends.cudnn.conv.fp32_precision == "ieee"


@pytest.mark.skipif(not hasattr(torch.backends.cudnn, "conv"), reason="torch before 2.9")
def test_a_card_computes_float32_in_all_its_bits_for_as_long_as_asked():
    assert not convolutions_are_exact()

    with exact_float32(CARD):
        assert convolutions_are_exact()
    with exact_float32(CPU):
        assert not convolutions_are_exact()
    with pytest.raises(MemoryError), exact_float32(CARD):
        raise MemoryError

    assert not convolutions_are_exact()


def test_float32_is_exact_until_the_last_thread_is_done():
    with ExitStack() as first, ExitStack() as second:
        first.enter_context(exact_float32(CARD))
        second.enter_context(exact_float32(CARD))
        first.close()
        assert convolutions_are_exact()
    assert not convolutions_are_exact()


def test_an_older_torch_is_asked_for_exact_float32_in_its_own_words(monkeypatch):
    monkeypatch.delattr(type(torch.backends.cudnn), "conv", raising=False)
    monkeypatch.delattr(torch.backends.cudnn, "conv", raising=False)
    assert torch.backends.cudnn.allow_tf32

    with exact_float32(CARD):
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32
