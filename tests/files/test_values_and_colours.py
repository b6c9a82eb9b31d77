"""What a file says of its values, colours and units is kept, or refused, in every format."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from napari_srgan.files import (
    Metadata,
    Picture,
    UnreadableImage,
    read_folder,
    read_picture,
    write_picture,
)

GREY = (np.add.outer(np.arange(16), np.arange(20)) * 7 % 256).astype(np.uint8)
RGB = np.stack([GREY, 255 - GREY, GREY // 2], -1)


@pytest.fixture(scope="module")
def profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def profile_of(path: Path) -> bytes | None:
    with Image.open(path) as image:
        return image.info.get("icc_profile")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_a_colour_profile_goes_from_file_to_file(tmp_path, profile, suffix) -> None:
    source, target = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    Image.fromarray(RGB).save(source, icc_profile=profile)

    write_picture(target, read_picture(source).upscaled(RGB.repeat(2, 0).repeat(2, 1), 2))

    assert profile_of(target) == profile


@pytest.mark.parametrize("shape", [(16, 20, 3), (16, 20)])
def test_16_bit_png_keeps_a_profile_too(tmp_path, profile, shape) -> None:
    picture = Picture(
        np.zeros(shape, "u2"), rgb=len(shape) == 3, metadata=Metadata(profile=profile)
    )
    write_picture(tmp_path / "a.png", picture)
    assert profile_of(tmp_path / "a.png") == profile
    assert read_picture(tmp_path / "a.png").metadata.profile == profile


def test_a_format_without_room_for_a_profile_says_so(tmp_path, profile, caplog) -> None:
    write_picture(tmp_path / "a.bmp", Picture(RGB, rgb=True, metadata=Metadata(profile=profile)))
    assert "BMP cannot hold the picture's colour profile" in caplog.text


def test_a_profile_of_cmyk_is_none_of_the_rgb_that_is_made_of_it(tmp_path, profile) -> None:
    Image.fromarray(RGB).convert("CMYK").save(tmp_path / "a.jpg", icc_profile=profile)
    assert read_picture(tmp_path / "a.jpg").metadata.profile is None


# TIFF


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_premultiplied_colours_are_divided_by_their_alpha(tmp_path, dtype) -> None:
    white = 1.0 if dtype == "f4" else np.iinfo(dtype).max
    straight = np.zeros((4, 5, 4))
    straight[...] = (0.8, 0.4, 0.0, 0.5)
    straight[0, 0, 3] = 0
    stored = straight * [1, 1, 1, white]
    stored[..., :3] *= straight[..., 3:] * white
    data = stored if dtype == "f4" else np.rint(stored)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, data.astype(dtype), photometric="rgb", extrasamples=["assocalpha"])

    read = read_picture(path).data.astype(float) / white

    np.testing.assert_allclose(read[1:], straight[1:], atol=0.01)
    assert (read[0, 0] == 0).all()


@pytest.mark.parametrize("shape", [(16, 20), (3, 16, 20)])
def test_grey_with_alpha_becomes_rgba(tmp_path, shape) -> None:
    grey, alpha = np.broadcast_to(GREY, shape), np.broadcast_to(255 - GREY, shape)
    data = np.stack([grey, alpha], -1)
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="minisblack", planarconfig="contig",
                     extrasamples=["unassalpha"], metadata=None)  # fmt: skip
    picture = read_picture(tmp_path / "a.tif")
    assert picture.rgb
    assert (picture.data == data[..., [0, 0, 0, 1]]).all()


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("white_is_zero", [False, True])
def test_the_lightest_of_few_shades_is_white(tmp_path, bits, white_is_zero) -> None:
    (tmp_path / "a.tif").write_bytes(shades(bits, white_is_zero=white_is_zero))
    data = read_picture(tmp_path / "a.tif").data
    assert data.dtype == (bool if bits == 1 else np.uint8)
    assert (data == (True if bits == 1 else 255)).all() != white_is_zero
    assert (data == 0).all() == white_is_zero


def shades(bits: int, *, white_is_zero: bool) -> bytes:
    """Return a TIFF file of 16 × 8 pixels, all of the last of its shades."""
    data = b"\xff" * (16 * bits // 8) * 8
    photometric, strip = 0 if white_is_zero else 1, len(data)
    tags = [(256, 4, 1, 16), (257, 4, 1, 8), (258, 3, 1, bits), (259, 3, 1, 1),
            (262, 3, 1, photometric), (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, 8),
            (279, 4, 1, strip)]  # fmt: skip
    head = b"II*\0" + struct.pack("<I", 8 + strip) + data + struct.pack("<H", len(tags))
    return head + b"".join(struct.pack("<HHII", *tag) for tag in tags) + b"\0" * 4


def test_12_bits_stay_counts(tmp_path) -> None:
    data = np.array([[0, 100], [4000, 4095]], "u2")
    tifffile.imwrite(tmp_path / "a.tif", data)
    assert (read_picture(tmp_path / "a.tif").data == data).all()


def test_signed_values_with_white_at_the_least_are_turned_round(tmp_path) -> None:
    data = np.array([[-128, -1], [0, 127]], "i1")
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="miniswhite")
    assert read_picture(tmp_path / "a.tif").data.tolist() == [[127, 0], [-1, -128]]


def test_floats_with_white_at_0_are_refused(tmp_path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 5), "f4"), photometric="miniswhite")
    with pytest.raises(UnreadableImage, match="white at 0; invert them"):
        read_picture(tmp_path / "a.tif")


def test_a_thumbnail_is_not_taken_for_the_picture(tmp_path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(GREY[::2, ::2], subfiletype=1, metadata=None)
        file.write(GREY, metadata=None)
    assert (read_picture(tmp_path / "a.tif").data == GREY).all()


@pytest.mark.parametrize(
    ("stated", "scale", "units"),
    [
        ({"unit": "um", "spacing": 2.0, "finterval": 10.0}, (10, 2, 0.25, 0.25),
         ("second", "micrometer", "micrometer", "micrometer")),
        ({"unit": "um", "spacing": 2.0, "finterval": 10.0, "zunit": "nm", "tunit": "ms"},
         (10, 2, 0.25, 0.25), ("millisecond", "nanometer", "micrometer", "micrometer")),
        ({"unit": "um", "yunit": "nm", "fps": 4.0}, (0.25, 1, 0.25, 0.25),
         ("second", "pixel", "nanometer", "micrometer")),
        ({"unit": "mm"}, (1, 1, 0.25, 0.25), ("pixel", "pixel", "millimeter", "millimeter")),
    ],
)  # fmt: skip
def test_imagejs_units_are_those_of_each_axis(tmp_path, stated, scale, units) -> None:
    stack = np.stack([GREY] * 6).reshape(3, 2, 16, 20)
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, resolution=(4, 4),
                     metadata={"axes": "TZYX", **stated})  # fmt: skip
    picture = read_picture(tmp_path / "a.tif")
    assert picture.pixel_scale == pytest.approx(scale)
    assert picture.units == units


def test_millimetres_are_no_megametres(tmp_path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY, ome=True, metadata={
        "axes": "YX", "PhysicalSizeX": 2.0, "PhysicalSizeXUnit": "Mm", "PhysicalSizeY": 2.0,
        "PhysicalSizeYUnit": "Mm"})  # fmt: skip
    assert read_picture(tmp_path / "a.tif").units == ("megameter", "megameter")


def test_imagejs_signed_16_bits_are_signed(tmp_path) -> None:
    values = GREY.astype(np.int16) - 100
    stored = (values.astype(np.int32) + 32768).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stored, imagej=True,
                     metadata={"cf": 0, "c0": -32768.0, "c1": 1.0})  # fmt: skip
    data = read_picture(tmp_path / "a.tif").data
    assert data.dtype == np.int16
    assert (data == values).all()


def test_unsigned_16_bits_of_imagej_stay_unsigned(tmp_path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY.astype("u2"), imagej=True)
    assert read_picture(tmp_path / "a.tif").data.dtype == np.uint16


@pytest.fixture
def ome_set(tmp_path) -> Path:
    """Return a folder of four OME-TIFF files, a time point in each, that name each other."""
    count = 4
    names = [f"urn:uuid:{i:08d}-1111-1111-1111-111111111111" for i in range(count)]
    planes = "".join(
        f'<TiffData FirstT="{i}" IFD="0" PlaneCount="1"><UUID FileName="t{i}.ome.tif">{name}</UUID>'
        "</TiffData>" for i, name in enumerate(names)
    )  # fmt: skip
    for i, name in enumerate(names):
        xml = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="{name}">'
            '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" '
            f'SizeX="20" SizeY="16" SizeZ="1" SizeC="1" SizeT="{count}" PhysicalSizeX="0.5" '
            'PhysicalSizeY="0.5"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>'
            f"{planes}</Pixels></Image></OME>"
        )
        pixels = np.full((16, 20), 10 * (i + 1), np.uint8)
        tifffile.imwrite(tmp_path / f"t{i}.ome.tif", pixels, description=xml, metadata=None)
    return tmp_path


def test_a_file_of_an_ome_set_is_read_alone_and_said_to_be_one(ome_set, caplog) -> None:
    picture = read_picture(ome_set / "t2.ome.tif")
    assert picture.data.shape == (16, 20)
    assert (picture.data == 30).all()
    assert picture.pixel_scale == (0.5, 0.5)
    assert "t2.ome.tif is one of a set of 4 files; it is read alone." in caplog.text


def test_a_folder_of_an_ome_set_has_each_plane_once(ome_set) -> None:
    picture = read_folder(ome_set)
    assert picture.data.shape == (4, 16, 20)
    assert np.asarray(picture.data)[:, 0, 0].tolist() == [10, 20, 30, 40]


def test_a_plane_that_is_not_what_its_header_said_is_refused(tmp_path) -> None:
    for name, shape in (("a.png", (16, 20)), ("b.png", (16, 20))):
        Image.fromarray(np.zeros(shape, np.uint8)).save(tmp_path / name)
    stack = read_folder(tmp_path).data
    Image.fromarray(np.zeros((20, 16), np.uint8)).save(tmp_path / "b.png")
    assert stack[0].compute().shape == (16, 20)
    with pytest.raises(UnreadableImage, match=r"b\.png says it is 16 × 20 uint8, and is 20 × 16"):
        stack[1].compute()


# Names


def test_a_name_as_long_as_names_can_be_is_written(tmp_path) -> None:
    path = tmp_path / ("x" * 251 + ".png")
    write_picture(path, Picture(RGB, rgb=True))
    assert (read_picture(path).data == RGB).all()
    assert list(tmp_path.iterdir()) == [path]
