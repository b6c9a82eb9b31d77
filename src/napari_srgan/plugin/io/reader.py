"""What napari opens with this plugin: model files. Images are left to napari's own reader."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from napari_srgan.store.registry import MODEL_SUFFIXES

# napari's word for a file that was dealt with and makes no layer.
NoLayer: TypeAlias = tuple[None]
Reader: TypeAlias = Callable[[str | Sequence[str]], list[NoLayer]]


def get_reader(path: str | Sequence[str]) -> Reader | None:
    """Return the function that reads a model file, by the file's name alone.

    Parameters
    ----------
    path : str or sequence of str
        A model file, alone or in a sequence of one.

    Returns
    -------
    callable or None
        Takes the path and gives napari's layer data; None if the path is no model file's.
    """
    if not isinstance(path, str):
        return get_reader(path[0]) if len(path) == 1 else None
    file = Path(path)
    named = file.suffix != "" and file.name.lower().endswith(MODEL_SUFFIXES)
    if "://" in path or not named or file.is_dir():
        return None
    return read_model


def read_model(path: str | Sequence[str]) -> list[NoLayer]:
    """Make a model file one of the models that can be chosen, and say so; it makes no layer.

    Raises
    ------
    OSError, ValueError
        If it is not a generator; `napari_srgan.store.load.remember` says why.
    """
    from napari.utils.notifications import show_info, show_warning

    from napari_srgan.plugin.preferences import preferred_cache
    from napari_srgan.store.cache import cache_folder
    from napari_srgan.store.load import remember
    from napari_srgan.store.own_models import keep_own_models, recall_own_models

    folder = cache_folder(preferred_cache())
    recall_own_models(folder)  # those of earlier sessions, if no widget has asked for them yet
    name = remember(Path(path if isinstance(path, str) else path[0]))
    try:
        keep_own_models(folder)
    except OSError as error:
        show_warning(f"“{name}” is there until napari is closed, not for good: {error}")
    if (docks := sys.modules.get("napari_srgan.plugin.docks")) is not None:
        docks.refresh_models()
    show_info(f"“{name}” can now be chosen in Plugins → SRGAN → SRGAN upscale.")
    return [(None,)]
