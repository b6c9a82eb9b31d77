"""How far a result can be trusted: what it does not explain, where it wavers, what it invents."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F

from napari_srgan.graph.ops import interpolated
from napari_srgan.graph.orient import ORIENTATIONS
from napari_srgan.inference.images import (
    Array,
    Layout,
    fill_not_finite,
    fill_transparent,
    layout_of,
)
from napari_srgan.inference.run import iter_upscale_array
from napari_srgan.inference.settings import Progress, Settings, iter_mapped
from napari_srgan.inference.values.ranges import ValueRange, range_for, value_ranges
from napari_srgan.inference.values.rules import Normalize
from napari_srgan.store.checkpoint import Model
from napari_srgan.trust.invention import VISIBLE, Census, Invention
from napari_srgan.trust.uncertainty import expected_error

Steps: TypeAlias = Generator[Progress, None, Any]


@dataclass(frozen=True)
class Assessment:
    """A result, and how far it can be trusted. Maps are float32, in the image's own units.

    Attributes
    ----------
    upscaled : array or napari.layers.Image
        As :func:`napari_srgan.upscale` gives it.
    uncertainty : array or napari.layers.Image
        ``(…, scale·h, scale·w)``: the error to expect, root mean square over colours, by the
        standard deviation over the eight flips and turns of the image; that deviation itself where
        the model's errors were not measured. It tells where the network wavers. It does not tell of
        a blur that it was not trained on, nor of noise.
    calibrated : bool
        Whether it is an error to expect.
    residual : array or napari.layers.Image
        ``(…, h, w[, 3])``: the image less the result, reduced: what the result does not explain.
    invented : array, napari.layers.Image or None
        ``(…, scale·h, scale·w)``: mean absolute difference, over colours, to a faithful network's
        result. None for a model that is faithful itself.
    invention : Invention or None
        The same in a sentence.
    """

    upscaled: Any
    uncertainty: Any
    residual: Any
    invented: Any | None
    invention: Invention | None
    calibrated: bool = False


def iter_assess_array(
    image: Array,
    model: Model,
    faithful: Model | None,
    *,
    rgb: bool | None = None,
    normalize: Normalize = "auto",
    channel_axis: int | None = None,
    settings: Settings,
) -> Generator[Progress, None, Assessment]:
    """Upscale an array and assess the result, yielding progress and returning the assessment.

    Parameters
    ----------
    image, rgb, normalize, channel_axis
        As for :func:`napari_srgan.upscale`.
    model : Model
        What is assessed.
    faithful : Model or None
        What its detail is compared with; None if it is faithful itself.
    settings : Settings
        Of the run.

    Raises
    ------
    ValueError
        If the faithful model has another scale; else as :func:`napari_srgan.upscale` does.
    """
    if faithful is not None and faithful.scale != model.scale:
        raise ValueError(
            f"{faithful.name} upscales by {faithful.scale} and {model.name} by {model.scale}: "
            "name a faithful model of the same scale."
        )
    layout = layout_of(image.shape, image.dtype, rgb, channel_axis)
    return _iter_assess(image, layout, model, faithful, normalize, settings)


def _iter_assess(
    image: Array,
    layout: Layout,
    model: Model,
    faithful: Model | None,
    normalize: Normalize,
    settings: Settings,
) -> Generator[Progress, None, Assessment]:
    def run(of: Model, how: Settings, spread: Array | None = None) -> Steps:
        return iter_upscale_array(
            image, of, rgb=layout.channels > 0, normalize=normalize,
            channel_axis=layout.channel_axis, settings=how, spread=spread,
        )  # fmt: skip

    high = layout.shape(model.scale)[: len(layout.leading) + 2]
    spread, total = np.empty(high, np.float32), len(ORIENTATIONS) + (faithful is not None)
    upscaled = yield from _iter_part(run(model, settings, spread), 0, len(ORIENTATIONS), total)
    ranges, law = value_ranges(image, layout, normalize), model.uncertainty
    residual = np.empty(_without_alpha(layout.shape(), layout), np.float32)
    for index in layout.indices():
        low, shown = _seen(image[index], layout), _given(upscaled[index], layout)
        residual[index] = (low - reduced(shown, model.scale)).reshape(residual[index].shape)
        if law is not None:
            width = range_for(ranges, layout, index).width
            spread[index] = expected_error(spread[index], law, width)
    found = Assessment(upscaled, spread, residual, None, None, calibrated=law is not None)
    if faithful is None:
        return found
    steps = iter_invented_array(
        image, upscaled, faithful, rgb=layout.channels > 0, normalize=normalize,
        channel_axis=layout.channel_axis, settings=settings,
    )  # fmt: skip
    invented, invention = yield from _iter_part(steps, len(ORIENTATIONS), 1, total)
    return replace(found, invented=invented, invention=invention)


def iter_invented_array(
    image: Array,
    upscaled: Array,
    faithful: Model,
    *,
    rgb: bool | None = None,
    normalize: Normalize | ValueRange = "auto",
    channel_axis: int | None = None,
    settings: Settings,
) -> Generator[Progress, None, tuple[Array, Invention]]:
    """Compare a result with a faithful network's; yield progress, return a map and an account.

    Parameters
    ----------
    image, rgb, normalize, channel_axis
        As for :func:`napari_srgan.upscale`.
    upscaled : array
        What was made of the image, ``(…, scale·h, scale·w[, 3|4])``.
    faithful : Model
        What it is compared with.
    settings : Settings
        Of the run of the faithful network, which is one of standard quality.

    Returns
    -------
    array, Invention
        Float32, ``(…, scale·h, scale·w)``: mean absolute difference over colours, in the image's
        units; and the same in a sentence.
    """
    layout = layout_of(image.shape, image.dtype, rgb, channel_axis)
    sure = yield from iter_upscale_array(
        image, faithful, rgb=rgb, normalize=normalize, channel_axis=channel_axis,
        settings=replace(settings, quality="standard"),
    )  # fmt: skip
    ranges = value_ranges(image, layout, normalize)
    shape = layout.shape(faithful.scale)[: len(layout.leading) + 2]
    invented, census = np.empty(shape, np.float32), Census()
    for index in layout.indices():
        drawn = _given(upscaled[index], layout)
        smooth = _enlarged(_seen(image[index], layout), faithful.scale)
        invented[index] = _difference(drawn, _given(sure[index], layout))
        visible = VISIBLE * range_for(ranges, layout, index).width
        census.count(index, _difference(drawn, smooth) > visible, invented[index] > visible)
    return invented, census.found()


def _iter_part(steps: Steps, before: int, weight: int, total: int) -> Steps:
    """Pass on the progress of a part of the work, in pixels of all of it."""

    def of_all(step: Progress) -> Progress:
        done = before * step.total + weight * step.done
        return replace(step, done=done, total=total * step.total)

    return iter_mapped(steps, of_all)


def _difference(one: Array, other: Array) -> Array:
    """Return the mean absolute difference of two planes ``(h, w, c)``, over colours."""
    mean: Array = np.abs(one - other).mean(-1)
    return mean


def reduced(plane: Array, scale: int) -> Array:
    """Return a plane ``(scale·h, scale·w, c)`` reduced by antialiased bicubic interpolation.

    It is that of Pillow and of torch, in float64: at the border, the mean of what there is.
    """
    planes = torch.from_numpy(plane.astype(np.float64)).movedim(-1, 0)[None].contiguous()
    size = plane.shape[0] // scale, plane.shape[1] // scale
    low = F.interpolate(planes, size=size, mode="bicubic", antialias=True)[0]
    pixels: Array = low.movedim(0, -1).numpy()
    return pixels


def _enlarged(plane: Array, scale: int) -> Array:
    """Return a plane ``(h, w, c)`` enlarged by bicubic interpolation."""
    planes = torch.from_numpy(plane).movedim(-1, 0)[None]
    high: Array = interpolated(planes, scale, "bicubic")[0].movedim(0, -1).numpy()
    return high


def _seen(plane: Array, layout: Layout) -> Array:
    """Return what the network saw of a plane, in float64: ``(h, w, c)``, nothing hidden or NaN."""
    if plane.dtype.kind == "f":
        plane = fill_not_finite(plane)
    return _given(fill_transparent(plane) if layout.channels == 4 else plane, layout)


def _given(plane: Array, layout: Layout) -> Array:
    """Return a plane's colours without alpha, in float64: ``(h, w, c)``."""
    pixels: Array = plane.astype(np.float64).reshape(*plane.shape[:2], -1)
    return pixels[..., :3] if layout.channels == 4 else pixels


def _without_alpha(shape: tuple[int, ...], layout: Layout) -> tuple[int, ...]:
    return (*shape[:-1], 3) if layout.channels == 4 else shape
