"""What people call: one function for arrays, napari layers and dask arrays."""

from __future__ import annotations

import sys
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np

from napari_srgan.inference.devices import (
    release_all_memory,
)
from napari_srgan.inference.images import Array, check_not_masked
from napari_srgan.inference.run import iter_upscale_array
from napari_srgan.inference.runner import runners
from napari_srgan.inference.settings import (
    NotFinite,
    Progress,
    Quality,
    Settings,
    finish,
    iter_recorded,
)
from napari_srgan.inference.values.rules import Normalize
from napari_srgan.store.checkpoint import Model
from napari_srgan.store.download import DownloadError
from napari_srgan.store.load import faithful_counterpart, forget_loaded, load_model
from napari_srgan.store.registry import DEFAULT_MODEL, ModelInfo, list_models
from napari_srgan.store.tensors.tensor_file import CheckpointError
from napari_srgan.trust.assess import Assessment, iter_assess_array
from napari_srgan.trust.invention import Invention

if TYPE_CHECKING:
    import dask.array
    import napari.layers
    import numpy.typing as npt

Result = TypeVar("Result")

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


@overload
def upscale(
    image: dask.array.Array,
    model: str | Path | Model = ...,
    *,
    scale: int | None = ...,
    rgb: bool | None = ...,
    device: str = ...,
    precision: str = ...,
    tile: int | str = ...,
    normalize: Normalize = ...,
    channel_axis: int | None = ...,
    nan: NotFinite = ...,
    quality: Quality = ...,
    consistent: bool = ...,
    out: None = ...,
) -> dask.array.Array: ...


@overload
def upscale(
    image: npt.ArrayLike,
    model: str | Path | Model = ...,
    *,
    scale: int | None = ...,
    rgb: bool | None = ...,
    device: str = ...,
    precision: str = ...,
    tile: int | str = ...,
    normalize: Normalize = ...,
    channel_axis: int | None = ...,
    nan: NotFinite = ...,
    quality: Quality = ...,
    consistent: bool = ...,
    out: None = ...,
) -> Array: ...


@overload
def upscale(
    image: npt.ArrayLike,
    model: str | Path | Model = ...,
    *,
    scale: int | None = ...,
    rgb: bool | None = ...,
    device: str = ...,
    precision: str = ...,
    tile: int | str = ...,
    normalize: Normalize = ...,
    channel_axis: int | None = ...,
    nan: NotFinite = ...,
    quality: Quality = ...,
    consistent: bool = ...,
    out: Result,
) -> Result: ...


