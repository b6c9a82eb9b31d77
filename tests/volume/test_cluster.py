"""A store and a lazy result computed by two processes of a cluster, one of which is killed."""

import os
import pickle
import signal

import dask.array as da
import numpy as np
import pytest
import zarr
from typer.testing import CliRunner

import napari_srgan as ns
from napari_srgan.cli import app
from napari_srgan.ngff.stored import open_image
from napari_srgan.store.load import load_model

distributed = pytest.importorskip("distributed")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # distributed's own

MODEL = "srresnet-small-x4"
PIXELS = np.random.default_rng(0).integers(0, 4096, (6, 24, 28), dtype=np.uint16)


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as made:
        yield made


def loads_in(client):
    """Return how often each worker has loaded a model."""

    def count():
        from napari_srgan.store import reference

        return reference._loaded.cache_info().misses

    return list(client.run(count).values())


def test_a_lazy_result_is_small_and_the_same_and_loads_the_model_once_a_worker(cluster):
    lazy = ns.upscale(da.from_array(PIXELS, (1, 24, 28)), MODEL, device="cpu")
    assert len(pickle.dumps(lazy)) < 200_000 + 2 * PIXELS.nbytes
    here = lazy.compute()
    with distributed.Client(cluster, set_as_default=False) as client:
        there = client.compute(lazy).result()
        assert max(loads_in(client)) == 1
    np.testing.assert_array_equal(there, here)


def test_a_store_is_upscaled_by_a_cluster_that_loses_a_worker(cluster, tmp_path, monkeypatch):
    from napari_srgan.ngff import making

    source, here, there = (tmp_path / name for name in ("in.zarr", "here.zarr", "there.zarr"))
    group = zarr.create_group(source)
    group.create_array("0", data=PIXELS, chunks=(1, 24, 28))
    transforms = [{"type": "scale", "scale": [1.0, 1.0, 1.0]}]
    datasets = [{"path": "0", "coordinateTransformations": transforms}]
    axes = [{"name": name, "type": "space"} for name in "zyx"]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    command = ["upscale", str(source), "--model", MODEL, "--device", "cpu", "-o"]
    done = CliRunner().invoke(app, [*command, str(here)])
    assert done.exit_code == 0, done.output

    real, killed = making.Making.mark, []

    def mark(self, key, made_of=""):
        real(self, key, made_of)
        if made_of and not killed:  # the first window is done
            killed.append(next(iter(cluster.workers.values())).pid)
            os.kill(killed[0], signal.SIGKILL)

    monkeypatch.setattr(making.Making, "mark", mark)
    done = CliRunner().invoke(app, [*command, str(there), "--scheduler", cluster.scheduler_address])
    assert done.exit_code == 0, done.output
    assert killed
    np.testing.assert_array_equal(open_image(there).array[:], open_image(here).array[:])


def test_a_cluster_is_for_stores_and_has_to_have_the_same_weights(tmp_path):
    said = CliRunner().invoke(app, ["upscale", "a.png", "-o", "b.png", "--scheduler", "tcp://x:1"])
    assert said.exit_code == 2
    from napari_srgan.store.reference import ModelReference

    with pytest.raises(ValueError, match="another file here"):
        ModelReference(MODEL, 4, "0" * 64).load()
    assert ModelReference(MODEL, 4, load_model(MODEL).sha256).load().scale == 4
