"""What is built from the tree works where the tree is not."""

from __future__ import annotations

import email
import hashlib
import json
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parent.parent
NAME = "napari_srgan"
# Where the tree has what the wheel calls by the name on the right.
PLACES = {"src/napari_srgan": NAME, "training": f"{NAME}/training", "weights": f"{NAME}/weights"}
WHEEL_LIMIT = 20_000_000
BUILD = [sys.executable, "-m", "build", "--no-isolation"]


def said(command: list[str | Path], folder: Path) -> str:
    """Run a command in a folder and return what it printed; fail with what it said if it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@dataclass(frozen=True)
class Built:
    """The tree's own files, and the distributions that were made from them."""

    files: frozenset[PurePosixPath]
    wheel: Path
    sdist: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout, to know which files are the tree's own")
    # From a copy without ignored files: nothing that lies about may help, nothing is left behind.
    folder = tmp_path_factory.mktemp("built")
    git = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others"]
    listed = said([*git, "--exclude-standard"], ROOT).split("\0")
    files = frozenset(PurePosixPath(name) for name in listed if name and (ROOT / name).is_file())
    for file in files:
        target = folder / "tree" / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / file, target)
    said([*BUILD, "--sdist", "--wheel", "--outdir", folder, folder / "tree"], folder)
    return Built(files, next(folder.glob("*.whl")), next(folder.glob("*.tar.gz")))


@dataclass(frozen=True)
class Installation:
    """An environment that has the wheel, and from elsewhere only what the wheel depends on."""

    folder: Path

    @property
    def scripts(self) -> Path:
        return self.folder / ("Scripts" if sys.platform == "win32" else "bin")

    def run(self, *arguments: str) -> str:
        # Isolated: neither the working folder nor PYTHONPATH can bring in the tree.
        return said([self.scripts / "python", "-I", *arguments], self.folder)


@pytest.fixture(scope="module")
def installation(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    found = Installation(tmp_path_factory.mktemp("clean") / "venv")
    venv.create(found.folder, symlinks=sys.platform != "win32")
    pip = [sys.executable, "-m", "pip", "--python", found.scripts / "python", "install"]
    said([*pip, "--no-index", "--no-deps", built.wheel], found.folder)
    # A path named in a .pth comes last, and the .pth files in it, such as the one of the editable
    # installation, are not read.
    paths = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    Path(found.run("-c", code).strip(), "dependencies.pth").write_text("\n".join(paths))
    return found


def contents(wheel: Path) -> dict[str, str]:
    """Return a digest of every file in a wheel but its RECORD."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("RECORD")]
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in names}


def test_manifest_in_the_package_equals_the_one_at_the_top():
    inside = ROOT / "src" / NAME / "napari.yaml"
    assert inside.read_bytes() == (ROOT / "napari.yaml").read_bytes(), "run pip install -e . again"


@pytest.mark.slow
def test_wheel_has_every_file_of_the_package_and_the_manifest(built):
    expected = {f"{NAME}/napari.yaml"}
    for file in built.files:
        for place, name in PLACES.items():
            if file.is_relative_to(place):
                expected.add(str(name / file.relative_to(place)))
    packed = {name for name in contents(built.wheel) if name.startswith(f"{NAME}/")}
    assert packed == expected


@pytest.mark.slow
def test_wheel_has_nothing_beside_the_package(built):
    tops = {name.split("/")[0] for name in contents(built.wheel)}
    version = built.wheel.name.split("-")[1]
    assert tops == {NAME, f"{NAME}-{version}.dist-info"}


@pytest.mark.slow
def test_wheel_is_small_enough_to_share(built):
    assert built.wheel.stat().st_size < WHEEL_LIMIT


@pytest.mark.slow
def test_wheel_leaves_the_choice_of_qt_and_torch_to_the_user(built):
    with zipfile.ZipFile(built.wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    needs = [need for need in metadata.get_all("Requires-Dist", []) if "extra ==" not in need]
    assert [need for need in needs if "pyqt" in need.lower() or "pyside" in need.lower()] == []
    assert [need for need in needs if need.startswith("napari[")] == []
    torch = next(need for need in needs if need.startswith("torch"))
    assert "<" not in torch
    assert "+" not in torch


@pytest.mark.slow
def test_sdist_builds_the_same_wheel(built, tmp_path):
    # Python before 3.11.4 knows no filters, and 3.12 warns of extracting without one.
    safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    with tarfile.open(built.sdist) as archive:
        archive.extractall(tmp_path, **safely)
    unpacked = next(tmp_path.iterdir())
    said([*BUILD, "--wheel", "--outdir", tmp_path / "again", unpacked], tmp_path)
    assert contents(next((tmp_path / "again").glob("*.whl"))) == contents(built.wheel)


@pytest.mark.slow
def test_installed_package_is_the_wheel_s_own(installation):
    code = f"import {NAME}, {NAME}.training, {NAME}.weights\n"
    code += f"for m in {NAME}, {NAME}.training, {NAME}.weights: print(m.__file__)"
    paths = installation.run("-c", code).splitlines()
    assert len(paths) == 3
    assert all(Path(path).is_relative_to(installation.folder.resolve()) for path in paths)


@pytest.mark.slow
def test_installed_weights_are_those_the_registry_names(installation):
    code = f"from importlib.resources import files; print(files('{NAME}.weights'))"
    weights = Path(installation.run("-c", code).strip())
    assert weights.is_relative_to(installation.folder.resolve())
    entries = json.loads((weights / "registry.json").read_text(encoding="utf-8"))
    digests = {entry["file"]: entry["sha256"] for entry in entries if entry["file"]}
    found = {file: hashlib.sha256((weights / file).read_bytes()).hexdigest() for file in digests}
    assert found == digests
    assert digests, "at least one model comes with the package"


@pytest.mark.slow
def test_installed_plugin_is_valid_and_its_commands_can_be_imported(installation):
    code = "from npe2 import PluginManifest as P; print(P.from_distribution('napari-srgan').name)"
    assert installation.run("-c", code).strip() == "napari-srgan"
    installation.run("-m", "npe2", "validate", "--imports", "napari-srgan")


@pytest.mark.slow
def test_installed_command_lines_answer(installation):
    assert "upscale" in said([installation.scripts / "napari-srgan", "--help"], installation.folder)
    assert "train" in installation.run("-m", f"{NAME}.training", "--help")


@pytest.mark.slow
def test_installed_package_says_that_it_is_typed(installation):
    code = f"from importlib.resources import files; print((files('{NAME}') / 'py.typed').is_file())"
    assert installation.run("-c", code).strip() == "True"


@pytest.mark.slow
def test_installed_package_upscales_with_the_weights_it_brings(installation):
    code = f"import numpy as np, {NAME}; image = np.full((7, 9), 99, np.uint8)\n"
    code += f"print({NAME}.upscale(image, device='cpu').shape)"
    assert installation.run("-c", code).strip() == "(28, 36)"
