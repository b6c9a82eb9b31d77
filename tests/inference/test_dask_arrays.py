import pickle
import time

import dask
import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import zoom

from napari_srgan.graph import network as graph
from napari_srgan.inference import dask_arrays
from napari_srgan.inference import dask_arrays as volumes
from napari_srgan.inference.dask_arrays import upscale_lazily
from napari_srgan.inference.images import layout_of
from napari_srgan.inference.run import upscale_array
from napari_srgan.inference.settings import Settings

EXACT = Settings(device="cpu", precision="float32")
FILL = Settings(device="cpu", precision="float32", nan="fill")
SIDES = st.sampled_from([1, 2, 3, 7, 19, 29, 41, 53])


@pytest.fixture(autouse=True)
def _small_windows(monkeypatch):
    monkeypatch.setattr(volumes, "WINDOW", 16)


def random_image(shape, dtype="u1", seed=0):
    dtype, source = np.dtype(dtype), np.random.default_rng(seed)
    if dtype.kind == "f":
        return source.random(shape).astype(dtype)
    return source.integers(np.iinfo(dtype).max, size=shape, dtype=dtype)


def differ(lazy, eager):
    """Return the largest difference, as a share of the range of the eager result."""
    computed = lazy.compute()
    assert computed.shape == lazy.shape == eager.shape
    assert computed.dtype == lazy.dtype == eager.dtype
    eager, computed = eager.astype(float), computed.astype(float)
    return np.abs(computed - eager).max() / max(np.ptp(eager), 1e-30)


@given(
    h=SIDES,
    w=SIDES,
    leading=st.sampled_from([(), (2,), (2, 3)]),
    channels=st.sampled_from([(), (3,), (4,)]),
    dtype=st.sampled_from(["u1", "u2", "i4", "f4", "f8"]),
    chunk=st.integers(3, 60),
)
@settings(max_examples=20)
def test_lazy_equals_eager(random_model, h, w, leading, channels, dtype, chunk):
    image = random_image((*leading, h, w, *channels), dtype)
    if channels == (4,):
        image[..., 3] *= random_image(image.shape[:-1], "u1") > 200
    choices = {"rgb": bool(channels), "settings": EXACT}
    chunks = (*(1 for _ in leading), chunk, chunk, *channels)

    lazy = upscale_lazily(da.from_array(image, chunks), random_model(), **choices)
    eager = upscale_array(image, random_model(), **choices)

    assert lazy.shape == layout_of(image.shape, dtype, bool(channels)).shape(4)
    if dtype == "u1":
        assert np.abs(lazy.compute().astype(int) - eager.astype(int)).max() <= 1
    else:
        assert differ(lazy, eager) <= 1e-4


@pytest.mark.parametrize("dtype", [">u2", ">f4"])
def test_the_byte_order_stays(random_model, dtype):
    image = random_image((2, 53, 41), dtype[1:]).astype(dtype)

    lazy = upscale_lazily(da.from_array(image, 20), random_model(), settings=EXACT)

    assert differ(lazy, upscale_array(image, random_model(), settings=EXACT)) <= 1e-4


def test_large_planes_are_cut_and_small_ones_are_not(random_model):
    large = upscale_lazily(da.zeros((3, 90, 20)), random_model(), settings=EXACT)
    small = upscale_lazily(da.zeros((3, 9, 20)), random_model(), settings=EXACT)

    assert large.numblocks[1] > 1
    assert small.numblocks == (3, 1, 1)


@pytest.mark.parametrize("rule", ["auto", "data", "dtype", (0.2, 0.7)])
def test_every_rule_gives_what_it_gives_at_once(random_model, rule):
    image = random_image((3, 19, 23), "f4")
    image[1] /= 9

    lazy = upscale_lazily(da.from_array(image), random_model(), normalize=rule, settings=EXACT)
    eager = upscale_array(image, random_model(), normalize=rule, settings=EXACT)

    assert differ(lazy, eager) <= 1e-5


def test_eight_bits_are_not_read_for_their_range(random_model):
    image = da.from_delayed(dask.delayed(pytest.fail)("read"), (2, 19, 23), np.uint8)

    lazy = upscale_lazily(image, random_model(), settings=EXACT)

    assert lazy.shape == (2, 76, 92)


