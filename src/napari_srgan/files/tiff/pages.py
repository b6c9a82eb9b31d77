"""Which of a TIFF file's pages are the picture: all of them, or it is said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffFrame, TiffPage, TiffPageSeries

# What programs of slide scanners call the images that accompany a picture.
_COMPANIONS = ("thumbnail", "label", "macro", "map")


def images_of(tif: TiffFile) -> tuple[list[TiffPageSeries], list[str]]:
    """Return the series of images that are the picture, equal in kind, and what there is to say.

    Reduced versions of another image are none (pages say so themselves, by NewSubfileType), nor
    is what accompanies the picture of a slide scanner.

    Raises
    ------
    ValueError
        If there is no image, images differ in kind, or some belong to none.
    """
    full = [one for series in tif.series for one in _full_sized(series)]
    images = full or list(tif.series)[:1]
    pictures = [series for series in images if not _is_companion(series)] or images[:1]
    if not pictures:
        raise ValueError("it holds no images")
    if any(series.keyframe.is_mask for series in pictures):
        raise ValueError("it holds a transparency mask beside the image; save it as alpha")
    kinds = list(dict.fromkeys(_kind_of(series) for series in pictures))
    if len(kinds) > 1:
        shown = ", ".join(kinds[:3])
        raise ValueError(
            f"it holds {len(pictures)} images that are not equal ({shown}); save each as a file"
        )
    _refuse_strays(tif)
    names = [series.name.strip().lower() for series in images if series not in pictures]
    notes = [f"is read without the {' and '.join(names)} that it holds"] if names else []
    return pictures, notes


def files_of(images: Sequence[TiffPageSeries]) -> int:
    """Return how many files the planes of images are in, as OME's may be."""
    return len({page.parent.filehandle.name for one in images for page in one if page is not None})


def _full_sized(series: TiffPageSeries) -> list[TiffPageSeries]:
    """Return what of a series is no reduced version of another: tifffile guesses so by the size.

    Formats with a name of their own say themselves which pages are levels of one picture.
    """
    says_so = series.kind not in ("generic", "uniform", "shaped")
    levels = [level for level in series.levels[1:] if not (says_so or level.keyframe.is_reduced)]
    return [one for one in (series, *levels) if not one.keyframe.is_reduced]


def _is_companion(series: TiffPageSeries) -> bool:
    name = series.name.lower()
    return any(word in name.split() for word in _COMPANIONS)


def _kind_of(series: TiffPageSeries) -> str:
    page = series.keyframe
    photometric = getattr(page.photometric, "name", page.photometric)
    return f"{' × '.join(map(str, series.shape))} {series.dtype} {photometric}"


def _refuse_strays(tif: TiffFile) -> None:
    """Refuse pages that a file's own description of its planes leaves out."""
    taken: set[int] = set()
    for series in tif.series:
        if series.is_truncated:
            return
        for level in series.levels:
            if level.dataoffset is not None:  # one page after the other
                first = _number(level.keyframe)
                taken |= set(range(first, first + len(level)))
            else:
                taken |= {_number(page) for page in level if page is not None}
    strays = [i for i in range(len(tif.pages)) if i not in taken]
    strays = [i for i in strays if not tif.pages[i].aspage().is_reduced]
    if strays:
        raise ValueError(
            f"it holds {len(tif.pages)} pages, of which its description leaves {len(strays)} out; "
            "save it anew"
        )


def _number(page: TiffPage | TiffFrame) -> int:
    index = page.index
    return index[0] if isinstance(index, tuple) else int(index)
