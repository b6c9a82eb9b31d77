"""What is saved with this plugin keeps the size of a pixel, and says what made it."""

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image
from npe2 import PluginManager

from napari_srgan.files import read_picture
from napari_srgan.files.provenance import record_in
from napari_srgan.plugin.io.pictures import read_images
from napari_srgan.plugin.io.writer import picture_of, write_tiff
from napari_srgan.plugin.layers import METADATA_KEY, upscaled_layer

STACK = np.random.default_rng(0).integers(0, 4096, (3, 10, 14), dtype=np.uint16)
MICRONS = {"scale": (2.0, 0.107, 0.214), "units": ("um", "um", "um")}


def saved(layer, path):
    pixels, state, _kind = layer.as_layer_data_tuple()
    write_tiff(str(path), pixels, state)
    return read_picture(path)


@pytest.mark.parametrize("wrap", [np.asarray, da.from_array], ids=["numpy", "dask"])
def test_pixels_size_unit_and_axes_come_back(tmp_path, wrap):
    picture = saved(Image(wrap(STACK), axis_labels=("z", "y", "x"), **MICRONS), tmp_path / "a.tif")

    np.testing.assert_array_equal(picture.data, STACK)
    assert picture.pixel_scale == pytest.approx((2.0, 0.107, 0.214))
    assert picture.units == ("micrometer",) * 3
    assert picture.axis_labels == ("z", "y", "x")


def test_an_upscaled_layer_has_smaller_pixels_and_tells_what_made_it(tmp_path):
    layer = Image(STACK, **MICRONS)
    high = STACK.repeat(4, 1).repeat(4, 2)
    picture = saved(
        upscaled_layer(layer, high, 4, {"model": "toy", "scale": 4}), tmp_path / "a.tif"
    )

    assert picture.pixel_scale == pytest.approx((2.0, 0.107 / 4, 0.214 / 4))
    assert record_in(picture.metadata.description)["model"] == "toy"
    _pixels, options, _kind = read_images([tmp_path / "a.tif"])
    assert options["metadata"][METADATA_KEY]["model"] == "toy"


def test_colours_and_the_finest_level_are_written(tmp_path):
    colours = np.random.default_rng(1).integers(0, 256, (40, 52, 3), dtype=np.uint8)
    picture = saved(Image([colours, colours[::2, ::2]], rgb=True), tmp_path / "a.tiff")

    assert picture.rgb
    np.testing.assert_array_equal(picture.data, colours)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (None, ("t", "z", "y", "x")),
        (("Time", "channel", "down", "across"), ("t", "c", "y", "x")),
        (("c", "c", "y", "x"), ("c", "z", "y", "x")),
        (("x", "y", "a", "b"), ("t", "z", "y", "x")),
    ],
)
def test_axes_are_told_by_their_names_else_by_their_place(labels, names):
    layer = Image(np.zeros((2, 3, 5, 7)), axis_labels=labels)

    assert picture_of(*layer.as_layer_data_tuple()[:2]).axis_labels == names


def test_a_length_that_a_file_has_no_word_for_stays_in_pixels():
    state = Image(STACK, units=("second", "ampere", "pixel")).as_layer_data_tuple()[1]

    assert picture_of(STACK, state).units == ("second", "pixel", "pixel")


def test_napari_writes_by_it_where_it_is_asked_to(tmp_path):
    PluginManager.instance().discover()
    viewer = ViewerModel()
    viewer.add_image(STACK, **MICRONS)
    for name, plugin in (("a.tif", "napari-srgan"), ("a.ome.tif", None)):
        viewer.layers.save(str(tmp_path / name), plugin=plugin)
        assert read_picture(tmp_path / name).pixel_scale == pytest.approx((2.0, 0.107, 0.214))
