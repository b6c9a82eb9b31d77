"""EXIF: directories of tags, read from a block or a TIFF file, edited, and laid out anew.

A block is a small TIFF file without an image: tags of the picture in its first directory, and
directories within it of the camera's tags and of the place. Values stay the bytes that they are.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from struct import calcsize, pack, unpack
from typing import IO

# Exif 3.0 (CIPA DC-008), section 4.6: tags, and their types' sizes in bytes and in words.
DESCRIPTION, SOFTWARE, ARTIST, COPYRIGHT = 270, 305, 315, 33432
DOCUMENT_NAME, ORIENTATION = 269, 274
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 282, 283, 296
CAMERA, PLACE = 0x8769, 0x8825  # directories within the first one
_INTEROPERABILITY = 0xA005
_MAKER_NOTE = 0x927C
_PIXELS_ACROSS, _PIXELS_DOWN = 0xA002, 0xA003
_INNER = frozenset({CAMERA, PLACE, _INTEROPERABILITY})
ASCII, SHORT, LONG, RATIONAL = 2, 3, 4, 5
_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 129: 1}
_WORD = {3: 2, 8: 2, 4: 4, 5: 4, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4}

# How an image is stored; of another image, these would be lies.
STRUCTURE = frozenset(
    {254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281, 284, 288,
     289, 290, 291, 292, 293, 297, 301, 317, 320, 321, 322, 323, 324, 325, 330, 332, 334, 336, 338,
     339, 340, 341, 347, 512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 532}
)  # fmt: skip


@dataclass(frozen=True)
class Tag:
    """A tag's type and its values as they are stored, in the byte order of its directory.

    Attributes
    ----------
    type : int
        TIFF's number of it.
    data : bytes
        The values.
    place : int, optional
        Where in its block they have to stay: a maker's note may point into itself.
    """

    type: int
    data: bytes
    place: int | None = None

    @property
    def count(self) -> int:
        """The number of values."""
        return len(self.data) // _BYTES[self.type]

    def swapped(self) -> Tag:
        """Return the tag in the other byte order."""
        size = _WORD.get(self.type, 1)
        words = [self.data[i : i + size][::-1] for i in range(0, len(self.data), size)]
        return replace(self, data=b"".join(words))


@dataclass(frozen=True)
class Directory:
    """Tags by their numbers, and the directories that some of them lead to.

    Attributes
    ----------
    order : str
        ``<`` or ``>``, of all values.
    tags : mapping of int to Tag
        But those that lead to a directory.
    inner : mapping of int to Directory
        By the tag that leads there.
    """

    order: str = "<"
    tags: Mapping[int, Tag] = field(default_factory=dict)
    inner: Mapping[int, Directory] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.tags or self.inner)

    def with_tags(self, tags: Mapping[int, Tag]) -> Directory:
        """Return the directory with some tags more, or others in their places."""
        return replace(self, tags={**self.tags, **tags})

    def without(self, *numbers: int) -> Directory:
        """Return the directory without some tags."""
        kept = {number: tag for number, tag in self.tags.items() if number not in numbers}
        return replace(self, tags=kept)

    def text(self, number: int) -> str | None:
        """Return a tag's text; None if there is none, or nothing in it."""
        tag = self.tags.get(number)
        if tag is None or tag.type not in (1, 2, 7, 129):
            return None
        raw = tag.data.split(b"\0")[0]
        try:
            return raw.decode().strip() or None
        except UnicodeDecodeError:
            return raw.decode("latin-1").strip() or None

    def numbers(self, number: int) -> tuple[float, ...]:
        """Return a tag's whole numbers or ratios; none if it has none, or a ratio to 0."""
        tag = self.tags.get(number)
        if tag is None or tag.type not in (SHORT, LONG, RATIONAL):
            return ()
        code = "H" if tag.type == SHORT else "I"
        words = unpack(f"{self.order}{len(tag.data) // calcsize('=' + code)}{code}", tag.data)
        if tag.type != RATIONAL:
            return words
        if 0 in words[1::2]:
            return ()
        return tuple(a / b for a, b in zip(words[::2], words[1::2], strict=True))

    def in_order(self, order: str) -> Directory:
        """Return the directory in a byte order."""
        if order == self.order:
            return self
        tags = {number: tag.swapped() for number, tag in self.tags.items()}
        inner = {number: within.in_order(order) for number, within in self.inner.items()}
        return Directory(order, tags, inner)

    def of_size(self, width: int, height: int) -> Directory:
        """Return the directory of an image of another size: where it gives one, it is that."""
        camera = self.inner.get(CAMERA)
        if camera is None:
            return self
        sizes = {
            number: whole_number(side, self.order)
            for number, side in ((_PIXELS_ACROSS, width), (_PIXELS_DOWN, height))
            if number in camera.tags
        }
        return replace(self, inner={**self.inner, CAMERA: camera.with_tags(sizes)})


