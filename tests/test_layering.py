"""Imports go downwards only, and importing the package costs next to nothing."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NAME = "napari_srgan"
# As pyproject.toml maps them.
FOLDERS = {
    NAME: ROOT / "src" / NAME,
    f"{NAME}.training": ROOT / "training",
    f"{NAME}.weights": ROOT / "weights",
}

# Every folder and what it may import: the floors from the ground up. A new folder is not imported
# from anywhere until it stands here; `api`, `cli` and `batch` are the doors, each a
# single module; `resampling` and `wording` are what many share.
MAY_IMPORT = {
    "wording": set(),
    "resampling": set(),
    "pyramid": set(),
    "runs": {"files"},
    "processes": set(),
    "weights": set(),
    "terminal": set(),
    "files": {"wording"},
    "models": set(),
    "graph": {"models", "resampling"},
    "store": {"models", "weights", "files", "wording", "processes"},
    "inference": {"models", "graph", "store", "weights", "files", "processes"},
    "trust": {"files", "graph", "store", "inference"},
    "rating": {"files", "inference", "store", "resampling", "wording"},
    "ngff": {"files", "pyramid"},
    "volume": {"ngff", "pyramid", "files", "inference", "store"},
    "batch": {"files", "inference", "store"},
    "plugin": {
        *("files", "inference", "store", "trust", "rating", "batch", "pyramid", "wording", "runs"),
        *("ngff", "volume"),
    },
    "api": {"files", "inference", "store", "trust", "plugin"},
    "cli": {"files", "inference", "store", "trust", "batch", "ngff", "volume", "terminal"},
    "training": {
        *("trust", "rating", "inference", "store", "graph", "models", "files"),
        *("weights", "resampling", "wording", "terminal", "runs"),
    },
}
MOST_FILES = 14  # of a folder, __init__ apart: beyond that nobody sees what is there

QT = {"qtpy", "superqt", "magicgui", "napari.qt"}
# The packages that each folder may import, and what single modules may import besides.
PACKAGES = {
    "wording": set(),
    "resampling": {"numpy", "PIL"},
    "pyramid": {"numpy", "dask"},
    "runs": {"psutil"},
    "processes": {"torch"},
    "terminal": {"tqdm"},
    "weights": set(),
    "files": {"numpy", "dask", "PIL", "tifffile", "imagecodecs"},
    "models": {"torch"},
    "graph": {"torch"},
    "store": {"torch", "numpy"},
    "inference": {"torch", "numpy"},
    "trust": {"torch", "numpy"},
    "rating": {"numpy"},
    "ngff": {"numpy", "zarr"},
    "volume": {"numpy", "zarr"},
    "batch": {"numpy"},
    "plugin": {"numpy", "napari"},
    "api": {"numpy", "napari", "dask"},
    "cli": {"numpy", "napari", "typer"},
    "training": {"torch", "numpy", "scipy", "skimage", "PIL"},
}
MORE_PACKAGES = {
    "graph.back_project": {"numpy"},
    "inference.dask_arrays": {"dask"},
    "inference.devices": {"psutil"},
    "inference.images": {"scipy"},
    "inference.values.extent": {"scipy"},
    "plugin.widget": QT,
    "plugin.compare.annotations": QT,
    "plugin.compare.controls": QT,
    "plugin.compare.widget": QT,
    "plugin.controls": QT,
    "plugin.commands": {"qtpy"},
    "plugin.docks": {"magicgui"},
    "plugin.running": {"magicgui", "napari.qt"},
    "plugin.lazy": {"dask"},
    "plugin.lens.controls": QT,
    "plugin.lens.looking": {"qtpy"},
    "plugin.lens.widget": QT,
    "plugin.train.controls": QT,
    "plugin.train.pictures": QT,
    "plugin.train.trainings": {"psutil"},
    "plugin.train.watching": QT,
    "plugin.train.widget": QT,
    "plugin.queue.enqueue": {"qtpy"},
    "plugin.queue.widget": QT,
    "plugin.rating.controls": QT,
    "plugin.rating.screen": QT,
    "plugin.rating.widget": QT,
    "plugin.worker": {"superqt"},
    "plugin.io.dialogs": {"qtpy"},
    "plugin.io.stores": {"dask", "zarr"},
    "plugin.io.sample_data": {"PIL", "skimage"},
    "volume.cluster": {"distributed"},
    "trust.uncertainty": {"scipy"},
    "trust.report": {"PIL"},
    "store.cache": {"pooch"},
    "store.download": {"pooch", "requests", "tqdm", "urllib3"},
    "store.tensors.tensor_file": {"safetensors"},
    "training.cli": {"typer"},
    "training.commands.answers": {"typer"},
    "training.commands.ask": {"typer"},
    "training.commands.degrade": {"typer"},
    "training.commands.fine_tune": {"typer"},
    "training.commands.running": {"typer", "tqdm"},
    "training.metrics.mos.figure": {"matplotlib"},
    "training.run.lock": {"filelock"},
    "training.optimise.vgg": {"safetensors"},
    "training.watch.curves": {"matplotlib"},
}
# What an extra of pyproject.toml brings, for those who want what needs it.
EXTRAS = {"matplotlib": "training", "zarr": "zarr", "distributed": "cluster"}
# Where a distribution is not called as its package is.
DISTRIBUTIONS = {"PIL": "pillow", "skimage": "scikit-image", "napari.qt": "napari"}
PRINTS = {"cli", "training.cli"}
HEAVY = {"torch", "napari", "numpy", "scipy", "dask", "skimage", "PIL", "npe2", "magicgui", "qtpy"}
BINDINGS = {"PyQt5", "PyQt6", "PySide2", "PySide6"}
IMPORT_MILLISECONDS = 50


@dataclass(frozen=True)
class Module:
    """One file: its name without the package's, and what it imports, wherever in the file."""

    name: str
    tree: ast.Module

    @property
    def room(self) -> str:
        return self.name.split(".")[0]

    def imported(self) -> set[str]:
        """Return dotted names; ``from a import b`` gives ``a`` if that has no module ``b``."""
        found = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name} imports relatively; give the whole name"
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}"
                    found.add(inner if inner in _names() else str(node.module))
        return found

    def ours(self) -> set[str]:
        return {name[len(NAME) + 1 :] for name in self.imported() if _package(name) == NAME}

    def others(self) -> set[str]:
        packages = {_package(name) for name in self.imported()}
        return packages - sys.stdlib_module_names - {NAME}


