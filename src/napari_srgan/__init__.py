"""Upscale images with SRGAN, in napari, from Python and from the command line.

>>> import napari_srgan as ns
>>> upscaled = ns.upscale(image)  # doctest: +SKIP

Importing this package loads neither torch nor napari: its functions come with their first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_srgan import processes as processes  # which watches for forks from now on

if TYPE_CHECKING:
    from napari_srgan.api import (
        Assessment,
        CheckpointError,
        DownloadError,
        Invention,
        Model,
        ModelInfo,
        Progress,
        assess,
        iter_assess,
        iter_upscale,
        list_models,
        load_model,
        release_memory,
        upscale,
    )

__all__ = [
    "Assessment",
    "CheckpointError",
    "DownloadError",
    "Invention",
    "Model",
    "ModelInfo",
    "Progress",
    "assess",
    "iter_assess",
    "iter_upscale",
    "list_models",
    "load_model",
    "release_memory",
    "upscale",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        # Half of what importing this package may cost, where it is not asked for.
        from importlib.metadata import version

        return version("napari-srgan")
    if name in __all__:
        return getattr(import_module("napari_srgan.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
