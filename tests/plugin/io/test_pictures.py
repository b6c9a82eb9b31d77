"""Images, folders and stacks become layers that lie where their pixel sizes put them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile

from napari_srgan.files import Metadata, Picture, UnreadableImage, write_picture
from napari_srgan.files.provenance import described
from napari_srgan.plugin.io.pictures import read_images

H, W = 13, 9


def noise(shape: tuple[int, ...], seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def opened(path: str | list[str]) -> Any:
    """Give the one layer that napari makes of a path."""
    from napari.components import ViewerModel
    from napari.layers import Layer

    layer_data = read_images([path] if isinstance(path, str) else path)
    return ViewerModel().add_layer(Layer.create(*layer_data))


@pytest.fixture
def stack_path(tmp_path: Path) -> Path:
    path = tmp_path / "cells.tif"
    metadata = {"axes": "TZYX", "spacing": 2.0, "unit": "um", "finterval": 3.0}
    data = np.zeros((2, 5, H, W), np.uint16)
    tifffile.imwrite(path, data, imagej=True, resolution=(4, 2), metadata=metadata)
    return path


class TestLayers:
    @pytest.mark.parametrize("shape", [(H, W), (H, W, 3), (H, W, 4)])
    def test_an_image_is_a_layer_with_its_name_and_colours(
        self, tmp_path: Path, shape: tuple[int, ...]
    ) -> None:
        data = noise(shape)
        write_picture(tmp_path / "a photo.png", Picture(data, rgb=len(shape) == 3))
        layer = opened(str(tmp_path / "a photo.png"))
        assert (layer.name, layer.rgb, layer.ndim) == ("a photo", len(shape) == 3, 2)
        np.testing.assert_array_equal(layer.data, data)

    def test_a_stack_has_the_files_scale_units_and_labels(self, stack_path: Path) -> None:
        layer = opened(str(stack_path))
        np.testing.assert_allclose(layer.scale, (3.0, 2.0, 0.5, 0.25))
        assert [str(unit) for unit in layer.units] == ["second", *["micrometer"] * 3]
        assert layer.axis_labels == ("t", "z", "y", "x")

    @pytest.mark.parametrize(
        "unit", ["nm", "µm", "mm", "cm", "m", "Å", "pm", "in", "pixel", "reference frame"]
    )
    def test_napari_takes_every_unit_that_ome_writes(self, tmp_path: Path, unit: str) -> None:
        metadata = {"axes": "YX", "PhysicalSizeX": 2.0, "PhysicalSizeXUnit": unit}
        metadata |= {"PhysicalSizeY": 3.0, "PhysicalSizeYUnit": unit}
        tifffile.imwrite(tmp_path / "a.tif", noise((H, W)), ome=True, metadata=metadata)
        np.testing.assert_allclose(opened(str(tmp_path / "a.tif")).scale, (3.0, 2.0))

    def test_a_folder_is_one_lazy_layer_with_its_name(self, tmp_path: Path) -> None:
        folder = tmp_path / "frames v1.2"
        folder.mkdir()
        for number in (10, 2):
            write_picture(folder / f"{number}.png", Picture(noise((H, W, 3), number), rgb=True))
        layer = opened(str(folder))
        assert (layer.name, layer.rgb, layer.data.shape) == ("frames v1.2", True, (2, H, W, 3))
        assert not isinstance(layer.data, np.ndarray)
        np.testing.assert_array_equal(np.asarray(layer.data)[1], noise((H, W, 3), 10))

    def test_files_opened_as_a_stack_are_one_layer_in_the_order_given(self, tmp_path: Path) -> None:
        paths = [str(tmp_path / f"{name}.png") for name in "ba"]
        for seed, path in enumerate(paths):
            write_picture(path, Picture(noise((H, W), seed), rgb=False))
        layer = opened(paths)
        assert layer.name == tmp_path.name
        np.testing.assert_array_equal(np.asarray(layer.data), [noise((H, W), 0), noise((H, W), 1)])

    def test_a_stack_of_one_file_is_that_file(self, tmp_path: Path) -> None:
        write_picture(tmp_path / "a.png", Picture(noise((H, W)), rgb=False))
        assert opened([str(tmp_path / "a.png")]).data.shape == (H, W)

    def test_a_damaged_file_is_an_error_and_no_layer(self, tmp_path: Path) -> None:
        (tmp_path / "a.png").write_bytes(b"<html>not found</html>")
        with pytest.raises(UnreadableImage, match=r"a\.png is a web page"):
            opened(str(tmp_path / "a.png"))


def test_how_a_file_was_made_is_known_of_its_layer(tmp_path: Path) -> None:
    record = {"model": "drawing", "generative": True}
    written = Metadata(description=described("A cell.", record))
    write_picture(tmp_path / "a.png", Picture(noise((H, W)), rgb=False, metadata=written))
    assert opened(str(tmp_path / "a.png")).metadata == {"napari-srgan": record}
