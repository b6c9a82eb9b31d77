"""A valid file with one field of its structure changed is a picture or a named refusal.

Never another error, a hang, or memory for pixels that are not there. What can be told from the rest
of the file is told: a size that does not go with the pixels, a tag of another type.
"""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_srgan.files import UnreadableImage, read_header, read_picture

GREY = (np.add.outer(np.arange(16), np.arange(20)) * 7 % 256).astype(np.uint8)
RGB = np.stack([GREY, 255 - GREY, GREY // 2], -1)
FRAMES = [Image.fromarray(np.roll(RGB, i, 1)) for i in range(3)]


def tiff(data: np.ndarray, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, data, **{"metadata": None, **options})
    return file.getvalue()


def photo(kind: str, image: Image.Image = FRAMES[0], **options: Any) -> bytes:
    exif = Image.Exif()
    exif[271], exif[282], exif.get_ifd(0x8769)[0xA002] = "Maker", 300, 20
    file = io.BytesIO()
    image.save(file, kind, exif=exif, **options)
    return file.getvalue()


ANIMATED = {"save_all": True, "append_images": FRAMES[1:]}
STACK = np.stack([GREY] * 4).reshape(2, 2, 16, 20)
TIFFS = {
    "grey": tiff(GREY),
    "stack": tiff(np.stack([GREY] * 3), photometric="minisblack"),
    "ImageJ": tiff(STACK, imagej=True, resolution=(4, 4), metadata={"axes": "TZYX", "unit": "um"}),
    "OME": tiff(STACK, ome=True, metadata={"axes": "TZYX", "PhysicalSizeX": 0.5}),
    "tiles": tiff(np.tile(GREY, (3, 3)), tile=(16, 16), compression="deflate"),
    "strips": tiff(RGB, photometric="rgb", compression="lzw", predictor=True, rowsperstrip=4),
    "palette": tiff(GREY, photometric="palette", colormap=np.zeros((3, 256), "u2")),
    "4 bits": tiff(GREY % 16, bitspersample=4),
    "BigTIFF": tiff(GREY, bigtiff=True),
    "big-endian": tiff(GREY.astype("u2"), byteorder=">"),
    "EXIF": photo("TIFF"),
}
PHOTOS = {
    "PNG": photo("PNG", dpi=(300, 300)),
    "palette": photo("PNG", FRAMES[0].quantize(16)),
    "animation": photo("PNG", **ANIMATED),
}
OTHERS = {
    "JPEG": photo("JPEG"),
    "progressive": photo("JPEG", progressive=True),
    "MPO": photo("MPO", **ANIMATED),
    "WebP": photo("WEBP", lossless=True),
    "animated WebP": photo("WEBP", lossless=True, **ANIMATED),
    "BMP": photo("BMP"),
}
# What programs write, what does not fit, and what would be enormous.
NUMBERS = st.sampled_from(
    [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 19, 20, 21, 32, 64, 255, 256, 1000, 32768, 65535, 2**16,
     2**24, 2**31 - 1, 2**31, 2**32 - 1]
)  # fmt: skip
MANY = settings(max_examples=150, deadline=None, derandomize=True,
                suppress_health_check=list(HealthCheck))  # fmt: skip


def check_reads_or_refuses(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    tracemalloc.start()
    try:
        picture = read_picture(path)
        header = read_header(path)
        assert (picture.data.shape, picture.data.dtype) == (header.shape, header.dtype)
        assert picture.data.size
    except UnreadableImage as error:
        assert path.name in str(error)  # noqa: PT017 - either outcome is right
        assert "\n" not in str(error)  # noqa: PT017
    finally:
        _now, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert most < 2**27


def directories(data: bytes) -> tuple[str, bool, list[tuple[int, int]]]:
    """Return a TIFF's byte order, whether it is a BigTIFF, and where its tags are, by page."""
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack(f"{order}H", data[2:4])[0] == 43
    link, counter, width = ("Q", "Q", 20) if big else ("I", "H", 12)
    places = []
    place = struct.unpack_from(order + link, data, 8 if big else 4)[0]
    while place:
        count = struct.unpack_from(order + counter, data, place)[0]
        first = place + struct.calcsize("=" + counter)
        places += [(first + i * width, place) for i in range(count)]
        place = struct.unpack_from(order + link, data, first + count * width)[0]
    return order, big, places


@MANY
@given(
    kind=st.sampled_from(sorted(TIFFS)),
    where=st.integers(0, 10_000),
    field=st.sampled_from(["tag", "type", "count", "value", "behind", "entries"]),
    number=NUMBERS,
)
def test_one_field_of_a_tiff(
    tmp_path: Path, kind: str, where: int, field: str, number: int
) -> None:
    data = bytearray(TIFFS[kind])
    order, big, places = directories(bytes(data))
    entry, directory = places[where % len(places)]
    link, width = ("Q", 8) if big else ("I", 4)
    value = entry + 4 + width
    behind = struct.unpack_from(order + link, data, value)[0]
    match field:
        case "tag":
            struct.pack_into(f"{order}H", data, entry, number % 2**16)
        case "type":
            struct.pack_into(f"{order}H", data, entry + 2, number % 32)
        case "count":
            struct.pack_into(order + link, data, entry + 4, number)
        case "value":
            struct.pack_into(order + link, data, value, number)
        case "behind" if behind + 4 <= len(data):
            struct.pack_into(f"{order}I", data, behind, number)
        case _:
            struct.pack_into(f"{order}H", data, directory, number % 2**16)
    check_reads_or_refuses(tmp_path / "changed", bytes(data))


@MANY
@given(
    kind=st.sampled_from(["ImageJ", "OME"]),
    where=st.floats(0, 0.999),
    character=st.sampled_from(list(b"0123456789-.=\"'<>/&\0e\n\xff")),
)
def test_one_character_of_a_description(
    tmp_path: Path, kind: str, where: float, character: int
) -> None:
    data = bytearray(TIFFS[kind])
    start = data.find(b"ImageJ=" if kind == "ImageJ" else b"<Image ")
    end = data.find(b"\0", start)
    data[start + int(where * (end - start))] = character
    check_reads_or_refuses(tmp_path / "changed", bytes(data))


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


@MANY
@given(
    kind=st.sampled_from(sorted(PHOTOS)),
    where=st.integers(0, 1000),
    change=st.sampled_from(["byte", "byte", "drop", "twice", "grow", "cut", "name", "length"]),
    place=st.integers(0, 40),
    number=NUMBERS,
)
def test_one_chunk_of_a_png(
    tmp_path: Path, kind: str, where: int, change: str, place: int, number: int
) -> None:
    chunks = []
    position, data = 8, PHOTOS[kind]
    while position < len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        chunks.append((name, data[position + 8 : position + 8 + length]))
        position += 12 + length
    index = where % len(chunks)
    name, body = chunks[index]
    match change:
        case "byte" if body:
            at = place % len(body)
            body = body[:at] + bytes([number % 256]) + body[at + 1 :]
        case "grow":
            body += bytes(number % 1000)
        case "cut":
            body = body[: number % (len(body) + 1)]
        case "name":
            name = (b"tRNS", b"PLTE", b"acTL", b"iCCP", b"eXIf", b"zTXt", b"IDAT")[number % 7]
    chunks[index : index + 1] = {"drop": 0, "twice": 2}.get(change, 1) * [(name, body)]
    written = [chunk(*part) for part in chunks]
    if change == "length":
        written[index] = struct.pack(">I", number) + written[index][4:]
    check_reads_or_refuses(tmp_path / "changed", data[:8] + b"".join(written))


@MANY
@given(
    kind=st.sampled_from(sorted(OTHERS)),
    place=st.integers(2, 300),
    form=st.sampled_from([">B", ">H", "<H", ">I", "<I"]),
    number=NUMBERS,
)
def test_one_number_of_another_format(
    tmp_path: Path, kind: str, place: int, form: str, number: int
) -> None:
    data = bytearray(OTHERS[kind])
    size = struct.calcsize(form)
    at = min(place, len(data) - size)
    struct.pack_into(form, data, at, number % 256**size)
    check_reads_or_refuses(tmp_path / "changed", bytes(data))


@pytest.mark.parametrize("height", [15, 17, 1000])
def test_a_png_of_another_height_than_its_pixels_is_refused(tmp_path: Path, height: int) -> None:
    data = bytearray(PHOTOS["PNG"])
    struct.pack_into(">I", data, 20, height)
    struct.pack_into(">I", data, 29, zlib.crc32(data[12:29]))
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(UnreadableImage, match="bytes of pixels, and its size asks for"):
        read_picture(tmp_path / "a.png")


@pytest.mark.parametrize(("tag", "number"), [(256, 19), (257, 15)])
def test_a_tiff_of_a_smaller_size_than_its_pixels_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, tag: int, number: int
) -> None:
    data = bytearray(TIFFS["grey"])
    order, _big, places = directories(bytes(data))
    entry = next(at for at, _ in places if struct.unpack_from("<H", data, at)[0] == tag)
    struct.pack_into(f"{order}I", data, entry + 8, number)
    (tmp_path / "a.tif").write_bytes(data)
    read_picture(tmp_path / "a.tif")
    assert "holds 320 bytes where its size asks for" in caplog.text