def _package(name: str) -> str:
    return "napari.qt" if re.match(r"napari\.(_?qt)\b", name) else name.split(".")[0]


@cache
def _files() -> dict[str, Path]:
    found = {}
    for package, folder in FOLDERS.items():
        for path in folder.rglob("*.py"):
            parts = [package, *path.relative_to(folder).with_suffix("").parts]
            found[".".join(part for part in parts if part != "__init__")] = path
    return found


def _names() -> frozenset[str]:
    return frozenset(_files())


def _names_within() -> frozenset[str]:
    return frozenset(name[len(NAME) + 1 :] for name in _names())


@cache
def modules() -> list[Module]:
    return [
        Module(name[len(NAME) + 1 :], ast.parse(path.read_text(encoding="utf-8")))
        for name, path in sorted(_files().items())
    ]


def inner_modules() -> list[Module]:
    """Return all but the package itself, which is the door that `api` stands behind."""
    return [module for module in modules() if module.name]


def may_import(importer: str, imported: str) -> bool:
    """Tell whether a folder may import a folder; the package itself gives out its version only."""
    allowed = MAY_IMPORT[importer]
    return importer == imported or not imported or imported in allowed


def test_every_folder_stands_in_the_table_and_exists():
    assert {module.room for module in inner_modules()} == set(MAY_IMPORT)


def test_imports_go_downwards_from_folder_to_folder():
    order = list(TopologicalSorter(MAY_IMPORT).static_order())
    assert set(order) == set(MAY_IMPORT)


def test_no_folder_holds_more_files_than_one_can_see():
    folders = Counter(path.parent for path in _files().values() if path.stem != "__init__")
    assert {folder: count for folder, count in folders.items() if count > MOST_FILES} == {}


