import logging
import re
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from watching import watch_passes

from napari_srgan.graph.network import LayerNetwork
from napari_srgan.inference import planning
from napari_srgan.inference import run as inference
from napari_srgan.inference.devices import available_devices
from napari_srgan.inference.images import layout_of
from napari_srgan.inference.planes import upscaled_alpha
from napari_srgan.inference.run import iter_upscale_array, upscale_array
from napari_srgan.inference.runner import runners
from napari_srgan.inference.settings import Settings
from napari_srgan.inference.values.ranges import ValueRange, value_range
from napari_srgan.store.self_test import make_self_test

DTYPES = ["bool", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", ">u2", ">f4"]
SIDES = st.sampled_from([1, 2, 3, 5, 7, 11, 13, 24, 25, 29, 37])
WHOLE = 10_000  # a tile larger than any image here
EXACT = Settings(device="cpu", precision="float32")


def random_image(shape, dtype="u1", seed=0):
    dtype, source = np.dtype(dtype), np.random.default_rng(seed)
    if dtype.kind == "f":
        return source.random(shape).astype(dtype)
    low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    native = bool if dtype.kind == "b" else dtype.newbyteorder("=")
    return source.integers(low, high, shape, native, endpoint=True).astype(dtype)


def run(image, model, **choices):
    """Return the result and all progress."""
    names = {"device", "precision", "tile", "nan"}
    chosen = {"device": "cpu", "precision": "float32"}
    chosen |= {name: value for name, value in choices.items() if name in names}
    others = {name: value for name, value in choices.items() if name not in names}
    steps = iter_upscale_array(image, model, settings=Settings(**chosen), **others)
    progress = []
    while True:
        try:
            progress.append(next(steps))
        except StopIteration as end:
            return end.value, progress


def difference(one, other, values=None):
    """Return the largest difference, as a share of the value range, or in levels of 8 bits."""
    assert one.shape == other.shape
    assert one.dtype == other.dtype
    largest = np.abs(one.astype(float) - other.astype(float)).max()
    return largest if values is None else largest / values.width


@torch.no_grad()
def by_the_network_alone(image, model, rgb=None, normalize="auto"):
    """Upscale in the plainest way: each plane whole, unfolded, grey as three equal colours."""
    layout = layout_of(image.shape, image.dtype, rgb)
    values = value_range(image, layout, normalize)
    planes = np.empty(layout.shape(model.scale))
    for index in layout.indices():
        plane = (image[index].astype(float) - values.low) / values.width
        colours = plane if layout.channels else np.repeat(plane[..., None], 3, axis=-1)
        low = torch.from_numpy(colours).float().permute(2, 0, 1)[None]
        high = (model.network(low)[0].permute(1, 2, 0).numpy() + 1) / 2
        planes[index] = high if layout.channels else high.mean(-1)
    planes = np.clip(planes * values.width + values.low, values.minimum, values.maximum)
    return planes, values


# Exact


@given(
    h=SIDES,
    w=SIDES,
    kind=st.sampled_from([(), (3,)]),
    leading=st.sampled_from([(), (2,)]),
    dtype=st.sampled_from(["u1", "u2", "i2", "u4", "f2", "f4", "f8", ">u2"]),
    tile=st.integers(3, 40),
    scale=st.sampled_from([2, 3, 4]),
)
@settings(max_examples=60)
def test_tiled_upscale_equals_the_network_on_the_whole_image(
    random_model, h, w, kind, leading, dtype, tile, scale
):
    model = random_model(scale=scale)
    image = random_image((*leading, h, w, *kind), dtype)
    rgb = bool(kind)

    result, _ = run(image, model, tile=tile, rgb=rgb)

    expected, values = by_the_network_alone(image, model, rgb)
    assert result.dtype == image.dtype
    assert result.shape == expected.shape
    error = np.abs(result.astype(float) - expected).max()
    level = 1 if image.dtype.kind in "ui" else np.finfo(dtype).eps * values.width
    assert error <= 1e-4 * values.width + level


@pytest.mark.parametrize("precision", ["auto", "float32", "bfloat16", "float16"])
@given(h=SIDES, w=SIDES, colour=st.booleans(), tile=st.integers(3, 40))
@settings(max_examples=15)
def test_eight_bits_differ_by_no_more_than_a_level_in_any_precision(
    random_model, precision, h, w, colour, tile
):
    image = random_image((h, w, 3) if colour else (h, w))

    whole, _ = run(image, random_model(), tile=WHOLE, precision=precision)
    tiled, _ = run(image, random_model(), tile=tile, precision=precision)

    assert difference(tiled, whole) <= 1


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_tiled_equals_whole_and_the_cpu_on_a_gpu(random_model, dtype):
    image = random_image((97, 113, 3), dtype)
    device = available_devices()[0]

    whole, _ = run(image, random_model(), tile=WHOLE, device=device)
    tiled, _ = run(image, random_model(), tile=16, device=device)
    cpu, _ = run(image, random_model(), tile=WHOLE)

    bound = 1 if dtype == "u1" else 1e-4
    assert difference(tiled, whole) <= bound
    assert difference(whole, cpu) <= bound


def far_sighted(model, corner):
    """Make a model's network carry each pixel as far as its layers reach, towards one corner."""
    with torch.no_grad():
        for layer in model.network.modules():
            if isinstance(layer, torch.nn.Conv2d):
                layer.weight.zero_()
                layer.weight[:, :, corner, corner] = 1 / layer.in_channels
    return model


@pytest.mark.parametrize("corner", [0, -1])
def test_a_halo_of_one_pixel_less_would_not_do(random_model, monkeypatch, corner):
    model = far_sighted(random_model(channels=1, batch_norm=False), corner)
    # Sizes that tiles of 9 pixels and a halo of 11 fill without any pixel to spare.
    image = random_image((4 * 9 + 2 * 11, 3 * 9 + 2 * 11), "f4")
    whole, _ = run(image, model, tile=WHOLE, normalize="dtype")

    enough, _ = run(image, model, tile=9, normalize="dtype")
    runners.clear()
    monkeypatch.setattr(LayerNetwork, "radius", 10)
    too_little, _ = run(image, model, tile=9, normalize="dtype")

    assert difference(enough, whole) <= 1e-5
    assert difference(too_little, whole) > 0.01


def test_the_tile_size_is_what_the_windows_grow_to(random_model, passes):
    windows = passes()

    run(random_image((97, 113)), random_model(), tile=20)

    assert max(map(size, windows)) <= 20 + 2 * 12
    assert len(windows) == 4 * 5


# Pixels


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3), (5, 7, 4), (2, 1, 5, 7)])
def test_every_dtype_and_layout_comes_back_as_itself_within_its_range(random_model, dtype, shape):
    image = random_image(shape, dtype)

    result, _ = run(image, random_model(), precision="auto")

    assert result.dtype == image.dtype
    assert result.shape == layout_of(shape, dtype).shape(4)
    colours = (..., slice(3)) if shape[-1] == 4 else ...
    assert result[colours].min() >= image[colours].min() or dtype in ("u1", "bool")
    assert result[colours].max() <= image[colours].max() or dtype in ("u1", "bool")