def bytes_of(kind: int, count: int) -> int:
    """Return how many bytes values of a type take; 0 of an unknown one."""
    return _BYTES.get(kind, 0) * count


def text(value: str) -> Tag:
    """Return a tag that holds a text."""
    return Tag(ASCII, value.encode("utf-8", "replace") + b"\0")


def whole_number(value: int, order: str) -> Tag:
    """Return a tag that holds a whole number."""
    return Tag(LONG, pack(f"{order}I", value))


def short(value: int, order: str) -> Tag:
    """Return a tag that holds a small whole number."""
    return Tag(SHORT, pack(f"{order}H", value))


def ratio(value: float, order: str) -> Tag | None:
    """Return a tag that holds a positive number as a ratio, or None if it is too large for one."""
    nearest = Fraction(value).limit_denominator(10**4 if value > 1 else 10**9)
    if not 0 < nearest.numerator < 2**32:
        nearest = Fraction(round(value))
    if not 0 < nearest.numerator < 2**32:
        return None
    return Tag(RATIONAL, pack(f"{order}II", nearest.numerator, nearest.denominator))


def read_block(block: bytes) -> Directory:
    """Read an EXIF block, with or without the mark that precedes it in a JPEG file.

    Tags whose values are not in the block are left out, and so are thumbnails and the tags that say
    how an image is stored.

    Raises
    ------
    ValueError
        If it is none.
    """
    block = block.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None or len(block) < 8:
        raise ValueError("it does not begin as EXIF does")
    (start,) = unpack(f"{order}I", block[4:8])
    found = _Reader(io.BytesIO(block), order, len(block), keeps_places=True).read(start)
    return found.without(*STRUCTURE)


def read_directory(
    file: IO[bytes], start: int, order: str, size: int, *, big: bool = False
) -> Directory:
    """Read the directory at a place of a TIFF file, and those within it.

    Parameters
    ----------
    file : binary file
        The file.
    start : int
        Where the directory is.
    order : str
        The byte order.
    size : int
        How many bytes the values have together at most; others are left out.
    big : bool
        Whether the file is a BigTIFF.

    Raises
    ------
    ValueError
        If there is no directory.
    """
    return _Reader(file, order, size, big=big).read(start)


_MOST_TAGS = 4096  # of a directory