def test_nothing_is_computed_before_it_is_asked_for_and_then_only_that(random_model):
    read = []

    def block(number):
        read.append(number)
        return random_image((1, 9, 7), "u1", seed=number)

    planes = [da.from_delayed(dask.delayed(block)(i), (1, 9, 7), np.uint8) for i in range(5)]
    lazy = upscale_lazily(da.concatenate(planes), random_model(), settings=EXACT)
    assert read == []

    lazy[3].compute()
    assert read == [3]


def test_a_corner_of_a_large_plane_needs_only_the_windows_it_lies_in(random_model, passes):
    windows = passes()
    image = da.from_array(random_image((97, 113)), 30)
    lazy = upscale_lazily(image, random_model(), settings=EXACT)

    lazy[:4, :4].compute()

    assert len(windows) == 1


@pytest.mark.parametrize("rule", ["auto", "dtype"])
def test_holes_are_filled_from_neighbours_outside_the_window_too(random_model, rule):
    image = random_image((61, 83), "f4")
    image[:, 20:60] = np.nan
    choices = {"normalize": rule, "settings": FILL}

    lazy = upscale_lazily(da.from_array(image, 20), random_model(), **choices)

    assert differ(lazy, upscale_array(image, random_model(), **choices)) <= 1e-5


@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_hidden_colours_are_filled_from_neighbours_outside_the_window_too(random_model, dtype):
    image = random_image((61, 83, 4), dtype)
    image[:, 20:60, 3] = 0

    lazy = upscale_lazily(da.from_array(image, 20), random_model(), settings=EXACT)

    assert differ(lazy, upscale_array(image, random_model(), settings=EXACT)) <= 1 / 255


@pytest.mark.parametrize("channel", [0, 3])
def test_nan_is_refused_when_it_is_met(random_model, channel):
    image = random_image((9, 7, 4), "f4")
    image[2, 3, channel] = np.nan

    lazy = upscale_lazily(da.from_array(image), random_model(), settings=EXACT)

    with pytest.raises(ValueError, match="1 NaN and 0 infinite values"):
        lazy.compute()


def test_an_array_of_nothing_but_nan_has_no_range(random_model):
    lazy = upscale_lazily(da.full((9, 7), np.nan), random_model(), settings=FILL)

    with pytest.raises(ValueError, match="no finite value to take a range from"):
        lazy.compute()


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"settings": Settings(device="cuda:99")}, "Device 'cuda:99' is not available"),
        ({"settings": Settings(precision="double")}, "precision must be auto"),
        ({"settings": Settings(tile=0)}, "tile must be"),
        ({"settings": EXACT, "normalize": "bright"}, "normalize must be"),
        ({"settings": EXACT, "rgb": True}, "rgb=True expects shape"),
    ],
)
def test_settings_that_do_not_fit_are_refused_at_once(random_model, choices, message):
    with pytest.raises(ValueError, match=message):
        upscale_lazily(da.zeros((9, 7)), random_model(), **choices)


def test_a_model_that_does_not_suit_is_refused_at_once(random_model):
    with pytest.raises(ValueError, match="for grey images only"):
        upscale_lazily(da.zeros((9, 7, 3)), random_model(channels=1), settings=EXACT)


def test_an_array_of_unknown_shape_is_refused_with_what_to_do(random_model):
    image = da.ones((9, 7))

    with pytest.raises(ValueError, match="call its compute_chunk_sizes"):
        upscale_lazily(image[image[:, 0] > 0], random_model(), settings=EXACT)


def test_two_models_of_one_name_are_not_confused(random_model):
    image = da.from_array(random_image((9, 7), "f4"))

    one, other = (upscale_lazily(image, random_model(seed), settings=EXACT) for seed in (0, 1))

    assert one.name != other.name
    assert abs(one - other).max().compute() > 0.01


def test_the_network_is_read_once_for_all_chunks(random_model, monkeypatch):
    read, make = [], graph.inference_network
    monkeypatch.setattr(
        graph, "inference_network", lambda *args, **grey: read.append(1) or make(*args, **grey)
    )
    image = da.from_array(random_image((64, 9, 7)), chunks=(1, 9, 7))

    upscale_lazily(image, random_model(), settings=EXACT).compute()

    assert read == [1]


