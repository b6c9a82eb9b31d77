"""Imports go downwards only, and importing the package costs next to nothing."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
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

# Every room and its level. A new one is not imported from anywhere until it stands here.
LEVELS = {
    3: "_widget _controls _estimates _background _threads _preferences _commands _reader "
    "_sample_data cli api",
    2: "_jobs _trials _requests _layers _texts catalogue library volumes batch checkup",
    1: "inference streamed tiled planes planning program runner spread streaming cuda_graphs "
    "transfers units verification first_use checkpoints self_test weight_files store downloads "
    "devices",
    0: "models images tiling steps settings files registry weights",
}
LEVEL_OF = {room: level for level, rooms in LEVELS.items() for room in rooms.split()}
# Beside the levels: it uses those below 3, and nobody uses it.
SIDE = "training"

QT = {"qtpy", "superqt", "magicgui", "napari.qt"}
# The packages that each level may import, and what single rooms may import besides.
PACKAGES = {
    3: {"napari", "numpy"},
    2: {"napari", "numpy", "dask"},
    1: {"torch", "numpy"},
    0: set(),
}
MORE_PACKAGES = {
    "_widget": QT,
    "_controls": QT,
    "_threads": {"superqt"},
    "_sample_data": {"PIL", "skimage"},
    "cli": {"typer", "tqdm"},
    "devices": {"psutil"},
    "downloads": {"pooch", "requests", "tqdm"},
    "store": {"pooch"},
    "weight_files": {"safetensors"},
    "models": {"torch"},
    "images": {"numpy", "scipy"},
    "files": {"numpy", "dask", "PIL", "tifffile", "imagecodecs"},
    "training": {"torch", "numpy", "scipy", "PIL"},
    "training.cli": {"typer", "tqdm"},
    "training.curves": {"matplotlib"},
}
# What an extra of pyproject.toml brings, for those who want what needs it.
EXTRAS = {"matplotlib": "training"}
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
    """Tell whether a room may import a room; the package itself gives out its version only."""
    if importer == imported or not imported:
        return True
    if imported == SIDE:
        return False
    if importer == SIDE:
        return LEVEL_OF[imported] < 3
    if imported == "models":
        return LEVEL_OF[importer] == 1
    # Within a level they may use each other, but for the lowest, where each stands for itself.
    return 0 < LEVEL_OF[importer] >= LEVEL_OF[imported]


def test_every_module_has_a_level():
    placed = {*LEVEL_OF, SIDE}
    assert {module.room for module in inner_modules()} - placed == set()


def test_every_level_has_modules_that_exist():
    assert {*LEVEL_OF, SIDE} - {module.room for module in modules()} == set()


def test_contributing_shows_the_same_levels():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([0-3]) \| (.*?) \|", text, flags=re.MULTILINE)
    shown = {int(level): set(re.findall(r"`([\w]+)/?`", rooms)) for level, rooms in rows}
    assert shown == {level: set(rooms.split()) - {"weights"} for level, rooms in LEVELS.items()}


@pytest.mark.parametrize("module", inner_modules(), ids=lambda module: module.name)
def test_module_imports_downwards_only(module):
    rooms = {name.split(".")[0] for name in module.ours()}
    assert {room for room in rooms if not may_import(module.room, room)} == set()


@pytest.mark.parametrize("module", inner_modules(), ids=lambda module: module.name)
def test_module_imports_only_the_packages_of_its_level(module):
    allowed = PACKAGES[LEVEL_OF[module.room]] if module.room != SIDE else set()
    more = MORE_PACKAGES.get(module.room, set()) | MORE_PACKAGES.get(module.name, set())
    assert module.others() - allowed - more == set()


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


def test_package_itself_imports_only_the_api():
    door = next(module for module in modules() if not module.name)
    assert door.ours() == {"api"}
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
    assert Module("tiling", ast.parse(source)).others() == {"torch"}


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("_widget", "inference", True),
        ("inference", "devices", True),
        ("inference", "_layers", False),
        ("images", "tiling", False),
        ("_layers", "models", False),
        ("api", "training", False),
        ("training", "models", True),
        ("training", "api", False),
    ],
)
def test_levels_are_held_against_an_import(importer, imported, allowed):
    assert may_import(importer, imported) is allowed


def test_a_module_without_a_level_is_refused():
    with pytest.raises(KeyError, match="stray"):
        may_import("api", "stray")


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, napari_srgan; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert "napari_srgan" in loaded
    assert loaded & (HEAVY | BINDINGS) == set()


def test_the_widget_opens_without_torch():
    code = "import sys, napari_srgan._widget; print('torch' in sys.modules)"
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
