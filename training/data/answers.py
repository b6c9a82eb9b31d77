"""A network's answers as images to learn from: pairs that training takes as it takes DIV2K's."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Self
from zlib import crc32

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from scipy.ndimage import uniform_filter

from napari_srgan.files.atomic import written_whole
from napari_srgan.inference.run import upscale_array
from napari_srgan.inference.settings import Settings
from napari_srgan.resampling import Pixels
from napari_srgan.store.checkpoint import Model
from napari_srgan.training.data.decoding import read_image
from napari_srgan.training.data.degradations.reduce import Reduction
from napari_srgan.training.data.pack import texture_of
from napari_srgan.training.data.sources import LeftOut, Source, check_outside, find_sources

RECORD = "answers.json"
CONTEXT = 7  # low-resolution pixels around a patch that the teacher sees as well
_TRIED = 3  # places for each patch, of which the one with most texture is taken
_COLOUR = 13  # low-resolution pixels across which colours are the image's own


@dataclass(frozen=True)
class Terms:
    """How answers are made; those of other terms do not go into the same folder.

    Attributes
    ----------
    model, sha256 : str
        The teacher, and the digest of its file.
    patches : int
        For each image; 0 for whole images.
    side : int
        Of a patch, in low-resolution pixels.
    reduction : Reduction
        How images are made small.
    """

    model: str
    sha256: str
    patches: int
    side: int
    reduction: Reduction

    def record(self) -> object:
        """Return what a file of JSON says of them."""
        return json.loads(json.dumps(asdict(self)))


def iter_answers(
    model: Model,
    images: Path,
    out: Path,
    *,
    patches: int,
    side: int,
    settings: Settings,
    reduction: Reduction | None = None,
) -> Generator[tuple[int, int], None, list[LeftOut]]:
    """Write a model's answers: yield images done and to do, return those that were left out.

    For each image the reduced one goes to ``DIV2K_train_LR_bicubic/X4`` in `out`, at ×4, and the
    answer, in place of an original, to ``DIV2K_train_HR``. Pairs that are there are not made again.

    Parameters
    ----------
    model : Model
        The teacher.
    images : Path
        Any tree of images of 8 bits.
    out : Path
        Made where it is missing.
    patches : int
        How many of each image, where it has most texture; 0 for the whole image.
    side : int
        Of a patch, in low-resolution pixels.
    settings : Settings
        How to compute.
    reduction : Reduction, optional
        How images are made small, what is drawn following from their names; left out, by the
        benchmarks' kernel. Images that come with small ones keep those.

    Raises
    ------
    OSError
        If there are no images, or `out` cannot be written.
    ValueError
        If `out` lies within the images, or holds answers of other terms, or the reduction is of
        another scale than the model.
    """
    check_outside(out, images)
    reduction = reduction or Reduction("bicubic", model.scale)
    if reduction.scale != model.scale:
        wanted = f"{model.name} is for ×{model.scale}"
        raise ValueError(f"{wanted}; the recipe is for ×{reduction.scale}.")
    sources = find_sources(images, scale=model.scale).training
    terms = Terms(model.name, model.sha256, patches, side, reduction)
    folder = _Folder.begun(out, model.scale, terms)
    left_out = []
    for done, source in enumerate(sources, 1):
        names = _names(source, patches)
        if not all(folder.has(name) for name in names):
            try:
                low = _reduced(source, model, reduction)
                boxes = _boxes(low, names, side) if patches else [_whole(low)]
            except (OSError, ValueError) as error:
                left_out.append(LeftOut(source.name, str(error)))
            else:
                for name, box in zip(names, boxes, strict=True):
                    folder.write(name, box.cut(low), _answer(low, box, model, settings))
        yield done, len(sources)
    if len(left_out) == len(sources):
        raise ValueError(f"No image was answered. {left_out[0].name}: {left_out[0].reason}")
    return left_out


@dataclass(frozen=True)
class _Folder:
    """Where pairs are written, named as DIV2K's are."""

    highs: Path
    lows: Path
    scale: int

    @classmethod
    def begun(cls, out: Path, scale: int, terms: Terms) -> Self:
        """Return the folder, having made sure that all in it is of the same terms."""
        made = cls(out / "DIV2K_train_HR", out / "DIV2K_train_LR_bicubic" / f"X{scale}", scale)
        record = out / RECORD
        if record.is_file():
            found = json.loads(record.read_text(encoding="utf-8"))
            if found != terms.record():
                raise ValueError(f"{out} holds answers of {found}. Name another folder.")
        for folder in (made.highs, made.lows):
            folder.mkdir(parents=True, exist_ok=True)
        with written_whole(record) as part:
            part.write_text(json.dumps(terms.record(), indent=2) + "\n", encoding="utf-8")
        return made

    def has(self, name: str) -> bool:
        """Tell whether a pair is there: its answer is written last."""
        return self._high(name).is_file()

    def write(self, name: str, low: Pixels, answer: Pixels) -> None:
        """Write a pair."""
        for pixels, path in (
            (low, self.lows / f"{name}x{self.scale}.png"),
            (answer, self._high(name)),
        ):
            with written_whole(path) as part:
                Image.fromarray(pixels.squeeze()).save(part)

    def _high(self, name: str) -> Path:
        return self.highs / f"{name}.png"


