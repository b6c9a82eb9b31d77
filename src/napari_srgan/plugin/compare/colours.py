"""What a layer's values look like: contrast limits, gamma and colormap as napari draws them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import napari.layers

    from napari_srgan.plugin.compare.sampling import Samples

Pixels = NDArray[np.uint8]
_SHADES = 1024
LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue (ITU-R BT.601)


@dataclass(frozen=True)
class Looks:
    """How a layer is drawn, as it was when this was made.

    Attributes
    ----------
    dtype : str
        Of its values.
    rgb : bool
        Whether they are colours.
    limits : tuple of float
        Values that are drawn black and white; of colours, those of their dtype.
    table : ndarray
        ``(n, 3)``, uint8: colours from black to white, gamma included.
    """

    dtype: str
    rgb: bool
    limits: tuple[float, float]
    table: Pixels

    @classmethod
    def of(cls, layer: napari.layers.Image) -> Looks:
        """Return those of a layer."""
        shades = np.linspace(0, 1, _SHADES) ** layer.gamma
        colours = np.asarray(layer.colormap.map(shades))[:, :3]
        table = np.rint(255 * colours).astype(np.uint8)
        low, high = map(float, layer.contrast_limits)
        if layer.rgb:
            low, high = 0.0, _white(layer.dtype)
        return cls(str(np.dtype(layer.dtype)), bool(layer.rgb), (low, high), table)

    def brightness(self, samples: Samples) -> NDArray[np.float64]:
        """Return how bright values are drawn before colormap and gamma: black is 0, white is 1."""
        low, high = self.limits
        values = samples.values.astype(np.float64)
        values = values[..., :3] if self.rgb else values
        share: NDArray[np.float64] = ((values - low) / ((high - low) or 1)).clip(0, 1)
        return np.nan_to_num(share)

    def drawn(self, samples: Samples) -> Pixels:
        """Return values as they are drawn, ``(h, w, 3)``; black where there are none."""
        share = self.brightness(samples)
        if self.rgb:
            picture = np.rint(255 * share)
            if samples.values.shape[-1] == 4:
                picture = picture * samples.values[..., 3:].astype(float) / self.limits[1]
            picture = picture.astype(np.uint8)
        else:
            picture = self.table[np.rint((len(self.table) - 1) * share).astype(np.intp)]
        picture[~samples.there] = 0
        return picture

    def grey(self, samples: Samples) -> NDArray[np.float64]:
        """Return values as they are, the luminance of colours."""
        values: NDArray[Any] = samples.values.astype(np.float64)
        return values[..., :3] @ LUMINANCE if self.rgb else values


def _white(dtype: Any) -> float:
    return float(np.iinfo(dtype).max) if np.dtype(dtype).kind in "ui" else 1.0