@overload
def upscale(
    image: napari.layers.Image,
    model: str | Path | Model = ...,
    *,
    scale: int | None = ...,
    rgb: bool | None = ...,
    device: str = ...,
    precision: str = ...,
    tile: int | str = ...,
    normalize: Normalize = ...,
    channel_axis: int | None = ...,
    nan: NotFinite = ...,
    quality: Quality = ...,
    consistent: bool = ...,
    level: int = ...,
    out: None = ...,
) -> napari.layers.Image: ...
def upscale(
    image: Any,
    model: str | Path | Model = DEFAULT_MODEL,
    *,
    scale: int | None = None,
    rgb: bool | None = None,
    device: str = "auto",
    precision: str = "auto",
    tile: int | str = "auto",
    normalize: Normalize = "auto",
    channel_axis: int | None = None,
    nan: NotFinite = "error",
    quality: Quality = "standard",
    consistent: bool = False,
    level: int = 0,
    out: Any = None,
) -> Any:
    """Upscale an image by a model's factor, ×4 unless another is asked for.

    Parameters
    ----------
    image : ndarray, napari.layers.Image or dask.array.Array
        ``(…, h, w)`` grey, or ``(…, h, w, 3|4)`` RGB or RGBA; bool, integer or float. Leading axes
        are independent planes. Of a layer, all planes are taken. A Pillow image
        is taken as what it shows: palettes, CMYK and other modes become RGB or RGBA.
    model : str, Path or Model
        A name that :func:`list_models` gives, the path of a checkpoint, or a loaded model.
    scale : int, optional
        The factor, of a model that has several, such as ``mdsr``; left out, its own.
    rgb : bool, optional
        Whether the last axis holds colours. Left out, an axis of 3 or 4 after two others does; a
        layer knows.
    device : str
        ``auto`` (CUDA, then MPS, then CPU), ``cpu``, ``cuda``, ``cuda:1``, ``mps``; ``cuda:all``
        shares planes out to all cards.
    precision : str
        ``auto`` (a 16-bit floating type for 8-bit images where the device has it, else float32),
        ``float32``, ``float16``, ``bfloat16``.
    tile : int or str
        ``auto``: small images whole, large ones as a stream of bands of rows, which computes
        nothing twice and takes memory for a few rows. A number: tiles with this edge in input
        pixels. It changes memory and time; the result is the same.
    normalize : str or tuple of float
        Which values the network sees as black and white. ``auto``: uint8 and bool by dtype,
        everything else by the smallest and the largest value of all planes together; hot and dead
        pixels are set apart, interpolated linearly and added to the result. Else
        ``data``, ``dtype``, ``(low, high)`` or percentiles such as ``"0%, 99.9%"``.
    channel_axis : int, optional
        The axis of the array that holds channels, whose values have nothing to do with each other:
        each has black and white of its own. A layer whose axis labels name one (``c``,
        ``channel``) knows. Colours of an RGB image share theirs.
    nan : {"error", "fill"}
        Whether NaN and infinite values are refused, or filled from their nearest finite neighbour.
    quality : {"standard", "ensemble"}
        ``ensemble``: the mean of the results for the eight flips and turns of the image, which is
        nearer to the truth and takes eight times as long.
    consistent : bool
        Whether the result is held to the image: reduced again by antialiased bicubic interpolation
        (Pillow's, torch's), it equals the image within half a level of an integer's, within 1e-4 of
        the range of floats. Where values of the image are set apart, or so far apart that no pixels
        between black and white can be reduced to them, it comes as near as it can. Alpha is
        interpolated as ever.
    level : int
        Of a multiscale layer, the one that is upscaled: 0 is the finest.
    out : array, optional
        For arrays: what is filled with the result, piece by piece, and returned. Anything with a
        shape, a dtype and slices to assign to, such as a ``numpy.memmap`` or a ``zarr.Array``.

    Returns
    -------
    ndarray, napari.layers.Image or dask.array.Array
        As the input: ``(…, scale·h, scale·w[, c])``, same dtype; rounded where it is an integer's.
        A layer is a new one that lies where the input lies, with coarser levels where a plane is
        longer than 4096 pixels or the input has levels. A dask array is lazy, and so is the layer
        of one.

    Raises
    ------
    TypeError
        If the image is of a kind or dtype that has no pixels to upscale.
    ValueError
        If the shape, the values or a setting do not fit; the message says which.
    OSError
        If the model's file is missing, damaged or cannot be downloaded.
    MemoryError
        If not even a small tile, or not the result, fits in memory.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_srgan as ns
    >>> ns.upscale(np.zeros((30, 40, 3), np.uint8)).shape
    (120, 160, 3)
    """
    return finish(
        iter_upscale(
            image,
            model,
            scale=scale,
            rgb=rgb,
            device=device,
            precision=precision,
            tile=tile,
            normalize=normalize,
            channel_axis=channel_axis,
            nan=nan,
            quality=quality,
            consistent=consistent,
            level=level,
            out=out,
        )
    )


