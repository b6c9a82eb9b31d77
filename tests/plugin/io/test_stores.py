"""Layers as OME-Zarr stores: valid, in their place, and opened again, by a bare napari too."""

import dask.array as da
import numpy as np
import pytest
import yaozarrs
from napari.components import ViewerModel
from napari.layers import Image
from npe2 import PluginManager

from napari_srgan.files import read_picture
from napari_srgan.ngff.stored import open_image
from napari_srgan.plugin.io import stores
from napari_srgan.plugin.layers import METADATA_KEY, upscaled_layer

PIXELS = np.random.default_rng(0).integers(0, 4096, (2, 3, 2, 37, 53), dtype=np.uint16)
PLACED = {
    "scale": (60.0, 2.0, 1.0, 0.5, 0.25), "translate": (0.0, 10.0, 0.0, -3.0, 7.0),
    "units": ("second", "um", "pixel", "um", "um"), "axis_labels": ("t", "z", "c", "y", "x"),
}  # fmt: skip


def saved(layer, path):
    pixels, state, _kind = layer.as_layer_data_tuple()
    assert stores.write_ome_zarr(str(path), pixels, state) == [str(path)]
    yaozarrs.validate_zarr_store(path)
    found, options, _kind = stores.read_ome_zarr(path)
    return Image(found, **options)


def corners(layer):
    """Return the outer corners of the finest level in the world."""
    shape = layer.data[0].shape if layer.multiscale else layer.data.shape
    ends = np.array([np.full(layer.ndim, -0.5), np.array(shape[: layer.ndim]) - 0.5])
    return np.array([layer.data_to_world(end) for end in ends])


@pytest.fixture(autouse=True)
def _small_levels(monkeypatch):
    from napari_srgan.ngff import writing

    monkeypatch.setattr(writing, "SMALLEST_LEVEL", 16)


@pytest.mark.parametrize("wrap", [np.asarray, da.from_array], ids=["numpy", "dask"])
def test_a_layer_comes_back_with_levels_where_it_was(tmp_path, wrap):
    layer = Image(wrap(PIXELS), **PLACED)
    back = saved(layer, tmp_path / "a.ome.zarr")

    assert back.axis_labels == ("t", "c", "z", "y", "x")  # as the format orders them
    np.testing.assert_array_equal(back.data[0], PIXELS.swapaxes(1, 2))
    assert [level.shape[3:] for level in back.data] == [(37, 53), (19, 27), (10, 14)]
    order = [0, 2, 1, 3, 4]
    np.testing.assert_allclose(corners(back), corners(layer)[:, order])
    assert [str(unit) for unit in back.units] == [
        "second", "pixel", "micrometer", "micrometer", "micrometer",
    ]  # fmt: skip


def test_levels_of_a_layer_are_kept_and_cover_what_they_covered(tmp_path):
    plane = PIXELS[0, 0, 0]
    layer = Image([plane, plane[::3, ::2]], scale=(2, 3), axis_labels=("y", "x"))
    back = saved(layer, tmp_path / "a.ome.zarr")
    assert [level.shape for level in back.data] == [(37, 53), (13, 27), (7, 14)]
    np.testing.assert_array_equal(back.data[1], plane[::3, ::2])
    coarse = open_image(tmp_path / "a.ome.zarr").multiscale["datasets"][1]
    scale, translation = (each[each["type"]] for each in coarse["coordinateTransformations"])
    np.testing.assert_allclose(scale, [2 * 37 / 13, 3 * 53 / 27])
    np.testing.assert_allclose(np.subtract(translation, np.array(scale) / 2), [-1, -1.5])


def test_an_upscaled_layer_tells_what_made_it(tmp_path):
    layer = Image(PIXELS[0, :, 0], scale=(2, 0.5, 0.5))
    result = upscaled_layer(layer, PIXELS[0, :, 0].repeat(4, 1).repeat(4, 2), 4, {"model": "toy"})
    back = saved(result, tmp_path / "a.zarr")
    assert back.metadata[METADATA_KEY]["model"] == "toy"
    np.testing.assert_allclose(corners(back), corners(layer))


@pytest.mark.parametrize("channels", [3, 4])
def test_colours_are_channels_of_colours(tmp_path, channels):
    source = np.random.default_rng(1)
    colours = source.integers(0, 256, (2, 20, 30, channels), dtype=np.uint8)
    back = saved(Image(colours, rgb=True), tmp_path / "a.ome.zarr")
    assert back.rgb
    finest = back.data[0]
    np.testing.assert_array_equal(finest, colours)
    image = open_image(tmp_path / "a.ome.zarr")
    assert [axis["name"] for axis in image.axes] == ["c", "z", "y", "x"]
    labels = [channel["label"] for channel in image.ome["omero"]["channels"]]
    assert labels == ["red", "green", "blue", "alpha"][:channels]


def test_a_turned_layer_is_written_upright_and_that_is_said(tmp_path, caplog):
    saved(Image(PIXELS[0, 0, 0], rotate=30), tmp_path / "a.ome.zarr")
    assert "no rotation" in caplog.text


def test_what_cannot_be_written_is_refused(tmp_path):
    state = Image(np.zeros((1, 1, 1, 1, 4, 4))).as_layer_data_tuple()
    with pytest.raises(ValueError, match="this layer has 6 axes"):
        stores.write_ome_zarr(str(tmp_path / "a.zarr"), *state[:2])
    (tmp_path / "b.zarr").mkdir()
    state = Image(PIXELS[0, 0, 0]).as_layer_data_tuple()
    with pytest.raises(FileExistsError, match="Choose another name"):
        stores.write_ome_zarr(str(tmp_path / "b.zarr"), *state[:2])


def test_napari_saves_by_the_name_alone_and_opens_it_without_this_plugin(tmp_path):
    PluginManager.instance().discover()
    viewer = ViewerModel()
    viewer.add_image(PIXELS[0, 0, 0])
    path = tmp_path / "a.ome.zarr"
    assert viewer.layers.save(str(path)) == [str(path)]
    (opened,) = viewer.open(path, plugin="napari")
    np.testing.assert_array_equal(opened.data[0], PIXELS[0, 0, 0])
    assert [level.shape for level in opened.data] == [(37, 53), (19, 27), (10, 14)]

    png = tmp_path / "a.png"
    viewer.layers.selection = {viewer.layers[0]}
    assert viewer.layers.save(str(png), selected=True, plugin="napari-srgan") == [str(png)]
    np.testing.assert_array_equal(read_picture(png).data, PIXELS[0, 0, 0])
