"""Bits a sample, palettes, alpha and ink: what a file calls white is white, in every format."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from napari_srgan.files import Picture, UnreadableImage, read_picture, write_picture
from napari_srgan.files.units import METERS, OME_SYMBOLS, unit_named

H, W = 8, 16
GREY = (np.add.outer(np.arange(16), np.arange(20)) * 7 % 256).astype(np.uint8)
RGB = np.stack([GREY, 255 - GREY, GREY // 2], -1)


def values(bits: int, channels: int = 1) -> np.ndarray:
    shape = (H, W) if channels == 1 else (H, W, channels)
    return np.arange(np.prod(shape)).reshape(shape) * (7 if bits < 16 else 499) % 2**bits


def packed(rows: np.ndarray, bits: int) -> bytes:
    """Return shades of up to 8 bits, the rows of which begin at a byte."""
    split = np.unpackbits(rows.astype(np.uint8)[..., None], axis=-1)[..., 8 - bits :]
    return b"".join(b"\0" + np.packbits(row).tobytes() for row in split.reshape(len(rows), -1))


def png(path: Path, depth: int, colour: int, rows: bytes, **chunks: bytes) -> Path:
    def chunk(name: str, data: bytes) -> bytes:
        body = name.encode() + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", W, H, depth, colour, 0, 0, 0)
    parts = {"IHDR": head, **chunks, "IDAT": zlib.compress(rows), "IEND": b""}
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts.items()))
    return path


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("key", [None, 1])
def test_grey_png_of_any_depth_spreads_its_shades_and_keys(tmp_path, depth, key) -> None:
    shades = values(depth)
    rows = packed(shades, depth) if depth < 16 else b"".join(
        b"\0" + row.astype(">u2").tobytes() for row in shades
    )  # fmt: skip
    keys = {} if key is None else {"tRNS": struct.pack(">H", key)}
    data = read_picture(png(tmp_path / "a.png", depth, 0, rows, **keys)).data
    white = 65535 if depth == 16 else 255
    spread = shades * (white // (2**depth - 1))
    if key is None:
        assert (data == (spread > 0 if depth == 1 else spread)).all()
    else:
        alpha = np.where(shades == key, 0, white)
        assert (data == np.stack([spread, spread, spread, alpha], -1)).all()


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_png_palettes_of_any_depth_have_their_alpha(tmp_path, depth) -> None:
    palette = np.random.default_rng(0).integers(0, 256, (2**depth, 4), np.uint8)
    opaque = 2**depth // 2
    palette[opaque:, 3] = 255
    path = png(tmp_path / "a.png", depth, 3, packed(values(depth), depth),
               PLTE=palette[:, :3].tobytes(), tRNS=palette[:opaque, 3].tobytes())  # fmt: skip
    assert (read_picture(path).data == palette[values(depth)]).all()


def test_an_index_beyond_a_palette_is_refused(tmp_path) -> None:
    path = png(tmp_path / "a.png", 4, 3, packed(values(4), 4), PLTE=bytes(9))
    with pytest.raises(UnreadableImage, match="palette has 3 colours"):
        read_picture(path)


@pytest.mark.parametrize("depth", [8, 16])
def test_a_transparent_colour_of_a_png_is_transparent(tmp_path, depth) -> None:
    colours = np.random.default_rng(0).integers(0, 3, (H, W, 3))
    rows = b"".join(b"\0" + row.astype(f">u{depth // 8}").tobytes() for row in colours)
    path = png(tmp_path / "a.png", depth, 2, rows, tRNS=struct.pack(">HHH", 1, 2, 0))
    alpha = read_picture(path).data[..., 3]
    assert (alpha == np.where((colours == [1, 2, 0]).all(-1), 0, 2**depth - 1)).all()


@pytest.mark.parametrize("bits", [2, 3, 4, 6, 8, 10, 12, 14, 16])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite", "rgb"])
def test_tiff_of_any_depth_keeps_counts_or_spreads_shades(tmp_path, bits, photometric) -> None:
    stored = values(bits, 3 if photometric == "rgb" else 1)
    tifffile.imwrite(tmp_path / "a.tif", stored.astype("u1" if bits <= 8 else "u2"),
                     bitspersample=bits, photometric=photometric, metadata=None)  # fmt: skip
    white = 2**bits - 1
    shown = white - stored if photometric == "miniswhite" else stored

    picture = read_picture(tmp_path / "a.tif")
    write_picture(tmp_path / "b.tif", picture)

    expected = np.rint(shown * 255 / white) if bits < 8 else shown
    assert (picture.data == expected).all()
    again = read_picture(tmp_path / "b.tif")
    assert (again.data == expected).all()
    assert again.bits == picture.bits == (bits if 8 < bits < 16 else None)
    if picture.bits:
        write_picture(tmp_path / "b.png", picture)
        spread = read_picture(tmp_path / "b.png").data / 65535
        np.testing.assert_allclose(spread, shown / white, atol=1e-5)


def test_counts_that_outgrow_their_bits_are_written_with_all(tmp_path) -> None:
    data = np.full((H, W), 5000, np.uint16)
    for name in ("a.tif", "a.png"):
        write_picture(tmp_path / name, Picture(data, rgb=False, bits=12))
        assert (read_picture(tmp_path / name).data == data).all()


@pytest.mark.parametrize("white_is_zero", [False, True])
@pytest.mark.parametrize("fill_order", [1, 2])
def test_bilevel_tiff_of_either_fill_order(tmp_path, white_is_zero, fill_order) -> None:
    black = GREY < 100
    order = "big" if fill_order == 1 else "little"
    raw = np.packbits(black if white_is_zero else ~black, axis=1, bitorder=order).tobytes()
    path = tiff(tmp_path / "a.tif", raw, {258: 1, 262: 0 if white_is_zero else 1, 266: fill_order})
    assert (read_picture(path).data == ~black).all()


def tiff(path: Path, data: bytes, tags: dict[int, int], palette: np.ndarray | None = None) -> Path:
    """Write a TIFF file of one strip of 16 × 20 pixels by its specification."""
    tags = {256: 20, 257: 16, 259: 1, 273: 8, 277: 1, 278: 16, 279: len(data), **tags}
    behind = b"" if palette is None else palette.astype("<u2").tobytes()
    entries = {n: struct.pack("<HHII", n, 4 if n in (256, 257, 273, 278, 279) else 3, 1, value)
               for n, value in tags.items()}  # fmt: skip
    if palette is not None:
        entries[320] = struct.pack("<HHII", 320, 3, palette.size, 8 + len(data))
    directory = struct.pack("<H", len(entries)) + b"".join(entries[n] for n in sorted(entries))
    start = 8 + len(data) + len(behind)
    path.write_bytes(b"II*\0" + struct.pack("<I", start) + data + behind + directory + bytes(4))
    return path


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("unit", [257, 1], ids=["16 bits", "8 bits"])
def test_tiff_palettes_of_any_depth(tmp_path, bits, unit) -> None:
    indices = (np.arange(320).reshape(16, 20) * 7) % 2**bits
    palette = np.random.default_rng(1).integers(0, 256, (3, 2**bits))
    palette[0, 0] = 200  # for a palette that is nearly black could be of either unit
    rows = packed(indices, bits)
    width = len(rows) // 16
    raw = b"".join(rows[i + 1 : i + width] for i in range(0, len(rows), width))
    path = tiff(tmp_path / "a.tif", raw, {258: bits, 262: 3}, palette * unit)
    assert (read_picture(path).data == palette.T[indices]).all()


@pytest.mark.parametrize("extra", [("unspecified", "unassalpha"), ("unassalpha", "unspecified")])
def test_alpha_is_the_sample_that_is_called_so(tmp_path, extra, caplog) -> None:
    alpha, other = 255 - GREY, GREY // 3
    more = [alpha if name == "unassalpha" else other for name in extra]
    tifffile.imwrite(tmp_path / "a.tif", np.dstack([RGB, *more]), photometric="rgb",
                     extrasamples=extra, metadata=None)  # fmt: skip
    assert (read_picture(tmp_path / "a.tif").data == np.dstack([RGB, alpha])).all()
    assert "1 more samples a pixel" in caplog.text


def test_bands_beyond_colours_stay_channels(tmp_path) -> None:
    bands = np.dstack([RGB, RGB])
    tifffile.imwrite(tmp_path / "a.tif", bands, photometric="rgb", metadata=None)
    picture = read_picture(tmp_path / "a.tif")
    assert picture.axis_labels == ("c", "y", "x")
    assert (picture.data == np.moveaxis(bands, -1, 0)).all()


@pytest.mark.parametrize("count", [3, 4])
def test_samples_that_a_description_calls_channels_are_channels(tmp_path, count) -> None:
    channels = np.stack([GREY // n for n in range(1, count + 1)])
    for axes, shape in (("CYX", channels.shape), ("ZTCYX", (1, 1, *channels.shape))):
        tifffile.imwrite(tmp_path / "a.tif", channels.reshape(shape), photometric="rgb",
                         planarconfig="separate", metadata={"axes": axes})  # fmt: skip
        picture = read_picture(tmp_path / "a.tif")
        assert not picture.rgb
        assert (picture.data == channels.reshape(picture.data.shape)).all()
        assert "c" in (picture.axis_labels or ())


@pytest.mark.parametrize("white", [1.0, 255.0])
def test_floating_alpha_is_divided_out_whatever_its_range(tmp_path, white) -> None:
    straight = np.array([0.8, 0.4, 0.2, 0.5]) * white
    stored = np.tile(straight * [0.5, 0.5, 0.5, 1], (4, 5, 1))
    stored[0, 0] = (*straight[:3], white)
    tifffile.imwrite(tmp_path / "a.tif", stored.astype("f4"), photometric="rgb",
                     extrasamples=["assocalpha"], metadata=None)  # fmt: skip
    data = read_picture(tmp_path / "a.tif").data
    np.testing.assert_allclose(data[..., :3], np.broadcast_to(straight[:3], (4, 5, 3)), rtol=1e-6)


class TestInk:
    INK = np.asarray(Image.fromarray(RGB).convert("CMYK"))

    def test_jpeg_and_tiff_agree(self, tmp_path) -> None:
        image = Image.fromarray(self.INK, "CMYK")
        image.save(tmp_path / "a.jpg", quality=100, subsampling=0)
        image.save(tmp_path / "a.tif")
        jpeg, exact = (read_picture(tmp_path / f"a.{kind}").data for kind in ("jpg", "tif"))
        assert (exact == np.asarray(image.convert("RGB"))).all()
        assert np.abs(jpeg.astype(int) - exact).max() < 16

    def test_16_bits_and_alpha_are_kept(self, tmp_path) -> None:
        data = np.dstack([self.INK, GREY]).astype("u2") * 257
        tifffile.imwrite(tmp_path / "a.tif", data, photometric="separated",
                         extrasamples=["unassalpha"], metadata=None)  # fmt: skip
        made = read_picture(tmp_path / "a.tif").data
        plain = np.asarray(Image.fromarray(self.INK, "CMYK").convert("RGB"))
        np.testing.assert_allclose(made[..., :3] / 257, plain, atol=1)
        assert (made[..., 3] == GREY * 257.0).all()

    def test_other_inks_are_refused(self, tmp_path) -> None:
        tifffile.imwrite(tmp_path / "a.tif", self.INK, photometric="separated", metadata=None,
                         extratags=[(332, "H", 1, 2, True)])  # fmt: skip
        with pytest.raises(UnreadableImage, match="inks other than CMYK"):
            read_picture(tmp_path / "a.tif")


def test_a_profile_of_grey_is_none_of_colours(tmp_path, caplog) -> None:
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[16:20] = b"GRAY"
    image = Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(255 - GREY)])
    image.save(tmp_path / "a.png", icc_profile=bytes(profile))
    assert read_picture(tmp_path / "a.png").metadata.profile is None
    assert "has a profile of grey, which is left out" in caplog.text


@pytest.mark.parametrize("name", [name for name in OME_SYMBOLS if name != "pixel"])
def test_every_unit_of_ome_goes_into_a_file_and_back(tmp_path, name) -> None:
    if name in METERS:
        picture = Picture(GREY, False, (2.0, 2.0), (name, name))
    else:
        units = (name, "micrometer", "micrometer")
        picture = Picture(np.stack([GREY] * 2), False, (2.0, 1.0, 1.0), units, ("t", "y", "x"))
    write_picture(tmp_path / "a.tif", picture)
    assert read_picture(tmp_path / "a.tif").units == picture.units


@pytest.mark.parametrize(
    ("spelt", "name"),
    [("µm", "micrometer"), ("μm", "micrometer"), ("um", "micrometer"), ("Microns", "micrometer"),
     ("micrometres", "micrometer"), (r"\u00B5m", "micrometer"), ("Âµm", "micrometer"),
     ("mm", "millimeter"), ("Mm", "megameter"), ("inches", "inch"), ("Å", "angstrom"),
     ("\u212b", "angstrom"), ("msec", "millisecond"), ("μs", "microsecond"), ("sec.", "second"),
     ("hrs", "hour"), ("d", "day"), ("", "pixel"), ("Pixels", "pixel"), ("S", None),
     ("MM", None), ("furlong", None), ("um²", None)],
)  # fmt: skip
def test_units_are_known_as_programs_spell_them(spelt, name) -> None:
    assert unit_named(spelt) == name
