"""Maps of trust: what they are of, in the image's units, whatever the image is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from napari.layers import Image

import napari_srgan as ns
from napari_srgan.inference.settings import Settings, finish
from napari_srgan.trust.assess import iter_assess_array, reduced
from napari_srgan.trust.invention import BLOCK, Invention

FAST = {"device": "cpu", "precision": "float32"}


def noise(shape: tuple[int, ...], dtype: str = "u1", top: int = 256) -> np.ndarray:
    return np.random.default_rng(0).integers(0, top, shape).astype(dtype)


@pytest.fixture(scope="module")
def models(random_model) -> tuple[ns.Model, ns.Model]:
    """Return a model that invents, and one that does not."""
    from dataclasses import replace

    return replace(random_model(0), generative=True), replace(random_model(1), generative=False)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_what_is_reduced_is_what_torch_and_pillow_reduce(scale) -> None:
    from PIL import Image as Pillow

    plane = np.random.default_rng(0).random((6 * scale, 9 * scale, 1))
    low = reduced(plane, scale)
    by_pillow = Pillow.fromarray(plane[..., 0].astype(np.float32)).resize((9, 6), Pillow.BICUBIC)
    np.testing.assert_allclose(low[..., 0], np.asarray(by_pillow), atol=1e-5)


@pytest.mark.parametrize("shape", [(9, 12), (2, 9, 12), (9, 12, 3), (9, 12, 4), (2, 9, 12, 4)])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_each_map_has_its_shape_and_is_float32(models, shape, dtype) -> None:
    image = noise(shape, dtype)
    found = ns.assess(image, models[0], faithful=models[1], **FAST)
    colour = shape[-1] in (3, 4)
    leading, (h, w) = (shape[:-3], shape[-3:-1]) if colour else (shape[:-2], shape[-2:])
    assert (found.upscaled == ns.upscale(image, models[0], **FAST)).all()
    assert found.uncertainty.shape == found.invented.shape == (*leading, 4 * h, 4 * w)
    assert found.residual.shape == (*leading, h, w, *([3] if colour else []))
    for values in (found.uncertainty, found.residual, found.invented):
        assert values.dtype == np.float32
        assert np.isfinite(values).all()


def test_the_invented_is_the_difference_to_the_faithful_result(models) -> None:
    image = noise((9, 12, 3))
    found = ns.assess(image, models[0], faithful=models[1], **FAST)
    results = [ns.upscale(image, model, **FAST).astype(float) for model in models]
    np.testing.assert_allclose(found.invented, np.abs(results[0] - results[1]).mean(-1), rtol=1e-6)


def test_the_residual_is_what_the_reduced_result_lacks(models) -> None:
    image = noise((9, 12), "u2", 4000)
    found = ns.assess(image, models[0], faithful=models[1], **FAST)
    high = torch.from_numpy(found.upscaled.astype(np.float64))[None, None]
    low = F.interpolate(high, scale_factor=0.25, mode="bicubic", antialias=True)[0, 0].numpy()
    np.testing.assert_allclose(found.residual, image - low, atol=1e-2)


def test_a_consistent_result_leaves_next_to_no_residual(models) -> None:
    image = (200 * noise((9, 12), "f4") / 255).astype(np.float32)
    found = ns.assess(image, models[0], faithful=models[1], consistent=True, **FAST)
    assert np.abs(found.residual).max() < 200 * 1e-3  # noise: the answers are far off


def test_units_are_the_images(models) -> None:
    image = noise((9, 12), "f4")
    one, many = (
        ns.assess(factor * image, models[0], faithful=models[1], **FAST) for factor in (1, 1000)
    )
    for name in ("uncertainty", "residual", "invented"):
        small, large = getattr(one, name), getattr(many, name)
        np.testing.assert_allclose(large, 1000 * small, rtol=1e-2, atol=1)
    assert one.invention.share == pytest.approx(many.invention.share, abs=0.01)


def test_of_a_faithful_model_nothing_is_invented(models) -> None:
    found = ns.assess(noise((9, 12)), models[1], **FAST)
    assert found.invented is None
    assert found.invention is None


def test_of_the_same_model_nothing_is_invented(models) -> None:
    found = ns.assess(noise((9, 12)), models[0], faithful=models[0], **FAST)
    assert not found.invented.any()
    assert str(found.invention) == "None of the visible detail is invented."


def test_a_generative_model_is_compared_with_the_bundled_faithful_one() -> None:
    from napari_srgan.store.load import faithful_counterpart, load_model

    counterpart = faithful_counterpart(load_model("srgan-x4"))
    assert counterpart is not None
    assert (counterpart.name, counterpart.generative) == ("srresnet-x4", False)
    assert faithful_counterpart(counterpart) is None


def test_the_densest_block_is_where_most_is_invented(models, random_model) -> None:
    image = np.full((48, 40), 0.5, np.float32)
    image[34:40, 20:30] = noise((6, 10), "f4") / 255
    found = ns.assess(image, models[0], faithful=models[1], normalize=(0, 1), **FAST).invention
    rows, columns = found.densest
    assert rows.start <= 4 * 37 < rows.stop
    assert columns.start <= 4 * 25 < columns.stop
    assert rows.stop - rows.start == BLOCK


def test_the_sentence_says_how_much_and_where() -> None:
    block = (slice(64, 128), slice(0, 64))
    assert str(Invention(0.123, (2, *block), 0.5)) == (
        "12 % of the visible detail is invented, most of it near plane (2,), row 96, column 32; "
        "50 % of it is in a sixteenth of the picture."
    )
    assert str(Invention(0.001, block, 0.5)).startswith("under 1 % of the visible detail")


def test_not_finite_and_hidden_pixels_are_filled_as_for_the_network(models) -> None:
    image = noise((9, 12), "f4")
    image[3, 4] = np.nan
    found = ns.assess(image, models[0], faithful=models[1], nan="fill", **FAST)
    assert np.isfinite(found.residual).all()
    with pytest.raises(ValueError, match="1 NaN"):
        ns.assess(image, models[0], faithful=models[1], **FAST)


def test_layers_lie_where_the_layer_lies(models) -> None:
    layer = Image(noise((2, 9, 12)), scale=(5, 2, 3), translate=(1, 2, 3), name="cells")
    found = ns.assess(layer, models[0], faithful=models[1], **FAST)
    for map_ in (found.upscaled, found.uncertainty, found.invented):
        assert map_.scale.tolist() == [5, 0.5, 0.75]
        assert map_.translate.tolist() == found.upscaled.translate.tolist()
    assert found.residual.scale.tolist() == [5, 2, 3]
    assert found.residual.translate.tolist() == [1, 2, 3]
    assert found.uncertainty.name.startswith("cells")


def test_a_layer_that_is_said_to_be_what_it_is_not_is_refused(models) -> None:
    with pytest.raises(ValueError, match="contradicts"):
        ns.assess(Image(noise((9, 12))), models[0], faithful=models[1], rgb=True, **FAST)


def test_progress_ends_at_the_total_and_never_runs_backwards(models) -> None:
    steps = ns.iter_assess(noise((3, 9, 12)), models[0], faithful=models[1], **FAST)
    seen = list(steps)
    assert [step.done for step in seen] == sorted(step.done for step in seen)
    assert seen[-1].done == seen[-1].total == 9 * 3 * 9 * 12


def test_a_model_of_another_scale_is_no_measure(models, random_model) -> None:
    with pytest.raises(ValueError, match="same scale"):
        ns.assess(noise((9, 12)), models[0], faithful=random_model(scale=2), **FAST)


def test_a_lazy_image_is_refused_in_words(models) -> None:
    import dask.array as da

    with pytest.raises(TypeError, match="lazy"):
        ns.assess(da.zeros((9, 12)), models[0], **FAST)


def test_closing_the_generator_stops_the_work(models, passes) -> None:
    windows = passes()
    steps = iter_assess_array(
        noise((40, 9, 12)), models[0], models[1], settings=Settings("cpu", "float32")
    )
    next(steps)
    steps.close()
    assert len(windows) < 40
    finish(iter_assess_array(noise((9, 12)), *models, settings=Settings("cpu", "float32")))
