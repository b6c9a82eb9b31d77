"""TIFF files keep axes, colours and pixel sizes, and half of one is never taken for a whole."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt
import pytest
import tifffile

from napari_srgan.files import Picture, UnreadableImage, read_picture, write_picture

H, W = 21, 17
STACK = np.random.default_rng(0).integers(0, 65_536, (5, H, W), dtype=np.uint16)
COLOURS = np.random.default_rng(1).integers(0, 256, (H, W, 3), dtype=np.uint8)
MICRONS = ("micrometer", "micrometer")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "image.tif"


def written(data: npt.NDArray[Any], **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, data, **options)
    return file.getvalue()


class TestPixelSizes:
    @pytest.mark.parametrize("unit", ["um", "micron", "\\u00B5m"])
    def test_imagejs_size_and_unit_are_read(self, path: Path, unit: str) -> None:
        tifffile.imwrite(
            path,
            STACK,
            imagej=True,
            resolution=(1 / 0.25, 1 / 0.5),
            metadata={"axes": "ZYX", "spacing": 2.0, "unit": unit},
        )
        back = read_picture(path)
        assert back.pixel_scale == pytest.approx((2.0, 0.5, 0.25))
        assert back.units == ("micrometer", *MICRONS)
        assert back.axis_labels == ("z", "y", "x")
        np.testing.assert_array_equal(back.data, STACK)

    def test_imagejs_frame_interval_is_in_seconds(self, path: Path) -> None:
        metadata = {"axes": "TYX", "finterval": 2.5, "unit": "nm"}
        tifffile.imwrite(path, STACK, imagej=True, resolution=(0.1, 0.1), metadata=metadata)
        back = read_picture(path)
        assert back.pixel_scale == pytest.approx((2.5, 10, 10))
        assert back.units == ("second", "nanometer", "nanometer")

    def test_imagejs_pixels_without_a_unit_have_no_size(self, path: Path) -> None:
        tifffile.imwrite(path, STACK, imagej=True, metadata={"axes": "CYX", "unit": "pixel"})
        assert read_picture(path).pixel_scale is None
        assert read_picture(path).axis_labels == ("c", "y", "x")

    def test_omes_sizes_are_read_each_in_its_unit(self, path: Path) -> None:
        metadata = {
            "axes": "CYX",
            "PhysicalSizeX": 250.0,
            "PhysicalSizeXUnit": "nm",
            "PhysicalSizeY": 0.5,
        }
        tifffile.imwrite(path, STACK, ome=True, metadata=metadata)
        back = read_picture(path)
        assert back.pixel_scale == (1.0, 0.5, 250.0)
        assert back.units == ("pixel", "micrometer", "nanometer")
        assert back.axis_labels == ("c", "y", "x")

    def test_what_ome_says_besides_is_named(
        self, path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        names = {"Name": [f"dye {n}" for n in range(len(STACK))]}
        tifffile.imwrite(path, STACK, ome=True, metadata={"axes": "CYX", "Channel": names})
        read_picture(path)
        assert "has more of OME's metadata (names of channels), which is left out" in caplog.text

    def test_a_resolution_in_centimetres_is_a_size(self, path: Path) -> None:
        tifffile.imwrite(path, STACK[0], resolution=(300, 150), resolutionunit="centimeter")
        back = read_picture(path)
        assert back.pixel_scale == pytest.approx((10_000 / 150, 10_000 / 300))
        assert back.units == MICRONS

    @pytest.mark.parametrize("unit", ["none", "inch"])
    def test_a_resolution_for_printers_is_no_size(self, path: Path, unit: str) -> None:
        tifffile.imwrite(path, STACK[0], resolution=(300, 300), resolutionunit=unit)
        assert read_picture(path).pixel_scale is None

    @pytest.mark.parametrize(
        ("dtype", "colour"),
        [
            ("bool", False),
            *(
                (dtype, colour)
                for dtype in ("uint8", "int32", "float64", "float16", "uint64")
                for colour in (False, True)
            ),
        ],
    )
    def test_sizes_units_and_axes_are_kept_for_every_type(
        self, path: Path, dtype: str, colour: bool
    ) -> None:
        shape = (2, 3, H, W, 3) if colour else (2, 3, H, W)
        original = Picture(
            (np.random.default_rng(0).random(shape) * 2).astype(dtype),
            colour,
            (1.5, 300.0, 0.2, 0.1),
            ("second", "nanometer", "micrometer", "micrometer"),
            ("t", "z", "y", "x"),
        )
        write_picture(path, original)
        back = read_picture(path)
        np.testing.assert_array_equal(back.data, original.data)
        assert back.data.dtype == original.data.dtype
        assert back.pixel_scale == pytest.approx(original.pixel_scale)
        assert (back.rgb, back.units, back.axis_labels) == (
            colour,
            original.units,
            ("t", "z", "y", "x"),
        )

    def test_programs_that_know_no_ome_find_the_size_as_a_resolution(self, path: Path) -> None:
        write_picture(path, Picture(STACK[0], False, (0.5, 0.25), MICRONS))
        with tifffile.TiffFile(path) as tif:
            tags = tif.pages.first.tags
            across, down = (tags[name].value for name in ("XResolution", "YResolution"))
            assert tags["ResolutionUnit"].value == tifffile.RESUNIT.CENTIMETER
        assert across[0] / across[1] == pytest.approx(40_000)
        assert down[0] / down[1] == pytest.approx(20_000)

    def test_without_names_for_the_axes_the_size_of_rows_and_columns_is_kept(
        self, path: Path
    ) -> None:
        write_picture(path, Picture(STACK, False, (1.0, 0.5, 0.25), ("pixel", *MICRONS)))
        assert read_picture(path).pixel_scale == pytest.approx((1.0, 0.5, 0.25))

    def test_a_unit_that_cannot_be_written_is_named(self, path: Path) -> None:
        with pytest.raises(ValueError, match=r"'furlong'.*micrometer"):
            write_picture(path, Picture(STACK[0], False, (1.0, 1.0), ("furlong", "furlong")))
        assert not path.exists()


class TestKinds:
    @pytest.mark.parametrize("compression", [None, "zlib", "lzw", "zstd", "packbits"])
    @pytest.mark.parametrize("planar", ["contig", "separate"])
    def test_rgb_is_colour_however_it_is_stored(
        self, path: Path, compression: str | None, planar: str
    ) -> None:
        data = COLOURS if planar == "contig" else np.moveaxis(COLOURS, -1, 0)
        tifffile.imwrite(
            path, data, photometric="rgb", planarconfig=planar, compression=compression
        )
        back = read_picture(path)
        assert back.rgb
        np.testing.assert_array_equal(back.data, COLOURS)

    def test_a_jpeg_compressed_tiff_is_colour(self, path: Path) -> None:
        smooth = np.linspace(50, 200, H * W * 3).reshape(H, W, 3).astype(np.uint8)
        tifffile.imwrite(path, smooth, photometric="rgb", compression="jpeg", tile=(16, 16))
        back = read_picture(path)
        assert back.rgb
        assert np.abs(back.data.astype(int) - smooth).max() < 12

    def test_channels_are_an_axis_and_not_colour(self, path: Path) -> None:
        channels = np.moveaxis(STACK, 0, -1)
        tifffile.imwrite(path, channels, photometric="minisblack", planarconfig="contig")
        back = read_picture(path)
        assert not back.rgb
        np.testing.assert_array_equal(back.data, STACK)

    @pytest.mark.parametrize(("extra", "is_alpha"), [("unassalpha", True), ("unspecified", False)])
    def test_a_fourth_sample_is_alpha_only_if_it_is_called_so(
        self, path: Path, extra: str, is_alpha: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        data = np.concatenate([COLOURS, COLOURS[..., :1]], axis=-1)
        tifffile.imwrite(path, data, photometric="rgb", extrasamples=[extra])
        back = read_picture(path)
        assert back.rgb
        np.testing.assert_array_equal(back.data, data if is_alpha else COLOURS)
        assert ("1 more samples a pixel than colours" in caplog.text) != is_alpha

    def test_a_palette_becomes_colours(self, path: Path) -> None:
        indices = COLOURS[..., 0]
        palette = np.random.default_rng(2).integers(0, 256, (3, 256), dtype=np.uint16)
        tifffile.imwrite(path, indices, photometric="palette", colormap=palette * 257)
        back = read_picture(path)
        assert (back.rgb, back.data.dtype) == (True, np.uint8)
        np.testing.assert_array_equal(back.data, palette.T[indices])

    def test_imagejs_colormap_leaves_the_intensities_alone(self, path: Path) -> None:
        green = np.zeros((3, 256), np.uint16)
        green[1] = np.arange(256) * 257
        tifffile.imwrite(path, COLOURS[..., 0], imagej=True, colormap=green)
        back = read_picture(path)
        assert not back.rgb
        np.testing.assert_array_equal(back.data, COLOURS[..., 0])

    def test_white_is_zero_is_turned_round(self, path: Path) -> None:
        tifffile.imwrite(path, COLOURS[..., 0], photometric="miniswhite")
        np.testing.assert_array_equal(read_picture(path).data, 255 - COLOURS[..., 0])

    def test_an_orientation_turns_the_pixel_size_too(self, path: Path) -> None:
        quarter_turn = [(274, "H", 1, 6, True)]
        tifffile.imwrite(
            path,
            STACK[0],
            resolution=(100, 50),
            resolutionunit="centimeter",
            extratags=quarter_turn,
        )
        back = read_picture(path)
        np.testing.assert_array_equal(back.data, np.rot90(STACK[0], -1))
        assert back.pixel_scale == pytest.approx((100, 200))

    @pytest.mark.parametrize("shape", [(H, W), (5, H, W), (2, 3, H, W), (1, 9), (9, 1), (1, 5, 7)])
    @pytest.mark.parametrize("byteorder", ["<", ">"])
    @pytest.mark.parametrize("bigtiff", [False, True])
    def test_stacks_of_any_depth_keep_their_shape_and_native_bytes(
        self, path: Path, shape: tuple[int, ...], byteorder: str, bigtiff: bool
    ) -> None:
        data = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
        tifffile.imwrite(path, data, byteorder=byteorder, bigtiff=bigtiff, photometric="minisblack")
        back = read_picture(path)
        assert back.data.dtype.isnative
        np.testing.assert_array_equal(back.data, data)

    def test_a_stack_as_narrow_as_a_pixel_has_channels_stays_grey(self, path: Path) -> None:
        data = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
        write_picture(path, Picture(data, rgb=False))
        back = read_picture(path)
        assert not back.rgb
        np.testing.assert_array_equal(back.data, data)

    def test_a_lazy_stack_is_written_plane_by_plane(self, path: Path) -> None:
        lazy = da.from_array(STACK, chunks=(1, H, W))
        write_picture(path, Picture(lazy, False, axis_labels=("t", "y", "x")))
        back = read_picture(path)
        np.testing.assert_array_equal(back.data, STACK)
        assert back.axis_labels == ("t", "y", "x")

    @pytest.mark.parametrize(
        ("data", "options", "cause"),
        [
            (np.zeros((H, W, 3), np.uint8), {"photometric": "cielab"}, "CIELAB"),
            (np.zeros((H, W), np.complex64), {"photometric": "minisblack"}, "complex64"),
        ],
    )
    def test_what_is_neither_grey_nor_rgb_is_refused(
        self, path: Path, data: npt.NDArray[Any], options: dict[str, str], cause: str
    ) -> None:
        tifffile.imwrite(path, data, **options)
        with pytest.raises(UnreadableImage, match=rf"image\.tif.*{cause}"):
            read_picture(path)


def one_page_with_planes_behind_it() -> bytes:
    """Make what ImageJ does of large stacks: one page, the other planes only announced."""
    description = "ImageJ=1.54f\nimages=5\nslices=5\n"
    page = written(STACK[0], metadata=None, description=description, photometric="minisblack")
    return page + STACK[1:].tobytes()


DAMAGEABLE = {
    "strips": written(COLOURS, photometric="rgb", compression="lzw", rowsperstrip=4),
    "planes": written(
        np.moveaxis(COLOURS, -1, 0), photometric="rgb", planarconfig="separate", rowsperstrip=4
    ),
    "jpeg": written(COLOURS, photometric="rgb", compression="jpeg"),
    "tiles": written(COLOURS, photometric="rgb", tile=(16, 16), compression="zlib"),
    "stack": written(STACK, photometric="minisblack"),
    "pages": written(STACK, photometric="minisblack", metadata=None),
    "one page": written(STACK, photometric="minisblack", truncate=True),
    "imagej": written(STACK, imagej=True),
    "imagej, one page": one_page_with_planes_behind_it(),
    "imagej, compressed": written(STACK, imagej=True, compression="zlib"),
    "ome": written(STACK, ome=True),
    "ome, compressed": written(STACK, ome=True, compression="zlib"),
    "big": written(STACK, photometric="minisblack", bigtiff=True),
}


def patched(file: bytes, tag: int, value: int) -> bytes:
    """Set a tag of the first page of a little-endian TIFF to one 32-bit number."""
    data = bytearray(file)
    (page,) = struct.unpack_from("<I", data, 4)
    (tags,) = struct.unpack_from("<H", data, page)
    for entry in range(page + 2, page + 2 + 12 * tags, 12):
        if struct.unpack_from("<H", data, entry)[0] == tag:
            struct.pack_into("<HII", data, entry + 2, 4, 1, value)
    return bytes(data)


class TestDamage:
    @pytest.mark.parametrize("kind", DAMAGEABLE)
    def test_a_file_cut_short_anywhere_is_refused_or_loses_no_pixel(
        self, path: Path, kind: str
    ) -> None:
        whole = DAMAGEABLE[kind]
        path.write_bytes(whole)
        expected = read_picture(path).data
        refused = 0
        for length in range(0, len(whole), 61):
            path.write_bytes(whole[:length])
            try:
                back = read_picture(path).data
            except UnreadableImage as error:
                assert "image.tif" in str(error)  # noqa: PT017 - most lengths end here
                refused += 1
            else:
                np.testing.assert_array_equal(back, expected)
        # What may go is the description, which some files have at their end.
        assert refused >= 0.8 * len(range(0, len(whole), 61))

    def test_pages_that_lead_in_a_circle_are_refused(self, path: Path) -> None:
        data = bytearray(DAMAGEABLE["pages"])
        (page,) = struct.unpack_from("<I", data, 4)
        (tags,) = struct.unpack_from("<H", data, page)
        struct.pack_into("<I", data, page + 2 + 12 * tags, page)
        path.write_bytes(data)
        with pytest.raises(UnreadableImage, match="leads astray"):
            read_picture(path)

    @pytest.mark.parametrize("tag", [273, 279], ids=["offset", "length"])
    def test_a_strip_that_was_never_written_is_refused(self, path: Path, tag: int) -> None:
        path.write_bytes(patched(written(STACK[0], compression="zlib"), tag, 0))
        with pytest.raises(UnreadableImage, match="not written to its end"):
            read_picture(path)

    def test_huge_sizes_in_a_small_file_are_refused(self, path: Path) -> None:
        data = written(STACK[0], compression="zlib", metadata=None)
        for tag in (256, 257, 278):
            data = patched(data, tag, 200_000)
        path.write_bytes(data)
        with pytest.raises(UnreadableImage, match="200000 × 200000 uint16, which cannot be in"):
            read_picture(path)

    def test_a_huge_uncompressed_size_is_held_against_the_file(self, path: Path) -> None:
        data = written(STACK[0], metadata=None)
        for tag in (256, 257, 278):
            data = patched(data, tag, 200_000)
        path.write_bytes(patched(data, 279, 2**31))
        with pytest.raises(UnreadableImage, match="ends before"):
            read_picture(path)
