"""What PNG's chunks say of a picture: profile, density, EXIF, texts; read, and written."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace

from napari_srgan.files.exif import read_block
from napari_srgan.files.metadata import Density, Metadata, density_of, from_exif
from napari_srgan.files.photo.png import HEAD, Chunks, chunk

_ON_COLOUR = ("gAMA", "cHRM", "sRGB", "cICP", "mDCV", "cLLI")
_DESCRIPTION, _XMP = "Description", "XML:com.adobe.xmp"
# A convention of ImageMagick's, from before PNG had a chunk for EXIF.
_RAW = "Raw profile type "
_MOST_TEXT_BYTES = 2**26


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
    yield encoded[:HEAD]
    for name, data in _chunks_of(known):
        yield chunk(name, data)
    yield encoded[HEAD:]


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
