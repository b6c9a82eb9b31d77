"""Images upscaled band by band equal those upscaled whole, whatever happens on the way."""

from __future__ import annotations

import re
import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_srgan.inference import planning
from napari_srgan.inference.devices import available_devices
from napari_srgan.inference.images import layout_of
from napari_srgan.inference.run import iter_upscale_array, upscale_array
from napari_srgan.inference.runner import runner_for
from napari_srgan.inference.settings import Settings

EXACT = Settings(device="cpu", precision="float32")
WHOLE = Settings(device="cpu", precision="float32", tile=10_000)


@pytest.fixture(autouse=True)
def _always_in_bands(monkeypatch):
    """Stream small images too, in bands of 4 to 6 rows."""
    monkeypatch.setattr(planning.Tiles, "hold", lambda *_: False)
    monkeypatch.setattr(planning, "MOST_ROWS", 6)


@pytest.fixture
def bands(passes):
    """Return the list of the windows that runs have streamed."""
    return passes()


def noise(shape, dtype="u1"):
    source = np.random.default_rng(0)
    if np.dtype(dtype).kind == "f":
        return source.random(shape).astype(dtype)
    return source.integers(0, 255, shape, endpoint=True).astype(dtype)


def into_zarr(folder, image, model, chunks):
    """Return what a run has written to a zarr array with these chunks, read again."""
    zarr = pytest.importorskip("zarr")
    shape = layout_of(image.shape, image.dtype).shape(model.scale)
    out = zarr.create_array(folder / "out.zarr", shape=shape, chunks=chunks, dtype=image.dtype)
    upscale_array(image, model, settings=EXACT, out=out)
    return zarr.open_array(folder / "out.zarr")[:]


def difference(one, other):
    assert (one.shape, one.dtype) == (other.shape, other.dtype)
    return np.abs(one.astype(float) - other.astype(float)).max()


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "f4", ">u2", "bool"])
@pytest.mark.parametrize("shape", [(29, 31), (3, 17, 19), (23, 37, 3), (2, 23, 37, 4)])
def test_bands_equal_the_whole_image(random_model, bands, shape, dtype) -> None:
    image, model = noise(shape, dtype), random_model()

    found = upscale_array(image, model, settings=EXACT)

    limit = 1e-4 if np.dtype(dtype).kind == "f" else 1
    assert difference(found, upscale_array(image, model, settings=WHOLE)) <= limit
    assert sum(window.fed for window in bands if window.band) > 3


@given(
    height=st.integers(1, 60),
    width=st.integers(1, 90),
    strip=st.integers(30, 60),
    scale=st.sampled_from([2, 3, 4, 8]),
)
@settings(max_examples=25)
def test_strips_equal_the_whole_image(random_model, height, width, strip, scale) -> None:
    image, model = noise((height, width, 4)), random_model(scale=scale)

    with pytest.MonkeyPatch.context() as patch:
        cut = planning.Bands(band=5, width=strip, halo=12, bytes_per_column=1)
        patch.setattr(planning.Bands, "of", lambda *_: cut)
        found = upscale_array(image, model, settings=EXACT)

    assert difference(found, upscale_array(image, model, settings=WHOLE)) <= 1


@pytest.mark.parametrize("ahead", [1, 3])
@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_bands_that_are_fetched_later_are_the_same(random_model, dtype, ahead) -> None:
    image, model = noise((37, 29, 4), dtype), random_model()
    expected = upscale_array(image, model, settings=EXACT)
    runner = runner_for(model, colour=True, device=torch.device("cpu"), precision=torch.float32)
    runner.transfer.ahead = ahead
    assert difference(upscale_array(image, model, settings=EXACT), expected) == 0


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_bands_on_a_card_equal_the_whole_image_on_the_cpu(random_model, bands, precision) -> None:
    image, model = noise((199, 37, 3)), random_model()  # so many bands that they are recorded
    on_the_card = Settings(device=available_devices()[0], precision=precision)

    found = upscale_array(image, model, settings=on_the_card)

    assert difference(found, upscale_array(image, model, settings=WHOLE)) <= 1
    assert bands[0].fed > 30


def test_progress_rises_band_by_band_to_the_total(random_model) -> None:
    steps = iter_upscale_array(noise((2, 50, 40)), random_model(), rgb=False, settings=EXACT)
    done = [step.done for step in steps]

    assert done == sorted(set(done))
    assert len(done) > 2 * 50 / 6
    assert done[-1] == 2 * 50 * 40


def test_closing_the_run_stops_it_within_a_band(random_model, bands) -> None:
    steps = iter_upscale_array(noise((50, 40)), random_model(), settings=EXACT)
    next(steps)
    steps.close()

    assert bands[0].fed <= 6


@pytest.mark.parametrize("at", [1, 3])
@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_without_memory_for_a_band_there_are_tiles(random_model, passes, at, error) -> None:
    image, model = noise((37, 29, 3)), random_model()
    expected = upscale_array(image, model, settings=WHOLE)
    passes(lambda window, count: window.band is not None and window.fed >= at, error)
    progress = list(iter_upscale_array(image, model, settings=EXACT))
    found = upscale_array(image, model, settings=EXACT)

    assert difference(found, expected) <= 1
    notes = [step.note for step in progress if step.note]
    assert notes == ["cpu is out of memory: going on with tiles instead of bands."]
    done = [step.done for step in progress]
    assert done == sorted(done)
    assert done[-1] == 37 * 29


