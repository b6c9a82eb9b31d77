"""Write a folder's images as pairs, the low-resolution ones degraded as a recipe says."""

from __future__ import annotations

import csv
import zlib
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from napari_srgan.files import Picture, write_picture
from napari_srgan.files.atomic import written_whole
from napari_srgan.training.data.decoding import Samples, read_image
from napari_srgan.training.data.degradations.reduce import Reduction
from napari_srgan.training.data.levels import spread
from napari_srgan.training.data.sources import LeftOut, Source, check_outside, find_sources
from napari_srgan.wording import listed

DONE = "degradations.csv"


@dataclass(frozen=True)
class Written:
    """Pairs that were written, what was done to each, and files that could not be used."""

    degradations: tuple[tuple[str, str], ...]
    left_out: tuple[LeftOut, ...]


def iter_write_pairs(
    folder: Path,
    out: Path,
    reduction: Reduction,
    *,
    channels: int = 3,
    normalize: str = "dtype",
    seed: int = 0,
    only: Sequence[str] = (),
) -> Generator[tuple[int, int], None, Written]:
    """Write ``NAME_HR.png`` and ``NAME_LR.png`` for each image: yield images done, of how many.

    What is done to an image follows from the seed and its name, and stands in
    ``degradations.csv`` beside the pairs. Images keep their folders, as far as they are below
    ``folder``, and their depth; at the right and the bottom they are cropped to the scale.

    Parameters
    ----------
    folder, out : Path
        Images, at any depth; and where pairs go, which is made.
    reduction : Reduction
        How low-resolution images are made.
    channels : int
        1 or 3.
    normalize : {"dtype", "auto"}
        Whether 16-bit images are given their own black and white first.
    seed : int
        0 or more.
    only : sequence of str
        Patterns of the images to take; without any, all are.

    Raises
    ------
    OSError
        If there are no images, or ``out`` cannot be written.
    ValueError
        If ``out`` lies within the images, no image matches, or two have one name.
    """
    check_outside(out, folder)
    found = find_sources(folder, scale=reduction.scale)
    sources = matching([*found.training, *found.validation], only)
    _refuse_namesakes(sources)
    degradations, left_out = [], list(found.left_out)
    for done, source in enumerate(sources, start=1):
        try:
            high = _cropped(read_image(source.high, channels), reduction.scale)
            high = spread(high) if normalize == "auto" else high
        except (OSError, ValueError) as error:
            left_out.append(LeftOut(source.name, str(error)))
        else:
            low, words = reduction(high, [seed, zlib.crc32(source.name.encode())])
            stem = out / Path(source.name).with_suffix("")
            stem.parent.mkdir(parents=True, exist_ok=True)
            for mark, image in (("HR", high), ("LR", low)):
                write_picture(stem.with_name(f"{stem.name}_{mark}.png"), _picture(image))
            degradations.append((source.name, words))
        yield done, len(sources)
    if not degradations:
        reasons = listed([f"{left.name}: {left.reason}" for left in left_out])
        raise ValueError(f"None of the {len(sources)} images can be used: {reasons}.")
    _write_done(out / DONE, degradations)
    return Written(tuple(degradations), tuple(left_out))


def matching(sources: Sequence[Source], only: Sequence[str]) -> list[Source]:
    """Return the images whose names match one of some patterns; without any, all.

    Raises
    ------
    ValueError
        If none matches.
    """
    chosen = [s for s in sources if not only or any(fnmatch(s.name, each) for each in only)]
    if not chosen:
        raise ValueError(
            f"--only {' '.join(only)} matches none of the {len(sources)} images, such as "
            f"{sources[0].name}."
        )
    return chosen


def _refuse_namesakes(chosen: Sequence[Source]) -> None:
    stems = Counter(str(Path(source.name).with_suffix("")) for source in chosen)
    if twice := [stem for stem, count in stems.items() if count > 1]:
        raise ValueError(f"Several images differ by suffix alone: {listed(twice)}. Rename them.")


def _cropped(image: Samples, scale: int) -> Samples:
    h, w = (side - side % scale for side in image.shape[:2])
    if not h or not w:
        size = f"{image.shape[0]} × {image.shape[1]} pixels"
        raise ValueError(f"{size} are too few; a side needs {scale}")
    return image[:h, :w]


def _picture(image: Samples) -> Picture:
    grey = image.shape[2] == 1
    return Picture(image[..., 0] if grey else image, rgb=not grey)


def _write_done(path: Path, rows: Sequence[tuple[str, str]]) -> None:
    with written_whole(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("image", "degradation"), *rows])
