"""The rating widget in a live window, with a session of small images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, str]:
    """Return the folders of a session to be: two images to rate, one to calibrate on."""
    source = np.random.default_rng(0)
    for name, count in (("rated", 2), ("others", 1)):
        (tmp_path / name).mkdir()
        for place in range(count):
            pixels = source.integers(0, 256, (20 + 4 * place, 28, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{name}-{place}.png")
    return {name: str(tmp_path / name) for name in ("session", "rated", "others")}


@pytest.fixture
def opened(make_napari_viewer: Callable[..., Any]) -> Callable[..., tuple[Any, Any]]:
    """Return a maker of live viewers with the widget in its dock, as the menu opens it."""
    from napari_srgan.plugin.rating.command import DOCK, rate_results

    def make(**options: Any) -> tuple[Any, Any]:
        viewer = make_napari_viewer(show=True, **options)  # keys reach a window that is shown
        viewer.add_image(np.zeros((30, 40), np.uint8), name="mine")
        rate_results(viewer)
        return viewer, viewer.window.dock_widgets[DOCK]

    return make


@pytest.fixture
def prepared(
    opened: Callable[..., tuple[Any, Any]], folders: dict[str, str], qtbot: Any
) -> Callable[..., tuple[Any, Any]]:
    """Return a maker of such viewers where a session is ready to be rated."""

    def make(**options: Any) -> tuple[Any, Any]:
        viewer, widget = opened(**options)
        widget.setup.session.value = folders["session"]
        widget.setup.images.value = folders["rated"]
        widget.setup.calibration.value = folders["others"]
        widget.setup.prepare.native.click()
        qtbot.waitUntil(lambda: not widget.busy, timeout=60_000)
        return viewer, widget

    return make


@pytest.fixture
def is_shown() -> Callable[[Any], bool]:
    """Return what tells whether a control would be on the screen if the window was."""
    return lambda control: not control.native.isHidden()