def test_a_card_without_memory_for_bands_goes_on_with_tiles_and_then_the_cpu(
    random_model, fake_cards
) -> None:
    image, model = noise((2, 37, 29, 3)), random_model()
    expected = upscale_array(image, model, settings=WHOLE)

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    fake_cards(begin=full)
    progress = list(iter_upscale_array(image, model, settings=EXACT))
    found = upscale_array(image, model, settings=EXACT)

    assert difference(found, expected) <= 1
    assert [step.note for step in progress if step.note] == [
        "cuda:0 is out of memory: going on with tiles instead of bands.",
        "cuda:0 is out of memory: going on with the CPU, which is slower.",
    ]
    assert progress[-1].device == "cpu"


def test_another_error_ends_the_run_unchanged(random_model, passes) -> None:
    passes(lambda window, count: count == 3, RuntimeError("CUDA error: device-side assert"))
    with pytest.raises(RuntimeError, match="device-side assert"):
        upscale_array(noise((37, 29)), random_model(), settings=EXACT)


def test_half_precision_that_overflows_is_not_seen_in_the_result(random_model, bands) -> None:
    model = random_model(batch_norm=False)
    with torch.no_grad():
        model.network.body.head.weight.mul_(2e5)
        model.network.tail.last.weight.mul_(5e-6)
    image = noise((41, 29, 3))
    image[:20] = 0  # the first bands are well

    half = upscale_array(image, model, settings=Settings(device="cpu", precision="float16"))

    full = upscale_array(image, model, settings=WHOLE)
    assert np.ptp(full) > 50
    assert difference(half, full) <= 1
    assert len(bands) == 3  # begun again, and the whole image


def test_a_result_that_is_not_finite_is_an_error(random_model) -> None:
    model = random_model()
    with torch.no_grad():
        model.network.tail.last.weight.fill_(float("inf"))
    with pytest.raises(FloatingPointError, match="not finite"):
        upscale_array(noise((41, 29)), model, settings=EXACT)


# Several devices


@pytest.fixture
def two_devices(fake_cards, passes):
    """Have the CPU stand in for two cards; return the set of the threads that compute."""
    threads = set()
    fake_cards(2)
    passes(lambda window, count: threads.add(threading.get_ident()))
    return threads


@pytest.mark.parametrize("tile", ["auto", 16])
@pytest.mark.parametrize("shape", [(5, 23, 37), (4, 19, 23, 4), (23, 200, 3), (23, 201, 4)])
@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_two_devices_give_what_one_gives(random_model, fake_cards, shape, dtype, tile) -> None:
    image, model = noise(shape, dtype), random_model()
    chosen = Settings(device="cpu", precision="float32", tile=tile)
    one = upscale_array(image, model, settings=chosen)
    fake_cards(2)

    steps = list(iter_upscale_array(image, model, settings=chosen))
    two = upscale_array(image, model, settings=chosen)

    assert difference(two, one) <= (1 if dtype == "u1" else 1e-4)
    done = [step.done for step in steps]
    assert done == sorted(done)
    assert done[-1] == steps[-1].total


def test_two_devices_work_on_planes(random_model, two_devices) -> None:
    upscale_array(noise((20, 23, 37)), random_model(), rgb=False, settings=EXACT)

    assert len(two_devices) == 2


def test_one_device_is_enough_for_one_plane(random_model, two_devices) -> None:
    upscale_array(noise((23, 150)), random_model(), settings=EXACT)

    assert two_devices == {threading.get_ident()}


def test_planes_that_share_chunks_of_a_file_are_written_by_one_device_at_a_time(
    random_model, two_devices, tmp_path
) -> None:
    image, model = noise((8, 17, 19)), random_model()

    found = into_zarr(tmp_path, image, model, chunks=(8, 68, 76))

    assert difference(found, upscale_array(image, model, settings=WHOLE)) <= 1


def test_closing_the_run_stops_both_devices(random_model, two_devices, bands) -> None:
    steps = iter_upscale_array(noise((9, 50, 40)), random_model(), settings=EXACT)
    next(steps)
    steps.close()

    assert sum(window.fed for window in bands) < 3 * 20
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("upscale")]


def test_what_goes_wrong_on_one_device_ends_the_run(random_model, fake_cards, passes) -> None:
    fake_cards(2)
    passes(lambda window, count: count == 5, RuntimeError("CUDA error: device-side assert"))
    with pytest.raises(RuntimeError, match="device-side assert"):
        upscale_array(noise((5, 37, 29)), random_model(), settings=EXACT)


# A result of one's own


@pytest.mark.parametrize("tile", ["auto", 16])
def test_an_array_that_is_given_is_filled_and_returned(random_model, tmp_path, tile) -> None:
    image, model = noise((2, 37, 29), "u2"), random_model()
    expected = upscale_array(image, model, rgb=False, settings=WHOLE)
    out = np.lib.format.open_memmap(tmp_path / "out.npy", "w+", "u2", (2, 148, 116))
    chosen = Settings(device="cpu", precision="float32", tile=tile)

    found = upscale_array(image, model, rgb=False, settings=chosen, out=out)

    assert found is out
    out.flush()
    assert difference(np.load(tmp_path / "out.npy"), expected) <= 1


def test_a_zarr_array_is_filled_band_by_band(random_model, tmp_path) -> None:
    image, model = noise((37, 29, 4)), random_model()

    found = into_zarr(tmp_path, image, model, chunks=(32, 32, 4))

    assert difference(found, upscale_array(image, model, settings=WHOLE)) <= 1


@pytest.mark.parametrize(
    "out", [np.empty((148, 116), "u1"), np.empty((148, 115), "u2"), np.empty((2, 148, 116), "u2")]
)
def test_an_array_that_does_not_suit_is_refused(random_model, out) -> None:
    with pytest.raises(ValueError, match=re.escape("The result is uint16 of shape (148, 116)")):
        upscale_array(noise((37, 29), "u2"), random_model(), settings=EXACT, out=out)
