from __future__ import annotations

import json
import re
import runpy
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaozarrs
from typer.testing import CliRunner

from napari_srgan.cli import app

FOLDER = Path(__file__).parent.parent / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))
NOTEBOOK = FOLDER / "volume_to_ome_zarr.ipynb"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_runs_and_prints(example: Path, capsys) -> None:
    runpy.run_path(str(example), run_name="__main__")
    assert capsys.readouterr().out


def code_cells() -> list[dict[str, Any]]:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def run_cell(cell: dict[str, Any], names: dict[str, Any]) -> None:
    """Run a cell as Jupyter does: `!` begins a command, `%` what is about its display."""
    source = "".join(cell["source"])
    if source.startswith("!"):
        program, *arguments = shlex.split(source[1:])
        assert program == "napari-srgan"
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, done.output
        return
    exec(re.sub(r"^%.*$", "", source, flags=re.MULTILINE), names)


def of_tag(tag: str) -> dict[str, Any]:
    (cell,) = (cell for cell in code_cells() if tag in cell["metadata"].get("tags", ()))
    return cell


@pytest.fixture(scope="module")
def run_through(tmp_path_factory) -> Iterator[dict[str, Any]]:
    """Run the notebook, up to its window, on a drawn stack of another size; return its names."""
    import matplotlib.pyplot as plt

    signal = 2 + np.sin(np.arange(48) / 5)[:, None]
    drawn = np.random.default_rng(0).poisson(signal, (10, 3, 32, 48, 2)).astype(np.uint8)
    names: dict[str, Any] = {"movie": drawn, "voxel": [1.0, 0.25, 0.5]}
    plt.switch_backend("agg")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("notebook"))
        patch.setenv("NAPARI_SRGAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        for cell in code_cells():
            if cell not in (of_tag("data"), of_tag("window")):
                run_cell(cell, names)
        yield names
    plt.close("all")


def test_the_notebook_makes_a_valid_pyramid_of_another_stack(run_through) -> None:
    store = run_through["WORK"] / "out.ome.zarr"
    yaozarrs.validate_zarr_store(store)
    (_, finest, scale, start), *_ = run_through["levels_in"](store)
    assert finest.shape == (2, 2, 3, 128, 192)
    np.testing.assert_allclose(scale, (5, 1, 1.0, 0.0625, 0.125))
    np.testing.assert_allclose(start, (2, 0, 0, -0.09375, -0.1875))


@pytest.mark.display
def test_the_notebook_shows_input_and_result_in_one_place(run_through, qapp) -> None:
    run_cell(of_tag("window"), run_through)
    viewer = run_through["viewer"]
    corners = [layer.data_to_world((0, 0, 0, -0.5, -0.5)) for layer in viewer.layers]
    viewer.close()
    np.testing.assert_allclose(*corners)
    assert run_through["window"].std() > 0


def test_the_notebook_was_last_run_from_top_to_bottom_without_errors() -> None:
    cells = code_cells()
    assert [cell["execution_count"] for cell in cells] == [*range(1, len(cells) + 1)]
    assert "error" not in {out["output_type"] for cell in cells for out in cell["outputs"]}
