"""Images to try the models on: scikit-image's own, made low-resolution when they are opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

LayerData: TypeAlias = tuple[Any, dict[str, Any], str]

# The factor of the models that come with the plugin.
REDUCTION = 4

# What scikit-image says of its image `cell`: 0.107 µm from pixel to pixel.
CELL_PIXEL_MICROMETERS = 0.107


def photograph() -> list[LayerData]:
    """Make a colour photograph of a cup of coffee, 100 × 150 pixels, uint8."""
    from skimage import data

    return [
        _sample(
            data.coffee,
            name="Photograph, low resolution",
            rgb=True,
            source="skimage.data.coffee",
            credit="Rachel Michetti, courtesy of Pikolo Espresso Bar; CC0",
        )
    ]


def cells() -> list[LayerData]:
    """Make a quantitative phase image of a cell, 165 × 137 pixels, uint8, its pixels in µm."""
    from skimage import data

    pixels, options, kind = _sample(
        data.cell,
        name="Cell, low resolution",
        rgb=False,
        source="skimage.data.cell",
        credit="Müller et al., Optics Express 26(8), 2018, doi:10.1364/OE.26.010729; CC0",
    )
    options["scale"] = (REDUCTION * CELL_PIXEL_MICROMETERS,) * 2
    options["units"] = ("micrometer", "micrometer")
    return [(pixels, options, kind)]


def _sample(
    load: Callable[[], npt.NDArray[np.uint8]], *, name: str, rgb: bool, source: str, credit: str
) -> LayerData:
    metadata = {
        "source": f"{source} of scikit-image",
        "credit": credit,
        "reduction": f"antialiased bicubic (Pillow), ÷{REDUCTION}",
    }
    return _reduced(load()), {"name": name, "rgb": rgb, "metadata": metadata}, "image"


def _reduced(high: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Resize `(h, w)` or `(h, w, 3)` down, without the rows and columns that are left over."""
    from PIL import Image

    h, w = (length // REDUCTION for length in high.shape[:2])
    low = Image.fromarray(high[: h * REDUCTION, : w * REDUCTION])
    return np.asarray(low.resize((w, h), Image.Resampling.BICUBIC)).copy()