def _names(source: Source, patches: int) -> list[str]:
    """Return what an image's pairs are called: as its file, whatever folder it is in, and on."""
    name = source.name.replace("/", "__")
    return [f"{name}-{number}" for number in range(patches)] if patches else [name]


def _reduced(source: Source, model: Model, reduction: Reduction) -> Pixels:
    """Return the low-resolution image ``(h, w, channels)`` of a source."""
    high = read_image(source.high, model.network.channels)
    if high.dtype != np.uint8:
        raise ValueError(f"its pixels are {high.dtype}; answers are of images of 8 bits")
    if source.low is not None:
        return read_image(source.low, model.network.channels).astype(np.uint8)
    h, w = (side - side % model.scale for side in high.shape[:2])
    low, _ = reduction(high[:h, :w], [0, crc32(source.name.encode())])
    return low.astype(np.uint8)


@dataclass(frozen=True)
class _Box:
    """A part of an image."""

    top: int
    left: int
    height: int
    width: int

    def cut(self, image: Pixels) -> Pixels:
        """Return the part."""
        rows = slice(self.top, self.top + self.height)
        return image[rows, self.left : self.left + self.width]

    def times(self, scale: int) -> _Box:
        """Return the same part of an image that is larger."""
        return _Box(*(scale * value for value in astuple(self)))

    def wider(self, by: int, image: Pixels) -> _Box:
        """Return it with what is around it, as far as there is."""
        top, left = max(0, self.top - by), max(0, self.left - by)
        bottom = min(image.shape[0], self.top + self.height + by)
        right = min(image.shape[1], self.left + self.width + by)
        return _Box(top, left, bottom - top, right - left)


def _whole(image: Pixels) -> _Box:
    return _Box(0, 0, *image.shape[:2])


def _boxes(low: Pixels, names: Sequence[str], side: int) -> list[_Box]:
    """Return a patch for each name, the one with most texture of three places drawn by the name.

    Raises
    ------
    ValueError
        If the image is smaller than a patch.
    """
    h, w = (length - side + 1 for length in low.shape[:2])
    if min(h, w) < 1:
        raise ValueError(f"{low.shape[0]} × {low.shape[1]} pixels hold no patch of {side}")
    texture = texture_of(low)
    tried = [_places(name, h, w) for name in names]
    boxes = [[_Box(top, left, side, side) for top, left in places] for places in tried]
    return [max(some, key=lambda box: float(box.cut(texture).mean())) for some in boxes]


def _places(name: str, rows: int, columns: int) -> list[list[int]]:
    rng = np.random.default_rng(crc32(name.encode()))
    places: list[list[int]] = rng.integers((rows, columns), size=(_TRIED, 2)).tolist()
    return places


def _answer(low: Pixels, box: _Box, model: Model, settings: Settings) -> Pixels:
    """Return the answer for a part of an image, in the image's own colours."""
    around = box.wider(CONTEXT, low)
    seen = around.cut(low)
    upscaled = upscale_array(seen.squeeze(), model, settings=settings).reshape(
        *(model.scale * length for length in seen.shape[:2]), seen.shape[2]
    )
    inside = _Box(box.top - around.top, box.left - around.left, box.height, box.width)
    return with_colours_of(inside.cut(seen), inside.times(model.scale).cut(upscaled), model.scale)


def with_colours_of(low: Pixels, answer: Pixels, scale: int) -> Pixels:
    """Return an answer with the local colours of the image that it answers.

    A network that draws plausible texture may be a level off in its colours. The difference between
    the image and the answer's means, averaged over 13 × 13 low-resolution pixels, is added to it.

    Parameters
    ----------
    low : ndarray
        ``(h, w, channels)``, uint8.
    answer : ndarray
        The same, ``scale`` times as large.
    scale : int
        The factor.
    """
    h, w, channels = low.shape
    means = answer.reshape(h, scale, w, scale, channels).mean(axis=(1, 3), dtype=np.float32)
    off = uniform_filter(low - means, (_COLOUR, _COLOUR, 1), mode="mirror")
    smooth = F.interpolate(
        torch.from_numpy(off).permute(2, 0, 1)[None], scale_factor=scale, mode="bilinear"
    )
    corrected = answer + smooth[0].permute(1, 2, 0).numpy()
    levels: Pixels = np.rint(corrected.clip(0, 255)).astype(np.uint8)
    return levels
