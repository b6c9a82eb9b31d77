"""Make images to train on of what people draw and of what screens show, from packages of Debian.

    apt-get download openclipart-svg wesnoth-1.16-data gimp-help-en gnome-user-docs
    for package in *.deb; do dpkg-deb -x "$package" PACKAGES; done
    python tools/illustrations.py PACKAGES OUT

Sheets of clip art (public domain), the paintings of a game (GPL-2 or later, CC BY-SA 4.0), and
screenshots of handbooks (GFDL, CC BY-SA 3.0). What is transparent lies on chance colours. Drawings
become pixels at twice the size and are averaged, and JPEGs are halved, so that edges are as a
camera has them. Drawings need the program rsvg-convert (librsvg2-bin); what does not become an
image by it is left out.
"""

from __future__ import annotations

import argparse
import io
import random
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

    Colour = tuple[int, int, int]

SHARE = Path("usr/share")
CLIP_ART = SHARE / "openclipart/svg"
GAME = SHARE / "games/wesnoth"
HANDBOOKS = (SHARE / "gimp/2.0/help/en", SHARE / "help/C")
SEED = 5

SHEETS = 76
SHEET = 768  # pixels, of each side
SIDES = (192, 256, 256, 384)  # of a drawing on a sheet
CATEGORIES = {
    *("animals", "buildings", "decorations", "education", "electronics", "food", "geography"),
    *("people", "plants", "recreation", "science", "signs_and_symbols", "special", "tools"),
    *("transportation",),
}
DRAWING_BYTES = (3_000, 600_000)  # below it is too plain, above it takes minutes
COVERED = 0.15  # of a drawing's area, at least
CONTRAST = 12  # levels, the deviation of a drawing's colours

PORTRAITS = 200
LEAST_BYTES = 60_000  # of a painting or a screenshot: below it shows little
LEAST_SIDE = 300  # of a painting
LEAST_SCREEN = (280, 150_000)  # side and area of a screenshot

WHITE = (255, 255, 255)


def main() -> int:
    """Make the images, and return the exit status."""
    parser = argparse.ArgumentParser(description="Make images of drawings to train on.")
    parser.add_argument("packages", type=Path, help="the folder that the packages are unpacked in")
    parser.add_argument("out", type=Path)
    chosen = parser.parse_args()
    folders = [chosen.packages / part for part in (CLIP_ART, GAME, *HANDBOOKS)]
    if missing := [str(folder) for folder in folders if not folder.is_dir()]:
        parser.error(f"There is no {' and no '.join(missing)}: unpack the packages there.")
    if shutil.which("rsvg-convert") is None:
        parser.error("Drawings need the program rsvg-convert: install librsvg2-bin.")
    chosen.out.mkdir(parents=True, exist_ok=True)
    count = 0
    for name, image in iter_illustrations(chosen.packages):
        image.save(chosen.out / f"{name}.png")
        count += 1
    print(f"{chosen.out}  {count} images")
    return 0


def iter_illustrations(packages: Path) -> Iterator[tuple[str, Image.Image]]:
    """Yield names and images in RGB; they follow from what is in the folder alone.

    Parameters
    ----------
    packages : Path
        Where Debian's packages are unpacked, so that ``usr/share`` lies in it.
    """
    rng = random.Random(SEED)
    for number, sheet in enumerate(iter_sheets(packages / CLIP_ART, rng)):
        yield f"clip-art_{number:03d}", sheet
    paintings = list(_paintings(packages / GAME))
    stories = [path for path in paintings if _is_story(path)]
    for number, path in enumerate(stories):
        yield f"story_{number:03d}", _halved(path)
    portraits = [path for path in paintings if not _is_story(path)]
    rng.shuffle(portraits)
    pairs = zip(portraits[:PORTRAITS:2], portraits[1:PORTRAITS:2], strict=False)
    for number, (one, other) in enumerate(pairs):
        yield f"portraits_{number:03d}", beside(_on(one, rng), _on(other, rng))
    for number, path in enumerate(_screens(packages)):
        yield f"screen_{number:03d}_{path.stem}", on_colour(Image.open(path), WHITE)


