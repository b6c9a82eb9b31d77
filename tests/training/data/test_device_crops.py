from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from napari_srgan.training.data import device_crops as device_packs
from napari_srgan.training.data.crops import Crops, CropSampler, iter_batches
from napari_srgan.training.data.device_crops import DeviceCropSampler, choose_sampler, to_device
from napari_srgan.training.data.open import open_pack
from napari_srgan.training.data.pack import Entry, Pack

CPU = torch.device("cpu")
SIZES = [(10, 13), (8, 11), (16, 9), (10, 22)]  # of low images


def noisy_pack(dtype: type = np.uint8, channels: int = 3, scale: int = 4) -> Pack:
    rng = np.random.default_rng(0)
    areas = np.array([h * w * channels for h, w in SIZES])
    ends = [0, *np.cumsum(areas).tolist()]
    entries = tuple(
        Entry(f"{i}", h, w, ends[i], scale**2 * ends[i]) for i, (h, w) in enumerate(SIZES)
    )
    low = rng.integers(0, np.iinfo(dtype).max + 1, ends[-1], dtype)
    high = rng.integers(0, np.iinfo(dtype).max + 1, scale**2 * ends[-1], dtype)
    return Pack(high, low, entries, scale, "d" * 64, channels)


def devices() -> list[object]:
    no_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
    return [CPU, pytest.param(torch.device("cuda"), marks=[pytest.mark.gpu, no_cuda])]


@pytest.mark.parametrize("device", devices())
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("channels", "scale"), [(3, 4), (1, 4), (5, 2), (3, 3)])
def test_crops_on_a_device_are_those_of_the_host_bit_for_bit(device, dtype, channels, scale):
    pack = noisy_pack(dtype, channels, scale)
    host = CropSampler(pack, Crops(3, 8 * scale))
    resident = DeviceCropSampler(to_device(pack, device), Crops(3, 8 * scale))
    ours, theirs = np.random.default_rng(1), np.random.default_rng(1)
    turns = set()
    for _ in range(40):
        state = ours.bit_generator.state
        for tensor, expected in zip(resident.draw(ours), host.draw(theirs), strict=True):
            assert tensor.device.type == device.type
            assert tensor.is_contiguous()
            np.testing.assert_array_equal(tensor.cpu().numpy(), expected)
        again = np.random.default_rng()
        again.bit_generator.state = state
        turns |= set(host.places(again)[:, 3].tolist())
    assert turns == set(range(8))


@pytest.mark.parametrize("device", devices())
def test_the_busiest_places_are_those_of_the_host(device):
    pack = noisy_pack()
    crops = Crops(3, 32, 3)
    host, resident = CropSampler(pack, crops), DeviceCropSampler(to_device(pack, device), crops)
    for seed in range(10):
        places = [sampler.places(np.random.default_rng(seed)) for sampler in (host, resident)]
        np.testing.assert_array_equal(*places)


@pytest.mark.parametrize("device", devices())
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_crops_become_floats_of_the_same_values(device, dtype):
    pack = noisy_pack(dtype)
    resident = DeviceCropSampler(to_device(pack, device), Crops(3, 32))
    expected = CropSampler(pack, Crops(3, 32)).draw(np.random.default_rng(1))[1]
    floats = resident.draw(np.random.default_rng(1))[1].float() / pack.white
    np.testing.assert_allclose(floats.cpu().numpy(), expected / pack.white, rtol=1e-6)


def test_held_back_images_are_not_drawn_on_a_device_either():
    pack = noisy_pack().without([1, 2])
    host = CropSampler(pack, Crops(2, 32))
    resident = DeviceCropSampler(to_device(pack, CPU), Crops(2, 32))
    for tensor, expected in zip(
        resident.draw(np.random.default_rng(0)), host.draw(np.random.default_rng(0)), strict=True
    ):
        np.testing.assert_array_equal(tensor.numpy(), expected)


def test_a_pack_is_copied_whole_in_parts(monkeypatch, tmp_path: Path):
    monkeypatch.setattr(device_packs, "CHUNK", 1000)
    (tmp_path / "images").mkdir()
    values = np.random.default_rng(0).integers(0, 256, (40, 52, 3), np.uint8)
    Image.fromarray(values).save(tmp_path / "images" / "a.png")
    pack = open_pack(tmp_path / "images", tmp_path / "cache", scale=4, smallest=32)
    resident = to_device(pack, CPU)
    np.testing.assert_array_equal(resident.high.numpy().reshape(40, 52, 3), values)
    np.testing.assert_array_equal(resident.low.numpy().reshape(10, 13, 3), pack.pair(0)[0])


def test_batches_of_a_device_are_those_of_the_host_and_need_no_thread():
    pack = noisy_pack()
    resident = DeviceCropSampler(to_device(pack, CPU), Crops(2, 32))
    host = CropSampler(pack, Crops(2, 32))
    on_device = islice(iter_batches(resident, 3, 5, rank=1, world=2), 4)
    on_host = islice(iter_batches(host, 3, 5, rank=1, world=2), 4)
    for (step, low, high), (expected_step, expected_low, expected_high) in zip(
        on_device, on_host, strict=True
    ):
        assert step == expected_step
        np.testing.assert_array_equal(low.numpy(), expected_low)
        np.testing.assert_array_equal(high.numpy(), expected_high)


def test_too_few_images_are_refused():
    with pytest.raises(ValueError, match="5 distinct images; there are 4"):
        DeviceCropSampler(to_device(noisy_pack(), CPU), Crops(5, 32))


def test_the_host_crops_where_the_device_is_the_host():
    assert isinstance(choose_sampler(noisy_pack(), CPU, Crops(2, 32)), CropSampler)


@pytest.mark.parametrize(("times_free", "kind"), [(2.1, "device"), (1.9, "host")])
def test_a_pack_is_resident_where_half_of_the_free_memory_holds_it(monkeypatch, times_free, kind):
    pack = noisy_pack()
    monkeypatch.setattr(device_packs, "free_memory", lambda device: times_free * pack.nbytes)
    monkeypatch.setattr(device_packs, "to_device", lambda pack, device: to_device(pack, CPU))
    sampler = choose_sampler(pack, torch.device("cuda"), Crops(2, 32))
    assert isinstance(sampler, DeviceCropSampler if kind == "device" else CropSampler)
