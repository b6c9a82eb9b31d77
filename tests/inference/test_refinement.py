"""Ensembles and consistency through all that an image goes through: strips, tiles, dtypes, dask."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from napari.layers import Image

import napari_srgan as ns
from napari_srgan.inference.run import iter_upscale_array
from napari_srgan.inference.settings import Settings, finish

FAST = {"device": "cpu", "precision": "float32"}
HELD = {**FAST, "consistent": True}


def scene(height: int, width: int, colours: int = 0) -> np.ndarray:
    """Return smooth values in [0, 1], with edges: what a picture of this size may be."""
    y, x = np.mgrid[:height, :width]
    waves = 0.5 + 0.4 * np.sin(x / 3.1 + 0.01 * y * y) * np.cos(y / 4.3)
    waves[height // 3 : height // 2] = 0.8
    return np.stack([np.roll(waves, 3 * c, 1) for c in range(colours)], -1) if colours else waves


def reduced(high: np.ndarray, scale: int = 4) -> np.ndarray:
    """Return ``(h, w)`` or ``(h, w, c)`` reduced, in float64."""
    planes = torch.from_numpy(high.astype(np.float64).reshape(*high.shape[:2], -1)).movedim(-1, 0)
    low = F.interpolate(planes[None], scale_factor=1 / scale, mode="bicubic", antialias=True)[0]
    return low.movedim(0, -1).numpy().reshape(*low.shape[1:], *high.shape[2:])


@pytest.fixture(scope="module")
def model() -> ns.Model:
    return ns.load_model("srresnet-small-x4")


@pytest.mark.parametrize("shape", [(23, 31), (23, 31, 3), (1, 1), (3, 40)])
@pytest.mark.parametrize(("dtype", "top"), [("u1", 255), ("u2", 4000), ("i2", 900), ("i4", 70000)])
def test_integers_are_met_to_half_a_level(model, shape, dtype, top) -> None:
    image = (top * scene(*shape)).round().astype(dtype)
    upscaled = ns.upscale(image, model, normalize="data" if dtype != "u1" else "auto", **HELD)
    assert upscaled.dtype == image.dtype
    rounding = 0.5 if top < 5000 else 0.5 + 1e-5 * top  # float32, in which all is computed
    assert np.abs(reduced(upscaled) - image).max() <= rounding


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_floats_are_met_to_a_ten_thousandth_of_the_range(model, dtype) -> None:
    image = (40 * scene(23, 31) - 7).astype(dtype)
    upscaled = ns.upscale(image, model, **HELD)
    digits = np.finfo(dtype).eps * 40
    assert np.abs(reduced(upscaled) - image).max() <= 40 * 1e-4 + digits


def test_a_result_that_is_not_held_is_further_off(model) -> None:
    image = (255 * scene(23, 31)).round().astype(np.uint8)
    assert np.abs(reduced(ns.upscale(image, model, **FAST)) - image).max() > 0.5


def test_alpha_is_what_it_is_without(model) -> None:
    image = np.dstack([255 * scene(20, 30, 3), np.linspace(0, 255, 600).reshape(20, 30)])
    image = image.round().astype(np.uint8)
    held, plain = (ns.upscale(image, model, **how) for how in (HELD, FAST))
    assert (held[..., 3] == plain[..., 3]).all()
    shown = image[..., 3] > 0
    assert np.abs(reduced(held[..., :3]) - image[..., :3])[shown].max() <= 0.5


@pytest.mark.parametrize("how", [{"consistent": True}, {"quality": "ensemble"}])
@pytest.mark.parametrize("tile", [16, 24, 100])
def test_tiles_give_what_the_whole_gives(random_model, how, tile) -> None:
    model = random_model()
    image = scene(61, 47, 3).astype(np.float32)
    whole = ns.upscale(image, model, normalize=(0, 1), **how, **FAST)
    tiled = ns.upscale(image, model, normalize=(0, 1), tile=tile, **how, **FAST)
    np.testing.assert_allclose(tiled, whole, atol=1e-4)


@pytest.mark.parametrize("how", [{"consistent": True}, {"quality": "ensemble"}])
def test_a_dask_array_gives_what_an_array_gives(random_model, how) -> None:
    model = random_model()
    image = (255 * scene(41, 37)).astype(np.uint16)
    lazy = ns.upscale(da.from_array(image, chunks=16), model, **how, **FAST)
    assert (lazy.compute() == ns.upscale(image, model, **how, **FAST)).all()


def test_values_set_apart_stay_and_the_rest_is_held(model) -> None:
    image = (100 + 500 * scene(30, 40)).round().astype(np.uint16)
    image[12, 17] = 65535
    upscaled = ns.upscale(image, model, **HELD)
    far = np.ones(image.shape, bool)
    far[9:16, 14:21] = False
    assert np.abs(reduced(upscaled) - image)[far].max() <= 0.5
    assert upscaled.max() > 10_000


def test_an_ensemble_commutes_with_flips_and_turns(random_model) -> None:
    model = random_model()
    image = scene(15, 22).astype(np.float32)

    def run(pixels: np.ndarray) -> np.ndarray:
        return ns.upscale(pixels, model, normalize=(0, 1), quality="ensemble", **FAST)

    upscaled = run(image)
    for turn in (np.flipud, np.fliplr, np.transpose, np.rot90):
        np.testing.assert_allclose(run(turn(image)), turn(upscaled), atol=1e-5)


@pytest.mark.parametrize("tile", ["auto", 16])
@pytest.mark.parametrize("shape", [(2, 21, 25), (21, 25, 3), (21, 25, 4)])
def test_the_spread_is_in_the_images_units(random_model, shape, tile) -> None:
    image = np.random.default_rng(0).integers(0, 1000, shape).astype(np.uint16)
    rgb = shape[-1] in (3, 4)
    leading, (h, w) = (() if rgb else shape[:1]), (shape[:2] if rgb else shape[1:])
    spreads = []
    for factor in (1, 10):
        spread = np.full((*leading, 4 * h, 4 * w), np.nan, np.float32)
        settings = Settings("cpu", "float32", tile, quality="ensemble")
        steps = iter_upscale_array(
            image * np.uint16(factor), random_model(), rgb=rgb, settings=settings, spread=spread
        )
        upscaled = finish(steps)
        assert upscaled.shape[:-1] == (*leading, 4 * h, 4 * w)[: upscaled.ndim - 1]
        spreads.append(spread)
    assert spreads[0].min() >= 0
    assert spreads[0].mean() > 0.1
    np.testing.assert_allclose(spreads[1], 10 * spreads[0], rtol=2e-2, atol=0.5)


def test_a_layers_provenance_says_how(random_model) -> None:
    layer = Image((255 * scene(9, 12)).astype(np.uint8))
    made = ns.upscale(layer, random_model(), quality="ensemble", **HELD).metadata["napari-srgan"]
    assert (made["quality"], made["consistent"]) == ("ensemble", True)


def test_an_unknown_quality_is_refused_by_name(random_model) -> None:
    with pytest.raises(ValueError, match="'best'"):
        ns.upscale(np.zeros((4, 4)), random_model(), quality="best")