@overload
def iter_upscale(
    image: dask.array.Array,
    model: str | Path | Model = ...,
    *,
    scale: int | None = ...,
    rgb: bool | None = ...,
    device: str = ...,
    precision: str = ...,
    tile: int | str = ...,
    normalize: Normalize = ...,
    channel_axis: int | None = ...,
    nan: NotFinite = ...,
    quality: Quality = ...,
    consistent: bool = ...,
    out: None = ...,
) -> Generator[Progress, None, dask.array.Array]: ...


@overload
def iter_upscale(
    image: npt.ArrayLike,
    model: str | Path | Model = ...,
    *,
    scale: int | None = ...,
    rgb: bool | None = ...,
    device: str = ...,
    precision: str = ...,
    tile: int | str = ...,
    normalize: Normalize = ...,
    channel_axis: int | None = ...,
    nan: NotFinite = ...,
    quality: Quality = ...,
    consistent: bool = ...,
    out: None = ...,
) -> Generator[Progress, None, Array]: ...


@overload
def iter_upscale(
    image: npt.ArrayLike,
    model: str | Path | Model = ...,
    *,
    scale: int | None = ...,
    rgb: bool | None = ...,
    device: str = ...,
    precision: str = ...,
    tile: int | str = ...,
    normalize: Normalize = ...,
    channel_axis: int | None = ...,
    nan: NotFinite = ...,
    quality: Quality = ...,
    consistent: bool = ...,
    out: Result,
) -> Generator[Progress, None, Result]: ...


@overload
def iter_upscale(
    image: napari.layers.Image,
    model: str | Path | Model = ...,
    *,
    scale: int | None = ...,
    rgb: bool | None = ...,
    device: str = ...,
    precision: str = ...,
    tile: int | str = ...,
    normalize: Normalize = ...,
    channel_axis: int | None = ...,
    nan: NotFinite = ...,
    quality: Quality = ...,
    consistent: bool = ...,
    level: int = ...,
    out: None = ...,
) -> Generator[Progress, None, napari.layers.Image]: ...
def iter_upscale(
    image: Any,
    model: str | Path | Model = DEFAULT_MODEL,
    *,
    scale: int | None = None,
    rgb: bool | None = None,
    device: str = "auto",
    precision: str = "auto",
    tile: int | str = "auto",
    normalize: Normalize = "auto",
    channel_axis: int | None = None,
    nan: NotFinite = "error",
    quality: Quality = "standard",
    consistent: bool = False,
    level: int = 0,
    out: Any = None,
) -> Generator[Progress, None, Any]:
    """Upscale as :func:`upscale` does, yielding :class:`Progress` after every band or tile.

    The generator returns the result (``yield from``, or ``StopIteration.value``). Closing it stops
    the work within a band or a tile. Errors that do not depend on pixels are raised at the call.
    """
    if out is not None and (_is_layer(image) or _is_dask(image)):
        raise TypeError(
            "out is for arrays. Upscale a layer's data, or store a dask array: result.to_zarr(…)."
        )
    _check_level(image, level)
    loaded = load_model(model, scale=scale)
    settings = Settings(device, precision, tile, nan, quality, consistent)
    if _is_layer(image):
        return _iter_layer(image, level, loaded, rgb, normalize, channel_axis, settings)
    if _is_dask(image):
        return _iter_lazy(image, loaded, rgb, normalize, channel_axis, settings)
    return iter_upscale_array(
        _as_array(image),
        loaded,
        rgb=rgb,
        normalize=normalize,
        channel_axis=channel_axis,
        settings=settings,
        out=out,
    )


