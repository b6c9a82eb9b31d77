"""Results written right into a store: the same pixels in the same place, cancelled and gone on."""

from threading import Event

import dask.array as da
import numpy as np
import pytest
from napari.layers import Image

from napari_srgan.inference.run import upscale_array
from napari_srgan.inference.settings import Settings, finish
from napari_srgan.ngff import arrays, levels
from napari_srgan.plugin.io.write_to import iter_write
from napari_srgan.plugin.layers import channel_axis_of, standing_for, upscaled_geometry
from napari_srgan.plugin.messages import Choices, Failed, Source, Stopped
from napari_srgan.store.load import load_model
from napari_srgan.volume import plan

STACK = np.random.default_rng(1).integers(0, 4096, (3, 2, 30, 42), dtype=np.uint16)


@pytest.fixture
def choices(own_model):
    settings = Settings(device="cpu", precision="float32")
    return Choices(own_model(), "auto", settings, None)


@pytest.fixture(autouse=True)
def _small_windows(monkeypatch):
    for module in (arrays, plan, levels):
        monkeypatch.setattr(module, "WINDOW", 20)
    monkeypatch.setattr(levels, "_CHUNK", {2: 20, 3: 20})


def source_of(layer, plane=None):
    return Source(layer.data, bool(layer.rgb), plane, channel_axis_of(layer))


@pytest.mark.parametrize("plane", [None, (2, 1)])
@pytest.mark.parametrize("wrap", [np.asarray, da.from_array], ids=["numpy", "dask"])
def test_a_layer_becomes_a_store_that_lies_where_it_lies(tmp_path, choices, wrap, plane):
    layer = Image(wrap(STACK), axis_labels=("z", "c", "y", "x"), scale=(2, 1, 0.5, 0.25),
                  translate=(5, 0, 1, 2))  # fmt: skip
    steps = iter_write(
        source_of(layer, plane), standing_for(layer), choices, tmp_path / "a.zarr", Event()
    )
    done = finish(steps)

    expected = upscale_array(STACK, load_model(choices.model), channel_axis=1,
                             settings=choices.settings)  # fmt: skip
    if plane is not None:
        expected = expected[2:3, 1:2]
    assert np.abs(done.pixels[0].compute().astype(int) - expected).max() <= 1
    assert done.written == tmp_path / "a.zarr"
    assert not done.can_be_compared

    from napari_srgan.plugin.io.stores import read_ome_zarr

    _, options, _ = read_ome_zarr(tmp_path / "a.zarr")
    place = upscaled_geometry(layer, 4, plane)
    order = [1, 0, 2, 3]
    np.testing.assert_allclose(options["scale"], np.array(place["scale"])[order])
    np.testing.assert_allclose(options["translate"], np.array(place["translate"])[order])


def test_colours_are_seen_together(tmp_path, choices):
    colours = np.random.default_rng(2).integers(0, 256, (30, 42, 3), dtype=np.uint8)
    layer = Image(colours, rgb=True)
    done = finish(iter_write(source_of(layer), standing_for(layer), choices,
                             tmp_path / "a.zarr", Event()))  # fmt: skip
    expected = upscale_array(colours, load_model(choices.model), settings=choices.settings)
    assert np.abs(done.pixels[0].compute().astype(int) - expected).max() <= 1


def test_what_is_cancelled_is_gone_on_with(tmp_path, choices):
    layer, stop, target = Image(STACK), Event(), tmp_path / "a.zarr"
    steps = iter_write(source_of(layer), standing_for(layer), choices, target, stop)
    while next(steps).done < 2000:
        pass
    stop.set()
    stopped = finish(steps)
    assert isinstance(stopped, Stopped)
    assert "Write to a.zarr to go on" in stopped.text
    assert not target.exists()

    kept = [step.kept for step in iter_write(source_of(layer), standing_for(layer), choices,
                                             target, Event())]  # fmt: skip
    assert max(kept) > 0
    assert target.is_dir()
    again = finish(iter_write(source_of(layer), standing_for(layer), choices, target, Event()))
    assert isinstance(again, Failed)
    assert "Choose another name" in again.reason
