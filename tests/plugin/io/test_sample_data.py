"""The samples need no network, are low-resolution, and say where they are from."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage import data

from napari_srgan.plugin.io import sample_data

SAMPLES = [sample_data.photograph, sample_data.cells]


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a sample asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.parametrize("sample", SAMPLES)
def test_napari_makes_a_layer_of_each(sample: Callable[[], list[Any]]) -> None:
    from napari.components import ViewerModel
    from napari.layers import Layer

    viewer = ViewerModel()
    for layer_data in sample():
        layer = viewer.add_layer(Layer.create(*layer_data))
        assert "low resolution" in layer.name
        assert layer.data.dtype == np.uint8
        assert set(layer.metadata) == {"source", "credit", "reduction"}
        assert "scikit-image" in layer.metadata["source"]
        assert "CC0" in layer.metadata["credit"]


@pytest.mark.parametrize(
    ("sample", "original"),
    [(sample_data.photograph, data.coffee), (sample_data.cells, data.cell)],
)
def test_each_is_a_quarter_of_its_original_and_looks_like_it(
    sample: Callable[[], list[Any]], original: Callable[[], np.ndarray[Any, Any]]
) -> None:
    ((low, options, _),) = sample()
    high = original()
    assert low.shape[:2] == (high.shape[0] // 4, high.shape[1] // 4)
    assert options["rgb"] == (high.ndim == 3)
    h, w = low.shape[:2]
    means = high[: 4 * h, : 4 * w].reshape(h, 4, w, 4, -1).mean(axis=(1, 3)).reshape(low.shape)
    assert np.abs(low - means).mean() < 2


def test_the_reduction_is_antialiased_bicubic() -> None:
    ((low, _, _),) = sample_data.photograph()
    expected = Image.fromarray(data.coffee()).resize((150, 100), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(low, np.asarray(expected))


def test_the_cells_pixels_have_their_published_size() -> None:
    ((_, options, _),) = sample_data.cells()
    assert options["scale"] == pytest.approx((0.428, 0.428))
    assert options["units"] == ("micrometer", "micrometer")


def test_a_sample_may_be_changed_without_changing_the_next() -> None:
    ((first, _, _),) = sample_data.photograph()
    first[:] = 0
    ((second, _, _),) = sample_data.photograph()
    assert second.any()