def assess(
    image: Any,
    model: str | Path | Model = DEFAULT_MODEL,
    *,
    scale: int | None = None,
    faithful: str | Path | Model | None = None,
    rgb: bool | None = None,
    device: str = "auto",
    precision: str = "auto",
    tile: int | str = "auto",
    normalize: Normalize = "auto",
    channel_axis: int | None = None,
    nan: NotFinite = "error",
    quality: Quality = "standard",
    consistent: bool = False,
    level: int = 0,
) -> Assessment:
    """Upscale an image, and map how far the result can be trusted.

    It takes eight times as long as :func:`upscale`, nine times for a generative model.

    Parameters
    ----------
    image : ndarray or napari.layers.Image
        As for :func:`upscale`; not lazy.
    model : str, Path or Model
        What upscales it.
    faithful : str, Path or Model, optional
        What the detail of a generative model is compared with. Default: a bundled faithful model of
        the same scale; none for a model that is faithful itself.
    scale, rgb, device, precision, tile, normalize, channel_axis, nan, quality, consistent, level
        As for :func:`upscale`.

    Returns
    -------
    Assessment
        The result and its maps: arrays of an array; of a layer, layers that lie where it lies.

    Raises
    ------
    TypeError
        If the image is lazy; else as :func:`upscale` does.
    ValueError
        If the faithful model has another scale; else as :func:`upscale` does.
    """
    return finish(
        iter_assess(
            image,
            model,
            scale=scale,
            faithful=faithful,
            rgb=rgb,
            device=device,
            precision=precision,
            tile=tile,
            normalize=normalize,
            channel_axis=channel_axis,
            nan=nan,
            quality=quality,
            consistent=consistent,
            level=level,
        )
    )


def iter_assess(
    image: Any,
    model: str | Path | Model = DEFAULT_MODEL,
    *,
    scale: int | None = None,
    faithful: str | Path | Model | None = None,
    rgb: bool | None = None,
    device: str = "auto",
    precision: str = "auto",
    tile: int | str = "auto",
    normalize: Normalize = "auto",
    channel_axis: int | None = None,
    nan: NotFinite = "error",
    quality: Quality = "standard",
    consistent: bool = False,
    level: int = 0,
) -> Generator[Progress, None, Assessment]:
    """Assess as :func:`assess` does, yielding :class:`Progress`; closing it stops the work."""
    _check_level(image, level)
    loaded = load_model(model, scale=scale)
    sure = faithful_counterpart(loaded, faithful)
    settings = Settings(device, precision, tile, nan, quality, consistent)
    layer, pixels = None, image
    if _is_layer(image):
        pixels, channel_axis = _pixels_of(image, level, rgb, channel_axis)
        layer, rgb = image, image.rgb
    if _is_dask(pixels):
        raise TypeError("A lazy image is not assessed. Compute the part that matters first.")
    steps = iter_assess_array(
        _as_array(pixels),
        loaded,
        sure,
        rgb=rgb,
        normalize=normalize,
        channel_axis=channel_axis,
        settings=settings,
    )
    if layer is None:
        return steps
    return _iter_assess_layer(layer, level, steps, loaded, normalize, settings)


def _iter_assess_layer(
    layer: napari.layers.Image,
    level: int,
    steps: Generator[Progress, None, Assessment],
    model: Model,
    normalize: Normalize,
    settings: Settings,
) -> Generator[Progress, None, Assessment]:
    from napari_srgan.plugin.layers import assessed_layers, leveled, standing_for

    assessment, made_by = yield from iter_recorded(steps, model, normalize, settings)
    assessment = replace(assessment, upscaled=leveled(layer, assessment.upscaled, level))
    return assessed_layers(standing_for(layer, level), assessment, model.scale, made_by)


def release_memory() -> None:
    """Release the models that are kept for the next call, on the CPU and on every GPU.

    The last few models stay ready to run after their first use, some megabytes each.
    """
    runners.clear()
    forget_loaded()
    release_all_memory()


def _iter_lazy(
    image: Any,
    model: Model,
    rgb: bool | None,
    normalize: Normalize,
    channel_axis: int | None,
    settings: Settings,
) -> Generator[Progress, None, Any]:
    """Make the lazy result at the call; there are no steps, for nothing is computed yet."""
    from napari_srgan.inference.dask_arrays import upscale_lazily

    result = upscale_lazily(
        image, model, rgb=rgb, normalize=normalize, channel_axis=channel_axis, settings=settings
    )
    return _iter_nothing(result)