@dataclass
class _Reader:
    """Reads directories of a file, as long as their values are together no larger than that."""

    file: IO[bytes]
    order: str
    left: int
    big: bool = False
    keeps_places: bool = False

    def read(self, start: int, may_lead_on: frozenset[int] = _INNER) -> Directory:
        """Read a directory; a tag leads on once, and not again below: circles have an end."""
        self.file.seek(start)
        width, head = (20, "Q") if self.big else (12, "H")
        first = self.file.read(calcsize("=" + head))
        if len(first) < calcsize("=" + head):
            raise ValueError("a directory of its tags is not there")
        (count,) = unpack(self.order + head, first)
        entries = self.file.read(min(count, _MOST_TAGS) * width)
        tags: dict[int, Tag] = {}
        inner: dict[int, Directory] = {}
        for at in range(0, len(entries) - width + 1, width):
            number, kind = unpack(f"{self.order}HH", entries[at : at + 4])
            rest = entries[at + 4 : at + width]
            if number in _INNER:
                if number in may_lead_on:
                    may_lead_on -= {number}
                    with suppress(ValueError):
                        inner[number] = self.read(self._lead(kind, rest), may_lead_on)
            elif tag := self._tag(number, kind, rest):
                tags[number] = tag
        return Directory(self.order, tags, inner)

    def _lead(self, kind: int, rest: bytes) -> int:
        link = rest[len(rest) // 2 :]
        (place,) = unpack(self.order + ("Q" if len(link) == 8 and kind >= 16 else "I"),
                          link if kind >= 16 else link[:4])  # fmt: skip
        return int(place)

    def _tag(self, number: int, kind: int, rest: bytes) -> Tag | None:
        """Read a tag's values, or return None if they are of no known type, or not there."""
        link = "Q" if self.big else "I"
        (values,) = unpack(self.order + link, rest[: len(rest) // 2])
        within = rest[len(rest) // 2 :]
        size = values * _BYTES.get(kind, 0)
        if not 0 < size <= self.left:
            return None
        self.left -= size
        if size <= len(within):
            return Tag(kind, within[:size])
        (place,) = unpack(self.order + link, within)
        self.file.seek(place)
        data = self.file.read(size)
        if len(data) < size:
            return None
        return Tag(kind, data, place if self.keeps_places and number == _MAKER_NOTE else None)


def block_of(directory: Directory) -> bytes:
    """Lay a directory out as an EXIF block, without the mark that precedes it in a JPEG file.

    A maker's note stays where it was in the block that it came from.
    """
    camera, order = directory.inner.get(CAMERA), directory.order
    note = camera.tags.get(_MAKER_NOTE) if camera else None
    block = bytearray(8)
    if note is not None and note.place is not None and note.place >= len(block):
        block = bytearray(note.place) + note.data
        block.extend(bytes(len(block) % 2))
    else:
        note = None
    block[:8] = (b"II*\0" if order == "<" else b"MM\0*") + pack(f"{order}I", len(block))
    return bytes(block) + laid_out(directory, len(block), stays=note)


def laid_out(
    directory: Directory, start: int, *, big: bool = False, stays: Tag | None = None
) -> bytes:
    """Return a directory, and those within it, as the bytes to stand at a place of a file.

    Parameters
    ----------
    directory : Directory
        In the byte order of the file.
    start : int
        The place.
    big : bool
        Whether the file is a BigTIFF.
    stays : Tag, optional
        The one that is at its place in the file already.
    """
    order, link, counter, lead = directory.order, "I", "H", LONG
    if big:
        link, counter, lead = "Q", "Q", 18
    room = calcsize("=" + link)
    count = len(directory.tags) + len(directory.inner)
    end = start + calcsize("=" + counter) + count * (4 + 2 * room) + room
    entries: dict[int, bytes] = {}
    behind = bytearray()
    for number, tag in directory.tags.items():
        data = tag.data.ljust(room, b"\0")
        if tag is stays and stays is not None:
            data = pack(order + link, stays.place)
        elif len(tag.data) > room:
            data = pack(order + link, end + len(behind))
            behind += tag.data + bytes(len(tag.data) % 2)
        entries[number] = pack(f"{order}HH{link}", number, tag.type, tag.count) + data
    for number, within in directory.inner.items():
        place = end + len(behind)
        behind += laid_out(within, place, big=big, stays=stays)
        entries[number] = pack(f"{order}HH{link}{link}", number, lead, 1, place)
    in_turn = b"".join(entries[number] for number in sorted(entries))
    return pack(order + counter, count) + in_turn + bytes(room) + bytes(behind)
