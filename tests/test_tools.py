"""The setup installs what is missing, once, and commands run on a screen that goes with them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parent.parent / "tools"
on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="is about Linux")
with_make = pytest.mark.skipif(
    os.name == "nt" or shutil.which("make") is None, reason="needs make and a shell"
)
with_xvfb = pytest.mark.skipif(shutil.which("Xvfb") is None, reason="needs Xvfb")


@pytest.fixture
def system_packages(monkeypatch, tool):
    module = tool("system_packages")
    monkeypatch.setattr(module, "loads", lambda library: False)
    monkeypatch.setattr(module, "has_display", lambda: False)
    return module


@pytest.fixture
def bootstrap(monkeypatch, tmp_path, tool):
    """Return the setup, on files of its own, with nothing installed and the steps noted."""
    module = tool("bootstrap")
    for name in ("pyproject.toml", "setup.py", "napari.yaml", "installed.yaml"):
        (tmp_path / name).write_text("project = {name = 'same'}")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "MANIFEST", tmp_path / "napari.yaml")
    monkeypatch.setattr(module, "INSTALLED_MANIFEST", tmp_path / "installed.yaml")
    module.steps = []

    def ensure_venv(venv, *, start_over):
        module.steps += ["start over"] if start_over else []
        venv.mkdir(exist_ok=True)
        return Path(sys.executable)

    monkeypatch.setattr(module, "ensure_venv", ensure_venv)
    monkeypatch.setattr(
        module, "install", lambda python, torch, extras: module.steps.append(",".join(extras))
    )
    monkeypatch.setattr(module, "pip_install", lambda *_: module.steps.append("editable"))
    return module


def set_up(module, *extras, torch="torch"):
    module.steps.clear()
    module.set_up(module.ROOT / "venv", torch, set(extras))
    return module.steps


def on_a_private_display(*code, **environment):
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = [sys.executable, TOOLS / "with_display.py", "--", sys.executable, "-c", *code]
    return subprocess.run(
        command, env={**kept, **environment}, capture_output=True, text=True, timeout=60
    )


def test_setup_installs_once(bootstrap):
    assert set_up(bootstrap, "testing") == ["testing"]
    assert set_up(bootstrap, "testing") == []


def test_setup_adds_extras_to_those_there_are(bootstrap):
    set_up(bootstrap, "testing")
    assert set_up(bootstrap, "dev") == ["dev,testing"]
    assert set_up(bootstrap, "testing") == []


@pytest.mark.parametrize("name", ["pyproject.toml", "setup.py"])
def test_setup_installs_again_when_a_file_changed(bootstrap, name):
    set_up(bootstrap, "testing")
    (bootstrap.ROOT / name).write_text("project = {name = 'other'}")
    assert set_up(bootstrap, "testing") == ["testing"]


def test_setup_does_nothing_when_only_a_tool_s_options_changed(bootstrap):
    set_up(bootstrap, "testing")
    with (bootstrap.ROOT / "pyproject.toml").open("a") as file:
        file.write("\n[tool.ruff]\nline-length = 100\n")
    assert set_up(bootstrap, "testing") == []


def test_setup_installs_again_for_another_torch(bootstrap):
    set_up(bootstrap, "testing")
    assert set_up(bootstrap, "testing", torch="torch==2.6.0") == ["testing"]


def test_setup_copies_a_changed_manifest(bootstrap):
    set_up(bootstrap, "testing")
    bootstrap.MANIFEST.write_text("other")
    assert set_up(bootstrap, "testing") == ["editable"]


def test_setup_starts_over_after_an_interruption(bootstrap, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(bootstrap, "install", interrupted)
        with pytest.raises(KeyboardInterrupt):
            set_up(bootstrap, "testing")
    assert set_up(bootstrap, "testing") == ["start over", "testing"]


def test_setup_goes_on_after_a_failure(bootstrap, monkeypatch):
    def failed(*_):
        raise bootstrap.SetupError("no network")

    with monkeypatch.context() as patch:
        patch.setattr(bootstrap, "install", failed)
        with pytest.raises(bootstrap.SetupError):
            set_up(bootstrap, "testing")
    assert set_up(bootstrap, "testing") == ["testing"]


@on_linux
@pytest.mark.parametrize(
    ("torch", "card", "answers", "indexed"),
    [
        ("torch==2.13.0", None, True, True),
        ("torch==2.13.0", None, False, False),
        ("torch==2.13.0", "/usr/bin/nvidia-smi", True, False),
        ("torch --index-url https://127.0.0.1/", None, True, False),
    ],
)
def test_torch_comes_without_cuda_where_there_is_no_card(
    bootstrap, monkeypatch, torch, card, answers, indexed
):
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: card)
    monkeypatch.setattr(bootstrap.Path, "exists", lambda path: False)
    monkeypatch.setattr(bootstrap, "answers", lambda url: answers)
    arguments = bootstrap.torch_arguments(torch)
    assert arguments[: len(torch.split())] == torch.split()
    assert (bootstrap.CPU_TORCH_INDEX in arguments) is indexed


@on_linux
@pytest.mark.parametrize(
    ("window", "required", "optional"),
    [("no", 0, 0), ("maybe", 6, 6), ("yes", 12, 0)],
)
def test_only_what_is_needed_is_missing(system_packages, monkeypatch, window, required, optional):
    monkeypatch.setattr(system_packages.shutil, "which", lambda name: None)
    missing = system_packages.find_missing(window)
    assert sum(need.required for need in missing) == required
    assert sum(not need.required for need in missing) == optional


@on_linux
def test_who_may_not_install_is_told_the_whole_line(system_packages, monkeypatch):
    programs = {"apt-get": "/usr/bin/apt-get", "sudo": "/usr/bin/sudo"}
    monkeypatch.setattr(system_packages.shutil, "which", programs.get)
    monkeypatch.setattr(system_packages.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(system_packages, "administrator", lambda: None)
    with pytest.raises(system_packages.MissingPackagesError) as stopped:
        system_packages.ensure("yes")
    line = str(stopped.value).splitlines()[-1].strip()
    assert line.startswith("sudo apt-get update && sudo apt-get install --no-install-recommends ")
    packages = line.split("--no-install-recommends ")[1].split()
    assert packages == [need.package for need in system_packages.find_missing("yes")]


@on_linux
@with_xvfb
def test_a_private_display_ends_with_the_command():
    done = on_a_private_display("import os; print(os.environ['DISPLAY']); raise SystemExit(7)")
    assert done.returncode == 7, done.stderr
    number = done.stdout.strip().removeprefix(":")
    assert number.isdecimal()
    assert not Path(f"/tmp/.X11-unix/X{number}").exists()


@on_linux
def test_without_xvfb_qt_draws_off_screen(tmp_path):
    code = "import os; print(os.environ['QT_QPA_PLATFORM'], 'DISPLAY' in os.environ)"
    done = on_a_private_display(code, PATH=str(tmp_path))
    assert done.stdout.splitlines()[-1] == "offscreen False"


@on_linux
def test_a_screen_that_is_there_is_used():
    code = "import os; print(os.environ['DISPLAY'], 'PRIVATE_DISPLAY' in os.environ)"
    assert on_a_private_display(code, DISPLAY=":7").stdout.strip() == ":7 False"


@on_linux
def test_a_command_that_was_killed_is_a_failure():
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert on_a_private_display(code, DISPLAY=":7").returncode == 128 + 9


@with_make
def test_evaluating_without_benchmarks_says_where_they_come_from_and_sets_nothing_up():
    command = ["make", "--no-print-directory", "evaluate", "BENCHMARKS=", "PYTHON=false"]
    done = subprocess.run(command, cwd=TOOLS.parent, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "Huang" in done.stderr
    for data_set in ("Set5", "Set14"):
        assert f"DIR/{data_set}/img_001_SRF_4_HR.png" in done.stderr
