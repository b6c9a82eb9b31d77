"""A page on one result: image, result, maps and provenance, in one HTML file that stands alone."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_srgan.files import Picture
from napari_srgan.inference.images import Array, Layout, layout_of
from napari_srgan.inference.settings import Progress, Settings, iter_recorded
from napari_srgan.inference.values.ranges import ValueRange, range_for, value_ranges
from napari_srgan.inference.values.rules import Normalize
from napari_srgan.store.checkpoint import Model
from napari_srgan.trust.assess import Assessment, iter_assess_array
from napari_srgan.trust.looks import FOR_PHOTOGRAPHS, looks_of

WIDEST = 900  # pixels of a picture of the whole; larger ones are made smaller
DETAIL = 192  # pixels of the result, along each side of the detail
_ENLARGED = 2  # times that the detail is shown at

# Black to white through red: what is more is brighter, in print too. Blue to red through white.
_HEAT = ((0, 0, 0), (90, 15, 110), (220, 50, 50), (250, 160, 40), (255, 255, 220))
_SIGNED = ((30, 60, 180), (255, 255, 255), (180, 30, 40))


def iter_report(
    picture: Picture,
    name: str,
    model: Model,
    faithful: Model | None,
    *,
    normalize: Normalize = "auto",
    settings: Settings,
) -> Generator[Progress, None, str]:
    """Upscale and assess a picture: yield progress, return the page on it.

    Of a stack the page shows the plane of which most is invented, or else the middle one.

    Parameters
    ----------
    picture : Picture
        What is upscaled.
    name : str
        The page's title.
    model, faithful, normalize, settings
        As for :func:`napari_srgan.trust.assess.iter_assess_array`.
    """
    image, axis = picture.data, picture.channel_axis
    layout = layout_of(image.shape, image.dtype, picture.rgb, axis)
    steps = iter_assess_array(
        image, model, faithful, rgb=picture.rgb, normalize=normalize, channel_axis=axis,
        settings=settings,
    )  # fmt: skip
    found, made_by = yield from iter_recorded(steps, model, normalize, settings)
    planes = list(layout.indices())
    index = planes[len(planes) // 2]
    if found.invention is not None and found.invention.densest is not None:
        index = found.invention.densest[:-2]
    values = range_for(value_ranges(image, layout, normalize), layout, index)
    figures = figures_of(image, layout, values, found, index)
    said = [*_sentences(model, found, index, len(planes))]
    if model.name != FOR_PHOTOGRAPHS:
        said += looks_of(_shown(image[index], layout, values).mean(-1) / 255).advice()
    return page(name, said, figures, made_by)


def _sentences(
    model: Model, found: Assessment, index: tuple[int, ...], planes: int
) -> Iterator[str]:
    """Yield what stands first on a page."""
    yield f"Upscaled ×{model.scale} by {model.name}, which {_DRAWS[model.generative]}."
    if found.invention is not None:
        yield str(found.invention)
    if planes > 1:
        yield f"Shown is plane {index} of {planes}."


_DRAWS = {
    True: "draws texture that is not in the image: not for measurement",
    False: "invents no texture",
    None: "may or may not invent texture: that is not known",
}


@dataclass(frozen=True)
class Figure:
    """A picture on the page.

    Attributes
    ----------
    title, note : str
        Above it, and below it.
    pixels : ndarray
        ``(h, w, 3)``, uint8.
    """

    title: str
    note: str
    pixels: NDArray[np.uint8]


def figures_of(
    image: Array, layout: Layout, values: ValueRange, found: Assessment, index: tuple[int, ...]
) -> list[Figure]:
    """Return the pictures of one plane of an assessed image.

    Parameters
    ----------
    image : ndarray
        What was upscaled, as ``layout`` describes it.
    layout : Layout
        Of the image.
    values : ValueRange
        What is shown as black and white.
    found : Assessment
        With arrays, not layers.
    index : tuple of int
        Of the plane, along the leading axes.
    """
    scale = found.upscaled[index].shape[0] // layout.height
    low, high = image[index], found.upscaled[index]
    enlarged = low.repeat(scale, 0).repeat(scale, 1)
    whole = [
        Figure("The image", "Each pixel as a square.", _shown(enlarged, layout, values)),
        Figure(f"The result, ×{scale}", "", _shown(high, layout, values)),
        _heat("Uncertainty", found.uncertainty[index], _of_uncertainty(found)),
    ]
    if found.invented is not None:
        note = "Difference to a faithful network's result."
        whole.append(_heat("Invented", found.invented[index], note))
    whole.append(_signed("Not explained", found.residual[index].repeat(scale, 0).repeat(scale, 1)))
    part = _detail(found, index)
    details = [Figure(f"{each.title}, detail", "", _crop(each.pixels, part)) for each in whole]
    return [*(Figure(f.title, f.note, _fitted(f.pixels)) for f in whole), *details]


def _of_uncertainty(found: Assessment) -> str:
    if found.calibrated:
        return "The error to expect. It does not cover blur or noise that the image brings along."
    return "Standard deviation over eight orientations; this model's errors were not measured."


def _detail(found: Assessment, index: tuple[int, ...]) -> tuple[slice, slice]:
    """Return the part of the plane that is shown as it is: where most is invented, or uncertain."""
    plane = found.invented if found.invented is not None else found.uncertainty
    height, width = plane[index].shape
    rows, columns = (min(DETAIL, size) for size in (height, width))
    sums = np.pad(plane[index], ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    totals = (
        sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns]
        + sums[:-rows, :-columns]
    )  # fmt: skip
    top, left = np.unravel_index(int(totals.argmax()), totals.shape)
    return slice(int(top), int(top) + rows), slice(int(left), int(left) + columns)


def _crop(pixels: NDArray[np.uint8], part: tuple[slice, slice]) -> NDArray[np.uint8]:
    return pixels[part].repeat(_ENLARGED, 0).repeat(_ENLARGED, 1)


def _shown(plane: Array, layout: Layout, values: ValueRange) -> NDArray[np.uint8]:
    """Return a plane as 8-bit colours; what is transparent, on white."""
    colours = plane[..., :3] if layout.channels else np.repeat(plane[..., None], 3, -1)
    unit = (colours.astype(np.float64) - values.low) / values.width
    if layout.channels == 4:
        alpha = plane[..., 3:].astype(np.float64)
        alpha /= 1.0 if plane.dtype.kind == "f" else float(np.iinfo(plane.dtype).max)
        unit = alpha * unit + 1 - alpha
    return _bytes(unit)


def _bytes(unit: Array) -> NDArray[np.uint8]:
    levels: NDArray[np.uint8] = (255 * np.nan_to_num(unit).clip(0, 1)).round().astype(np.uint8)
    return levels


def _heat(title: str, values: Array, note: str) -> Figure:
    top = float(np.percentile(values, 99.5)) or 1.0
    pixels = _coloured(values / top, _HEAT)
    return Figure(title, f"{note} Black is 0, white {top:.3g} and more.", pixels)


def _signed(title: str, values: Array) -> Figure:
    top = float(np.abs(values).max()) or 1.0
    mean = values.mean(-1) if values.ndim == 3 else values
    note = "The image less the result, reduced to its size."
    pixels = _coloured(0.5 + 0.5 * mean / top, _SIGNED)
    return Figure(title, f"{note} Blue is {-top:.3g}, red {top:.3g}.", pixels)


def _coloured(unit: Array, stops: Sequence[tuple[int, int, int]]) -> NDArray[np.uint8]:
    places, colours = np.linspace(0, 1, len(stops)), np.array(stops) / 255
    return _bytes(np.stack([np.interp(unit, places, each) for each in colours.T], -1))


def _fitted(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture no larger than a page is wide."""
    height, width = pixels.shape[:2]
    factor = min(1.0, WIDEST / max(height, width))
    if factor == 1:
        return pixels
    size = max(1, round(factor * width)), max(1, round(factor * height))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


