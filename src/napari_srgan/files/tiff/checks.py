"""What makes a TIFF file whole.

tifffile shows what it can of a damaged file; a picture that is upscaled must not be half of one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from struct import calcsize, unpack
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPageSeries

_SIZES = {1: 1, 3: 2, 4: 4, 16: 8}  # of TIFF's types of whole numbers, in bytes
_MOST_TAGS = 4096
_MOST_VALUES = 2**16  # samples a pixel, that is


# Tags that make pages pixels of one kind: TIFF 6.0, and SampleFormat, as they are stored.
_NEEDED = frozenset({256, 257, 262})
_KIND = frozenset({256, 257, 258, 259, 262, 266, 277, 284, 317, 322, 323, 338, 339})


def read_page_chain(path: Path) -> list[bytes]:
    """Follow the pages' links to the end, which a file cut short or a hostile one does not have.

    tifffile takes what pages it finds, so half a stack would pass as a whole one, follows some
    circles for ever, and looks at a few of many pages to tell whether they are of one kind.

    Returns
    -------
    list of bytes
        Of each page, the tags that say of what kind its pixels are: equal if they are equal.

    Raises
    ------
    ValueError
        If there is no end to them; the message has no file name.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        order = ">" if file.read(2) == b"MM" else "<"
        is_big = _number(file, f"{order}H") == 43
        count, link = ("Q", "Q") if is_big else ("H", "I")
        file.seek(8 if is_big else 4)
        found: dict[int, bytes] = {}
        while page := _number(file, order + link):
            if page in found or page >= size:
                raise ValueError("its list of pages leads astray, as in a file that was cut short")
            file.seek(page)
            tags = _number(file, order + count)
            found[page] = _kind_of_page(file, tags, order, is_big=is_big)
        return list(found.values())


def _kind_of_page(file: IO[bytes], count: int, order: str, *, is_big: bool) -> bytes:
    width, head = (20, 12) if is_big else (12, 8)
    if count > _MOST_TAGS:
        raise ValueError(f"a page of it has {count} tags")
    entries, end = file.read(count * width), file.tell()
    if len(entries) < count * width:
        raise ValueError("the file ends before its list of pages does")
    kind: dict[int, bytes] = {}
    for at in range(0, len(entries), width):
        entry = entries[at : at + width]
        number, of_type, values = unpack(order + ("HHQ" if is_big else "HHI"), entry[:head])
        if number not in _KIND:
            continue
        if of_type not in _SIZES or not 0 < values <= _MOST_VALUES or number in kind:
            raise ValueError(f"its tag {number} is damaged")
        size = values * _SIZES[of_type]
        if size > width - head:  # the values are elsewhere
            file.seek(unpack(order + ("Q" if is_big else "I"), entry[head:])[0])
            entry = entry[:head] + file.read(size)
        kind[number] = entry
    file.seek(end)
    if missing := _NEEDED - kind.keys():
        raise ValueError(f"its tag {min(missing)} is missing, without which it is no image")
    return b"".join(kind[number] for number in sorted(kind))


def check_pages_are_equal(series: TiffPageSeries, kinds: Sequence[bytes]) -> None:
    """See that all pages of a series are of one kind, which tifffile takes the first one's for.

    Raises
    ------
    ValueError
        If one is not; the message has no file name.
    """
    if series.keyframe.is_subifd or series.is_multifile:
        return
    first, *_ = index if isinstance(index := series.keyframe.index, tuple) else (index,)
    if series.dataoffset is not None:  # one page after the other
        numbers = list(range(first, min(first + len(series), len(kinds))))
    else:
        numbers = [page.index for page in series if page is not None]
    for number in numbers:
        if isinstance(number, int) and kinds[number] != kinds[first]:
            raise ValueError(
                f"page {number + 1} is of another size or kind than page {first + 1}; "
                "save each as a file"
            )


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


def surplus(series: TiffPageSeries) -> list[str]:
    """Say in words if uncompressed pages hold more bytes than their size asks for.

    Some programs pad them; but so it is, too, where a file is wrong about its size.
    """
    page = series.keyframe
    bits = page.bitspersample
    if page.compression != 1 or page.is_tiled or not isinstance(bits, int):
        return []
    planes = page.samplesperpixel if page.planarconfig == 2 else 1
    row = -(-page.imagewidth * (page.samplesperpixel // planes) * bits // 8)
    asked = row * page.imagelength * planes * page.imagedepth
    held = sum(page.databytecounts)
    if held <= asked + 3 * len(page.databytecounts):
        return []
    return [f"holds {held:,} bytes where its size asks for {asked:,}; what is more is left out"]
