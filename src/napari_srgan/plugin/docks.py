"""Widgets in napari's docks: opened once, and shown when they are asked for again."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar
from weakref import WeakSet

from magicgui.widgets import Container, Widget

if TYPE_CHECKING:
    import napari.viewer

Kind = TypeVar("Kind", bound=Widget)

open_widgets: WeakSet[Container[Widget]] = WeakSet()
"""Those that models are chosen in, until their docks are closed."""


def refresh_models() -> None:
    """Offer, in every open widget, the models that there are now."""
    for widget in open_widgets:
        widget.reset_choices()


def docked(viewer: napari.viewer.Viewer, kind: type[Kind], name: str) -> Kind:
    """Return a viewer's widget of a kind, its dock opened or shown if need be.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Whose docks are looked at.
    kind : type
        Of the widget; it is made of a viewer.
    name : str
        Of the dock, where one is opened.
    """
    for widget in viewer.window.dock_widgets.values():
        if isinstance(widget, kind):
            dock = widget.native.parent()
            dock.show()
            dock.raise_()
            return widget
    widget = kind(viewer)
    viewer.window.add_dock_widget(widget, name=name)
    return widget
