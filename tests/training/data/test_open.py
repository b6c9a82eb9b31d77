from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_srgan.files import Picture, write_picture
from napari_srgan.resampling import shrink
from napari_srgan.training.data.crops import Crops, CropSampler
from napari_srgan.training.data.open import iter_open_pack, open_pack
from napari_srgan.training.data.pack import Pack
from napari_srgan.training.data.packing import PackingProgress

SIZES = [(40, 52), (33, 47), (64, 36), (41, 90)]


def noise(*shape: int, dtype: type = np.uint8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, shape, dtype)


def save(path: Path, data: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_picture(path, Picture(data, rgb=data.ndim == 3))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i, (h, w) in enumerate(SIZES):
        save(tmp_path / "images" / "below" / f"{i}.png", noise(h, w, 3, seed=i))
    return tmp_path / "images"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def opened(folder: Path, cache: Path, **changes: object) -> Pack:
    return open_pack(folder, cache, **{"scale": 4, "smallest": 32, **changes})  # type: ignore[arg-type]


def stamps(cache: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in cache.rglob("*") if path.is_file()}


def left_out(pack: Pack) -> dict[str, str]:
    return {left.name: left.reason for left in pack.left_out}


# What is in a pack


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_pair_is_the_image_cropped_to_the_scale_and_its_reduction(folder, cache, scale):
    pack = opened(folder, cache, scale=scale)
    assert [entry.name for entry in pack.entries] == [f"below/{i}.png" for i in range(4)]
    for i, entry in enumerate(pack.entries):
        low, high = pack.pair(i)
        original = np.asarray(Image.open(folder / entry.name))
        h, w = (side - side % scale for side in original.shape[:2])
        np.testing.assert_array_equal(high, original[:h, :w])
        np.testing.assert_array_equal(low, shrink(original[:h, :w], scale))


def test_a_16_bit_folder_keeps_16_bits(tmp_path, cache):
    data = noise(40, 52, 3, dtype=np.uint16)
    save(tmp_path / "images" / "a.png", data)
    save(tmp_path / "images" / "b.tif", data[:36])
    pack = opened(tmp_path / "images", cache)
    assert pack.dtype == np.uint16
    assert pack.white == 65535
    np.testing.assert_array_equal(pack.pair(0)[1], data)
    np.testing.assert_array_equal(pack.pair(0)[0], shrink(data))
    np.testing.assert_array_equal(pack.pair(1)[1], data[:36])


def test_a_folder_of_both_depths_is_packed_in_the_deeper_white_still_white(tmp_path, cache):
    flat, deep = noise(40, 52, 3), noise(36, 44, 3, dtype=np.uint16)
    for name, data in {"a": flat, "b": deep, "c": flat}.items():
        save(tmp_path / "images" / f"{name}.png", data)
    pack = opened(tmp_path / "images", cache)
    assert pack.dtype == np.uint16
    for i, data in enumerate([flat, deep, flat]):
        scaled = data if data is deep else data.astype(np.uint16) * 257
        np.testing.assert_array_equal(pack.pair(i)[1], scaled)
    assert pack.nbytes == sum(low.nbytes + high.nbytes for low, high in map(pack.pair, range(3)))


def test_a_deep_image_that_cannot_be_used_does_not_deepen_the_others(folder, cache):
    save(folder / "tiny.png", noise(8, 12, 3, dtype=np.uint16))
    assert opened(folder, cache).dtype == np.uint8


def test_a_grey_folder_is_packed_as_grey_or_as_colours(tmp_path, cache):
    data = noise(40, 52)
    save(tmp_path / "images" / "a.png", data)
    grey = opened(tmp_path / "images", cache, channels=1)
    assert [image.shape for image in grey.pair(0)] == [(10, 13, 1), (40, 52, 1)]
    colours = opened(tmp_path / "images", cache, channels=3)
    np.testing.assert_array_equal(colours.pair(0)[1], np.repeat(grey.pair(0)[1], 3, axis=-1))
    np.testing.assert_array_equal(colours.pair(0)[0], np.repeat(grey.pair(0)[0], 3, axis=-1))


def test_a_folder_of_many_channels_is_packed_in_these(tmp_path, cache):
    data = noise(40, 52, 5, dtype=np.uint16)
    (tmp_path / "images").mkdir()
    tifffile.imwrite(tmp_path / "images" / "a.tif", data, photometric="minisblack")
    save(tmp_path / "images" / "b.png", noise(40, 52, 3))
    pack = opened(tmp_path / "images", cache, channels=5)
    np.testing.assert_array_equal(pack.pair(0)[1], data)
    np.testing.assert_array_equal(pack.pair(0)[0][..., 4], shrink(data[..., 4]))
    assert left_out(pack) == {"b.png": "it has 3 channels, not 5"}


def test_held_back_images_are_never_drawn(folder, cache):
    pack = opened(folder, cache).without([0, 3])
    assert [entry.name for entry in pack.entries] == ["below/1.png", "below/2.png"]


def test_a_pack_is_pickled_as_its_files(folder, cache):
    pack = opened(folder, cache).without([1])
    pickled = pickle.dumps(pack)
    assert len(pickled) < pack.nbytes / 10
    copy = pickle.loads(pickled)
    assert copy.entries == pack.entries
    for i in range(3):
        np.testing.assert_array_equal(copy.pair(i)[1], pack.pair(i)[1])


def test_a_pack_in_memory_is_pickled_whole(folder, cache):
    mapped = opened(folder, cache)
    pack = Pack(np.array(mapped.high), np.array(mapped.low), mapped.entries, 4, "d")
    copy = pickle.loads(pickle.dumps(pack))
    np.testing.assert_array_equal(copy.pair(3)[0], pack.pair(3)[0])


# What cannot be used


def test_unusable_images_are_listed_with_the_reason_and_left_out(folder, cache, caplog):
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    (folder / "empty.jpg").touch()
    (folder / "page.png").write_text("<html></html>")
    whole = save(folder / "half.png", noise(60, 80, 3))
    whole.write_bytes(whole.read_bytes()[:2000])
    save(folder / "tiny.png", noise(20, 90))
    tifffile.imwrite(folder / "real.tif", np.ones((40, 52), np.float32))
    with caplog.at_level(logging.WARNING):
        pack = opened(folder, cache)
    reasons = left_out(pack)
    names = {"broken.png", "empty.jpg", "page.png", "half.png", "tiny.png", "real.tif"}
    assert reasons.keys() == names
    assert "20 × 90 pixels are too few; a side needs 32" in reasons["tiny.png"]
    assert "float32" in reasons["real.tif"]
    assert "web page" in reasons["page.png"]
    assert [entry.name for entry in pack.entries] == [f"below/{i}.png" for i in range(4)]
    assert "6 files left out" in caplog.text
    assert all(name in caplog.text for name in names)
    assert left_out(opened(folder, cache)) == reasons  # a pack that is there tells the same


def test_images_just_large_enough_are_used(tmp_path, cache):
    save(tmp_path / "images" / "a.png", noise(32, 35, 3))
    save(tmp_path / "images" / "b.png", noise(31, 90, 3))
    pack = opened(tmp_path / "images", cache)
    assert [entry.name for entry in pack.entries] == ["a.png"]
    assert left_out(pack).keys() == {"b.png"}


def test_the_smallest_image_holds_a_low_pixel(tmp_path, cache):
    save(tmp_path / "images" / "a.png", noise(3, 90, 3))
    save(tmp_path / "images" / "b.png", noise(5, 9, 3))
    for smallest in (0, 1, 4):
        pack = opened(tmp_path / "images", cache, smallest=smallest)
        assert [entry.name for entry in pack.entries] == ["b.png"]
        assert left_out(pack) == {"a.png": "3 × 90 pixels are too few; a side needs 4"}


def test_a_summary_counts_and_does_not_list_without_end(folder, cache):
    for i in range(30):
        (folder / f"bad{i:02}.png").touch()
    summary = opened(folder, cache).summary()
    assert summary.startswith("4 images, 8 bits, 3 channel(s)")
    assert "30 files left out" in summary
    assert "bad09.png" in summary
    assert "bad10.png" not in summary
    assert summary.endswith("… and 20 more")


def test_a_folder_without_images_is_refused(tmp_path, cache):
    with pytest.raises(FileNotFoundError, match="No image"):
        opened(tmp_path, cache)


def test_a_folder_of_unusable_images_is_refused_with_the_reasons(tmp_path, cache):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"None of the 1 images .*a\.png is empty"):
        opened(tmp_path / "images", cache)
    assert list(cache.iterdir()) == []


