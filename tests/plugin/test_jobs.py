"""The work that the widget hands to a thread, here without one."""

from threading import Event

import dask.array as da
import numpy as np
import pytest
import torch
from dask import delayed

from napari_srgan.inference import devices
from napari_srgan.inference.run import upscale_array
from napari_srgan.inference.settings import Settings
from napari_srgan.plugin import job
from napari_srgan.plugin.job import Devices, Done, find_devices, iter_job
from napari_srgan.plugin.messages import Choices, Failed, Source, Stopped
from napari_srgan.pyramid import halved
from napari_srgan.store.load import load_model

IMAGE = np.random.default_rng(0).integers(0, 4096, (3, 40, 52), dtype=np.uint16)


def choices(model, normalize="auto", **settings):
    return Choices(model, normalize, Settings(**settings), None)


def now(model):
    """Choose to compute at once what is lazy."""
    return Choices(model, "auto", Settings(), None, "now")


def outcome(job):
    """Run a job to its end; return what it yields and what it returns."""
    progress = []
    while True:
        try:
            progress.append(next(job))
        except StopIteration as end:
            return progress, end.value


def run(pixels, chosen, *, rgb=False, plane=None):
    return outcome(iter_job(Source(pixels, rgb, plane), chosen, Event()))[1]


def unreadable():
    """Return a lazy stack that breaks when its pixels are asked for."""
    pixels = delayed(pytest.fail)("the pixels were read")
    return da.from_delayed(pixels, (3, 40, 52), np.uint16)


@pytest.fixture
def tiny(own_model):
    return own_model()


def test_the_result_is_what_the_same_settings_give_elsewhere(tiny):
    done = run(IMAGE, choices(tiny, tile=16))

    assert isinstance(done, Done)
    expected = upscale_array(IMAGE, load_model(tiny), settings=Settings(tile=16))
    np.testing.assert_array_equal(done.pixels, expected)
    assert done.scale == 4


def test_progress_starts_at_nothing_rises_and_ends_at_all(tiny):
    progress, _done = outcome(iter_job(Source(IMAGE, False, None), choices(tiny, tile=16), Event()))
    counts = [step.done for step in progress]

    assert counts[0] == 0
    assert counts[-1] == IMAGE.size == progress[-1].total
    assert counts == sorted(set(counts))


@pytest.mark.parametrize("wrap", [np.asarray, da.from_array], ids=["numpy", "dask"])
def test_one_plane_of_a_stack_is_upscaled_alone(tiny, wrap):
    done = run(wrap(IMAGE), choices(tiny, normalize="0, 4095"), plane=(1,))
    expected = upscale_array(IMAGE[1:2], load_model(tiny), normalize=(0, 4095), settings=Settings())
    np.testing.assert_array_equal(done.pixels, expected)


def test_one_plane_has_the_value_range_of_its_stack(tiny):
    stack = IMAGE.copy()
    stack[0, 0, 0], stack[2, 0, 0] = 0, 60_000

    one = run(stack, choices(tiny), plane=(1,)).pixels
    np.testing.assert_array_equal(one[0], run(stack, choices(tiny)).pixels[1])


class Counted:
    """An array that tells which of its planes are read."""

    def __init__(self, pixels):
        self.pixels, self.shape, self.dtype, self.read = pixels, pixels.shape, pixels.dtype, []

    def __getitem__(self, index):
        self.read.append(index)
        return self.pixels[index]


@pytest.mark.parametrize(
    ("dtype", "rule", "read"),
    [
        ("u1", "auto", [(1,)]),
        ("u2", (0, 300), [(1,)]),
        ("u2", "dtype", [(1,)]),
        ("u2", "auto", [(0,), (1,), (2,), (1,)]),
        ("u2", "1%, 99%", [(0,), (1,), (2,), (1,)]),
    ],
)
def test_of_an_array_on_disk_no_more_is_read_than_its_range_needs(tiny, dtype, rule, read):
    stack = Counted(IMAGE.astype(dtype))
    done = run(stack, choices(tiny, rule), plane=(1,))
    assert isinstance(done, Done)
    assert stack.read == read
    whole = run(IMAGE.astype(dtype), choices(tiny, rule)).pixels
    assert (done.pixels[0] == whole[1]).all()


