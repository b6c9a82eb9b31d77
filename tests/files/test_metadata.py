"""What a file says of itself goes into any other format that has a place for it, or it is said."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, IptcImagePlugin, TiffImagePlugin
from PIL.PngImagePlugin import PngInfo

from napari_srgan.files import Density, Metadata, Picture, read_picture, write_picture
from napari_srgan.files import exif as tags

H, W, SCALE = 16, 20, 2
RGB = (np.add.outer(np.arange(H), np.arange(W))[..., None] * [7, 5, 3] % 256).astype(np.uint8)
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf='
    b'"http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description tiff:Orientation="6" '
    b'dc:creator="Ada" exif:PixelXDimension="20"/></rdf:RDF></x:xmpmeta>'
)
IPTC = bytes([0x1C, 2, 80, 0, 3]) + b"Ada"  # by-line
DPI = 300
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
FORMATS = (".png", ".jpg", ".webp", ".tif", ".bmp")


def camera_exif(orientation: int = 6) -> Image.Exif:
    exif = Image.Exif()
    exif[271], exif[272], exif[274] = "Maker", "Model 1", orientation
    exif[270], exif[315] = "a caption", "Ada"
    exif[282], exif[283], exif[296] = DPI, DPI, 2
    exif.get_ifd(0x8769).update({0x829A: 0.01, 0xA002: W, 0xA003: H, 0x927C: b"a maker's note"})
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 15.0)})
    return exif


def make_png(path: Path) -> None:
    texts = PngInfo()
    texts.add_text("Author", "Ada")
    texts.add_text("Comment", "a comment")
    texts.add_itxt("XML:com.adobe.xmp", XMP.decode())
    Image.fromarray(RGB).save(
        path, pnginfo=texts, exif=camera_exif(), icc_profile=PROFILE, dpi=(DPI, DPI)
    )
    data = path.read_bytes()
    gamma = b"gAMA" + struct.pack(">I", 45455)
    chunk = struct.pack(">I", 4) + gamma + struct.pack(">I", zlib.crc32(gamma))
    path.write_bytes(data[:33] + chunk + data[33:])


def make_jpg(path: Path) -> None:
    Image.fromarray(RGB).save(path, exif=camera_exif(), icc_profile=PROFILE, dpi=(DPI, DPI),
                              quality=100, subsampling=0, comment="a comment")  # fmt: skip
    resources = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(IPTC)) + IPTC
    xmp = b"http://ns.adobe.com/xap/1.0/\0" + XMP
    parts = [(0xED, resources), (0xE1, xmp)]
    more = b"".join(struct.pack(">BBH", 255, kind, len(part) + 2) + part for kind, part in parts)
    data = path.read_bytes()
    path.write_bytes(data[:20] + more + data[20:])


def make_webp(path: Path) -> None:
    Image.fromarray(RGB).save(path, exif=camera_exif(), icc_profile=PROFILE, xmp=XMP, lossless=True)


def make_tif(path: Path) -> None:
    info = {271: "Maker", 272: "Model 1", 274: 6, 270: "a caption", 315: "Ada", 700: XMP,
            33723: IPTC, 34665: {0x829A: TiffImagePlugin.IFDRational(1, 100), 0xA002: W},
            34853: {1: "N", 2: (48.0, 8.0, 15.0)}}  # fmt: skip
    Image.fromarray(RGB).save(path, tiffinfo=info, icc_profile=PROFILE, dpi=(DPI, DPI))


def make_bmp(path: Path) -> None:
    Image.fromarray(RGB).save(path, dpi=(DPI, DPI))


MAKERS = {
    ".png": make_png,
    ".jpg": make_jpg,
    ".webp": make_webp,
    ".tif": make_tif,
    ".bmp": make_bmp,
}


def told(path: Path) -> dict[str, Any]:
    """Return what other programs find in a file."""
    with Image.open(path) as image:
        image.load()
        exif, info = image.getexif(), image.info
        place = exif.get_ifd(0x8825)
        density = info.get("dpi") or ((exif[282], exif[283]) if exif.get(296) == 2 else None)
        iptc = IptcImagePlugin.getiptcinfo(image) if path.suffix in (".jpg", ".tif") else None
        raw_iptc = info.get("Raw profile type iptc")
        xmp = info.get("xmp") or info.get("XML:com.adobe.xmp")
        texts = getattr(image, "text", {})
        return {
            "colour profile": info.get("icc_profile"),
            "pixel density": density and tuple(round(float(dots)) for dots in density),
            "EXIF": (exif.get(271), exif.get(272), place.get(1)) if exif.get(271) else None,
            "XMP": xmp.encode() if isinstance(xmp, str) else xmp,
            "IPTC records": iptc or raw_iptc or None,
            "author": exif.get(315) or texts.get("Author"),
            "Comment": _as_text(info.get("comment") or texts.get("Comment")),
            "gAMA": info.get("gamma"),
            "description": texts.get("Description") or exif.get(270),
        }


def _as_text(comment: bytes | str | None) -> str | None:
    return comment.decode() if isinstance(comment, bytes) else comment


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("target", FORMATS)
def test_what_a_file_says_goes_into_any_other_or_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, source: str, target: str
) -> None:
    before, after = tmp_path / f"a{source}", tmp_path / f"b{target}"
    MAKERS[source](before)
    low = read_picture(before)
    high = low.data.repeat(SCALE, 0).repeat(SCALE, 1)

    write_picture(after, low.upscaled(high, SCALE))

    found, stated = told(after), told(before)
    for kind, value in stated.items():
        if value is None:
            continue
        if kind == "author" and target == ".bmp":
            kind = "EXIF" if source != ".png" else "texts (Author"
        if found.get(kind) is None:
            assert kind in caplog.text
        elif kind == "pixel density":
            assert found[kind] == (DPI * SCALE, DPI * SCALE)
        elif kind == "description":
            assert value in found[kind]
        elif kind == "Comment":
            assert found[kind] == value
        elif kind == "XMP":
            assert b'dc:creator="Ada"' in found[kind]
            assert b'tiff:Orientation="1"' in found[kind]
            assert b'exif:PixelXDimension="%d"' % high.shape[1] in found[kind]
        elif kind != "IPTC records":
            assert found[kind] == value


@pytest.mark.parametrize("source", [".png", ".jpg", ".webp", ".tif"])
@pytest.mark.parametrize("target", [".png", ".jpg", ".webp", ".tif"])
def test_an_orientation_is_applied_once_and_sizes_are_those_of_the_result(
    tmp_path: Path, source: str, target: str
) -> None:
    before, after = tmp_path / f"a{source}", tmp_path / f"b{target}"
    MAKERS[source](before)
    low = read_picture(before)
    assert low.data.shape == (W, H, 3)

    write_picture(after, low)

    again = read_picture(after)
    assert again.data.shape == (W, H, 3)
    with Image.open(after) as image:
        exif = image.getexif()
        camera = exif.get_ifd(0x8769)
        assert exif.get(274, 1) == 1
        assert camera[0xA002] == H
        assert camera[0x829A] == pytest.approx(0.01)
        assert exif.get_ifd(0x8825)[2] == (48.0, 8.0, 15.0)
        assert not exif.get_ifd(1)  # where thumbnails are


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp"])
def test_pixels_of_unequal_sides_keep_their_ratio(tmp_path: Path, suffix: str) -> None:
    metadata = Metadata(density=Density(300, 150, "inch"))
    write_picture(tmp_path / f"a{suffix}", Picture(RGB, rgb=True, metadata=metadata))
    density = read_picture(tmp_path / f"a{suffix}").metadata.density
    assert density is not None
    assert density.per("inch") == pytest.approx((300, 150), rel=1e-3)


def test_a_mere_ratio_stays_as_it_is() -> None:
    assert Density(4, 3, "").upscaled(4) == Density(4, 3, "")
    assert Density(4, 3, "inch").upscaled(4) == Density(16, 12, "inch")


def test_a_density_too_fine_for_jfif_goes_into_exif(tmp_path: Path) -> None:
    micrometers = ("micrometer", "micrometer")
    write_picture(tmp_path / "a.jpg", Picture(RGB, True, (0.107, 0.107), micrometers))
    density = read_picture(tmp_path / "a.jpg").metadata.density
    assert density is not None
    assert density.per("centimeter") == pytest.approx((1e4 / 0.107,) * 2)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_the_size_of_a_pixel_becomes_a_density(tmp_path: Path, suffix: str) -> None:
    write_picture(tmp_path / f"a{suffix}", Picture(RGB, True, (2.0, 1.0), ("millimeter",) * 2))
    density = read_picture(tmp_path / f"a{suffix}").metadata.density
    assert density is not None
    assert density.per("centimeter") == pytest.approx((10, 5))


def test_a_makers_note_stays_where_it_was(tmp_path: Path) -> None:
    """It may point into itself, by places in the block."""
    exif = camera_exif().tobytes()
    block = exif.removeprefix(b"Exif\0\0")
    written = Metadata(exif=tags.read_block(exif)).exif_block()
    assert written.index(b"a maker's note") == block.index(b"a maker's note")
    assert tags.read_block(written) == tags.read_block(exif)


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_of_either_byte_order_is_read_and_laid_out(order: str) -> None:
    tag = {"<": b"II*\0", ">": b"MM\0*"}[order]
    camera = tags.Directory(order, {0x829A: tags.Tag(5, struct.pack(f"{order}II", 1, 100))})
    directory = tags.Directory(order, {271: tags.text("Maker")}, {tags.CAMERA: camera})
    block = tags.block_of(directory)
    assert block.startswith(tag)
    assert tags.read_block(block) == directory
    swapped = directory.in_order("<" if order == ">" else ">")
    assert tags.read_block(tags.block_of(swapped)).in_order(order) == directory


def test_directories_that_lead_to_each_other_without_end_have_one() -> None:
    """Each of a thousand tags leads to all thousand again, three deep: a thousand million reads."""
    leads = (tags.CAMERA, tags.PLACE, 0xA005)
    entries = [struct.pack("<HHII", lead, 4, 1, 8) for lead in leads for _ in range(1000)]
    block = b"II*\0" + struct.pack("<IH", 8, len(entries)) + b"".join(entries) + bytes(4)
    found = tags.read_block(block)
    assert set(found.inner) == set(leads)


def test_exif_too_large_for_a_jpeg_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    large = tags.Directory("<", {271: tags.text("x" * 70_000)})
    write_picture(tmp_path / "a.jpg", Picture(RGB, True, metadata=Metadata(exif=large)))
    assert "a.jpg: JPEG cannot hold the picture's EXIF" in caplog.text
    assert read_picture(tmp_path / "a.jpg").data.shape == RGB.shape


def test_a_large_profile_goes_into_several_segments(tmp_path: Path) -> None:
    profile = PROFILE + bytes(range(256)) * 600
    write_picture(tmp_path / "a.jpg", Picture(RGB, True, metadata=Metadata(profile=profile)))
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.info["icc_profile"] == profile
    assert read_picture(tmp_path / "a.jpg").metadata.profile == profile


@pytest.mark.parametrize("is_compressed", [False, True])
def test_a_text_larger_than_pillow_reads_costs_nothing(tmp_path: Path, is_compressed: bool) -> None:
    settings = "steps: 20, " + "QUJD" * 400_000
    texts = PngInfo()
    texts.add_text("parameters", settings, zip=is_compressed)
    Image.fromarray(RGB).save(tmp_path / "a.png", pnginfo=texts)
    write_picture(tmp_path / "b.png", read_picture(tmp_path / "a.png"))
    assert read_picture(tmp_path / "b.png").metadata.texts == (("parameters", settings),)


@pytest.mark.parametrize("suffix", FORMATS)
def test_damaged_exif_does_not_cost_the_picture(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, suffix: str
) -> None:
    if suffix in (".tif", ".bmp"):
        pytest.skip("it has no block of it")
    Image.fromarray(RGB).save(tmp_path / f"a{suffix}", exif=b"Exif\0\0no EXIF at all")
    assert read_picture(tmp_path / f"a{suffix}").data.shape == RGB.shape
    assert "cannot be read, which is left out" in caplog.text


class TestGeoreference:
    """A place on Earth is where it was: what was pixel (i, j) is the middle of its smaller ones."""

    @staticmethod
    def place(path: Path, column: float, row: float) -> tuple[float, float]:
        """Return the model coordinates of a place in pixels, from the first one's corner."""
        with tifffile.TiffFile(path) as tif:
            found = tif.pages.first.tags
            is_point = found[34735].value[7] == 2
            shift = 0.5 if is_point else 0
            column, row = column - shift, row - shift
            if 34264 in found:
                m = found[34264].value
                return m[0] * column + m[1] * row + m[3], m[4] * column + m[5] * row + m[7]
            (across, down, _), (i, j, _, x, y, _) = found[33550].value, found[33922].value
            return x + (column - i) * across, y - (row - j) * down

    @pytest.mark.parametrize("raster", [1, 2])
    @pytest.mark.parametrize("matrix", [False, True])
    def test_every_place_stays(self, tmp_path: Path, raster: int, matrix: bool) -> None:
        keys = (1, 1, 0, 1, 1025, 0, 1, raster)
        rotation = (0.5, 0.1, 0, 100, -0.1, -0.5, 0, 200, 0, 0, 0, 0, 0, 0, 0, 1)
        where = ([(34264, "d", 16, rotation, True)] if matrix else
                 [(33550, "d", 3, (0.5, 0.25, 0), True),
                  (33922, "d", 6, (3, 2, 0, 1000, 2000, 0), True)])  # fmt: skip
        tifffile.imwrite(tmp_path / "a.tif", RGB, photometric="rgb", metadata=None,
                         extratags=[*where, (34735, "H", 8, keys, True),
                                    (42113, "s", 0, "-9999", True)])  # fmt: skip
        low = read_picture(tmp_path / "a.tif")
        high = low.data.repeat(4, 0).repeat(4, 1)
        write_picture(tmp_path / "b.tif", low.upscaled(high, 4))
        for column, row in ((0, 0), (3, 2), (7.5, 11.25)):
            expected = self.place(tmp_path / "a.tif", column, row)
            assert self.place(tmp_path / "b.tif", 4 * column, 4 * row) == pytest.approx(expected)
        with tifffile.TiffFile(tmp_path / "b.tif") as tif:
            assert tif.pages.first.tags[42113].value == "-9999"

    def test_its_loss_is_named(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        tifffile.imwrite(tmp_path / "a.tif", RGB, photometric="rgb",
                         extratags=[(33550, "d", 3, (1, 1, 0), True)])  # fmt: skip
        write_picture(tmp_path / "a.png", read_picture(tmp_path / "a.tif"))
        assert "georeference" in caplog.text
