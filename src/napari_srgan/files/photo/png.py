"""PNG's chunks: are they whole, and what are pixels made of."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import numpy.typing as npt

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEAD = len(SIGNATURE) + 25  # bytes of the signature and of the header, after which more may stand
_PIXELS = ("IDAT", "fdAT")
_OF_ANIMATIONS = ("acTL", "fcTL", "fdAT")

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6


@dataclass(frozen=True)
class Chunks:
    """A PNG file's chunks in their order; `notes` say which are damaged."""

    parts: tuple[tuple[str, bytes], ...]
    notes: tuple[str, ...] = ()

    def __contains__(self, name: str) -> bool:
        return any(name == other for other, _ in self.parts)

    def __getitem__(self, name: str) -> bytes:
        for other, data in self.parts:
            if name == other:
                return data
        raise ValueError(f"its {name} chunk is missing")

    @property
    def depth(self) -> int:
        """Bits a sample."""
        return self["IHDR"][8]

    @property
    def colour(self) -> int:
        """The colour type, by PNG's numbers."""
        return self["IHDR"][9]

    def bare(self) -> bytes:
        """Return the file with what pixels are made of alone.

        Transparency is left to animations: of few shades Pillow compares it with others.
        """
        is_animated = "acTL" in self
        kept = (
            (name, data)
            for name, data in self.parts
            if name[0].isupper() or (is_animated and name in ("tRNS", *_OF_ANIMATIONS))
        )
        return SIGNATURE + b"".join(chunk(name.encode("latin-1"), data) for name, data in kept)


def read_chunks(file: IO[bytes], *, pixels: bool) -> Chunks:
    """Read a PNG's chunks, having checked those that make the image.

    Pillow trusts the checksums of the pixel data, so a flipped bit would pass as picture.

    Parameters
    ----------
    file : binary file
        At its start.
    pixels : bool
        Whether the chunks of pixels are wanted too; else they are empty.

    Raises
    ------
    ValueError
        If one of those is missing or damaged.
    """
    file.seek(len(SIGNATURE))
    parts: list[tuple[str, bytes]] = []
    notes = []
    for name, data, is_whole in _walk(file, pixels=pixels):
        if is_whole:
            parts.append((name, data))
        elif name[0].isupper() or name == "tRNS" or name in _OF_ANIMATIONS:
            raise ValueError(f"its {name} chunk is damaged")
        else:
            notes.append(f"has a damaged {name} chunk, which is left out")
    if parts[0][0] != "IHDR" or len(parts[0][1]) != 13:
        raise ValueError("it does not begin with its header")
    return Chunks(tuple(parts), tuple(notes))


def _walk(file: IO[bytes], *, pixels: bool) -> Iterator[tuple[str, bytes, bool]]:
    size = file.seek(0, 2)
    position, name = file.seek(len(SIGNATURE)), ""
    while name != "IEND":
        head = file.read(8)
        length, raw = struct.unpack(">I4s", head) if len(head) == 8 else (2**32, b"")
        if position + 12 + length > size:
            raise ValueError("the file ends before the image does")
        name = raw.decode("latin-1")
        position += 12 + length
        if name in _PIXELS and not pixels:
            file.seek(position)
            yield name, b"", True
            continue
        data = file.read(length)
        yield name, data, file.read(4) == zlib.crc32(raw + data).to_bytes(4, "big")


_SAMPLES = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
# Adam7: first column and row of each pass, and the steps along them.
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
           (0, 1, 1, 2))  # fmt: skip
_PIECE, _LARGEST = 2**16, 2**20  # bytes, compressed and not


def _pieces(chunks: Chunks) -> Iterator[bytes]:
    for name, data in chunks.parts:
        if name == "IDAT":
            yield from (data[at : at + _PIECE] for at in range(0, len(data), _PIECE))


def check_length(chunks: Chunks) -> None:
    """See that there are as many bytes of pixels as the header asks for.

    Pillow leaves rows that are not there black, and rows beyond the last one out.

    Raises
    ------
    ValueError
        If there are more, or less.
    """
    width, height, depth, colour, *_, interlace = struct.unpack(">IIBBBBB", chunks["IHDR"])
    bits = depth * _SAMPLES.get(colour, 1)
    passes = _PASSES if interlace else ((0, 0, 1, 1),)
    expected = 0
    for column, row, across, down in passes:
        columns, rows = -(-(width - column) // across), -(-(height - row) // down)
        if columns > 0 and rows > 0:
            expected += rows * (1 + -(-columns * bits // 8))
    inflate, found = zlib.decompressobj(), 0
    for data in _pieces(chunks):
        while data and found <= expected:
            found += len(inflate.decompress(data, _LARGEST))
            data = inflate.unconsumed_tail
    found += len(inflate.flush())
    if found != expected:
        raise ValueError(f"it holds {found:,} bytes of pixels, and its size asks for {expected:,}")


def transparent(chunks: Chunks, data: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return grey or colours ``(h, w[, 3])`` as RGBA: the one that is called transparent is.

    Raises
    ------
    ValueError
        If the chunk that calls it so is too short.
    """
    samples = 1 if chunks.colour == GREY else 3
    key = np.frombuffer(chunks["tRNS"][: 2 * samples], ">u2")
    if key.size < samples:
        raise ValueError("its tRNS chunk is damaged")
    if chunks.depth < 8:  # shades are spread out to 8 bits
        key = (key & (2**chunks.depth - 1)) * (255 // (2**chunks.depth - 1))
    if data.dtype == np.bool_:
        data = data * np.uint8(255)
    white = np.iinfo(data.dtype).max
    pixels = data if data.ndim == 3 else data[..., np.newaxis]
    alpha = np.where((pixels == key).all(-1, keepdims=True), 0, white).astype(data.dtype)
    colours = np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    return np.concatenate([colours, alpha], -1)


def palette_colours(chunks: Chunks, indices: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Look up colours, and their alpha if there is any.

    Raises
    ------
    ValueError
        If the palette is damaged, or too short.
    """
    raw = chunks["PLTE"]
    colours = np.frombuffer(raw[: len(raw) // 3 * 3], np.uint8).reshape(-1, 3)
    if indices.max() >= len(colours):
        raise ValueError(f"its palette has {len(colours)} colours, and more are asked for")
    if "tRNS" in chunks:
        alpha = np.full((len(colours), 1), 255, np.uint8)
        stated = np.frombuffer(chunks["tRNS"][: len(colours)], np.uint8)
        alpha[: stated.size, 0] = stated
        colours = np.concatenate([colours, alpha], -1)
    found: npt.NDArray[np.uint8] = colours[indices]
    return found


def chunk(name: bytes, data: bytes) -> bytes:
    """Return a chunk as it stands in a file."""
    check = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)