def test_one_plane_of_a_channel_has_the_range_of_its_channel(tiny):
    stack = np.stack([IMAGE.astype("u2"), IMAGE.astype("u2") * 200])
    source = Source(stack, False, (0, 1), 0)
    one = outcome(iter_job(source, choices(tiny), Event()))[1].pixels
    whole = outcome(iter_job(Source(stack, False, None, 0), choices(tiny), Event()))[1].pixels
    assert (one[0, 0] == whole[0, 1]).all()
    assert (one[0, 0] == run(IMAGE.astype("u2"), choices(tiny)).pixels[1]).all()


def test_stopping_ends_the_work_after_the_tile(tiny):
    stop = Event()
    job = iter_job(Source(IMAGE, False, None), choices(tiny, tile=16), stop)
    for _ in range(3):
        next(job)
    stop.set()

    assert outcome(job) == ([], Stopped())


def test_stopping_before_the_start_reads_nothing():
    stop = Event()
    stop.set()

    assert outcome(iter_job(Source(None, False, None), choices("no such"), stop)) == ([], Stopped())


def test_stopping_comes_before_the_pixels_are_read(tiny):
    stop = Event()
    job = iter_job(Source(unreadable(), False, None), now(tiny), stop)
    assert next(job).done == 0
    stop.set()

    assert outcome(job) == ([], Stopped())


def test_a_result_that_is_complete_when_the_stop_comes_is_not_given_out(tiny):
    stop = Event()
    job = iter_job(Source(IMAGE, False, None), choices(tiny), stop)
    while (step := next(job)).done < step.total:
        pass
    stop.set()

    assert outcome(job) == ([], Stopped())


def raising(error):
    def fail(*_args):
        raise error

    return fail


@pytest.mark.parametrize(
    ("pixels", "chosen", "reason"),
    [
        (np.full((9, 7), np.nan), {}, "63 NaN and 0 infinite"),
        (np.zeros((9, 7)), {"device": "tpu"}, "'tpu' is not available"),
        (np.zeros((9, 7)), {"normalize": "a, b"}, "got 'a, b'"),
        (np.zeros((9, 7), complex), {}, "got complex128"),
        (np.zeros((0, 7)), {}, "empty"),
    ],
)
def test_what_cannot_be_upscaled_is_a_reason_not_an_exception(tiny, pixels, chosen, reason):
    failed = run(pixels, choices(tiny, **chosen))

    assert isinstance(failed, Failed)
    assert reason in failed.reason


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("a kernel failed"), "a kernel failed"),
        (ValueError(), "ValueError"),
        (torch.OutOfMemoryError("out of memory"), "Not even a tile of"),
        (MemoryError(), "Not even a tile of"),
    ],
    ids=["runtime", "silent", "device memory", "memory"],
)
def test_an_error_in_a_tile_is_a_reason_not_an_exception(tiny, passes, error, reason):
    passes(lambda window, count: True, error)
    failed = run(IMAGE, choices(tiny))

    assert isinstance(failed, Failed)
    assert reason in failed.reason


def test_too_little_memory_is_a_reason_before_anything_is_read(tiny, monkeypatch):
    monkeypatch.setattr(devices, "free_memory", lambda device: 1000)
    failed = run(unreadable(), now(tiny))

    assert isinstance(failed, Failed)
    assert "only 1.0 KiB are free" in failed.reason


def test_values_that_are_not_finite_are_filled_if_chosen(tiny):
    pixels = np.linspace(0, 1, 63).reshape(9, 7)
    pixels[3, 4] = np.nan

    assert np.isfinite(run(pixels, choices(tiny, nan="fill")).pixels).all()


