"""Output channels are no part of the work: closed, full or of another encoding, it is done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_srgan.files import Picture, read_picture, write_picture
from napari_srgan.terminal import shown

FULL = Path("/dev/full")


def run(
    *arguments: object, redirect: str = "", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """Run the command line by way of a shell, which can close what a program prints to."""
    program = f'"{sys.executable}" -c "from napari_srgan.cli import main; main()" "$@" {redirect}'
    return subprocess.run(
        ["sh", "-c", program, "sh", *map(str, arguments)],
        capture_output=True, check=False, timeout=300, env={**os.environ, **environment},
    )  # fmt: skip


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.png", "画.png", "z.png"):
        write_picture(folder / name, Picture(np.full((6, 9), 7, np.uint8), rgb=False))
    return folder


@pytest.mark.skipif(os.name == "nt", reason="a shell of its own")
class TestABatch:
    @pytest.mark.parametrize("redirect", [">&- 2>&-", ">/dev/full 2>/dev/full"])
    def test_is_done_though_nobody_can_be_told(self, images, tmp_path, redirect) -> None:
        if "full" in redirect and not FULL.exists():
            pytest.skip("there is no full device")
        done = run("upscale", images, "-o", tmp_path / "out", "--model", "srresnet-small-x4",
                   "--device", "cpu", redirect=redirect)  # fmt: skip
        assert done.returncode == 0
        for path in images.iterdir():
            assert read_picture(tmp_path / "out" / path.name).data.shape == (24, 36)

    @pytest.mark.parametrize("encoding", ["ascii:strict", "cp1252:strict"])
    def test_names_that_the_terminal_lacks_are_escaped(self, images, encoding) -> None:
        done = run("info", *images.iterdir(), PYTHONIOENCODING=encoding)
        assert done.returncode == 0
        assert rb"\u753b.png" in done.stdout
        assert done.stdout.count(b"PNG, 9 ") == 3


def test_names_cannot_rewrite_the_terminal() -> None:
    assert shown("a\x1b[31m\r.png") == r"a\x1b[31m\r.png"
    assert shown("two\nlines × 画") == "two\nlines × 画"