def page(
    title: str, says: Sequence[str], figures: Sequence[Figure], facts: Mapping[str, Any]
) -> str:
    """Return the page.

    Parameters
    ----------
    title : str
        Of the page: the image's name.
    says : sequence of str
        What stands first, a paragraph each.
    figures : sequence of Figure
        In order.
    facts : mapping
        Provenance, as a table.
    """
    rows = "".join(
        f"<tr><th>{html.escape(str(key))}</th><td>{html.escape(str(value))}</td></tr>"
        for key, value in facts.items()
    )
    return _PAGE.format(
        title=html.escape(title),
        says="".join(f"<p>{html.escape(each)}</p>" for each in says),
        figures="".join(map(_figure, figures)),
        rows=rows,
    )


def _figure(figure: Figure) -> str:
    file = io.BytesIO()
    Image.fromarray(figure.pixels).save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode("ascii")
    title, note = html.escape(figure.title), html.escape(figure.note)
    return (
        f'<figure><h2>{title}</h2><img alt="{title}" src="data:image/png;base64,{data}">'
        f"<figcaption>{note}</figcaption></figure>"
    )


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font-family: system-ui, sans-serif; margin: 2em auto; max-width: 960px; color: #222; }}
figure {{ display: inline-block; vertical-align: top; margin: 0 1em 1.5em 0; max-width: 100%; }}
figure img {{ max-width: 100%; image-rendering: pixelated; }}
figcaption {{ max-width: 45em; color: #555; }}
h2 {{ font-size: 1em; margin: 0 0 .3em; }}
table {{ border-collapse: collapse; }}
th, td {{ text-align: left; padding: .2em 1em .2em 0; vertical-align: top; }}
td {{ overflow-wrap: anywhere; }}
</style>
</head>
<body>
<h1>{title}</h1>
{says}
{figures}
<h2>How it was made</h2>
<table>{rows}</table>
</body>
</html>
"""
