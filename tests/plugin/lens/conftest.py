"""The lens with a small model, in a viewer without a window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel
    from pytestqt.qtbot import QtBot

    from napari_srgan.plugin.lens.widget import Lens

MINUTE = 60_000  # milliseconds


@pytest.fixture
def settled(qtbot: QtBot) -> Callable[[Lens], None]:
    """Return a waiter for the end of all that a lens does."""
    return lambda lens: qtbot.waitUntil(lambda: not (lens.look.busy or lens.busy), timeout=MINUTE)


@pytest.fixture
def opened(
    qtbot: QtBot, own_model: Callable[..., str], settled: Callable[[Lens], None]
) -> Callable[..., tuple[ViewerModel, Lens]]:
    """Return a maker of viewers with some layers and the lens on the last one."""
    from napari.components import ViewerModel

    from napari_srgan.plugin.lens.widget import Lens

    name = own_model()

    def make(*layers: Any) -> tuple[ViewerModel, Lens]:
        viewer = ViewerModel()
        viewer.canvas.size = (200, 300)
        for layer in layers:
            viewer.add_layer(layer)
        viewer.layers.selection.active = layers[-1] if layers else None
        lens = Lens(viewer)
        qtbot.addWidget(lens.native)
        lens.looking.model.value = name
        settled(lens)
        return viewer, lens

    return make