@pytest.mark.parametrize("dtype", DTYPES[2:])
def test_constant_images_stay_constant(random_model, dtype):
    image = np.full((5, 7), random_image((1,), dtype)[0], dtype)

    result, _ = run(image, random_model())

    np.testing.assert_allclose(result, image[0, 0], rtol=1e-12)


@pytest.mark.parametrize("rule", ["dtype", (-3, 9), "0%, 100%"])
def test_another_rule_than_auto_changes_what_the_network_sees_and_is_undone(random_model, rule):
    image = random_image((5, 7), "f4")

    result, _ = run(image, random_model(), normalize=rule)

    expected, _ = by_the_network_alone(image, random_model(), normalize=rule)
    np.testing.assert_allclose(result, expected, atol=1e-4)


@pytest.mark.parametrize("dtype", ["u2", "i4", "f4"])
@pytest.mark.parametrize("tile", [WHOLE, 9])
def test_a_hot_pixel_changes_nothing_but_its_own_neighbourhood(random_model, dtype, tile):
    image = (100 + 600 * np.kron(random_image((6, 5), "f4"), np.ones((8, 8)))).astype(dtype)
    spoilt = image.copy()
    spoilt[20, 24] = 30_000

    clean, _ = run(image, random_model(), tile=tile)
    result, progress = run(spoilt, random_model(), tile=tile)

    near = np.zeros(result.shape, bool)
    near[4 * 19 - 2 : 4 * 22 + 2, 4 * 23 - 2 : 4 * 26 + 2] = True
    # The pixel itself is given to the network as white, and seen as far as the network sees.
    far = np.ones(result.shape, bool)
    far[4 * 8 : 4 * 33, 4 * 12 : 4 * 37] = False
    assert np.abs(result[far].astype(float) - clean[far]).max() <= 1
    assert result[~near].max() <= 760
    assert result[near].max() > 0.7 * 30_000
    (note,) = [step.note for step in progress if step.note]
    assert note.startswith("Black and white are 1")
    assert "reaches from 1" in note
    assert "to 30000: what lies far beyond is interpolated linearly." in note