def _iter_nothing(result: Any) -> Generator[Progress, None, Any]:
    yield from ()
    return result


def _pixels_of(
    layer: napari.layers.Image, level: int, rgb: bool | None, channel_axis: int | None
) -> tuple[Any, int | None]:
    """Return a layer's pixels, and their axis of channels: the one given, or what labels say."""
    from napari_srgan.plugin.layers import channel_axis_of, pixels_at

    if rgb is not None and rgb != layer.rgb:
        raise ValueError(f"The layer {layer.name!r} has rgb={layer.rgb}; rgb={rgb} contradicts it.")
    pixels = pixels_at(layer, level)
    check_not_masked(pixels)
    return pixels, channel_axis_of(layer) if channel_axis is None else channel_axis


def _iter_layer(
    layer: napari.layers.Image,
    level: int,
    model: Model,
    rgb: bool | None,
    normalize: Normalize,
    channel_axis: int | None,
    settings: Settings,
) -> Generator[Progress, None, napari.layers.Image]:
    pixels, axis = _pixels_of(layer, level, rgb, channel_axis)
    if _is_dask(pixels):
        lazy = _iter_lazy(pixels, model, layer.rgb, normalize, axis, settings)
        planned = _iter_planned(lazy, pixels, model, normalize, settings)
        return _iter_into_layer(layer, level, planned)
    steps = iter_upscale_array(
        np.asarray(pixels),
        model,
        rgb=layer.rgb,
        normalize=normalize,
        channel_axis=axis,
        settings=settings,
    )
    return _iter_into_layer(layer, level, iter_recorded(steps, model, normalize, settings))


def _iter_planned(
    steps: Generator[Progress, None, Any],
    pixels: Any,
    model: Model,
    normalize: Normalize,
    settings: Settings,
) -> Generator[Progress, None, tuple[Any, dict[str, Any]]]:
    """Return a lazy result and its provenance as it will be, if no device runs out of memory."""
    from napari_srgan.inference.dask_arrays import planned_provenance

    result = yield from steps
    return result, planned_provenance(model, normalize, settings, pixels.dtype)


def _iter_into_layer(
    layer: napari.layers.Image,
    level: int,
    steps: Generator[Progress, None, tuple[Any, dict[str, Any]]],
) -> Generator[Progress, None, napari.layers.Image]:
    from napari_srgan.plugin.layers import leveled, standing_for, upscaled_layer

    result, made_by = yield from steps
    place = standing_for(layer, level)
    return upscaled_layer(place, leveled(layer, result, level), made_by["scale"], made_by)


def _check_level(image: Any, level: int) -> None:
    if level and not _is_layer(image):
        raise TypeError(f"Only a layer has levels; got level={level} for an array.")


def _is_layer(image: Any) -> bool:
    layers = sys.modules.get("napari.layers")
    if layers is None or not isinstance(image, layers.Layer):
        return False
    kind = image.__class__  # not type(): plugins are given layers in a wrapper
    if kind is not layers.Image:
        raise TypeError(
            f"Only image layers can be upscaled; {image.name!r} is a {kind.__name__} layer."
        )
    return True


def _is_dask(image: Any) -> bool:
    module = sys.modules.get("dask.array")
    return module is not None and isinstance(image, module.Array)


def _is_pillow(image: Any) -> bool:
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(image, module.Image)


def _as_array(image: Any) -> Array:
    check_not_masked(image)
    if _is_pillow(image):
        from napari_srgan.files.photo.modes import pixels_of

        return pixels_of(image)
    if hasattr(image, "__array__") or hasattr(image, "__array_interface__"):
        return np.asarray(image)
    raise TypeError(
        f"Expected an array, a napari image layer or a dask array; got {type(image).__name__}."
    )
