"""A part that is upscaled is a part of what the whole gives."""

from threading import Event

import dask.array as da
import numpy as np
import pytest

from napari_srgan.inference.run import upscale_array
from napari_srgan.inference.settings import Settings, finish
from napari_srgan.plugin.lens import ranges, work
from napari_srgan.plugin.lens.messages import Look, Picture
from napari_srgan.plugin.lens.ranges import Ranges
from napari_srgan.plugin.lens.regions import Region
from napari_srgan.plugin.messages import Choices, Failed, Source, Stopped
from napari_srgan.store.load import load_model

EXACT = Settings(precision="float32", nan="fill")


def with_holes(pixels):
    pixels[..., 5:12, 20:24] = np.nan
    return pixels


def hidden(pixels):
    pixels[:30, :, 3] = 0
    return pixels


IMAGES = {
    "grey": ((40, 60), np.uint8, False, None, Region((4, 13), (20, 41)), None),
    "RGB stack": ((2, 40, 60, 3), np.uint8, True, None, Region((1, 0, 30), (2, 40, 60)), None),
    "16-bit": ((3, 40, 60), np.uint16, False, None, Region((0, 7, 9), (2, 30, 33)), None),
    "channels": ((2, 3, 40, 60), np.uint16, False, 1, Region((0, 1, 7, 9), (2, 2, 30, 33)), None),
    "floats": ((2, 40, 60), np.float32, False, None, Region((1, 3, 15), (2, 9, 30)), with_holes),
    "RGBA": ((40, 60, 4), np.uint8, True, None, Region((20, 13), (35, 41)), hidden),
}


@pytest.fixture(params=IMAGES)
def case(request, random_pixels, own_model):
    shape, dtype, rgb, axis, region, change = IMAGES[request.param]
    pixels = random_pixels(shape, dtype)
    if axis is not None:
        pixels[:, 0] //= 100  # a channel that is darker than the other
    source = Source(change(pixels) if change else pixels, rgb, None, axis)
    choices = Choices(own_model(), "auto", EXACT, None)
    look = Look(source, region, choices, Ranges(source))
    whole = upscale_array(
        source.pixels, load_model(choices.model), rgb=rgb, channel_axis=axis, settings=EXACT
    )
    *planes, rows, columns = region.slices
    inner = (slice(4 * side.start, 4 * side.stop) for side in (rows, columns))
    return look, whole[(*planes, *inner)]


def assert_alike(one, other):
    assert one.shape == other.shape
    assert one.dtype == other.dtype
    tolerance = 1 if one.dtype.kind == "u" else 1e-4 * np.ptp(other)
    np.testing.assert_allclose(one.astype(float), other.astype(float), rtol=0, atol=tolerance)


def test_what_is_kept_is_what_the_whole_gives_there(case):
    look, part = case
    picture = finish(work.iter_kept(look, Event()))

    assert isinstance(picture, Picture)
    assert_alike(picture.pixels, part)
    assert picture.made_by["model"] == "tiny"
    assert picture.made_by["device"]


def test_what_is_looked_at_is_the_same_but_for_a_border(case):
    look, part = case
    picture = work.preview(look, Event())

    assert picture.scope == "all"
    # As much as the network's answer to what it does not see: nothing, in the middle.
    step = look.source.whole.dtype.kind == "u" and np.iinfo(part.dtype).max
    difference = np.abs(picture.pixels.astype(float) - part)
    assert difference.mean() < 1e-3 * (step or np.ptp(part))


def test_the_network_that_ships_for_the_lens_is_nearly_exact_with_so_little_around(random_pixels):
    from skimage.data import camera

    pixels = camera()[100:300, 100:300]
    source = Source(pixels, False, None)
    region = Region((60, 70), (110, 130))
    look = Look(source, region, Choices("srresnet-small-x4", "auto", EXACT, None), Ranges(source))
    near, exact = work.preview(look, Event()), finish(work.iter_kept(look, Event()))

    assert np.abs(near.pixels.astype(int) - exact.pixels).max() <= 2


def test_of_a_large_lazy_image_only_what_is_in_view_is_read(monkeypatch, own_model):
    monkeypatch.setattr(ranges, "LOOKED_AT", 40 * 60)
    read = []

    def block(block_info):
        read.append(block_info[None]["array-location"][-2:])
        return np.random.default_rng(0).random((1, 100, 100))

    pixels = da.map_blocks(block, chunks=((1,) * 3, (100,) * 10, (100,) * 10), dtype=float)
    source = Source(pixels, False, None)
    region = Region((1, 520, 630), (2, 560, 680))
    choices = Choices(own_model(), "auto", EXACT, None)
    picture = work.preview(Look(source, region, choices, Ranges(source)), Event())

    assert picture.scope == "part"
    assert {(*rows, *columns) for rows, columns in read} == {(500, 600, 600, 700)}


def test_work_that_is_told_to_stop_stops_and_what_fails_is_told(case):
    look, _ = case
    stop = Event()
    stop.set()
    assert work.preview(look, stop) == Stopped()
    wrong = Choices("no such model", "auto", EXACT, None)
    outcome = work.preview(Look(look.source, look.region, wrong, look.ranges), Event())
    assert isinstance(outcome, Failed)
    assert "no such model" in outcome.reason


def test_what_does_not_fit_in_memory_is_not_begun(case, monkeypatch):
    look, _ = case
    monkeypatch.setattr(work.devices, "free_memory", lambda _: 1000)
    outcome = finish(work.iter_kept(look, Event()))

    assert isinstance(outcome, Failed)
    assert "Keep a smaller area" in outcome.reason


def test_progress_over_several_planes_goes_up_to_all_pixels(case):
    look, _ = case
    steps = list(work.iter_kept(look, Event()))

    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert steps[-1].done == steps[-1].total == look.region.pixels
