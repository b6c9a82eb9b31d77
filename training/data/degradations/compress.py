"""Lossy compression: JPEG and WebP, as Pillow writes and reads them."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

from napari_srgan.training.data.degradations.steps import Light

_WHITE = 255  # both have 8 bits


@dataclass(frozen=True)
class Compress:
    """An image written by a codec and read back, in 8 bits, of one channel or three.

    Attributes
    ----------
    codec : {"JPEG", "WEBP"}
        JPEG halves the resolution of colours (4:2:0), as Pillow's default and most cameras do.
    quality : int
        1 to 95, as both codecs count it.

    References
    ----------
    Wang et al., "Real-ESRGAN", arXiv:2107.10833, §3.1: JPEG. Pillow's documentation, "Image file
    formats": quality.
    """

    codec: str
    quality: int

    def __call__(self, image: Light, _rng: np.random.Generator) -> Light:
        """Return the image as the codec leaves it.

        Raises
        ------
        ValueError
            If it has neither one channel nor three.
        """
        if image.shape[2] not in (1, 3):
            raise ValueError(f"{self.codec} takes 1 channel or 3; got {image.shape[2]}.")
        pixels = np.rint(np.clip(image, 0, 1) * _WHITE).astype(np.uint8)
        grey = pixels.shape[2] == 1
        written = BytesIO()
        Image.fromarray(pixels[..., 0] if grey else pixels).save(
            written, format=self.codec, quality=self.quality
        )
        with Image.open(written) as picture:
            read = np.asarray(picture.convert("L" if grey else "RGB"))
        return read.reshape(pixels.shape).astype(np.float32) / np.float32(_WHITE)

    def __str__(self) -> str:
        return f"{'WebP' if self.codec == 'WEBP' else self.codec} quality {self.quality}"
