"""PNG, JPEG, BMP and WebP: one image a file, or the frames of an animation, decoded whole."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import BmpImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin
from PIL.ImageFile import ImageFile

from napari_srgan.files.exif import read_block
from napari_srgan.files.metadata import Metadata, from_exif
from napari_srgan.files.photo import png
from napari_srgan.files.photo.bmp import bmp_metadata
from napari_srgan.files.photo.jpeg import (
    bare,
    check_end,
    further_images,
    jpeg_metadata,
    read_segments,
)
from napari_srgan.files.photo.modes import pixels_of, plain_mode
from napari_srgan.files.photo.png_metadata import png_metadata
from napari_srgan.files.picture import (
    Header,
    UnreadableImage,
    damage_named,
    is_turned,
    refuse_false_claim,
    upright,
)

# These formats are decoded in one piece; larger pictures are kept in TIFF.
MOST_PIXELS = 2**30
# Deflate cannot do better; the other formats reach it on blank images only.
HIGHEST_RATIO = 1032

_CHANNELS = {"1": 1, "L": 1, "RGB": 3, "RGBA": 4}


def photo_header(path: Path, kind: str) -> Header:
    """Read the header of a PNG, JPEG, BMP or WebP file; `kind` is its format's name.

    Raises
    ------
    UnreadableImage
        If the header is damaged, or claims more pixels than can be true or than are decoded.
    """
    with _opened(path, kind, pixels=False) as photo:
        header = photo.header()
        _refuse_giant(path, photo.image.size)
        refuse_false_claim(path, header, HIGHEST_RATIO)
        return header


def photo_pixels(path: Path, kind: str) -> npt.NDArray[Any]:
    """Decode a PNG, JPEG, BMP or WebP file whole, upright, palette and transparency applied.

    Raises
    ------
    UnreadableImage
        If anything of it is missing or damaged.
    """
    with _opened(path, kind, pixels=True) as photo:
        header = photo.header()
        return upright(photo.pixels(), photo.known.orientation, rgb=header.rgb)


@dataclass(frozen=True)
class _Photo:
    """A file's image as Pillow has it, and what else the file says; `chunks` are a PNG's."""

    kind: str
    image: ImageFile
    known: Metadata
    notes: list[str]
    chunks: png.Chunks | None = None

    @property
    def frames(self) -> range:
        """The frames of an animation; none of a still image."""
        if not getattr(self.image, "is_animated", False):
            return range(0)
        # An animated PNG may begin with an image for programs that show no animations.
        return range(
            bool(getattr(self.image, "default_image", False)),
            int(getattr(self.image, "n_frames", 1)),
        )

    @property
    def kind_of_pixels(self) -> tuple[int, type[np.generic]]:
        """Number of channels, and dtype."""
        if self.chunks is None:
            mode = plain_mode(self.image)
            return _CHANNELS[mode], np.bool_ if mode == "1" else np.uint8
        if self.frames:
            return 4, np.uint8
        grey = self.chunks.colour == png.GREY
        has_alpha = "tRNS" in self.chunks or self.chunks.colour in (png.GREY_ALPHA, png.RGBA)
        is_bilevel = grey and self.chunks.depth == 1 and not has_alpha
        deep = np.uint16 if self.chunks.depth == 16 else np.uint8
        return 4 if has_alpha else 1 if grey else 3, np.bool_ if is_bilevel else deep

    def header(self) -> Header:
        """Return what the file says of its pixels, once they are upright."""
        channels, dtype = self.kind_of_pixels
        width, height = self.image.size
        turned = is_turned(self.known.orientation)
        size = (width, height) if turned else (height, width)
        leading = (len(self.frames),) if self.frames else ()
        known, notes = self.known.given_as(
            from_ink=self.image.mode == "CMYK", coloured=channels > 1
        )
        if self.frames.start:
            notes.append("has an image that is no frame of its animation, which is left out")
        return Header(
            (*leading, *size) if channels == 1 else (*leading, *size, channels),
            np.dtype(dtype),
            rgb=channels > 1,
            axis_labels=("t", "y", "x") if self.frames else None,
            metadata=known.upright(turned=turned),
            notes=(*self.notes, *notes),
            format=self.kind,
        )

    def pixels(self) -> npt.NDArray[Any]:
        """Decode the image, or all frames of it."""
        if self.frames:
            return np.stack([self._frame(number) for number in self.frames])
        if self.chunks is None:
            return pixels_of(self.image)
        return _png_pixels(self.chunks, self.image)

    def _frame(self, number: int) -> npt.NDArray[np.uint8]:
        channels, _dtype = self.kind_of_pixels
        self.image.seek(number)
        return np.array(self.image.convert("RGBA" if channels == 4 else "RGB"))


@contextmanager
def _opened(path: Path, kind: str, *, pixels: bool) -> Iterator[_Photo]:
    """Open a file for its header, or having checked that it is whole, for its pixels too."""
    with damage_named(path, kind), path.open("rb") as file:
        match kind:
            case "PNG":
                yield _open_png(file, pixels=pixels)
            case "JPEG":
                yield _open_jpeg(file, pixels=pixels)
            case "BMP":
                yield _open_bmp(file)
            case _:
                yield _open_webp(file)


# Not Image.open: its limit on pixels is global, and lower than the photographs of today's cameras.


def _open_png(file: IO[bytes], *, pixels: bool) -> _Photo:
    chunks = png.read_chunks(file, pixels=pixels)
    if "acTL" in chunks and chunks.depth == 16:
        raise ValueError("it is an animation of 16 bits, of which no decoder is at hand")
    if pixels:
        png.check_length(chunks)
    known, notes = png_metadata(chunks)
    image = PngImagePlugin.PngImageFile(io.BytesIO(chunks.bare()))
    return _Photo("PNG", image, known, notes, chunks)


def _open_jpeg(file: IO[bytes], *, pixels: bool) -> _Photo:
    segments = read_segments(file)
    start = file.tell()
    if pixels:
        check_end(file)
    known, notes = jpeg_metadata(segments)
    equal, others = further_images(file, segments)
    if equal:
        raise ValueError(f"it holds {equal + 1} images that are equal in size; save each as a file")
    if others:
        notes.append("has a further image, such as a preview or a gain map, which is left out")
    image = JpegImagePlugin.JpegImageFile(io.BytesIO(bare(file, segments, start)))
    return _Photo("JPEG", image, known, notes)


def _open_bmp(file: IO[bytes]) -> _Photo:
    known, notes = bmp_metadata(file)
    file.seek(0)
    return _Photo("BMP", BmpImagePlugin.BmpImageFile(file), known, notes)


def _open_webp(file: IO[bytes]) -> _Photo:
    image, notes = WebPImagePlugin.WebPImageFile(file), []
    known = Metadata()
    if "exif" in image.info:
        try:
            known = from_exif(read_block(image.info["exif"]))
        except ValueError:
            notes.append("has EXIF that cannot be read, which is left out")
    known = replace(known, profile=image.info.get("icc_profile"), xmp=image.info.get("xmp"))
    return _Photo("WebP", image, known, notes)


def _png_pixels(chunks: png.Chunks, image: ImageFile) -> npt.NDArray[Any]:
    data: npt.NDArray[Any]
    if chunks.depth == 16:  # which Pillow would cut to 8 bits where it is coloured
        import imagecodecs

        data = imagecodecs.png_decode(chunks.bare())
    else:
        data = np.array(image)
    if chunks.colour == png.PALETTE:
        return png.palette_colours(chunks, data)
    if chunks.colour == png.GREY_ALPHA:
        return data[..., [0, 0, 0, 1]]
    return png.transparent(chunks, data) if "tRNS" in chunks else data


def _refuse_giant(path: Path, size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MOST_PIXELS:
        raise UnreadableImage(
            f"{path} claims {width} × {height} pixels, more than the {MOST_PIXELS:,} that are "
            "decoded in one piece; a picture of that size is kept in TIFF."
        )
