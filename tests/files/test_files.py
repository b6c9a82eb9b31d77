"""Image files come back to the bit, or are refused with a sentence that names them."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from napari_srgan import files
from napari_srgan.files import (
    IMAGE_SUFFIXES,
    Picture,
    UnreadableImage,
    read_folder,
    read_picture,
    read_stack,
    write_picture,
)
from napari_srgan.files.photo import decode
from napari_srgan.files.reading import images_in

H, W = 13, 9
SHAPES = {"grey": (H, W), "RGB": (H, W, 3), "RGBA": (H, W, 4)}
KEPT_EXACTLY = [
    *((".png", "uint8", kind) for kind in SHAPES),
    *((".png", "uint16", kind) for kind in SHAPES),
    (".png", "bool", "grey"),
    (".bmp", "uint8", "grey"),
    (".bmp", "uint8", "RGB"),
    (".bmp", "bool", "grey"),
    (".webp", "uint8", "RGB"),
    (".webp", "uint8", "RGBA"),
    (".tif", "bool", "grey"),
    *(
        (".tiff", dtype, kind)
        for dtype in ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
        for kind in SHAPES
    ),
    *((".tif", dtype, kind) for dtype in ("float16", "float32", "float64") for kind in SHAPES),
]


def noise(shape: tuple[int, ...], dtype: str = "uint8", seed: int = 0) -> npt.NDArray[Any]:
    rng = np.random.default_rng(seed)
    if dtype == "bool":
        return rng.random(shape) > 0.5
    if np.dtype(dtype).kind == "f":
        return rng.normal(size=shape).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)


def picture(shape: tuple[int, ...], dtype: str = "uint8", seed: int = 0) -> Picture:
    return Picture(noise(shape, dtype, seed), rgb=len(shape) > 2 and shape[-1] in (3, 4))


def encoded(data: npt.NDArray[Any], kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(data).save(file, kind, **options)
    return file.getvalue()


def png(
    raw: npt.NDArray[Any], colour: int, depth: int, size: tuple[int, int] | None = None
) -> bytes:
    """Make a PNG by its specification, without the libraries under test."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    width, height = size or (raw.shape[1], raw.shape[0])
    rows = b"".join(b"\0" + row.astype(f">u{depth // 8}").tobytes() for row in raw)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, data) for name, data in parts)


class TestRoundTrips:
    @pytest.mark.parametrize(("suffix", "dtype", "kind"), KEPT_EXACTLY)
    def test_a_written_picture_is_read_back_to_the_bit(
        self, tmp_path: Path, suffix: str, dtype: str, kind: str
    ) -> None:
        original = picture(SHAPES[kind], dtype)
        path = tmp_path / f"image{suffix}"
        write_picture(path, original)
        back = read_picture(path)
        assert back.rgb == (kind != "grey")
        assert back.data.dtype == original.data.dtype
        np.testing.assert_array_equal(back.data, original.data)
        assert list(tmp_path.iterdir()) == [path]

    @given(
        h=st.integers(1, 40),
        w=st.integers(1, 40),
        kind=st.sampled_from([(".png", "uint16"), (".png", "bool"), (".tif", "float32")]),
    )
    @settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_any_size_from_one_pixel_is_kept(
        self, tmp_path: Path, h: int, w: int, kind: tuple[str, str]
    ) -> None:
        original = picture((h, w), kind[1])
        path = tmp_path / f"image{kind[0]}"
        write_picture(path, original)
        np.testing.assert_array_equal(read_picture(path).data, original.data)

    @pytest.mark.parametrize("shape", [(60, 45), (60, 45, 3)])
    def test_jpeg_is_close_and_keeps_its_channels(
        self, tmp_path: Path, shape: tuple[int, ...]
    ) -> None:
        ramp = np.linspace(30, 220, int(np.prod(shape))).reshape(shape).astype(np.uint8)
        write_picture(tmp_path / "image.JPG", Picture(ramp, rgb=len(shape) == 3))
        back = read_picture(tmp_path / "image.JPG").data
        assert back.shape == shape
        assert np.abs(back.astype(int) - ramp).max() <= 6

    def test_webp_has_no_grey_and_gives_it_back_as_equal_colours(self, tmp_path: Path) -> None:
        original = picture((H, W))
        write_picture(tmp_path / "image.webp", original)
        back = read_picture(tmp_path / "image.webp")
        assert back.rgb
        np.testing.assert_array_equal(back.data, np.stack([original.data] * 3, axis=-1))

    def test_every_suffix_is_written_and_read(self, tmp_path: Path) -> None:
        for suffix in IMAGE_SUFFIXES:
            write_picture(tmp_path / f"a{suffix}", picture((H, W, 3)))
            assert read_picture(tmp_path / f"a{suffix}").data.shape == (H, W, 3)

    def test_upscaling_divides_the_pixel_size_of_rows_and_columns_only(self) -> None:
        low = Picture(
            noise((5, H, W)), False, (2.0, 0.8, 0.4), ("micrometer",) * 3, ("z", "y", "x")
        )
        high = low.upscaled(noise((5, 4 * H, 4 * W)), 4)
        assert high.pixel_scale == (2.0, 0.2, 0.1)
        assert (high.units, high.axis_labels) == (low.units, low.axis_labels)
        assert picture((H, W)).upscaled(noise((4 * H, 4 * W)), 4).pixel_scale is None