@pytest.mark.parametrize("tile", [WHOLE, 9])
def test_a_dim_channel_is_upscaled_as_if_it_were_alone(random_model, tile):
    bright = random_image((2, 23, 19), "u2")
    image = np.stack([bright, bright // 100], axis=1)

    result, _ = run(image, random_model(), tile=tile, channel_axis=1)

    for channel in range(2):
        alone, _ = run(image[:, channel], random_model(), tile=tile)
        assert (result[:, channel] == alone).all()


def test_values_beyond_percentiles_are_carried_on_linearly(random_model):
    image = random_image((40, 30), "f4")
    black, white = np.percentile(image, [10, 90])
    within = image.clip(black, white)
    bounds = np.finfo("f4").min, np.finfo("f4").max

    result, _ = run(image, random_model(), normalize="10%, 90%")

    seen, _ = run(within, random_model(), normalize=ValueRange(black, white, *bounds))
    beyond = torch.from_numpy(image - within)[None, None]
    added = torch.nn.functional.interpolate(beyond, scale_factor=4, mode="bilinear")[0, 0].numpy()
    np.testing.assert_allclose(result, seen + added, atol=1e-5)


def test_planes_are_upscaled_independently_with_one_range(random_model):
    image = random_image((2, 3, 9, 7), "u2")
    image[1, 2] //= 9
    values = value_range(image, layout_of(image.shape, image.dtype, rgb=False))

    result, _ = run(image, random_model())

    for index in np.ndindex(2, 3):
        alone, _ = run(image[index], random_model(), normalize=values)
        assert (result[index] == alone).all()


def test_a_time_series_does_not_flicker(random_model):
    same, bright = random_image((9, 7), "u2") // 8, random_image((9, 7), "u2", seed=1)
    image = np.stack([same, bright, same, bright // 3, same])

    result, _ = run(image, random_model())

    assert (result[0] == result[2]).all()
    assert (result[0] == result[4]).all()


@pytest.mark.parametrize(
    "view",
    [
        lambda image: image[::-1, ::2],
        lambda image: image.T,
        lambda image: np.asfortranarray(image),
        lambda image: image.astype(">u2"),
        lambda image: np.broadcast_to(image[:1], image.shape),
    ],
)
def test_strides_byte_order_and_read_only_memory_change_nothing(random_model, view):
    image = view(random_image((9, 14), "u2"))
    image.flags.writeable = False

    result, _ = run(image, random_model())

    plain, _ = run(np.array(image, dtype="u2", order="C"), random_model())
    assert (result == plain).all()


def test_a_file_in_memory_is_read_plane_by_plane(random_model, tmp_path):
    image = random_image((3, 9, 7), "u2")
    mapped = np.memmap(tmp_path / "image", dtype="u2", mode="w+", shape=image.shape)
    mapped[:] = image

    result, _ = run(mapped, random_model())

    assert type(result) is np.ndarray
    assert (result == run(image, random_model())[0]).all()


def test_a_run_takes_no_random_numbers(random_model):
    model = random_model()
    before = torch.random.get_rng_state()

    run(random_image((5, 7)), model)

    assert torch.equal(torch.random.get_rng_state(), before)


# Alpha


def framed(colour_of_the_hidden):
    """Return a bright disc on nothing, of which only the hidden colour differs."""
    y, x = np.mgrid[:31, :29]
    visible = np.hypot(y - 15, x - 14) < 9
    image = np.empty((31, 29, 4), np.uint8)
    image[visible] = (230, 220, 210, 255)
    image[~visible] = (*colour_of_the_hidden, 0)
    return image, np.kron(visible, np.ones((4, 4), bool))


def test_hidden_colours_do_not_reach_what_is_visible(random_model):
    black, visible = framed((0, 0, 0))
    bright, _ = framed((230, 220, 210))

    from_black, _ = run(black, random_model(), tile=8)
    from_bright, _ = run(bright, random_model(), tile=8)

    assert (from_black == from_bright).all()
    # As it would be without any border, but for the rim of the image.
    flat, _ = run(np.full((31, 29, 3), (230, 220, 210), np.uint8), random_model())
    assert difference(from_black[visible][:, :3], flat[visible]) <= 1


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize(
    "dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]
)
def test_opaque_stays_opaque_and_transparent_stays_transparent(dtype, scale):
    opaque = np.iinfo(dtype).max if np.dtype(dtype).kind in "ui" else 1

    assert (upscaled_alpha(np.full((9, 7), opaque, dtype), scale) == opaque).all()
    assert (upscaled_alpha(np.zeros((9, 7), dtype), scale) == 0).all()


@pytest.mark.parametrize(
    ("dtype", "value"),
    [("i4", 1), ("i8", 60_000), ("u8", 2**63 + 7), ("i8", -(2**62)), ("f4", 255.0), ("f8", 1e6)],
)
def test_constant_alpha_stays_in_every_dtype_and_range(dtype, value):
    alpha = np.full((9, 7), value, dtype)
    for scale in (2, 3, 4):
        assert (upscaled_alpha(alpha, scale) == alpha[0, 0]).all()


def test_alpha_of_floats_beyond_1_keeps_to_its_own_range(random_model):
    image = np.dstack([random_image((9, 7, 3), "f4"), 255 * random_image((9, 7), "f4").round()])
    alpha = run(image.astype("f4"), random_model())[0][..., 3]
    assert (alpha.min(), alpha.max()) == (0, 255)


@given(h=SIDES, w=SIDES, tile=st.integers(3, 30), dtype=st.sampled_from(["u1", "u2", "f4"]))
@settings(max_examples=20)
def test_tiled_alpha_equals_whole_alpha(random_model, h, w, tile, dtype):
    image = random_image((h, w, 4), dtype)

    result, _ = run(image, random_model(scale=3), tile=tile)

    alpha = upscaled_alpha(image[..., 3], 3)
    assert difference(result[..., 3], alpha) <= (1e-6 if dtype == "f4" else 0)


def test_alpha_is_smooth_between_its_pixels():
    alpha = upscaled_alpha(np.array([[0, 0, 0, 255, 255, 255]], np.uint8), 4)[0].astype(int)

    assert (np.diff(alpha[8:16]) >= 0).all()
    assert 100 < alpha[11] + alpha[12] - 100 < 200


def test_alpha_does_not_change_the_colours_where_all_is_visible(random_model):
    image = random_image((9, 7, 4))
    image[..., 3] = np.maximum(image[..., 3], 1)

    result, _ = run(image, random_model())

    assert (result[..., :3] == run(image[..., :3], random_model())[0]).all()


# What is not finite


def test_nan_and_infinite_values_are_refused_with_their_numbers(random_model):
    image = random_image((2, 5, 7), "f4")
    image[0, 1, 2:5] = np.nan
    image[1, 0, :2] = np.inf, -np.inf

    with pytest.raises(ValueError, match=r"3 NaN and 2 infinite values.*nan='fill'"):
        run(image, random_model())


def test_nan_filled_by_choice_equals_filling_first(random_model):
    image = random_image((5, 9), "f4")
    image[:, 4:] = image[:, 3:4]
    holes = image.copy()
    holes[:, 4:] = np.nan

    filled, _ = run(holes, random_model(), nan="fill")

    assert np.isfinite(filled).all()
    assert (filled == run(image, random_model())[0]).all()


def test_filling_leaves_images_without_holes_alone(random_model):
    image = random_image((5, 9), "f4")

    filled, _ = run(image, random_model(), nan="fill")

    assert (filled == run(image, random_model())[0]).all()


def test_a_plane_of_nothing_but_nan_between_others_becomes_one_value(random_model):
    image = 5 + random_image((2, 5, 7), "f4")
    image[1] = np.nan

    result, _ = run(image, random_model(), nan="fill")

    assert np.isfinite(result).all()
    assert result.min() >= image[0].min()


def test_an_unknown_choice_for_nan_is_refused():
    with pytest.raises(ValueError, match="nan must be 'error' or 'fill'; got 'ignore'"):
        Settings(nan="ignore")


def test_a_result_that_is_not_finite_is_an_error(random_model):
    image = np.array([[0.0, 1e300]])

    with pytest.raises(FloatingPointError, match="not finite"):
        run(image, random_model(), normalize=(0, 1))


def test_half_precision_that_overflows_is_not_seen_in_the_result(random_model):
    model = random_model(batch_norm=False)
    with torch.no_grad():
        model.network.body.head.weight.mul_(2e5)
        model.network.tail.last.weight.mul_(5e-6)
    image = random_image((23, 29, 3))

    half, _ = run(image, model, precision="float16", tile=9)

    full, _ = run(image, model, tile=9)
    assert np.ptp(full) > 50
    assert difference(half, full) <= 1


# Memory


def size(window):
    return max(window.height, window.width)


IMAGE = random_image((97, 113, 3))
OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory"),
    MemoryError(),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("k", [1, 2, 7, 20])
def test_memory_that_runs_out_at_tile_k_changes_the_tiles_but_no_pixel(
    random_model, passes, error, k
):
    expected, _ = run(IMAGE, random_model(), tile=WHOLE)
    windows = passes(lambda window, count: count == k, error)

    result, progress = run(IMAGE, random_model(), tile=20)

    assert difference(result, expected) <= 1
    (note,) = [step.note for step in progress if step.note]
    assert note == "cpu is out of memory: going on with tiles of 16 pixels."
    assert len(progress) == len(windows)
    assert progress[k - 1].note == note
    assert max(map(size, windows[k:])) <= 16 + 2 * 12 < size(windows[0])


@given(limit=st.integers(40, 90), tile=st.integers(16, 60), stack=st.booleans())
@settings(max_examples=10)
def test_whatever_fits_is_found_and_nothing_is_lost(random_model, limit, tile, stack):
    image = np.stack([IMAGE[:61, :79], IMAGE[30:91, 30:109]]) if stack else IMAGE[:61, :79]
    expected, _ = run(image, random_model(), tile=WHOLE)

    with pytest.MonkeyPatch.context() as patch:
        windows = watch_passes(patch, lambda window, count: size(window) > limit)
        result, progress = run(image, random_model(), tile=tile)

    assert difference(result, expected) <= 1
    assert progress[-1].done == progress[-1].total
    failed = [size(window) for window in windows if size(window) > limit]
    assert failed == sorted(failed, reverse=True)
    assert len(failed) == sum(bool(step.note) for step in progress)


def test_a_card_without_memory_hands_over_to_the_cpu_and_says_so(random_model, fake_cards):
    expected, _ = run(IMAGE, random_model(), tile=WHOLE)
    on_the_card = []

    def full(card, height, width, band, bounds):
        on_the_card.append((height, width))
        if len(on_the_card) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return card._cpu.begin(height, width, band, bounds)

    fake_cards(begin=full)

    result, progress = run(IMAGE, random_model(), tile=33)

    assert difference(result, expected) <= 1
    notes = [step.note for step in progress if step.note]
    assert notes == [
        "cuda:0 is out of memory: going on with tiles of 16 pixels.",
        "cuda:0 is out of memory: going on with the CPU, which is slower.",
    ]
    devices = [step.device for step in progress]
    assert devices[0] == "cuda:0"
    assert devices[-1] == "cpu"
    assert len(on_the_card) == 5


def test_the_user_is_told_in_the_log_too(random_model, passes, caplog):
    passes(lambda window, count: count == 1)

    with caplog.at_level(logging.WARNING):
        run(IMAGE, random_model(), tile=40)

    assert "going on with tiles of" in caplog.text


@pytest.mark.parametrize("tile", [1, 16, 64])
def test_where_nothing_fits_the_run_fails(random_model, passes, tile):
    windows = passes(lambda window, count: True)

    with pytest.raises(MemoryError, match=r"Not even a tile of \d+ pixels fits in memory"):
        run(IMAGE, random_model(), tile=tile)

    assert len(windows) <= 4


def test_an_image_smaller_than_a_halo_that_does_not_fit_fails_at_once(random_model, passes):
    passes(lambda window, count: True)

    with pytest.raises(MemoryError, match="Not even a tile of 7 pixels"):
        run(random_image((5, 7)), random_model())


def test_a_result_too_large_for_any_memory_is_refused_before_the_pixels_are_looked_at(random_model):
    image = np.broadcast_to(np.uint16(7), (10**8, 10**8))

    with pytest.raises(MemoryError, match="Unable to allocate"):
        run(image, random_model())


OTHER_ERRORS = [RuntimeError("CUDA error: device-side assert"), ValueError(), KeyboardInterrupt()]


@pytest.mark.parametrize("error", OTHER_ERRORS, ids=lambda error: type(error).__name__)
def test_another_error_ends_the_run_unchanged(random_model, passes, error):
    passes(lambda window, count: count == 3, error)

    with pytest.raises(type(error)) as caught:
        run(IMAGE, random_model(), tile=20)

    assert caught.value is error


# Progress and cancel


@given(h=SIDES, w=SIDES, tile=st.integers(3, 40), planes=st.integers(1, 3))
@settings(max_examples=20)
def test_progress_rises_with_every_tile_and_ends_at_the_total(random_model, h, w, tile, planes):
    _, progress = run(random_image((planes, h, w)), random_model(), tile=tile, rgb=False)

    done = [step.done for step in progress]
    assert all(before < after for before, after in zip([0, *done], done, strict=False))
    assert done[-1] == progress[0].total == planes * h * w
    assert {step.device for step in progress} == {"cpu"}
    assert not any(step.note for step in progress)


def test_closing_the_run_stops_it_within_a_tile(random_model, passes):
    windows = passes()
    steps = iter_upscale_array(IMAGE, random_model(), settings=Settings(device="cpu", tile=20))
    next(steps)
    next(steps)

    steps.close()

    assert len(windows) == 2


@pytest.mark.parametrize("closed_after", [0, 1])
def test_a_closed_run_gives_back_the_memory_of_its_device(random_model, monkeypatch, closed_after):
    released = []
    monkeypatch.setattr(inference, "release_memory", released.append)
    steps = iter_upscale_array(IMAGE, random_model(), settings=Settings(device="cpu", tile=20))
    for _ in range(closed_after):
        next(steps)

    steps.close()

    assert len(released) == closed_after


def test_both_ways_of_running_give_the_same(random_model):
    image = random_image((9, 7))

    result = upscale_array(image, random_model(), settings=EXACT)

    assert (result == run(image, random_model())[0]).all()


# Settings


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"device": "cuda:99"}, "Device 'cuda:99' is not available here"),
        ({"precision": "double"}, "precision must be auto or float32"),
        ({"tile": 0}, "tile must be 'auto' or a whole number of pixels above 0; got 0"),
        ({"normalize": "bright"}, "normalize must be 'auto'"),
        ({"rgb": True}, "rgb=True expects shape"),
    ],
)
def test_settings_that_do_not_fit_are_refused_at_once(random_model, passes, choices, message):
    windows = passes()

    with pytest.raises(ValueError, match=re.escape(message)):
        run(random_image((5, 7)), random_model(), **choices)

    assert windows == []


