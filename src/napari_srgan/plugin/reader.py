"""What napari opens with this plugin: images, stacks and folders of them, and model files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from napari_srgan.files import Picture
from napari_srgan.files.reading import is_image_path

# What `napari_srgan.store.checkpoint` reads; named here because importing that imports torch.
MODEL_SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt")

LayerData: TypeAlias = tuple[Any, dict[str, Any], str]
# napari's word for a file that was dealt with and makes no layer.
NoLayer: TypeAlias = tuple[None]
Reader: TypeAlias = Callable[[str | Sequence[str]], list[LayerData] | list[NoLayer]]


def get_reader(path: str | Sequence[str]) -> Reader | None:
    """Choose the function that reads a path, by its name alone.

    Parameters
    ----------
    path : str or sequence of str
        An image file, a folder with images, or a model file; or several image files that are
        to be stacked.

    Returns
    -------
    callable or None
        Takes the path and gives napari's layer data; None if the path is none of these.
    """
    if not isinstance(path, str):
        files = [Path(file) for file in path]
        if len(files) == 1:
            return get_reader(str(files[0]))
        return read_images if files and all(is_image_path(file) for file in files) else None
    if "://" in path:
        return None
    if Path(path).is_dir():
        return read_images if any(is_image_path(file) for file in Path(path).iterdir()) else None
    if Path(path).suffix.lower() in MODEL_SUFFIXES:
        return read_model
    return read_images if is_image_path(Path(path)) else None


def read_images(path: str | Sequence[str]) -> list[LayerData]:
    """Read an image file, a folder of equal images or several equal images as one layer.

    Raises
    ------
    OSError, ValueError
        As `napari_srgan.files.read_picture` and `read_stack` do.
    """
    from napari_srgan.files import read_folder, read_picture, read_stack

    if not isinstance(path, str) and len(path) > 1:
        return [_layer(read_stack(path), Path(path[0]).absolute().parent.name)]
    file = Path(path if isinstance(path, str) else path[0])
    if file.is_dir():
        return [_layer(read_folder(file), file.absolute().name)]
    return [_layer(read_picture(file), file.stem)]


def read_model(path: str | Sequence[str]) -> list[NoLayer]:
    """Make a model file one of the models that can be chosen, and say so; it makes no layer.

    Raises
    ------
    OSError, ValueError
        If it is not a generator; `napari_srgan.store.load.remember` says why.
    """
    from napari.utils.notifications import show_info

    from napari_srgan.store.load import remember

    name = remember(Path(path if isinstance(path, str) else path[0]))
    if (widget := sys.modules.get("napari_srgan.plugin.widget")) is not None:
        widget.refresh_models()
    show_info(f"“{name}” can now be chosen in Plugins → SRGAN upscale.")
    return [(None,)]


def _layer(picture: Picture, name: str) -> LayerData:
    options: dict[str, Any] = {"name": name, "rgb": picture.rgb}
    if picture.pixel_scale is not None:
        options |= {"scale": picture.pixel_scale, "units": picture.units}
    if picture.axis_labels is not None:
        options["axis_labels"] = picture.axis_labels
    return (picture.data, options, "image")