class TestKindsOfFile:
    @pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
    def test_16_bit_pngs_keep_all_their_bits(
        self, tmp_path: Path, colour: int, channels: int
    ) -> None:
        raw = noise((H, W, channels), "uint16")
        (tmp_path / "a.png").write_bytes(png(raw, colour, 16))
        back = read_picture(tmp_path / "a.png")
        stored = {0: [0], 2: [0, 1, 2], 4: [0, 0, 0, 1], 6: [0, 1, 2, 3]}[colour]
        expected = raw[..., 0] if channels == 1 else raw[..., stored]
        assert back.data.dtype == np.uint16
        np.testing.assert_array_equal(back.data, expected)

    def test_a_16_bit_colour_png_is_written_with_16_bits(self, tmp_path: Path) -> None:
        write_picture(tmp_path / "a.png", picture((H, W, 3), "uint16"))
        depth, colour = (tmp_path / "a.png").read_bytes()[24:26]
        assert (depth, colour) == (16, 2)

    def test_grey_with_alpha_becomes_rgba(self, tmp_path: Path) -> None:
        raw = noise((H, W, 2))
        (tmp_path / "a.png").write_bytes(png(raw, 4, 8))
        back = read_picture(tmp_path / "a.png")
        assert back.rgb
        np.testing.assert_array_equal(back.data, raw[..., [0, 0, 0, 1]])

    @pytest.mark.parametrize("transparent", [None, 3])
    def test_a_palette_becomes_colours(self, tmp_path: Path, transparent: int | None) -> None:
        indices = noise((H, W)) % 8
        palette = noise((8, 3), seed=1)
        image = Image.fromarray(indices)
        image.putpalette(palette.tobytes())
        options: dict[str, Any] = {} if transparent is None else {"transparency": transparent}
        image.save(tmp_path / "a.png", **options)
        back = read_picture(tmp_path / "a.png")
        np.testing.assert_array_equal(back.data[..., :3], palette[indices])
        if transparent is not None:
            np.testing.assert_array_equal(back.data[..., 3] == 0, indices == transparent)

    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("kind", ["JPEG", "WebP", "PNG"])
    def test_an_exif_orientation_is_applied(
        self, tmp_path: Path, kind: str, orientation: int
    ) -> None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = tmp_path / "turned"
        path.write_bytes(encoded(noise((24, 16, 3)), kind, exif=exif))
        with Image.open(path) as image:
            expected = np.asarray(ImageOps.exif_transpose(image))
        np.testing.assert_array_equal(read_picture(path).data, expected)
        assert read_stack([path]).data.shape == (1, *expected.shape)

    def test_the_content_decides_and_not_the_suffix(self, tmp_path: Path) -> None:
        original = noise((H, W, 3))
        (tmp_path / "a.jpg").write_bytes(encoded(original, "PNG"))
        np.testing.assert_array_equal(read_picture(tmp_path / "a.jpg").data, original)

    def test_a_cmyk_jpeg_becomes_rgb_and_says_so(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        image = Image.fromarray(noise((H, W, 3))).convert("CMYK")
        image.save(tmp_path / "a.jpg")
        assert read_picture(tmp_path / "a.jpg").data.shape == (H, W, 3)
        assert "CMYK" in caplog.text


def with_palette(data: npt.NDArray[Any]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(data).quantize(16).save(file, "PNG")
    return file.getvalue()


DAMAGEABLE = {
    "png": encoded(noise((H, W, 3)), "PNG"),
    "deep png": png(noise((H, W, 3), "uint16"), 2, 16),
    "palette png": with_palette(noise((H, W, 3))),
    "jpeg": encoded(noise((40, 27, 3)), "JPEG"),
    "progressive jpeg": encoded(noise((40, 27, 3)), "JPEG", progressive=True),
    "bmp": encoded(noise((H, 4 * W, 3)), "BMP"),  # rows without padding, which may be missing
    "webp": encoded(noise((H, W, 3)), "WebP", lossless=True),
}


class TestDamage:
    @pytest.mark.parametrize("kind", DAMAGEABLE)
    def test_a_file_cut_short_anywhere_is_never_a_picture(self, tmp_path: Path, kind: str) -> None:
        whole = DAMAGEABLE[kind]
        path = tmp_path / "cut"
        path.write_bytes(whole)
        read_picture(path)
        for length in {*range(0, len(whole), 7), *range(len(whole) - 12, len(whole))}:
            path.write_bytes(whole[:length])
            with pytest.raises(UnreadableImage, match="cut"):
                read_picture(path)

    def test_a_jpeg_whose_end_was_never_written_is_refused(self, tmp_path: Path) -> None:
        whole = encoded(noise((200, 120, 3)), "JPEG")
        (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2] + bytes(len(whole) // 2))
        with pytest.raises(UnreadableImage, match="ends before the image does"):
            read_picture(tmp_path / "a.jpg")

    def test_what_follows_a_jpeg_does_not_matter(self, tmp_path: Path) -> None:
        whole = encoded(noise((H, W, 3)), "JPEG")
        (tmp_path / "a.jpg").write_bytes(whole)
        (tmp_path / "b.jpg").write_bytes(whole + b"\xff\xda a motion photo's film" * 5)
        expected = read_picture(tmp_path / "a.jpg").data
        np.testing.assert_array_equal(read_picture(tmp_path / "b.jpg").data, expected)

    @pytest.mark.parametrize("kind", ["png", "deep png"])
    def test_one_flipped_bit_in_a_pngs_pixels_is_noticed(self, tmp_path: Path, kind: str) -> None:
        data = bytearray(DAMAGEABLE[kind])
        data[len(data) // 2] ^= 1
        (tmp_path / "a.png").write_bytes(data)
        with pytest.raises(UnreadableImage, match="IDAT chunk is damaged"):
            read_picture(tmp_path / "a.png")

    @given(
        kind=st.sampled_from(sorted(DAMAGEABLE)),
        place=st.floats(0, 0.999),
        value=st.integers(0, 255),
    )
    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    def test_any_changed_byte_gives_a_picture_or_a_named_refusal(
        self, tmp_path: Path, kind: str, place: float, value: int
    ) -> None:
        data = bytearray(DAMAGEABLE[kind])
        data[int(place * len(data))] = value
        (tmp_path / "changed").write_bytes(data)
        try:
            read_picture(tmp_path / "changed")
        except UnreadableImage as error:
            assert "changed" in str(error)  # noqa: PT017 - either outcome is right

    @pytest.mark.parametrize(
        ("content", "cause"),
        [
            (b"", "is empty"),
            (b"<!DOCTYPE html><html><body>404</body></html>", "web page"),
            (b"\n <HTML>", "web page"),
            (b"GIF89a and so on", "is a GIF"),
            (b"8BPS and so on", "not a PNG, JPEG, TIFF, BMP or WebP"),
            (b"\x89PNG\r\n\x1a\n", "damaged or unsupported PNG"),
            (b"II*\0", "damaged or unsupported TIFF"),
        ],
    )
    def test_what_is_no_image_is_called_what_it_is(
        self, tmp_path: Path, content: bytes, cause: str
    ) -> None:
        (tmp_path / "photo.png").write_bytes(content)
        with pytest.raises(UnreadableImage, match=f"photo.png.*{cause}"):
            read_picture(tmp_path / "photo.png")

    def test_a_missing_file_and_a_folder_are_named(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r"gone\.png"):
            read_picture(tmp_path / "gone.png")
        with pytest.raises(IsADirectoryError, match="is a folder"):
            read_picture(tmp_path)

    @pytest.mark.skipif(
        not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything"
    )
    def test_a_file_that_may_not_be_read_stays_a_permission_error(self, tmp_path: Path) -> None:
        path = tmp_path / "secret.png"
        path.write_bytes(DAMAGEABLE["png"])
        path.chmod(0)
        with pytest.raises(PermissionError, match=r"secret\.png"):
            read_picture(path)


class TestHugeClaims:
    @pytest.mark.parametrize("depth", [8, 16])
    @pytest.mark.parametrize(
        ("size", "cause"),
        [((200_000, 200_000), "claims 200000 × 200000"), ((30_000, 29_000), "cannot be in its")],
    )
    def test_a_small_png_that_claims_to_be_huge_is_refused_at_once(
        self, tmp_path: Path, size: tuple[int, int], cause: str, depth: int
    ) -> None:
        path = tmp_path / "bomb.png"
        path.write_bytes(png(noise((H, W, 3)), 2, depth, size))
        tracemalloc.start()
        with pytest.raises(UnreadableImage, match=f"bomb.png {cause}|bomb.png claims.*{cause}"):
            read_picture(path)
        _now, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < 2**24

    def test_a_jpeg_header_that_lies_is_refused(self, tmp_path: Path) -> None:
        data = bytearray(DAMAGEABLE["jpeg"])
        frame = data.find(b"\xff\xc0")
        data[frame + 5 : frame + 9] = struct.pack(">HH", 20_000, 20_001)
        (tmp_path / "a.jpg").write_bytes(data)
        with pytest.raises(UnreadableImage, match="cannot be in its"):
            read_picture(tmp_path / "a.jpg")

    def test_pillows_own_lower_limit_does_not_count(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
        for kind in ("png", "jpeg", "bmp"):
            (tmp_path / "a").write_bytes(DAMAGEABLE[kind])
            assert read_picture(tmp_path / "a").rgb

    def test_the_limit_is_on_pixels(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(decode, "MOST_PIXELS", H * W)
        write_picture(tmp_path / "a.png", picture((H, W)))
        write_picture(tmp_path / "b.png", picture((H, W + 1)))
        assert read_picture(tmp_path / "a.png").data.shape == (H, W)
        with pytest.raises(UnreadableImage, match="kept in TIFF"):
            read_picture(tmp_path / "b.png")


class TestFolders:
    def test_images_are_stacked_in_natural_order(self, tmp_path: Path) -> None:
        for number in (10, 2, 1):
            write_picture(tmp_path / f"img{number}.png", picture((H, W), "uint16", seed=number))
        (tmp_path / "notes.txt").write_text("no image")
        (tmp_path / "._img1.png").write_bytes(b"what macOS leaves behind")
        (tmp_path / "more.png").mkdir()
        stack = read_folder(tmp_path)
        assert (stack.data.shape, stack.data.dtype, stack.rgb) == ((3, H, W), np.uint16, False)
        for plane, number in zip(np.asarray(stack.data), (1, 2, 10), strict=True):
            np.testing.assert_array_equal(plane, noise((H, W), "uint16", seed=number))

    def test_opening_decodes_nothing_until_a_plane_is_asked_for(self, tmp_path: Path) -> None:
        for number in range(3):
            write_picture(tmp_path / f"{number}.png", picture((H, W, 3), seed=number))
        damaged = bytearray((tmp_path / "1.png").read_bytes())
        damaged[-20] ^= 1
        (tmp_path / "1.png").write_bytes(damaged)
        stack = read_folder(tmp_path)
        assert stack.data.chunks == ((1, 1, 1), (H,), (W,), (3,))
        np.testing.assert_array_equal(np.asarray(stack.data[2]), noise((H, W, 3), seed=2))
        with pytest.raises(UnreadableImage, match=r"1\.png"):
            np.asarray(stack.data[1])

    def test_one_image_is_a_stack_of_one(self, tmp_path: Path) -> None:
        write_picture(tmp_path / "a.png", picture((H, W)))
        assert isinstance(read_folder(tmp_path).data, np.ndarray)
        assert read_folder(tmp_path).data.shape == (1, H, W)

    @pytest.mark.parametrize(
        "other", [picture((H, W + 1)), picture((H, W), "uint16"), picture((H, W, 3))]
    )
    def test_the_first_image_that_differs_is_named(self, tmp_path: Path, other: Picture) -> None:
        for name in ("a.png", "b.png", "d.png"):
            write_picture(tmp_path / name, picture((H, W)))
        write_picture(tmp_path / "c.png", other)
        with pytest.raises(ValueError, match=r"c\.png is 13 × .* but a\.png is 13 × 9 uint8"):
            read_folder(tmp_path)

    def test_a_folder_without_images_says_what_it_expected(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r"no image in .*\.png, \.jpg"):
            images_in(tmp_path)

    def test_the_pixel_size_is_kept_if_all_agree_on_it(self, tmp_path: Path) -> None:
        for name, size in (("a", 0.5), ("b", 0.5), ("c", 0.25)):
            sized = Picture(noise((H, W)), False, (size, size), ("micrometer",) * 2)
            write_picture(tmp_path / f"{name}.tif", sized)
        agreed = read_stack([tmp_path / "a.tif", tmp_path / "b.tif"])
        assert agreed.pixel_scale == (1.0, 0.5, 0.5)
        assert agreed.units == ("pixel", "micrometer", "micrometer")
        assert read_stack([tmp_path / "a.tif", tmp_path / "c.tif"]).pixel_scale is None


class TestRefusedWrites:
    @pytest.mark.parametrize(
        ("name", "shape", "dtype", "message"),
        [
            ("a.jpg", (H, W, 4), "uint8", "JPEG cannot hold uint8 RGBA images; PNG, TIFF, WebP"),
            ("a.jpg", (H, W), "uint16", "JPEG cannot hold uint16 grey images; PNG and TIFF can"),
            ("a.png", (H, W), "float32", "PNG cannot hold float32 grey images; TIFF can"),
            ("a.bmp", (H, W, 4), "uint8", "BMP cannot hold uint8 RGBA"),
            ("a.webp", (H, W), "uint16", "WebP cannot hold uint16 grey"),
            ("a.png", (5, H, W), "uint8", "PNG cannot hold a stack of uint8 grey .*; TIFF can"),
            ("a.webp", (1, 16_384), "uint8", "WebP cannot hold 16384 × 1 pixels"),
            ("a.png", (0, W), "uint8", "no pixels"),
            ("a.gif", (H, W), "uint8", r"'\.gif'.*\.png"),
            ("a", (H, W), "uint8", "No image format"),
        ],
    )
    def test_what_a_format_cannot_hold_is_refused_by_name(
        self, tmp_path: Path, name: str, shape: tuple[int, ...], dtype: str, message: str
    ) -> None:
        with pytest.raises(ValueError, match=message):
            write_picture(tmp_path / name, picture(shape, dtype))
        assert not any(tmp_path.iterdir())

    @pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp", ".webp"])
    def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
    ) -> None:
        path = tmp_path / f"kept{suffix}"
        write_picture(path, picture((H, W)))
        before = path.read_bytes()

        def fail(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space left"):
            write_picture(path, picture((H, W), seed=1))
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]

    def test_an_interrupted_write_cleans_up(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupt(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(Image.Image, "save", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write_picture(tmp_path / "a.png", picture((H, W)))
        assert not any(tmp_path.iterdir())

    def test_a_missing_folder_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r"no folder .*gone to write a\.png"):
            write_picture(tmp_path / "gone" / "a.png", picture((H, W)))

    def test_a_link_stays_a_link(self, tmp_path: Path) -> None:
        write_picture(tmp_path / "real.png", picture((H, W)))
        try:
            (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
        except OSError:
            pytest.skip("this system makes no symbolic links")
        write_picture(tmp_path / "link.png", picture((H, W), seed=1))
        assert (tmp_path / "link.png").is_symlink()
        np.testing.assert_array_equal(
            read_picture(tmp_path / "real.png").data, noise((H, W), seed=1)
        )


class TestPictures:
    def test_descriptions_have_one_entry_for_each_axis(self) -> None:
        with pytest.raises(ValueError, match="Expected 2 pixel_scale"):
            Picture(noise((H, W, 3)), True, (1.0, 1.0, 1.0), ("pixel",) * 3)
        with pytest.raises(ValueError, match="Expected 3 axis_labels"):
            Picture(noise((5, H, W)), False, axis_labels=("y", "x"))
        with pytest.raises(ValueError, match="go together"):
            Picture(noise((H, W)), False, pixel_scale=(1.0, 1.0))

    def test_colours_have_three_or_four_channels(self) -> None:
        with pytest.raises(ValueError, match="colour picture"):
            Picture(noise((H, W, 2)), rgb=True)

    def test_unreadable_is_an_error_of_the_file(self) -> None:
        assert issubclass(UnreadableImage, OSError)
        assert set(files.__all__) <= set(dir(files))