def test_a_range_worked_out_before_is_taken(random_model):
    image = random_image((5, 7), "f4")

    result, _ = run(image, random_model(), normalize=ValueRange(0, 2, 0.4, 0.6))

    assert (result.min(), result.max()) >= (np.float32(0.4), np.float32(0.6))


def test_the_automatic_tile_follows_the_free_memory(random_model, passes, monkeypatch):
    monkeypatch.setattr(planning, "free_memory", lambda device: 2**16)
    windows = passes()

    run(IMAGE, random_model(), tile="auto")

    assert len(windows) > 20


# Self-test


def test_a_device_that_computes_something_else_is_named_before_anything_else(random_model, caplog):
    model = random_model()
    off = make_self_test(random_model(seed=1).network)

    _, progress = run(random_image((5, 7)), replace(model, self_test=off))

    assert progress[0].done == 0
    assert "computes something else than the self-test of random expects" in progress[0].note
    assert not any(step.note for step in progress[1:])


def test_a_device_that_computes_what_it_should_is_passed_over_in_silence(random_model):
    model = random_model()

    _, progress = run(random_image((5, 7)), replace(model, self_test=make_self_test(model.network)))

    assert [step.note for step in progress] == [""]


# What the caller's own program has set


@pytest.mark.parametrize(
    "within",
    [
        lambda: torch.autocast("cpu", torch.bfloat16),
        lambda: torch.device("meta"),
        torch.no_grad,
        torch.enable_grad,
        lambda: default_dtype(torch.float64),
    ],
    ids=["autocast", "default device", "no_grad", "grad", "default dtype"],
)
@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 4), (70, 7)])
@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_the_callers_settings_of_torch_change_nothing(random_model, within, shape, dtype):
    image, model = random_image(shape, dtype), random_model()
    expected, _ = run(image, model, tile=9)
    runners.clear()
    with within():
        before = (
            torch.get_default_dtype(),
            torch.is_grad_enabled(),
            torch.is_autocast_enabled("cpu"),
        )
        found, _ = run(image, model, tile=9)
        after = torch.get_default_dtype(), torch.is_grad_enabled(), torch.is_autocast_enabled("cpu")
    assert (found == expected).all()
    assert before == after


@contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