def test_contributing_shows_the_same_folders():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)/?` \|[^|]*\|([^|]*)\|$", text, flags=re.MULTILINE)
    shown = {folder: set(re.findall(r"`(\w+)/?`", uses)) for folder, uses in rows}
    assert shown == {
        folder: uses - {"weights"} for folder, uses in MAY_IMPORT.items() if folder != "weights"
    }


@pytest.mark.parametrize("module", inner_modules(), ids=lambda module: module.name)
def test_module_imports_downwards_only(module):
    rooms = {name.split(".")[0] for name in module.ours()}
    assert {room for room in rooms if not may_import(module.room, room)} == set()


@pytest.mark.parametrize("module", inner_modules(), ids=lambda module: module.name)
def test_module_imports_only_the_packages_of_its_folder(module):
    allowed = PACKAGES[module.room] | MORE_PACKAGES.get(module.name, set())
    assert module.others() - allowed == set()


def test_exceptions_are_for_modules_that_exist():
    assert MORE_PACKAGES.keys() - _names_within() == set()


def test_what_is_imported_is_declared_and_nothing_else_is():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.split(r"[^\w-]", need)[0] for need in project["dependencies"]}
    packages = set().union(*(module.others() for module in modules()))
    needed = packages - EXTRAS.keys()
    assert declared == {DISTRIBUTIONS.get(package, package) for package in needed}


def test_what_an_extra_brings_is_declared_there_and_imported():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    packages = set().union(*(module.others() for module in modules()))
    for package, extra in EXTRAS.items():
        needs = project["optional-dependencies"][extra]
        assert package in packages & {re.split(r"[^\w-]", need)[0] for need in needs}


def test_package_itself_imports_only_the_api_and_what_watches_for_forks():
    door = next(module for module in modules() if not module.name)
    assert door.ours() == {"api", "processes"}
    assert door.others() == set()


def test_modules_take_only_the_version_from_the_package_itself():
    taken = {
        (module.name, alias.name)
        for module in inner_modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom) and node.module == NAME
        for alias in node.names
        if f"{NAME}.{alias.name}" not in _names() and alias.name != "__version__"
    }
    assert taken == set()


def test_no_imports_go_round_in_circles():
    graph = {module.name: module.ours() - {""} for module in inner_modules()}
    order = list(TopologicalSorter(graph).static_order())
    assert set(order) >= set(graph)


def test_only_the_command_lines_print():
    printing = {
        module.name
        for module in inner_modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Name) and node.id == "print"
    }
    assert printing - PRINTS == set()


@pytest.mark.parametrize(
    "source",
    [
        "def run():\n    import torch",
        "if TYPE_CHECKING:\n    from torch.nn import Module",
        "try:\n    import torch.nn as nn\nexcept ImportError:\n    pass",
    ],
)
def test_an_import_is_seen_wherever_it_stands(source):
    assert Module("inference.tiling", ast.parse(source)).others() == {"torch"}


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("plugin", "inference", True),
        ("inference", "graph", True),
        ("inference", "plugin", False),
        ("models", "inference", False),
        ("graph", "store", False),
        ("api", "training", False),
        ("training", "models", True),
        ("training", "api", False),
        ("training", "plugin", False),
    ],
)
def test_the_table_is_held_against_an_import(importer, imported, allowed):
    assert may_import(importer, imported) is allowed


def test_a_folder_that_is_not_in_the_table_is_refused():
    with pytest.raises(KeyError, match="stray"):
        may_import("stray", "models")


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, napari_srgan; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert "napari_srgan" in loaded
    assert loaded & (HEAVY | BINDINGS) == set()


@pytest.mark.parametrize("widget", ["", "lens.", "compare.", "queue."])
def test_the_widgets_open_without_torch(widget):
    code = f"import sys, napari_srgan.plugin.{widget}widget; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.split() == ["False"]


def test_importing_the_package_takes_milliseconds():
    assert min(_import_milliseconds() for _ in range(3)) < IMPORT_MILLISECONDS


def _import_milliseconds() -> float:
    command = [sys.executable, "-X", "importtime", "-c", f"import {NAME}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    row = re.search(rf"\|\s+(\d+) \| {NAME}$", done.stderr, flags=re.MULTILINE)
    assert row is not None
    return int(row[1]) / 1000
