import copy
import inspect
import json
import pickle
import subprocess
import sys

import dask.array as da
import numpy as np
import pytest
import torch
from napari.layers import Image, Labels, Points
from PIL import Image as Photograph

import napari_srgan as ns
from napari_srgan.store.registry import entry

FAST = {"device": "cpu", "precision": "float32"}


def random_image(shape, dtype="u1", seed=0):
    return (255 * np.random.default_rng(seed).random(shape)).astype(dtype)


def drain(steps):
    """Return the result and all progress."""
    progress = []
    while True:
        try:
            progress.append(next(steps))
        except StopIteration as end:
            return end.value, progress


# The package


def test_the_package_offers_its_functions_and_its_version():
    assert set(ns.__all__) <= set(dir(ns))
    assert ns.__version__.count(".") >= 2
    for name in ns.__all__:
        assert getattr(ns, name).__doc__


def test_an_unknown_attribute_of_the_package_is_named():
    with pytest.raises(AttributeError, match="'napari_srgan' has no attribute 'upsacle'"):
        ns.upsacle  # noqa: B018


def test_importing_the_package_imports_nothing_heavy():
    heavy = "{'torch', 'napari', 'qtpy', 'numpy', 'dask', 'importlib.metadata'}"
    code = f"import sys, napari_srgan; print(sorted({heavy} & set(sys.modules)))"

    # -S and a bare path, because a virtual environment's own start-up files may import some.
    folder = ns.__path__[0].removesuffix("napari_srgan")
    code = f"import sys; sys.path.append({folder!r}); {code}"
    out = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, check=True)

    assert out.stdout.decode().strip() == "[]"


def test_upscale_and_iter_upscale_take_the_same():
    one, other = (inspect.signature(f).parameters for f in (ns.upscale, ns.iter_upscale))

    assert list(one.values()) == list(other.values())


# Arrays


def test_an_array_becomes_an_array_four_times_as_large(random_model):
    image = random_image((5, 7, 3))

    upscaled = ns.upscale(image, random_model(), **FAST)

    assert type(upscaled) is np.ndarray
    assert upscaled.shape == (20, 28, 3)
    assert upscaled.dtype == image.dtype


def test_the_default_model_upscales_without_being_named():
    upscaled = ns.upscale(random_image((5, 7)), **FAST)

    assert upscaled.shape == (20, 28)


def test_a_model_can_be_named_loaded_or_a_file(random_model, tmp_path):
    from napari_srgan.store.checkpoint import save_checkpoint

    image, model = random_image((5, 7)), random_model()
    save_checkpoint(tmp_path / "mine.safetensors", model.network, {})

    by_model = ns.upscale(image, model, **FAST)
    by_file = ns.upscale(image, tmp_path / "mine.safetensors", **FAST)
    by_loaded = ns.upscale(image, ns.load_model(str(tmp_path / "mine.safetensors")), **FAST)

    assert (by_model == by_file).all()
    assert (by_model == by_loaded).all()


def test_a_model_of_several_scales_upscales_by_the_one_asked_for():
    image, loaded = random_image((9, 11, 3)), ns.load_model("mdsr", scale=3)

    named = ns.upscale(image, "mdsr", scale=3, **FAST)

    assert named.shape == (27, 33, 3)
    np.testing.assert_array_equal(named, ns.upscale(image, loaded, **FAST))
    np.testing.assert_array_equal(named, ns.assess(image, "mdsr", scale=3, **FAST).upscaled)
    assert ns.upscale(image, loaded, scale=2, **FAST).shape == (18, 22, 3)


def test_a_scale_that_a_model_has_not_is_refused_with_models_that_have_it():
    with pytest.raises(ValueError, match=r"by 4, not by 2\. Models that do: mdsr"):
        ns.upscale(random_image((9, 11, 3)), scale=2)


def test_progress_is_yielded_and_the_result_returned(random_model):
    image = random_image((50, 60))

    result, progress = drain(ns.iter_upscale(image, random_model(), tile=9, **FAST))

    assert (result == ns.upscale(image, random_model(), tile=9, **FAST)).all()
    assert len(progress) > 1
    assert isinstance(progress[-1], ns.Progress)
    assert progress[-1].done == progress[-1].total == 50 * 60


