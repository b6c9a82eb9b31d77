"""What is wrong with images, or with low ones that belong to them, said before time is spent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.registration import phase_cross_correlation

from napari_srgan.resampling import shrink
from napari_srgan.training.data.crops import ORIENTATIONS, turned
from napari_srgan.training.data.decoding import Samples
from napari_srgan.training.data.pack import Pack
from napari_srgan.wording import listed

FEW = 10  # images: fewer are learned by heart in minutes
SATURATED = 0.1  # share of an image that is at its greatest value
SHIFT = 2.0  # high-resolution pixels
ALIKE = 0.995  # correlation of thumbnails, beyond which two images are one
OTHER_SIZE = 1.5  # times as large: texture of another scale

_THUMBNAIL = 16  # pixels along a side
_LEAST_CONTRAST = 2.0  # levels of 255 of a thumbnail; flat ones are alike by chance
_LOOKED_AT = 256  # low-resolution pixels, in the middle of an image, of which a shift is measured
_MOST_PAIRS = 64  # spread over all, whose shift is measured
_MOST_COMPARED = 3000  # images: pairs grow with the square of them
_PARTS = 10  # of a low-resolution pixel, to which a shift is found

Thumbnail = NDArray[np.float64]


def warnings_of(pack: Pack, held: Sequence[int]) -> Iterator[str]:
    """Yield what a person should know of the images before they are trained on.

    Parameters
    ----------
    pack : Pack
        All images.
    held : sequence of int
        Those of them that are validated on.
    """
    trained = sorted(set(range(len(pack.entries))) - set(held))
    if len(trained) < FEW:
        yield (
            f"There are {len(trained)} images to train on. A network learns so few by heart, and "
            "gets worse on others: 20 or more are wanted, or fewer steps."
        )
    yield from _of_doubles(pack, trained, set(held))
    yield from _of_saturation(pack)
    yield from _of_shifts(pack)


def _of_doubles(pack: Pack, trained: Sequence[int], held: set[int]) -> Iterator[str]:
    doubles = find_doubles(pack)
    if leaks := [pair for pair in doubles if len(held & set(pair)) == 1]:
        yield (
            "Images held back that are also trained on, as they are or turned: "
            f"{_named(pack, leaks)}. What is validated then says nothing. Hold both back."
        )
    if same := [pair for pair in doubles if not held & set(pair) and _of_one_size(pack, pair)]:
        yield (
            f"Doubles among the {len(trained)} images, as they are or turned: "
            f"{_named(pack, same)}. They count twice and teach nothing more."
        )


def _of_one_size(pack: Pack, pair: tuple[int, int]) -> bool:
    """Return whether two images are about equally large: if not, each has a texture of its own."""
    one, other = (max(pack.entries[i].low_height, pack.entries[i].low_width) for i in pair)
    return max(one, other) < OTHER_SIZE * min(one, other)


def find_doubles(pack: Pack) -> list[tuple[int, int]]:
    """Return pairs of images that look the same, as they are, flipped or turned.

    They are compared as thumbnails, so that noise, another quality or another size hide nothing.
    """
    indices = range(min(len(pack.entries), _MOST_COMPARED))
    kept, unit = [], []
    for index in indices:
        thumbnail = _thumbnail(pack.pair(index)[0], pack.white)
        if thumbnail.std() >= _LEAST_CONTRAST:
            kept.append(index)
            apart = thumbnail - thumbnail.mean()
            unit.append(apart / np.linalg.norm(apart))
    if not kept:
        return []
    flat = np.stack(unit).reshape(len(kept), -1)
    alike = np.zeros((len(kept), len(kept)), bool)
    for turn in range(ORIENTATIONS):
        other = np.stack([turned(each, turn) for each in unit]).reshape(len(kept), -1)
        alike |= flat @ other.T > ALIKE
    return [(kept[i], kept[j]) for i, j in combinations(range(len(kept)), 2) if alike[i, j]]


def _thumbnail(image: Samples, white: int) -> Thumbnail:
    grey = image.mean(axis=2) * (255 / white)
    small = Image.fromarray(grey.astype(np.float32)).resize(
        (_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX
    )
    return np.asarray(small, np.float64)


def _of_saturation(pack: Pack) -> Iterator[str]:
    bright = [
        (index, share)
        for index in range(len(pack.entries))
        if (share := float((pack.pair(index)[0] == pack.white).all(-1).mean())) > SATURATED
    ]
    if bright:
        worst = max(bright, key=lambda one: one[1])
        yield (
            f"Saturated images: {len(bright)} of {len(pack.entries)}, with over {SATURATED:.0%} of "
            f"their pixels at the greatest value, {worst[1]:.0%} of "
            f"{pack.entries[worst[0]].name}. Nothing can be learned there: expose or scale them "
            "otherwise, unless white is what they show, as pages do."
        )


def _of_shifts(pack: Pack) -> Iterator[str]:
    """Yield a warning of low-resolution files that lie elsewhere than their images."""
    count = len(pack.entries)
    looked_at = range(0, count, -(-count // _MOST_PAIRS))
    shifted = [
        (pack.entries[index].name, shift)
        for index in looked_at
        if (shift := shift_of(*pack.pair(index), pack.scale)) > SHIFT
    ]
    if shifted:
        name, most = max(shifted, key=lambda one: one[1])
        yield (
            "Low-resolution images that do not lie where their high-resolution ones do: "
            f"{len(shifted)} of {len(looked_at)}. {name} is off by {most:.1f} pixels of the latter."
            " A network learns to blur from such pairs. Register them first, or take the "
            "low-resolution ones away to have them made."
        )


def shift_of(low: Samples, high: Samples, scale: int) -> float:
    """Return how far a low-resolution image lies from its high one, in high-resolution pixels.

    Found by phase correlation of the middle of both. 0 where it was made from the high one.

    References
    ----------
    Kuglin & Hines, "The phase correlation image alignment method", 1975.
    """
    top, left = (max(0, side - _LOOKED_AT) // 2 for side in low.shape[:2])
    seen = low[top : top + _LOOKED_AT, left : left + _LOOKED_AT]
    h, w = seen.shape[:2]
    top, left = scale * top, scale * left
    made = shrink(high[top : top + scale * h, left : left + scale * w], scale)
    inner = (slice(2, -2), slice(2, -2))  # at the cut the two are reduced otherwise
    if min(h, w) < 16 or np.array_equal(seen[inner], made[inner]):
        return 0.0
    window = np.hanning(h)[:, np.newaxis] * np.hanning(w)
    one, other = ((each.mean(2) - each.mean()) * window for each in (seen, made))
    if not one.any() or not other.any():
        return 0.0
    shift, _error, _phase = phase_cross_correlation(  # type: ignore[no-untyped-call]
        one, other, upsample_factor=_PARTS
    )
    return scale * float(np.hypot(*shift))


def _named(pack: Pack, pairs: Sequence[tuple[int, int]]) -> str:
    """Return the first few pairs, and how many more there are."""
    return listed([f"{pack.entries[i].name} and {pack.entries[j].name}" for i, j in pairs])