# DIV2K


@pytest.fixture
def div2k(tmp_path: Path) -> Path:
    root = tmp_path / "DIV2K"
    for i in (1, 2):
        save(root / "DIV2K_train_HR" / f"{i:04}.png", noise(40, 52, 3, seed=i))
        # Not what would be made, so that it is seen which of them is used.
        save(root / "DIV2K_train_LR_bicubic/X4" / f"{i:04}x4.png", noise(10, 13, 3, seed=9 + i))
    save(root / "DIV2K_valid_HR" / "0801.png", noise(36, 44, 3, seed=3))
    return root


def test_low_images_of_the_data_set_are_used(div2k, cache):
    pack = opened(div2k, cache)
    for i in (0, 1):
        np.testing.assert_array_equal(pack.pair(i)[0], noise(10, 13, 3, seed=10 + i))
        np.testing.assert_array_equal(pack.pair(i)[1], noise(40, 52, 3, seed=1 + i))
    assert (pack.left_out, pack.remade) == ((), ())


@pytest.mark.parametrize("damage", ["size", "content"])
def test_low_images_that_do_not_fit_are_made_and_listed(div2k, cache, damage):
    path = div2k / "DIV2K_train_LR_bicubic/X4/0002x4.png"
    path.unlink()
    if damage == "size":
        save(path, noise(13, 10, 3))
    else:
        path.write_bytes(b"no image")
    pack = opened(div2k, cache)
    np.testing.assert_array_equal(pack.pair(0)[0], noise(10, 13, 3, seed=10))
    np.testing.assert_array_equal(pack.pair(1)[0], shrink(noise(40, 52, 3, seed=2)))
    assert [remade.name for remade in pack.remade] == ["0002x4.png"]
    expected = "13 × 10 pixels; its image needs 10 × 13" if damage == "size" else "not a PNG"
    assert expected in pack.remade[0].reason
    assert "1 low images made anew" in pack.summary()