def test_the_notice_has_size_time_device_and_model(tiny):
    done = run(IMAGE, choices(tiny))

    assert done.summary().startswith("3 planes of 52 × 40 → 3 planes of 208 × 160 pixels in ")
    assert done.summary().endswith(f" on {devices.available_devices()[0]} with tiny.")


def test_provenance_tells_all_choices(own_model):
    done = run(IMAGE, choices(own_model("drawn", invents=True), "dtype", nan="fill"), plane=(2,))
    made_by = done.provenance()

    assert made_by["model"] == "drawn"
    assert made_by["generative"] is True
    assert (made_by["scale"], made_by["plane"]) == (4, (2,))
    assert (made_by["normalize"], made_by["nan"]) == ("dtype", "fill")
    assert made_by["device"] == devices.available_devices()[0]
    assert made_by["precision"] in devices.PRECISIONS
    assert len(made_by["weights_sha256"]) == 64
    assert made_by["notes"] == []


def test_provenance_keeps_what_was_noted_on_the_way(tiny, passes):
    passes(lambda window, count: count == 1)
    done = run(IMAGE[0], choices(tiny))

    assert isinstance(done, Done)
    (note,) = done.provenance()["notes"]
    assert "out of memory: going on with" in note


def test_devices_are_described_and_automatic_is_first():
    found = find_devices()

    assert isinstance(found, Devices)
    names = [name for _label, name in found.choices]
    assert names == ["auto", *devices.available_devices()]
    assert set(found.descriptions) == set(names)
    assert "GiB free" in found.descriptions["auto"] == found.descriptions[names[1]]


def test_devices_that_cannot_be_listed_are_a_reason(monkeypatch):
    monkeypatch.setattr(job, "device_choices", raising(RuntimeError("driver mismatch")))

    assert find_devices() == Failed("driver mismatch")


def test_the_hint_comes_with_the_devices(monkeypatch):
    monkeypatch.setattr(job, "cuda_hint", lambda: "Install another torch.")

    assert find_devices().hint == "Install another torch."


def test_what_a_window_shows_first_of_a_large_lazy_plane_is_computed_by_the_job(tiny):
    plane = da.random.default_rng(0).integers(0, 4096, (2050, 4200), dtype=np.uint16, chunks=1000)
    job = iter_job(Source(plane, False, None), choices(tiny, normalize="0, 4095"), Event())
    progress, done = outcome(job)

    assert len(progress) > 1
    assert {step.done for step in progress} == {0}
    finest, low, *halves = done.pixels
    assert isinstance(finest, da.Array)
    assert low is plane
    assert [half.shape for half in halves] == [(1025, 2100), (513, 1050), (257, 525)]
    assert all(isinstance(half, np.ndarray) for half in halves)
    np.testing.assert_array_equal(halves[0], halved(plane.compute(), 0))


def test_a_lazy_stack_is_not_read_for_what_a_window_shows_first(tiny):
    pixels = da.from_delayed(delayed(pytest.fail)("read"), (2, 2050, 4200), np.uint16)
    done = run(pixels, choices(tiny, normalize="0, 4095"))

    assert all(isinstance(level, da.Array) for level in done.pixels)


def test_own_coarser_levels_of_a_plane_that_is_computed_when_shown_stay_as_they_are(tiny):
    finest = np.zeros((2, 1100, 4200), np.uint16)
    own = np.ones((2, 300, 1050), np.uint16)
    chosen = Choices(tiny, "0, 4095", Settings(), None, "shown")
    source = Source(finest, False, (1,), None, (own,))
    _progress, done = outcome(iter_job(source, chosen, Event()))

    assert isinstance(done, Done)
    assert any(level.shape == (1, 300, 1050) and np.all(level == 1) for level in done.pixels[2:])
