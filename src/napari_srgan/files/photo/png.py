"""PNG's chunks: are they whole, what do they say of the picture, and how are they written."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from napari_srgan.files.exif import read_block
from napari_srgan.files.metadata import Density, Metadata, density_of, from_exif

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEAD = len(SIGNATURE) + 25  # bytes of the signature and of the header, after which more may stand
_PIXELS = ("IDAT", "fdAT")
_OF_ANIMATIONS = ("acTL", "fcTL", "fdAT")
_ON_COLOUR = ("gAMA", "cHRM", "sRGB", "cICP", "mDCV", "cLLI")
_DESCRIPTION, _XMP = "Description", "XML:com.adobe.xmp"
# A convention of ImageMagick's, from before PNG had a chunk for EXIF.
_RAW = "Raw profile type "
_MOST_TEXT_BYTES = 2**26

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
        return SIGNATURE + b"".join(_chunk(name.encode("latin-1"), data) for name, data in kept)


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


def png_metadata(chunks: Chunks) -> tuple[Metadata, list[str]]:
    """Return what chunks say of a picture, and in words what of it could not be read."""
    notes, known = list(chunks.notes), Metadata()
    texts: dict[str, str] = {}
    for name, data in chunks.parts:
        try:
            if name == "eXIf":
                known = _with_exif(known, data)
            elif name in ("tEXt", "zTXt", "iTXt"):
                keyword, text = _text(name, data)
                texts[keyword] = text
            elif name == "iCCP":
                known = replace(known, profile=_inflated(data.split(b"\0", 1)[1][1:]))
            elif name == "pHYs" and len(data) == 9:
                across, down, unit = struct.unpack(">IIB", data)
                density = density_of(across, down, "meter" if unit == 1 else "")
                known = replace(known, density=density or known.density)
            elif name in _ON_COLOUR:
                kept = (*known.colour_chunks, (name, data))
                known = replace(known, colour_chunks=kept)
        except (ValueError, IndexError, zlib.error):
            notes.append(f"has a {name} chunk that cannot be read, which is left out")
    return _with_texts(known, texts, notes), notes


def _with_exif(known: Metadata, block: bytes) -> Metadata:
    found = from_exif(read_block(block))
    return replace(
        known,
        exif=found.exif,
        density=known.density or found.density,
        description=known.description or found.description,
    )


def _with_texts(known: Metadata, texts: dict[str, str], notes: list[str]) -> Metadata:
    """Return the record with a file's texts, of which some hold what has a place of its own."""
    if (xmp := texts.pop(_XMP, None)) is not None:
        known = replace(known, xmp=xmp.encode())
    for kind in [keyword for keyword in texts if keyword.startswith(_RAW)]:
        raw = texts.pop(kind)
        try:
            data = _of_raw_profile(raw)
            match kind.removeprefix(_RAW).lower():
                case "exif" | "app1" if data.startswith((b"Exif", b"II", b"MM")):
                    known = known if known.exif else _with_exif(known, data)
                case "xmp":
                    known = replace(known, xmp=known.xmp or data)
                case "iptc":
                    known = replace(known, iptc=data)
                case "icc" | "icm":
                    known = replace(known, profile=known.profile or data)
        except ValueError:
            notes.append(f"has a text {kind!r} that cannot be read, which is left out")
    description = texts.pop(_DESCRIPTION, None) or known.description
    return replace(known, description=description, texts=tuple(texts.items()))


def _of_raw_profile(text: str) -> bytes:
    """Decode ImageMagick's text: a name, the number of bytes, and these in hexadecimal."""
    _name, count, *digits = text.split()
    data = bytes.fromhex("".join(digits))
    if len(data) != int(count):
        raise ValueError("it is cut short")
    return data


def _raw_profile(name: str, data: bytes) -> str:
    digits = data.hex()
    lines = [digits[i : i + 72] for i in range(0, len(digits), 72)]
    return "\n".join(["", name, f"{len(data):8}", *lines, ""])


def _text(name: str, data: bytes) -> tuple[str, str]:
    keyword, rest = data.split(b"\0", 1)
    if name == "iTXt":
        is_compressed, (_language, _translated, text) = rest[0], rest[2:].split(b"\0", 2)
        text = _inflated(text) if is_compressed else text
        return keyword.decode("latin-1"), text.decode("utf-8")
    text = _inflated(rest[1:]) if name == "zTXt" else rest
    return keyword.decode("latin-1"), text.decode("latin-1")


def _inflated(data: bytes) -> bytes:
    inflate = zlib.decompressobj()
    text = inflate.decompress(data, _MOST_TEXT_BYTES)
    if not inflate.eof:
        raise ValueError("it is cut short, or too large")
    return text


def with_metadata(encoded: bytes, known: Metadata) -> Iterator[bytes]:
    """Yield the pieces of an encoded PNG with a record in it, all before the pixels."""
    yield encoded[:_HEAD]
    for name, data in _chunks_of(known):
        yield _chunk(name, data)
    yield encoded[_HEAD:]


def _chunks_of(known: Metadata) -> Iterator[tuple[bytes, bytes]]:
    if known.profile is not None:
        yield b"iCCP", b"ICC profile\0\0" + zlib.compress(known.profile)
    for name, data in known.colour_chunks:
        yield name.encode("ascii"), data
    if known.density is not None and (dots := _dots(known.density)):
        yield b"pHYs", struct.pack(">IIB", *dots)
    if block := known.exif_block(with_description=False):
        yield b"eXIf", block
    yield from _texts_of(known)


def _texts_of(known: Metadata) -> Iterator[tuple[bytes, bytes]]:
    texts = list(known.texts)
    if known.xmp is not None:
        texts.append((_XMP, known.xmp.decode("utf-8", "replace")))
    if known.iptc is not None:
        texts.append((f"{_RAW}iptc", _raw_profile("iptc", known.iptc)))
    if known.description is not None:
        texts.append((_DESCRIPTION, known.description))
    for keyword, text in texts:
        # Keyword, not compressed, no language, no translation, UTF-8 text.
        yield b"iTXt", keyword.encode("latin-1") + b"\0\0\0\0\0" + text.encode("utf-8", "replace")


def _dots(density: Density) -> tuple[int, int, int] | None:
    """Return pixels in a metre across and down, or their ratio, as PNG keeps them."""
    counts = density.per("meter") or (density.across, density.down)
    across, down = (round(count) for count in counts)
    if not (0 < across < 2**31 and 0 < down < 2**31):
        return None
    return across, down, 1 if density.unit else 0


def _chunk(name: bytes, data: bytes) -> bytes:
    check = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)
