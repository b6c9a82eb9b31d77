"""napari opens images, folders and stacks as aligned layers, and model files as models."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from npe2 import PluginManager, PluginManifest
from npe2.io_utils import read_get_reader

from napari_srgan.files import IMAGE_SUFFIXES, Picture, UnreadableImage, write_picture
from napari_srgan.plugin import reader
from napari_srgan.plugin.reader import MODEL_SUFFIXES, get_reader

H, W = 13, 9


def noise(shape: tuple[int, ...], seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def opened(path: str | list[str]) -> Any:
    """Give the one layer that napari makes of a path."""
    from napari.components import ViewerModel
    from napari.layers import Layer

    reader = get_reader(path)
    assert reader is not None
    (layer_data,) = reader(path)
    viewer = ViewerModel()
    return viewer.add_layer(Layer.create(*layer_data))


@pytest.fixture
def stack_path(tmp_path: Path) -> Path:
    path = tmp_path / "cells.tif"
    metadata = {"axes": "TZYX", "spacing": 2.0, "unit": "um", "finterval": 3.0}
    data = np.zeros((2, 5, H, W), np.uint16)
    tifffile.imwrite(path, data, imagej=True, resolution=(4, 2), metadata=metadata)
    return path


class TestChoosing:
    @pytest.mark.parametrize("suffix", [*IMAGE_SUFFIXES, *MODEL_SUFFIXES, ".PNG", ".Tiff"])
    def test_a_suffix_is_enough_and_the_file_is_not_opened(self, suffix: str) -> None:
        assert get_reader(f"/no/such/file{suffix}") is not None

    @pytest.mark.parametrize(
        "path", ["a.gif", "a.txt", "a", ".png", "https://example.org/a.png", "/no/such/folder"]
    )
    def test_other_paths_are_left_to_other_plugins(self, path: str) -> None:
        assert get_reader(path) is None

    def test_a_folder_is_taken_if_there_is_an_image_in_it(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("none")
        assert get_reader(str(tmp_path)) is None
        (tmp_path / "a.webp").write_bytes(b"never looked at")
        assert get_reader(str(tmp_path)) is not None

    def test_files_to_be_stacked_must_all_be_images(self) -> None:
        assert get_reader(["a.png", "b.png"]) is not None
        assert get_reader(["a.png", "b.txt"]) is None
        assert get_reader(["a.png", "b.pth"]) is None
        assert get_reader([]) is None

    def test_the_suffixes_of_models_are_those_that_can_be_loaded(self) -> None:
        from napari_srgan.store.checkpoint import CHECKPOINT_SUFFIXES

        assert MODEL_SUFFIXES == CHECKPOINT_SUFFIXES

    def test_choosing_loads_nothing_heavy(self) -> None:
        code = (
            "import sys; from napari_srgan.plugin.reader import get_reader; get_reader('a.png');"
            "heavy = {'torch', 'napari', 'dask', 'tifffile', 'imagecodecs', 'qtpy'};"
            "print(sorted(heavy & set(sys.modules)))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        assert done.stdout.strip() == b"[]"


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


class TestModels:
    @pytest.mark.parametrize("suffix", MODEL_SUFFIXES)
    def test_a_dropped_model_is_remembered_announced_and_no_layer(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
    ) -> None:
        seen: list[Path] = []

        def remember(path: Path) -> str:
            seen.append(path)
            return "my-model"

        monkeypatch.setattr("napari_srgan.store.load.remember", remember)
        said: list[str] = []
        monkeypatch.setattr("napari.utils.notifications.show_info", said.append)
        path = str(tmp_path / f"weights{suffix}")
        reader = get_reader(path)
        assert reader is not None
        assert reader(path) == [(None,)]
        assert seen == [Path(path)]
        assert said == ["“my-model” can now be chosen in Plugins → SRGAN upscale."]

    def test_what_is_no_model_is_an_error_and_not_announced(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        said: list[str] = []
        monkeypatch.setattr("napari.utils.notifications.show_info", said.append)
        (tmp_path / "a.safetensors").write_bytes(b"<html>not found</html>")
        with pytest.raises(ValueError, match=r"a\.safetensors"):
            reader.read_model(str(tmp_path / "a.safetensors"))
        assert said == []


def test_npe2_finds_the_reader_and_takes_what_it_gives(
    tmp_path: Path, stack_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = PluginManager()
    manager.register(
        PluginManifest(
            name="a-reader",
            contributions={
                "commands": [
                    {
                        "id": "a-reader.read",
                        "title": "Read",
                        "python_name": "napari_srgan.plugin.reader:get_reader",
                    }
                ],
                "readers": [
                    {
                        "command": "a-reader.read",
                        "filename_patterns": ["*.tif", "*.pth"],
                        "accepts_directories": True,
                    }
                ],
            },
        )
    )
    monkeypatch.setattr(PluginManager, "instance", lambda: manager)
    monkeypatch.setattr("napari_srgan.store.load.remember", lambda path: path.stem)
    monkeypatch.setattr("napari.utils.notifications.show_info", lambda message: None)
    ((data, options, kind),), _ = read_get_reader([str(stack_path)], stack=False)
    assert (data.shape, options["name"], kind) == ((2, 5, H, W), "cells", "image")
    ((data, options, _),), _ = read_get_reader([str(stack_path)] * 2, stack=True)
    assert data.shape == (2, 2, 5, H, W)
    ((data, options, _),), _ = read_get_reader([str(tmp_path)], stack=False)
    assert data.shape == (1, 2, 5, H, W)
    assert read_get_reader([str(tmp_path / "g.pth")], stack=False)[0] == [(None,)]
