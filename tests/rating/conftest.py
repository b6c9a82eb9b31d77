"""Sessions of small images, whose making needs no network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def originals(tmp_path: Path) -> Callable[..., Path]:
    """Return a maker of folders of small photographs, no two of one size."""

    def make(name: str, count: int = 3, seed: int = 0) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        source = np.random.default_rng([seed, *name.encode()])
        for place in range(count):
            shape = (17 + place, 26, 3) if place % 2 else (17 + place, 26)
            pixels = source.integers(0, 256, shape, dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{folder.name}-{place}.png")
        return folder

    return make


@pytest.fixture
def session(tmp_path: Path, originals: Callable[..., Path]) -> Callable[..., Path]:
    """Return a maker of sessions that are ready to be rated."""
    from napari_srgan.inference.settings import finish
    from napari_srgan.rating.make import Request, iter_make

    def make(name: str = "session", **more: Any) -> Path:
        folder = tmp_path / name
        request = Request(
            originals(f"{name}-rated"),
            more.pop("methods", ("nearest", "bicubic", "HR")),
            originals(f"{name}-others", 2, seed=1),
            **more,
        )
        finish(iter_make(folder, request))
        return folder

    return make