def iter_sheets(clip_art: Path, rng: random.Random) -> Iterator[Image.Image]:
    """Yield sheets of drawings in chance order, as many as there are drawings for."""
    least, most = DRAWING_BYTES
    drawings = sorted(
        path
        for path in clip_art.rglob("*.svg")
        if path.relative_to(clip_art).parts[0] in CATEGORIES
        and not path.is_symlink()
        and least < path.stat().st_size < most
    )
    rng.shuffle(drawings)
    left = iter(drawings)
    for _ in range(SHEETS):
        side = rng.choice(SIDES)
        sheet = Image.new("RGB", (SHEET, SHEET), _colour(rng) if rng.random() < 0.6 else WHITE)
        for top in range(0, SHEET, side):
            for x in range(0, SHEET, side):
                drawn = next((one for path in left if (one := draw(path, side))), None)
                if drawn is None:
                    return
                place = x + (side - drawn.width) // 2, top + (side - drawn.height) // 2
                sheet.paste(drawn, place, drawn)
        yield sheet


def draw(path: Path, side: int) -> Image.Image | None:
    """Return a drawing in RGBA, its longer side as given; None if there is too little on it."""
    double = str(2 * side)
    command = ["rsvg-convert", "-a", "-w", double, "-h", double, str(path)]
    try:
        png = subprocess.run(command, capture_output=True, timeout=10, check=True).stdout
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None
    large = Image.open(io.BytesIO(png)).convert("RGBA")
    if min(large.size) < side:
        return None
    image = large.resize((large.width // 2, large.height // 2), Image.Resampling.BOX)
    pixels = np.asarray(image)
    inside = pixels[..., 3] > 0
    is_plain = inside.mean() < COVERED or pixels[..., :3][inside].std() < CONTRAST
    return None if is_plain else image


def on_colour(image: Image.Image, colour: Colour) -> Image.Image:
    """Return an image in RGB, on a colour where it is transparent."""
    over = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", over.size, (*colour, 255)), over).convert("RGB")


def beside(left: Image.Image, right: Image.Image) -> Image.Image:
    """Return two images side by side, as high as the lower one."""
    both = Image.new("RGB", (left.width + right.width, min(left.height, right.height)))
    both.paste(left, (0, 0))
    both.paste(right, (left.width, 0))
    return both


def _paintings(game: Path) -> Iterator[Path]:
    for path in sorted(game.rglob("*")):
        if path.suffix not in (".png", ".jpg") or path.stat().st_size <= LEAST_BYTES:
            continue
        if not {"portraits", "story"}.isdisjoint(path.parts):
            with Image.open(path) as image:
                least = 2 * LEAST_SIDE if _is_story(path) else LEAST_SIDE
                if min(image.size) >= least:
                    yield path


def _is_story(path: Path) -> bool:
    return "story" in path.parts or path.suffix == ".jpg"


def _halved(path: Path) -> Image.Image:
    with Image.open(path) as image:
        half = image.width // 2, image.height // 2
        return image.convert("RGB").resize(half, Image.Resampling.BICUBIC)


def _on(path: Path, rng: random.Random) -> Image.Image:
    with Image.open(path) as image:
        return on_colour(image, _colour(rng))


def _screens(packages: Path) -> Iterator[Path]:
    side, area = LEAST_SCREEN
    for handbook in HANDBOOKS:
        for path in sorted((packages / handbook).rglob("*.png")):
            if path.is_symlink() or path.stat().st_size < LEAST_BYTES:
                continue
            with Image.open(path) as image:
                if min(image.size) >= side and image.width * image.height >= area:
                    yield path


def _colour(rng: random.Random) -> Colour:
    return rng.randrange(256), rng.randrange(256), rng.randrange(256)


if __name__ == "__main__":
    raise SystemExit(main())
