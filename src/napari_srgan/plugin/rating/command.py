"""The command that opens the rating widget from the menus and the command palette."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import napari.viewer

DOCK = "Rate results blind"


def rate_results(viewer: napari.viewer.Viewer) -> None:
    """Open the widget that results are rated blind in, or show the one that is there."""
    from napari_srgan.plugin.docks import docked
    from napari_srgan.plugin.rating.widget import RateResults

    docked(viewer, RateResults, DOCK)
