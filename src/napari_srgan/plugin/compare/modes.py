"""Two pictures of the same place as one: swiped, side by side, in turns, or subtracted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_srgan.plugin.compare.colours import LUMINANCE, Looks, Pixels
from napari_srgan.plugin.compare.sampling import Samples

SWIPE, BESIDE, BLINK, DIFFERENCE = "swipe", "side by side", "blink", "difference"
Mode: TypeAlias = Literal["swipe", "side by side", "blink", "difference"]
VALUES, BRIGHTNESS = "values", "brightness"

LINE = 2  # pixels of what divides two pictures
_SHARE_SHOWN = 99.5  # per cent of differences that colours tell apart


def swiped(before: Pixels, after: Pixels, share: float) -> Pixels:
    """Return the one up to a share of the width, a line, and then the other."""
    width = before.shape[1]
    column = round(share * width)
    joined = np.concatenate([before[:, :column], after[:, column:]], axis=1)
    joined[:, max(0, column - LINE // 2) : column + LINE // 2] = 255
    return joined


def beside(before: Pixels, after: Pixels, width: int) -> Pixels:
    """Return both next to each other, as wide as asked for altogether, with a line in between."""
    gap = np.full((len(before), max(0, width - 2 * before.shape[1]), 3), 255, np.uint8)
    joined = np.concatenate([before, gap, after], axis=1)
    if not gap.shape[1]:
        middle = before.shape[1]
        joined[:, max(0, middle - LINE // 2) : middle + LINE // 2] = 255
    return joined


@dataclass(frozen=True)
class Difference:
    """What one picture has more than the other.

    Attributes
    ----------
    picture : ndarray
        ``(h, w, 3)``, uint8: red where the second has more, blue where it has less, white where
        both have the same, black where not both are.
    limit : float
        The difference that is drawn in full colour, or more.
    mean, rms, largest : float
        Of the absolute values.
    unit : str
        What all of these are in.
    """

    picture: Pixels
    limit: float
    mean: float
    rms: float
    largest: float
    unit: str

    def __str__(self) -> str:
        if not self.largest:
            return f"No difference in {self.unit}."
        return (
            f"In {self.unit}: mean {self.mean:.3g}, RMS {self.rms:.3g}, largest {self.largest:.3g}."
        )

    @property
    def legend(self) -> str:
        """What the colours say."""
        return f"after − before: blue −{self.limit:.3g}, red +{self.limit:.3g} {self.unit}"


def difference(
    first: tuple[Looks, Samples], second: tuple[Looks, Samples], unit: str
) -> Difference | None:
    """Return what the second has more than the first, in values or in brightness.

    Colours are compared by their luminance. None where they do not overlap.

    Parameters
    ----------
    first, second : tuple of Looks and Samples
        Of the layers, at the same points.
    unit : str
        ``values``, as they are stored; ``brightness``, of which 100 % is from black to white as
        each layer's contrast limits draw it.
    """
    both = first[1].there & second[1].there
    grey = [_in_unit(looks, samples, unit) for looks, samples in (first, second)]
    apart = grey[1] - grey[0]
    both &= np.isfinite(apart)
    if not both.any():
        return None
    found = np.abs(apart[both])
    limit = float(np.percentile(found, _SHARE_SHOWN)) or float(found.max())
    return Difference(
        _coloured(apart, limit, both),
        limit,
        float(found.mean()),
        float(np.sqrt(np.mean(found**2))),
        float(found.max()),
        "% of black to white" if unit == BRIGHTNESS else _values_of(first[0], second[0]),
    )


def _values_of(first: Looks, second: Looks) -> str:
    what = "luminance" if first.rgb or second.rgb else "values"
    if first.dtype == second.dtype:
        return f"{first.dtype} {what}"
    return f"{what} ({second.dtype} − {first.dtype})"


def _in_unit(looks: Looks, samples: Samples, unit: str) -> NDArray[np.float64]:
    if unit == VALUES:
        return looks.grey(samples)
    share = 100 * looks.brightness(samples)
    return share @ LUMINANCE if looks.rgb else share


def _coloured(apart: NDArray[np.float64], limit: float, there: NDArray[np.bool_]) -> Pixels:
    share = np.nan_to_num(apart / (limit or 1.0)).clip(-1, 1)
    picture = np.empty((*apart.shape, 3), np.uint8)
    more, less = share.clip(0, 1), (-share).clip(0, 1)
    picture[..., 0] = np.rint(255 * (1 - less))
    picture[..., 1] = np.rint(255 * (1 - more - less))
    picture[..., 2] = np.rint(255 * (1 - more))
    picture[~there] = 0
    return picture