class Wrapped:
    """An array of another library, as zarr's, h5py's and xarray's are."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array


@pytest.mark.parametrize(
    "wrap",
    [
        Wrapped,
        torch.from_numpy,
        Photograph.fromarray,
        lambda image: image.view(np.recarray),
    ],
)
def test_what_can_be_read_as_an_array_is(random_model, wrap):
    image = random_image((5, 7, 3))

    upscaled = ns.upscale(wrap(image), random_model(), **FAST)

    assert type(upscaled) is np.ndarray
    assert (upscaled == ns.upscale(image, random_model(), **FAST)).all()


@pytest.mark.parametrize("image", [None, "a.png", [[1, 2], [3, 4]], 7, b"bytes", {"a": 1}])
def test_what_is_no_image_is_named(random_model, image):
    with pytest.raises(TypeError, match=f"Expected an array.*got {type(image).__name__}"):
        ns.upscale(image, random_model())


def test_masked_pixels_are_refused_with_what_to_do(random_model):
    with pytest.raises(TypeError, match=r"image\.filled\(value\)"):
        ns.upscale(np.ma.masked_less(random_image((5, 7)), 9), random_model())


def test_an_array_without_pixels_is_refused(random_model):
    with pytest.raises(ValueError, match="two axes or more"):
        ns.upscale(np.float32(3), random_model())
    with pytest.raises(TypeError, match="got object"):
        ns.upscale(np.zeros((5, 7), object), random_model())


@pytest.mark.parametrize("model", [None, 3, b"srresnet-x4"])
def test_what_cannot_name_a_model_is_refused(model):
    with pytest.raises(TypeError):
        ns.upscale(random_image((5, 7)), model)


def test_an_unknown_model_is_refused_before_the_image_is_looked_at():
    with pytest.raises(ValueError, match="no model named"):
        ns.upscale(None, "qqqq")


# Dask arrays


def test_a_dask_array_becomes_a_dask_array(random_model):
    image = random_image((2, 19, 23))

    lazy = ns.upscale(da.from_array(image), random_model(), **FAST)

    assert isinstance(lazy, da.Array)
    assert (lazy.compute() == ns.upscale(image, random_model(), **FAST)).all()


# Layers


def test_a_layer_becomes_a_new_layer_that_remembers_how(random_model):
    layer = Image(random_image((9, 7)), name="cells", scale=(2, 3))

    upscaled, progress = drain(ns.iter_upscale(layer, random_model(), **FAST))

    assert isinstance(upscaled, Image)
    assert upscaled is not layer
    assert (upscaled.data == ns.upscale(layer.data, random_model(), **FAST)).all()
    assert upscaled.scale.tolist() == [0.5, 0.75]
    assert progress[-1].total == 9 * 7
    assert upscaled.metadata["napari-srgan"] == {
        "model": "random",
        "family": "srresnet",
        "scale": 4,
        "generative": None,
        "weights_sha256": "",
        "device": "cpu",
        "precision": "float32",
        "normalize": "auto",
        "nan": "error",
        "quality": "standard",
        "consistent": False,
        "notes": [],
        "version": ns.__version__,
        "torch": torch.__version__,
    }


def made_by(layer, model, **choices):
    return ns.upscale(layer, model, **{"device": "cpu", **choices}).metadata["napari-srgan"]


def test_provenance_has_what_was_computed_with_and_not_what_was_asked_for(random_model):
    layer, model = Image(random_image((9, 7))), random_model(batch_norm=False)
    assert made_by(layer, model, precision="float16")["precision"] == "float16"
    assert made_by(layer, model)["precision"] in ("float32", "bfloat16")
    with torch.no_grad():
        model.network.body.head.weight.mul_(2e5)  # more than 16 bits can hold
        model.network.tail.last.weight.mul_(5e-6)
    assert made_by(layer, model, precision="float16")["precision"] == "float32"


def test_provenance_identifies_the_weights_and_is_json(own_model):
    name = own_model("drawn", invents=True)
    path = ns.load_model(name)
    layer = Image(random_image((9, 7)))
    found = made_by(layer, name, normalize=(0, 200))
    assert json.loads(json.dumps(found)) == found
    assert found["weights_sha256"] == path.sha256 != ""
    assert (found["generative"], found["normalize"]) == (True, [0, 200])
    assert made_by(layer, "srresnet-x4")["weights_sha256"] == entry("srresnet-x4").sha256


def test_provenance_is_a_chain_in_which_what_was_drawn_stays_drawn(own_model):
    drawing, faithful = own_model("drawn", invents=True), own_model("faithful", seed=1)
    once = ns.upscale(Image(random_image((9, 7))), drawing, **FAST)

    twice = ns.upscale(once, faithful, **FAST).metadata["napari-srgan"]

    assert (twice["model"], twice["generative"]) == ("faithful", True)
    assert twice["input"] == once.metadata["napari-srgan"]
    assert json.loads(json.dumps(twice)) == twice
    assert "input" not in twice["input"]


def test_provenance_of_a_model_from_elsewhere_says_that_it_is_not_known(own_model):
    found, drawing = own_model("found", invents=None), own_model("drawn", invents=True, seed=1)
    known = own_model("known", invents=False, seed=2)
    once = ns.upscale(Image(random_image((9, 7))), found, **FAST)

    assert json.loads(json.dumps(once.metadata["napari-srgan"]))["generative"] is None
    assert made_by(once, known)["generative"] is None
    assert made_by(once, drawing)["generative"] is True


def test_a_lazy_layer_says_where_it_will_be_computed(random_model):
    lazy = Image(da.from_array(random_image((9, 7), "u2")))
    found = made_by(lazy, random_model())
    assert (found["device"], found["precision"]) == ("cpu", "float32")


@pytest.mark.parametrize("wrap", [np.asarray, da.from_array])
@pytest.mark.parametrize("label", ["c", "Channel"])
def test_a_layer_whose_labels_name_channels_has_a_range_for_each(random_model, wrap, label):
    pixels = np.stack([random_image((9, 7), "u2"), random_image((9, 7), "u2") // 50])
    layer = Image(wrap(pixels), axis_labels=(label, "y", "x"))

    upscaled = np.asarray(ns.upscale(layer, random_model(), **FAST).data)

    alone = [ns.upscale(one, random_model(), **FAST) for one in pixels]
    assert (upscaled == np.stack(alone)).all()
    by_axis = ns.upscale(pixels, random_model(), channel_axis=0, rgb=False, **FAST)
    assert (upscaled == by_axis).all()


def test_labels_of_other_axes_name_no_channels(random_model):
    pixels = np.stack([random_image((9, 7), "u2"), random_image((9, 7), "u2") // 50])
    layer = Image(pixels, axis_labels=("t", "y", "c"))
    together = ns.upscale(pixels, random_model(), rgb=False, **FAST)
    assert (ns.upscale(layer, random_model(), **FAST).data == together).all()


masked = np.ma.masked_greater(random_image((9, 7), "f4"), 0.5)
undeclared = da.from_array(masked, chunks=5).map_blocks(lambda block: block, meta=np.empty((0, 0)))


@pytest.mark.parametrize(
    "image",
    [
        masked,
        da.from_array(masked),
        undeclared,
        Image(masked, contrast_limits=(0, 1)),
        Image(da.from_array(masked), contrast_limits=(0, 1)),
    ],
    ids=["array", "dask", "dask that does not say so", "layer", "layer of dask"],
)
def test_masked_pixels_are_refused_whatever_holds_them(random_model, image):
    with pytest.raises(TypeError, match="Masked pixels have no value"):
        np.asarray(ns.upscale(image, random_model(), normalize=(0, 1), **FAST))


# Models


def test_models_are_names_that_know_what_they_are(own_model):
    own_model("mine", invents=True, scale=2)
    models = ns.list_models()
    assert models[0] == "srresnet-x4"
    assert "srgan-x4" in models
    assert str(models) == str([str(name) for name in models])
    own_model("found", invents=None)
    assert [name for name in models if name.generative] == [
        "srgan-x4",
        "srgan-small-x4",
        "srgan-photo-x4",
        "mine",
    ]
    found = ns.list_models()[-1]
    assert (found, found.generative) == ("found", None)
    first, mine = models[0], models[-1]
    assert (first.scale, first.family, first.bundled) == (4, "srresnet", True)
    assert first.size == entry("srresnet-x4").size
    assert first.licence
    assert (mine.scale, mine.bundled, mine.licence) == (2, False, "")
    assert ns.load_model(mine).scale == 2
    for copied in (copy.copy(first), pickle.loads(pickle.dumps(first))):
        assert copied == first
        assert vars(copied) == vars(first)


@pytest.mark.parametrize("shape", [(9, 7, 3), (9, 7, 4), (2, 9, 7)])
def test_the_layer_knows_whether_it_holds_colours(random_model, shape):
    layer = Image(random_image(shape), rgb=shape[-1] < 5)

    upscaled = ns.upscale(layer, random_model(), **FAST)

    assert upscaled.rgb == layer.rgb
    assert (upscaled.data == ns.upscale(layer.data, random_model(), rgb=layer.rgb, **FAST)).all()


def test_three_columns_of_a_grey_layer_are_not_taken_for_colours(random_model):
    layer = Image(random_image((5, 9, 3)), rgb=False)

    assert ns.upscale(layer, random_model(), **FAST).data.shape == (5, 36, 12)


def test_rgb_cannot_contradict_the_layer(random_model):
    layer = Image(random_image((9, 7)), name="cells")

    with pytest.raises(ValueError, match="'cells' has rgb=False; rgb=True contradicts it"):
        ns.upscale(layer, random_model(), rgb=True)
    assert ns.upscale(layer, random_model(), rgb=False, **FAST).data.shape == (36, 28)


def test_a_lazy_layer_stays_lazy(random_model):
    image = random_image((3, 19, 23), "u2")
    layer = Image(da.from_array(image, chunks=(1, 19, 23)))

    upscaled = ns.upscale(layer, random_model(), **FAST)

    assert isinstance(upscaled.data, da.Array)
    eager = ns.upscale(image, random_model(), **FAST)
    difference = np.abs(upscaled.data.compute().astype(int) - eager.astype(int))
    assert difference.max() <= 1e-4 * np.ptp(image)


@pytest.mark.parametrize("level", [0, 1])
def test_any_level_of_a_multiscale_layer_can_be_taken_the_finest_unless_told(random_model, level):
    levels = [random_image((16, 24)), random_image((8, 12))]
    layer = Image(levels, multiscale=True)
    options = {"level": level} if level else {}

    upscaled = ns.upscale(layer, random_model(), **FAST, **options)

    assert (upscaled.data[0] == ns.upscale(levels[level], random_model(), **FAST)).all()
    assert upscaled.data[2] is levels[level]
    assert upscaled.data_to_world((-0.5, -0.5)) == layer.data_to_world((-0.5, -0.5))


def test_a_level_that_is_not_there_is_refused(random_model):
    with pytest.raises(ValueError, match="has 1 levels, from 0; got level 2"):
        ns.upscale(Image(np.zeros((8, 9))), random_model(), level=2)
    with pytest.raises(TypeError, match="level=1 for an array"):
        ns.upscale(np.zeros((8, 9)), random_model(), level=1)


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        (Labels(np.zeros((9, 7), int), name="cells"), "Labels"),
        (Points(np.zeros((1, 2)), name="cells"), "Points"),
    ],
)
def test_other_layers_are_refused_by_name(random_model, layer, kind):
    with pytest.raises(TypeError, match=f"'cells' is a {kind} layer"):
        ns.upscale(layer, random_model())


def test_an_array_of_ones_own_is_filled(random_model):
    out = np.zeros((20, 28), np.uint8)

    image = random_image((5, 7))
    found = ns.upscale(image, random_model(), out=out)

    assert found is out
    assert (out == ns.upscale(image, random_model())).all()


def test_a_layer_or_a_lazy_array_has_no_use_for_one(random_model):
    with pytest.raises(TypeError, match=r"out is for arrays.*to_zarr"):
        ns.upscale(da.zeros((5, 7), dtype=np.uint8), random_model(), out=np.zeros((20, 28)))


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (np.zeros((5, 7), complex), {}, "complex128"),
        (np.zeros(5, np.uint8), {}, "shape"),
        (np.zeros((5, 7), np.uint8), {"device": "foo"}, "foo"),
        (np.zeros((5, 7), np.uint8), {"precision": "foo"}, "foo"),
        (np.zeros((5, 7), np.uint8), {"tile": -1}, "-1"),
        (np.zeros((5, 7), np.uint8), {"normalize": "a, b"}, "a, b"),
        (np.zeros((5, 7), np.uint8), {"nan": "foo"}, "foo"),
        (np.zeros((5, 7), np.uint8), {"out": np.zeros((5, 7), np.uint8)}, "20, 28"),
        (da.zeros((5, 7), dtype=np.uint8), {"device": "foo"}, "foo"),
        (da.zeros((5, 7), dtype=np.uint8), {"out": np.zeros(1)}, "out is for arrays"),
    ],
)
def test_a_wrong_argument_is_refused_at_the_call_not_at_the_first_step(
    image, options, message, random_model
):
    with pytest.raises((TypeError, ValueError), match=message):
        ns.iter_upscale(image, random_model(), **options)


def test_a_layer_and_its_colours_are_checked_at_the_call(random_model):
    layer = Image(np.zeros((5, 7), np.uint8))
    with pytest.raises(ValueError, match="contradicts"):
        ns.iter_upscale(layer, random_model(), rgb=True)


def test_errors_can_be_caught_by_the_names_that_the_package_gives():
    with pytest.raises(ValueError, match="nothing"):
        ns.load_model("nothing")
    assert issubclass(ns.CheckpointError, ValueError)
    assert issubclass(ns.DownloadError, OSError)


class TestPillowImages:
    """Their arrays are indices of palettes, or inks: what is upscaled is what they show."""

    RGB = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)

    @pytest.mark.parametrize("mode", ["P", "CMYK", "YCbCr", "HSV", "RGBX", "RGB"])
    def test_colours_are_upscaled_as_colours(self, random_model, mode) -> None:
        image = Photograph.fromarray(self.RGB).convert(mode)
        made = ns.upscale(image, random_model(), device="cpu")
        assert (
            made == ns.upscale(np.asarray(image.convert("RGB")), random_model(), device="cpu")
        ).all()

    @pytest.mark.parametrize("mode", ["LA", "RGBA", "RGBa"])
    def test_alpha_stays_alpha(self, random_model, mode) -> None:
        image = Photograph.fromarray(self.RGB).convert("RGBA")
        image.putalpha(128)
        made = ns.upscale(image.convert(mode), random_model(), device="cpu")
        assert made.shape == (24, 36, 4)
        assert (made[..., 3] == 128).all()

    @pytest.mark.parametrize(
        ("mode", "dtype"), [("1", bool), ("L", "u1"), ("I;16", "u2"), ("I", "i4"), ("F", "f4")]
    )
    def test_grey_keeps_its_type(self, random_model, mode, dtype) -> None:
        made = ns.upscale(Photograph.new(mode, (9, 6)), random_model(), device="cpu")
        assert (made.shape, made.dtype) == ((24, 36), np.dtype(dtype))

    def test_a_transparent_colour_becomes_alpha(self, random_model) -> None:
        image = Photograph.new("P", (9, 6), 3)
        image.info["transparency"] = 3
        assert not ns.upscale(image, random_model(), device="cpu")[..., 3].any()

    def test_colours_that_cannot_be_converted_are_refused(self, random_model) -> None:
        with pytest.raises(ValueError, match="LAB"):
            ns.upscale(Photograph.new("LAB", (9, 6)), random_model(), device="cpu")