def test_a_missing_low_image_is_an_error(div2k, cache):
    (div2k / "DIV2K_train_LR_bicubic/X4/0002x4.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"0002\.png"):
        opened(div2k, cache)


def test_validation_images_are_a_pack_of_their_own(div2k, cache):
    names = [entry.name for entry in opened(div2k, cache).entries]
    assert names == ["DIV2K_train_HR/0001.png", "DIV2K_train_HR/0002.png"]
    held_back = opened(div2k, cache, part="validation")
    assert [entry.name for entry in held_back.entries] == ["DIV2K_valid_HR/0801.png"]
    np.testing.assert_array_equal(held_back.pair(0)[0], shrink(noise(36, 44, 3, seed=3)))


def test_a_folder_without_validation_images_says_so(folder, cache):
    with pytest.raises(FileNotFoundError, match="no validation images"):
        opened(folder, cache, part="validation")


# The cache


def test_images_are_packed_once(folder, cache):
    first, before = opened(folder, cache), stamps(cache)
    assert len(before) == 3
    assert opened(folder, cache).digest == first.digest
    assert stamps(cache) == before


def test_packing_tells_how_far_it_is(folder, cache):
    first = list(iter_open_pack(folder, cache, smallest=32))
    assert first == [PackingProgress(i, 4) for i in (1, 2, 3, 4)]
    assert list(iter_open_pack(folder, cache, smallest=32)) == []


def test_a_copy_of_the_folder_is_the_same_data(folder, cache, tmp_path):
    digest = opened(folder, cache).digest
    os.utime(folder / "below" / "0.png", (0, 0))
    assert opened(folder, cache).digest == digest
    folder.rename(tmp_path / "moved")
    assert opened(tmp_path / "moved", cache).digest == digest


def test_other_names_sizes_contents_and_wishes_are_other_data(folder, cache):
    digests = {opened(folder, cache).digest}
    for wish in ({"scale": 2}, {"channels": 1}, {"smallest": 16}):
        digests.add(opened(folder, cache, **wish).digest)
    first = folder / "below" / "0.png"
    first.rename(folder / "below" / "00.png")
    digests.add(opened(folder, cache).digest)
    (folder / "below" / "3.png").unlink()
    digests.add(opened(folder, cache).digest)
    # Of the same size, as an uncompressed image is after it was edited.
    save(folder / "a.bmp", noise(40, 52, 3, seed=5))
    digests.add(opened(folder, cache).digest)
    save(folder / "a.bmp", noise(40, 52, 3, seed=6))
    digests.add(opened(folder, cache).digest)
    assert len(digests) == 8


@pytest.mark.parametrize("name", ["index.json", "low.bin", "high.bin"])
@pytest.mark.parametrize("damage", ["missing", "short", "other"])
def test_half_a_pack_is_made_again(folder, cache, name, damage):
    opened(folder, cache)
    (path,) = cache.rglob(name)
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(whole[:-7] if damage == "short" else b"[1, 2]")
    assert len(opened(folder, cache).entries) == 4
    assert path.read_bytes() == whole
    assert len(list(cache.iterdir())) == 1


def test_an_interrupted_packing_leaves_nothing(folder, cache):
    packing = iter_open_pack(folder, cache, smallest=32)
    next(packing)
    assert len(list(cache.iterdir())) == 1
    packing.close()
    assert list(cache.iterdir()) == []
    assert len(opened(folder, cache).entries) == 4


def test_what_a_killed_process_left_is_removed_when_it_is_old(folder, cache):
    old, new = cache / "0123-old.part", cache / "0123-new.part"
    for left in (old, new):
        left.mkdir(parents=True)
        (left / "low.bin").touch()
    long_ago = time.time() - 86_400
    os.utime(old / "low.bin", (long_ago, long_ago))
    os.utime(old, (long_ago, long_ago))
    opened(folder, cache)
    assert not old.exists()
    assert new.exists()


def test_a_full_disk_is_an_error_that_names_the_cache_and_leaves_nothing(folder, cache):
    resource = pytest.importorskip("resource")
    save(folder / "large.png", noise(200, 250, 3))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The system cuts writes off here as on a disk with no space left.
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"cannot be kept in .*cache: .*Free space") as caught:
            opened(folder, cache)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.errno is not None
    assert list(cache.iterdir()) == []
    assert len(opened(folder, cache).entries) == 5


