"""napari opens model files as models, and leaves images to the readers that it had before."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest
from napari.plugins import _npe2
from npe2 import PluginManager, PluginManifest

from napari_srgan.files import IMAGE_SUFFIXES
from napari_srgan.plugin.io import reader
from napari_srgan.plugin.io.reader import MODEL_SUFFIXES, get_reader

MANIFEST = Path(__file__).resolve().parents[3] / "napari.yaml"


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], set[str]]:
    """Return what tells whom napari would ask, with its own readers and this plugin installed."""
    manager = PluginManager()
    for path in (Path(str(files("napari_builtins"))) / "builtins.yaml", MANIFEST):
        manager.register(PluginManifest.from_file(path))
    monkeypatch.setattr(PluginManager, "instance", lambda: manager)
    return lambda path: set(_npe2.get_readers(str(path)))


class TestChoosing:
    @pytest.mark.parametrize("suffix", [*MODEL_SUFFIXES, ".PTH"])
    def test_a_suffix_is_enough_and_the_file_is_not_opened(self, suffix: str) -> None:
        assert get_reader(f"/no/such/file{suffix}") is not None
        assert get_reader([f"/no/such/file{suffix}"]) is not None

    @pytest.mark.parametrize(
        "path",
        ["a.gif", "a", ".pth", "https://example.org/a.pth", *(f"a{s}" for s in IMAGE_SUFFIXES)],
    )
    def test_other_paths_are_left_to_other_plugins(self, path: str) -> None:
        assert get_reader(path) is None

    def test_folders_and_several_files_are_left_to_other_plugins(self, tmp_path: Path) -> None:
        folder = tmp_path / "looks like a model.pth"
        folder.mkdir()
        assert get_reader(str(folder)) is None
        assert get_reader(["a.pth", "b.pth"]) is None
        assert get_reader([]) is None

    def test_choosing_loads_nothing_heavy(self) -> None:
        code = (
            "import sys; from napari_srgan.plugin.io.reader import get_reader; get_reader('a.pth');"
            "heavy = {'torch', 'napari', 'dask', 'tifffile', 'imagecodecs', 'qtpy'};"
            "print(sorted(heavy & set(sys.modules)))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        assert done.stdout.strip() == b"[]"

    @pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
    def test_napari_takes_its_own_reader_for_an_image(
        self, readers: Callable[[Path], set[str]], tmp_path: Path, suffix: str
    ) -> None:
        assert readers(tmp_path / f"photo{suffix}") == {"napari"}

    def test_napari_takes_its_own_reader_for_a_folder(
        self, readers: Callable[[Path], set[str]], tmp_path: Path
    ) -> None:
        assert readers(tmp_path) == {"napari"}

    @pytest.mark.parametrize("suffix", MODEL_SUFFIXES)
    def test_napari_offers_this_reader_for_a_model(
        self, readers: Callable[[Path], set[str]], tmp_path: Path, suffix: str
    ) -> None:
        assert "napari-srgan" in readers(tmp_path / f"model{suffix}")


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
        assert said == ["“my-model” can now be chosen in Plugins → SRGAN → SRGAN upscale."]

    def test_what_is_no_model_is_an_error_and_not_announced(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        said: list[str] = []
        monkeypatch.setattr("napari.utils.notifications.show_info", said.append)
        (tmp_path / "a.safetensors").write_bytes(b"<html>not found</html>")
        with pytest.raises(ValueError, match=r"a\.safetensors"):
            reader.read_model(str(tmp_path / "a.safetensors"))
        assert said == []


def test_a_model_that_cannot_be_kept_for_good_can_be_chosen_all_the_same(
    own_model: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari.utils.notifications import notification_manager

    own_model("mine")
    (tmp_path / "a file").touch()
    monkeypatch.setenv("NAPARI_SRGAN_CACHE", str(tmp_path / "a file"))

    assert reader.read_model(str(tmp_path / "mine.safetensors")) == [(None,)]
    messages = [record.message for record in notification_manager.records[-2:]]
    assert "“mine” is there until napari is closed" in messages[0]
    assert "“mine” can now be chosen" in messages[1]
