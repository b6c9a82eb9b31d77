"""napari's preferences: the plugin's page, and what of napari's own bears on results."""

from __future__ import annotations

from pathlib import Path

from napari.settings import get_plugin_settings, get_settings

from napari_srgan.inference.settings import Settings
from napari_srgan.plugin.messages import Choices

PLUGIN = "napari-srgan"

IN_BACKGROUND = (
    "napari draws in the background from now on, so that scrolling need not wait for planes that "
    "are being computed: Preferences → Experimental → Render Layers Asynchronously."
)


def preferred_choices() -> Choices:
    """Return the choices that the widget starts with."""
    page = get_plugin_settings(PLUGIN).inference
    settings = Settings(device=str(page.device), tile=int(page.tile) or "auto")
    return Choices(str(page.model), "auto", settings, preferred_cache())


def preferred_cache() -> Path | None:
    """Return the folder for downloaded weights, or None for the system's."""
    folder = str(get_plugin_settings(PLUGIN).inference.cache_folder).strip()
    return Path(folder) if folder else None


def draw_in_background() -> str:
    """Have napari slice layers in a thread, and return what to say of it, if that is new."""
    experimental = get_settings().experimental
    if experimental.async_:
        return ""
    experimental.async_ = True
    return IN_BACKGROUND