def test_a_cache_that_cannot_be_made_is_an_error_that_names_it(folder, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"cannot be kept in .*file"):
        opened(folder, tmp_path / "file" / "cache")


PACK = """
import sys
from pathlib import Path
from napari_srgan.training.data.open import open_pack
sys.stdin.readline()
pack = open_pack(Path(sys.argv[1]), Path(sys.argv[2]), scale=4, smallest=32)
print(len(pack.entries), int(pack.high.sum(dtype="u8")), int(pack.low.sum(dtype="u8")))
"""


@pytest.mark.parametrize("damaged", [False, True])
def test_processes_that_pack_at_once_get_the_same(folder, cache, damaged):
    if damaged:
        opened(folder, cache)
        (path,) = cache.rglob("low.bin")
        path.write_bytes(b"")
    command = [sys.executable, "-c", PACK, str(folder), str(cache)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(3)]  # type: ignore[call-overload]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = {process.communicate(timeout=60)[0] for process in processes}
    pack = opened(folder, cache)
    assert said == {f"4 {pack.high.sum(dtype='u8')} {pack.low.sum(dtype='u8')}\n"}
    assert len(list(cache.iterdir())) == 1


def test_a_sampler_goes_to_a_spawned_process(folder, cache):
    sampler = CropSampler(opened(folder, cache), Crops(3, 32))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        low, high = pool.apply(CropSampler.draw, (sampler, np.random.default_rng(5)))
    expected_low, expected_high = sampler.draw(np.random.default_rng(5))
    np.testing.assert_array_equal(low, expected_low)
    np.testing.assert_array_equal(high, expected_high)
