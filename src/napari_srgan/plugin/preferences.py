"""The plugin's page in napari's preferences, read."""

from __future__ import annotations

from pathlib import Path

from napari.settings import get_plugin_settings

from napari_srgan.inference.settings import Settings
from napari_srgan.plugin.messages import Choices

PLUGIN = "napari-srgan"


def preferred_choices() -> Choices:
    """Return the choices that the widget starts with."""
    page = get_plugin_settings(PLUGIN).inference
    settings = Settings(device=str(page.device), tile=int(page.tile) or "auto")
    return Choices(str(page.model), "auto", settings, preferred_cache())


def preferred_cache() -> Path | None:
    """Return the folder for downloaded weights, or None for the system's."""
    folder = str(get_plugin_settings(PLUGIN).inference.cache_folder).strip()
    return Path(folder) if folder else None
