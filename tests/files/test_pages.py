"""One rule for animations and further pages: all that are equal, or a clear word; never a part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_srgan.files import UnreadableImage, read_header, read_picture

GREY = (np.add.outer(np.arange(16), np.arange(20)) * 7 % 256).astype(np.uint8)
RGB = np.stack([GREY, 255 - GREY, GREY // 2], -1)
SMALL = GREY[::2, ::2]
FRAMES = [Image.fromarray(np.roll(RGB, i, 1)) for i in range(3)]
PLAIN: dict[str, Any] = {"metadata": None}
REDUCED: dict[str, Any] = {"subfiletype": 1, **PLAIN}


def pages(path: Path, *images: tuple[np.ndarray, dict[str, Any]], **options: Any) -> Path:
    with tifffile.TiffWriter(path, **options) as file:
        for data, of_page in images:
            file.write(data, **of_page)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.tif"


@pytest.mark.parametrize("kind", ["WebP", "PNG"])
def test_frames_of_an_animation_are_a_stack_in_time(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    FRAMES[0].save(path, kind, save_all=True, append_images=FRAMES[1:], lossless=True)
    picture = read_picture(path)
    assert picture.axis_labels == ("t", "y", "x")
    assert read_header(path).shape == picture.data.shape
    assert (picture.data[..., :3] == np.stack([np.asarray(frame) for frame in FRAMES])).all()
    assert (picture.data[..., 3:] == 255).all()


def test_an_image_that_is_no_frame_is_said(tmp_path: Path, caplog) -> None:
    FRAMES[0].save(tmp_path / "a.png", save_all=True, append_images=FRAMES[1:], default_image=True)
    assert read_picture(tmp_path / "a.png").data.shape == (2, 16, 20, 4)
    assert "has an image that is no frame" in caplog.text


def test_a_still_image_is_no_stack(tmp_path: Path) -> None:
    FRAMES[0].save(tmp_path / "a.webp", lossless=True)
    assert read_picture(tmp_path / "a.webp").data.shape == (16, 20, 3)


def test_equal_images_of_a_jpeg_are_refused_and_others_said(tmp_path: Path, caplog) -> None:
    FRAMES[0].save(tmp_path / "a", "MPO", save_all=True, append_images=FRAMES[1:])
    with pytest.raises(UnreadableImage, match="3 images that are equal in size"):
        read_picture(tmp_path / "a")
    FRAMES[0].save(tmp_path / "b", "MPO", save_all=True, append_images=[Image.fromarray(SMALL)])
    assert read_picture(tmp_path / "b").data.shape == (16, 20, 3)
    assert "a preview or a gain map" in caplog.text


@pytest.mark.parametrize("options", [PLAIN, {}], ids=["plain", "each with a description"])
def test_equal_pages_are_a_stack(path: Path, options: dict[str, Any]) -> None:
    planes = [GREY, 255 - GREY, GREY // 2]
    picture = read_picture(pages(path, *((plane, options) for plane in planes)))
    assert (picture.data == np.stack(planes)).all()


def test_equal_images_of_ome_are_a_stack(path: Path) -> None:
    images = [(np.stack([GREY // n] * 3), {"metadata": {"axes": "ZYX"}}) for n in (1, 2)]
    picture = read_picture(pages(path, *images, ome=True))
    assert (picture.data == np.stack([image for image, _ in images])).all()
    assert picture.axis_labels is None


@pytest.mark.parametrize(
    "images",
    [
        [(GREY, REDUCED), (GREY, PLAIN)],
        [(GREY, PLAIN), (SMALL, REDUCED)],
        [(SMALL, REDUCED), (GREY, PLAIN)],
        [(GREY, {"subifds": 1, **PLAIN}), (SMALL, REDUCED)],
        [(SMALL, {"subifds": 1, **REDUCED}), (GREY, PLAIN)],
    ],
    ids=["equal first", "last", "first", "within the picture", "with the picture in it"],
)
def test_what_a_page_says_is_a_preview_is_none_of_the_picture(path: Path, images) -> None:
    assert (read_picture(pages(path, *images)).data == GREY).all()


OTHER_SIZE = [(GREY, PLAIN), (GREY[:8], PLAIN)]


@pytest.mark.parametrize(
    ("images", "cause"),
    [
        (OTHER_SIZE, r"2 images that are not equal \(16 × 20 uint8 MINISBLACK, 8 × 20"),
        ([(GREY, PLAIN), (SMALL, PLAIN)], "2 images that are not equal"),
        ([(GREY, {"subifds": 1, **PLAIN}), (SMALL, PLAIN)], "2 images that are not equal"),
        ([(GREY, PLAIN), (RGB, {"photometric": "rgb", **PLAIN})], "2 images that are not equal"),
        ([(GREY, PLAIN), (GREY.astype("u2"), PLAIN)], "2 images that are not equal"),
        ([(GREY, PLAIN)] * 8 + OTHER_SIZE[1:] + [(GREY, PLAIN)], "page 9 is of another size"),
        ([(GREY, PLAIN)] * 8 + [(GREY + 0.5, PLAIN), (GREY, PLAIN)], "page 9 is of another size"),
        ([(GREY, PLAIN), (GREY > 9, {"subfiletype": 4, **PLAIN})], "transparency mask"),
    ],
    ids=["size", "half size", "half size within", "colours", "type", "size of one of many",
         "type of one of many", "mask"],
)  # fmt: skip
def test_images_that_are_not_equal_are_refused(path: Path, images, cause: str) -> None:
    with pytest.raises(UnreadableImage, match=cause):
        read_picture(pages(path, *images))


@pytest.mark.parametrize(
    ("options", "changes"),
    [({"imagej": True}, [(b"images=3", b"images=2"), (b"slices=3", b"slices=2"),
                         (b"frames=3", b"frames=2"), (b"channels=3", b"channels=2")]),
     ({"ome": True, "metadata": {"axes": "ZYX"}},
      [(b'SizeZ="3"', b'SizeZ="2"'), (b'PlaneCount="3"', b'PlaneCount="2"')])],
    ids=["ImageJ", "OME"],
)  # fmt: skip
def test_pages_that_a_description_leaves_out_are_refused(path: Path, options, changes) -> None:
    tifffile.imwrite(path, np.stack([GREY] * 3), photometric="minisblack", **options)
    data = path.read_bytes()
    for before, after in changes:
        data = data.replace(before, after)
    path.write_bytes(data)
    with pytest.raises(UnreadableImage, match="holds 3 pages, of which its description leaves 1"):
        read_picture(path)
