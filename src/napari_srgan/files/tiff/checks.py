"""What makes a TIFF file whole.

tifffile shows what it can of a damaged file; a picture that is upscaled must not be half of one.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from struct import calcsize, unpack
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPageSeries


def check_page_chain(path: Path) -> None:
    """Follow the pages' links to the end, which a file cut short or a hostile one does not have.

    tifffile takes what pages it finds, so half a stack would pass as a whole one, and follows
    some circles for ever.

    Raises
    ------
    ValueError
        If there is no end to them; the message has no file name.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        order = ">" if file.read(2) == b"MM" else "<"
        is_big = _number(file, f"{order}H") == 43
        count, link, tag_bytes = ("Q", "Q", 20) if is_big else ("H", "I", 12)
        file.seek(8 if is_big else 4)
        seen: set[int] = set()
        while page := _number(file, order + link):
            if page in seen or page >= size:
                raise ValueError("its list of pages leads astray, as in a file that was cut short")
            seen.add(page)
            file.seek(page)
            tags = _number(file, order + count)
            file.seek(tags * tag_bytes, os.SEEK_CUR)


def _number(file: IO[bytes], code: str) -> int:
    data = file.read(calcsize(code))
    if len(data) < calcsize(code):
        raise ValueError("the file ends before its list of pages does")
    return int(unpack(code, data)[0])


def check_complete(tif: TiffFile, series: TiffPageSeries) -> None:
    """See that every strip and tile of a series lies within its file.

    tifffile leaves out what is not there, with whatever the memory held in its place.

    Raises
    ------
    ValueError
        If one does not; the message has no file name.
    """
    if tif.is_imagej and series.kind == "generic":
        raise ValueError("the file ends before the planes do that its description announces")
    start = series.dataoffset
    if start is not None:
        if (
            start == 0
            or start + math.prod(series.shape) * series.dtype.itemsize > tif.filehandle.size
        ):
            raise ValueError("the file ends before the image does")
        return
    keyframe = series.keyframe
    parts = math.prod(keyframe.chunked)
    for number, page in enumerate(series, start=1):
        if page is None:
            raise ValueError(f"plane {number} of {len(series)} is missing")
        extents = list(zip(page.dataoffsets, page.databytecounts, strict=False))
        # A tile of no bytes is background, as slide scanners leave it out; a strip is a loss.
        if any(0 in extent and not (keyframe.is_tiled and extent[1] == 0) for extent in extents):
            raise ValueError(f"plane {number} of {len(series)} was not written to its end")
        if len(extents) < max(1, parts) or _end(extents) > page.parent.filehandle.size:
            raise ValueError(f"the file ends before plane {number} of {len(series)} does")


def _end(extents: list[tuple[int, int]]) -> int:
    return max(offset + count for offset, count in extents)