def test_networks_run_one_at_a_time(random_model, monkeypatch):
    running, most, iter_window = [], [], dask_arrays.iter_window

    def watched(*arguments):
        running.append(1)
        most.append(len(running))
        time.sleep(0.002)  # long enough for another thread to come in
        yield from iter_window(*arguments)
        running.pop()

    monkeypatch.setattr(dask_arrays, "iter_window", watched)
    image = da.from_array(random_image((12, 40, 40)), chunks=(1, 40, 40))

    with dask.config.set(scheduler="threads", num_workers=4):
        upscale_lazily(image, random_model(), settings=EXACT).compute()

    assert most == [1] * 12


def test_the_work_can_be_sent_to_other_processes(random_model):
    image = random_image((9, 7))
    lazy = upscale_lazily(da.from_array(image), random_model(), settings=EXACT)

    sent = pickle.loads(pickle.dumps(lazy))

    eager = upscale_array(image, random_model(), settings=EXACT)
    assert (sent.compute(scheduler="sync") == eager).all()


def test_a_long_series_is_laid_out_without_touching_the_weights_of_every_plane(random_model):
    model = random_model()
    pickled = []

    class Counted(type(model.network)):
        def __reduce_ex__(self, protocol):
            pickled.append(1)
            return super().__reduce_ex__(protocol)

    model.network.__class__ = Counted
    upscale_lazily(da.zeros((50, 9, 7), chunks=(1, 9, 7)), model, settings=EXACT)

    assert len(pickled) <= 3  # however many planes there are


def test_the_result_is_the_same_on_every_scheduler(random_model):
    image = random_image((3, 29, 31), "f4")
    lazy = upscale_lazily(da.from_array(image, 10), random_model(), settings=EXACT)

    one, other = (lazy.compute(scheduler=name) for name in ("sync", "threads"))

    assert (one == other).all()


# One range, whatever holds the pixels


def hot(shape=(3, 60, 50)):
    """Return a stack of smooth counts with a hot pixel in one plane."""
    smooth = zoom(np.random.default_rng(0).random((shape[0], 7, 6)), (1, 9, 9), order=3)
    image = (100 + 600 * smooth[:, : shape[1], : shape[2]].clip(0, 1)).astype(np.uint16)
    image[1, 20, 30] = 65535
    return image


@pytest.mark.parametrize("rule", ["auto", "data", "1%, 99%", (0, 700)])
def test_a_lazy_array_has_the_range_of_the_same_in_memory(random_model, rule):
    image, model = hot(), random_model()
    lazy = upscale_lazily(
        da.from_array(image, (1, 20, 50)), model, rgb=False, normalize=rule, settings=EXACT
    )
    eager = upscale_array(image, model, rgb=False, normalize=rule, settings=EXACT)
    assert np.abs(lazy.compute().astype(int) - eager.astype(int)).max() <= 1


def test_the_range_is_found_once_for_all_that_is_computed(random_model, monkeypatch):
    monkeypatch.setattr(volumes, "WINDOW", 1024)
    image, reads = hot(), []

    def read(number):
        reads.append(number)
        return image[number : number + 1]

    planes = [da.from_delayed(dask.delayed(read)(i), (1, 60, 50), np.uint16) for i in range(3)]
    lazy = upscale_lazily(da.concatenate(planes), random_model(), rgb=False, settings=EXACT)
    assert reads == []
    for plane in (0, 1, 0):
        lazy[plane].compute()
    assert len(reads) == 3 + 3  # all for the range, then each for itself


def test_lazy_channels_have_ranges_of_their_own(random_model):
    image, model = np.stack([hot(), hot() // 20], axis=1), random_model()
    lazy = upscale_lazily(
        da.from_array(image, (1, 1, 60, 50)), model, rgb=False, channel_axis=1, settings=EXACT
    )
    eager = upscale_array(image, model, rgb=False, channel_axis=1, settings=EXACT)
    assert np.abs(lazy.compute().astype(int) - eager.astype(int)).max() <= 1
