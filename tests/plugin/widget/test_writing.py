"""*Write to…*: a result that goes into a store, and is shown from there."""

import dask.array as da
import numpy as np

from napari_srgan.plugin import controls
from napari_srgan.plugin import widget as module

STACK = np.random.default_rng(1).integers(0, 4096, (3, 30, 42), dtype=np.uint16)


def test_a_result_is_written_and_shown_from_its_store(alone, settled, tmp_path, monkeypatch):
    viewer, widget = alone(STACK)
    widget.planes.value = controls.ALL_PLANES
    target = tmp_path / "out.ome.zarr"
    monkeypatch.setattr(module, "store_to_write", lambda name: None)
    widget.buttons.write.changed.emit(True)  # a dialog that is closed
    assert not widget.busy
    monkeypatch.setattr(module, "store_to_write", lambda name: target)
    widget.buttons.write.changed.emit(True)
    assert not widget.buttons.write.enabled
    settled(widget)

    assert target.is_dir()
    result = viewer.layers[1]
    assert result.multiscale
    assert isinstance(result.data[0], da.Array)
    assert [level.shape for level in result.data] == [(3, 120, 168), (3, 60, 84), (3, 30, 42)]
    np.testing.assert_array_equal(result.data[2], STACK)
    assert widget.buttons.write.enabled
