"""Images of what people draw: from packages, the same each time, without what is too plain."""

from __future__ import annotations

import random
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

DISC = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="{height}">'
    '<circle cx="20" cy="20" r="18" fill="#{fill}"/><rect x="10" y="18" width="20" height="4"/>'
    "</svg>"
)


@pytest.fixture
def illustrations(tool):
    return tool("illustrations")


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def packages(tmp_path, illustrations):
    """What the packages hold, of each kind one that is taken and one that is not."""
    root = tmp_path / "packages"
    for part in (illustrations.CLIP_ART, illustrations.GAME, *illustrations.HANDBOOKS):
        (root / part).mkdir(parents=True)
    images = root / illustrations.GAME / "images"
    for kind in "portraits", "story", "terrain":
        (images / kind).mkdir(parents=True)
    for name in "one", "other", "third":
        Image.fromarray(noise(320, 300, 4)).save(images / "portraits" / f"{name}.png")
    Image.fromarray(noise(299, 500, 4)).save(images / "portraits" / "narrow.png")
    Image.fromarray(noise(600, 700, 3)).save(images / "story" / "land.jpg")
    Image.fromarray(noise(320, 300, 3)).save(images / "terrain" / "grass.png")
    gimp, gnome = (root / handbook for handbook in illustrations.HANDBOOKS)
    Image.fromarray(noise(400, 500, 4)).save(gimp / "window.png")
    Image.fromarray(noise(100, 500, 3)).save(gnome / "bar.png")
    return root


def test_paintings_and_screens_become_images_in_rgb(illustrations, packages):
    found = dict(illustrations.iter_illustrations(packages))
    assert {name: (image.mode, image.size) for name, image in found.items()} == {
        "story_000": ("RGB", (350, 300)),
        "portraits_000": ("RGB", (600, 320)),  # a third has no other beside it
        "screen_000_window": ("RGB", (500, 400)),
    }


def test_what_is_transparent_lies_on_a_colour(illustrations):
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (9, 8, 7, 255))
    assert list(illustrations.on_colour(image, (1, 2, 3)).tobytes()) == [1, 2, 3, 9, 8, 7]


def test_images_beside_each_other_are_as_high_as_the_lower(illustrations):
    left, right = noise(5, 3, 3), noise(4, 2, 3)
    both = illustrations.beside(Image.fromarray(left), Image.fromarray(right))
    np.testing.assert_array_equal(np.asarray(both), np.hstack([left[:4], right]))


def drawn(clip_art, name, fill="cc2200", height=40):
    """Write a drawing that is large enough to be taken."""
    path = clip_art / "animals" / f"{name}.svg"
    path.parent.mkdir(exist_ok=True)
    path.write_text(DISC.format(fill=fill, height=height) + f"<!--{'x' * 3000}-->")
    return path


needs_rsvg = pytest.mark.skipif(
    shutil.which("rsvg-convert") is None, reason="rsvg-convert is not installed"
)


@needs_rsvg
def test_a_drawing_is_averaged_and_a_plain_or_broken_one_left_out(illustrations, tmp_path):
    image = illustrations.draw(drawn(tmp_path, "disc"), 64)
    assert (image.mode, image.size) == ("RGBA", (64, 64))
    assert len(np.unique(np.asarray(image)[..., 3])) > 10, "edges have shades"
    assert illustrations.draw(drawn(tmp_path, "black", fill="000"), 64) is None
    assert illustrations.draw(drawn(tmp_path, "long", height=100), 64) is None
    broken = tmp_path / "broken.svg"
    broken.write_text("<svg")
    assert illustrations.draw(broken, 64) is None


@needs_rsvg
def test_sheets_are_the_same_each_time_and_end_with_the_drawings(
    illustrations, tmp_path, monkeypatch
):
    monkeypatch.setattr(illustrations, "SIDES", (384,))
    for number in range(11):
        drawn(tmp_path, f"{number}", fill=f"{number:x}0{number:x}c00")
    one, same = (list(illustrations.iter_sheets(tmp_path, random.Random(1))) for _ in range(2))
    assert len(one) == 2
    assert [sheet.tobytes() for sheet in one] == [sheet.tobytes() for sheet in same]
    assert one[0].tobytes() != one[1].tobytes()


@pytest.mark.parametrize("missing", ["wesnoth", "rsvg-convert"])
def test_what_is_missing_is_named(illustrations, packages, tmp_path, monkeypatch, capsys, missing):
    monkeypatch.setattr(sys, "argv", ["illustrations.py", str(packages), str(tmp_path / "out")])
    if missing == "wesnoth":
        shutil.rmtree(packages / illustrations.GAME)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(SystemExit):
        illustrations.main()
    assert missing in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
