"""Draw pages to train on beside photographs: text, slides, charts and line art, in chance colours.

    python tools/drawings.py OUT [--count 24] [--seed 0]

Collections of photographs hold hardly any of these, and people upscale them. Words are chance
letters, in the fonts that come with matplotlib (free to use). Edges are antialiased: pages are
drawn four times as large, and averaged. Nothing repeats with a fixed period, or a network would
learn that period and nothing else.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Callable

    Point = tuple[float, float]
    Colour = tuple[int, int, int]
    Page = Callable[["Pen"], None]

SIZE = (720, 560)  # width and height, pixels
FINER = 4
FONTS = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif", "DejaVuSansMono", "STIXGeneral", "cmr10")
SMALLEST_LETTERS = 16  # pixels: below, ÷4 leaves nothing to read


class Pen:
    """What draws one page; positions and widths are in pixels of the finished page."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.paper, self.ink = _two_colours(rng)
        self.image = Image.new("RGB", (SIZE[0] * FINER, SIZE[1] * FINER), self.paper)
        self.draw = ImageDraw.Draw(self.image)

    def between(self, low: float, high: float) -> float:
        """Return a chance number."""
        return float(self.rng.uniform(low, high))

    def colour(self) -> Colour:
        """Return a chance colour."""
        return _colour(self.rng, 0, 256)

    def point(self) -> Point:
        """Return a chance place on the page."""
        return self.between(0, SIZE[0]), self.between(0, SIZE[1])

    def line(self, points: list[Point], colour: Colour, width: float) -> None:
        """Draw a line through points."""
        self.draw.line(_finer(points), colour, max(1, round(width * FINER)), joint="curve")

    def shape(self, points: list[Point], colour: Colour, edge: Colour, width: float) -> None:
        """Fill a polygon, and draw its edge."""
        self.draw.polygon(_finer(points), colour)
        self.line([*points, points[0]], edge, width)

    def ellipse(self, box: tuple[Point, Point], colour: Colour, edge: Colour, width: float) -> None:
        """Fill an ellipse, and draw its edge."""
        self.draw.ellipse(_finer(list(box)), colour, edge, max(1, round(width * FINER)))

    def words(self, at: Point, size: float, letters: int, colour: Colour) -> None:
        """Write chance words of so many letters in all."""
        name = str(self.rng.choice(FONTS))
        folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
        font = ImageFont.truetype(folder / f"{name}.ttf", round(size * FINER))
        self.draw.text(_finer([at])[0], chance_words(self.rng, letters), colour, font)

    def finished(self) -> Image.Image:
        """Return the page, averaged to its size."""
        return self.image.reduce(FINER)


def main() -> int:
    """Draw the pages, and return the exit status."""
    parser = argparse.ArgumentParser(description="Draw pages to train on.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    if chosen.count < 1:
        parser.error(f"--count must be at least 1; got {chosen.count}.")
    folder: Path = chosen.out
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(chosen.count):
        drawn(number, chosen.seed).save(folder / f"page_{number:03d}.png")
    print(f"{folder}  {chosen.count} pages of {SIZE[0]} × {SIZE[1]} pixels")
    return 0


def drawn(number: int, seed: int = 0) -> Image.Image:
    """Return one page, ``SIZE`` in RGB; kinds take turns, and all else follows from the seed."""
    pen = Pen(np.random.default_rng((seed, number)))
    KINDS[number % len(KINDS)](pen)
    return pen.finished()


def chance_words(rng: np.random.Generator, letters: int) -> str:
    """Return words of 1 to 10 chance letters, capitals and digits among them."""
    common = "eeeettaaooiinnsshhrrddllccuummwwffggyyppbbvvkkjxqz"
    alphabet = common + common.upper()[::3] + "0123456789.,:;()%+-"
    text = ""
    while len(text) < letters:
        text += "".join(rng.choice(list(alphabet), int(rng.integers(1, 11)))) + " "
    return text[:letters]


def draw_text(pen: Pen) -> None:
    """Fill the page with lines of text, some of them as headings."""
    y = pen.between(4, 20)
    left = pen.between(8, 60)
    size = pen.between(SMALLEST_LETTERS, 24)
    while y < SIZE[1]:
        heading = pen.rng.random() < 0.2
        height = size * (pen.between(1.3, 2.2) if heading else 1)
        pen.words((left, y), height, 90, pen.colour() if heading else pen.ink)
        y += height * pen.between(1.2, 1.6)


def draw_slide(pen: Pen) -> None:
    """Draw a slide: a title, points with bullets, boxes with words and arrows between them."""
    band = pen.between(60, 110)
    title = pen.colour()
    pen.shape([(0, 0), (SIZE[0], 0), (SIZE[0], band), (0, band)], title, title, 1)
    pen.words((20, band * 0.2), band * 0.45, 40, _opposite(title))
    y = band + 20.0
    for _ in range(4):
        size = pen.between(SMALLEST_LETTERS, 30)
        edge = pen.colour()
        pen.ellipse(((20, y + size * 0.3), (20 + size * 0.5, y + size * 0.8)), edge, edge, 1)
        pen.words((30 + size, y), size, 60, pen.ink)
        y += size * 1.6
    corner: Point | None = None
    for _ in range(5):
        x, top = pen.between(10, SIZE[0] - 150), pen.between(y, SIZE[1] - 60)
        w, h = pen.between(80, 180), pen.between(36, 70)
        if corner is not None:
            pen.line([corner, (x, top)], pen.ink, pen.between(1, 4))
        fill = pen.colour()
        box = [(x, top), (x + w, top), (x + w, top + h), (x, top + h)]
        pen.shape(box, fill, pen.ink, pen.between(1, 3))
        pen.words((x + 6, top + 6), pen.between(SMALLEST_LETTERS, 26), int(w / 14), _opposite(fill))
        corner = (x + w, top + h)


def draw_chart(pen: Pen) -> None:
    """Draw a chart: axes, bars of unequal widths, curves, dots and their names."""
    left, bottom = pen.between(50, 80), SIZE[1] - pen.between(50, 80)
    pen.line([(left, 20), (left, bottom), (SIZE[0] - 20, bottom)], pen.ink, pen.between(1, 3))
    y = bottom
    while y > 40:
        y -= pen.between(30, 70)
        pen.line([(left - 6, y), (left, y)], pen.ink, pen.between(1, 2))
        pen.words((left - 46, y - 8), SMALLEST_LETTERS, 3, pen.ink)
    x = left + pen.between(5, 20)
    while x < SIZE[0] - 80:
        w, top = pen.between(14, 60), pen.between(120, bottom - 10)
        bar = [(x, bottom), (x, top), (x + w, top), (x + w, bottom)]
        pen.shape(bar, pen.colour(), pen.ink, pen.between(0.5, 2.5))
        pen.words((x, bottom + 6), SMALLEST_LETTERS, max(2, int(w / 12)), pen.ink)
        x += w + pen.between(6, 40)
    for _ in range(3):
        colour = pen.colour()
        curve = _wave(pen, left, SIZE[0] - 20.0)
        pen.line(curve, colour, pen.between(1, 4))
        for px, py in curve[:: int(pen.between(8, 20))]:
            r = pen.between(2, 6)
            pen.ellipse(((px - r, py - r), (px + r, py + r)), colour, pen.ink, 1)
    pen.words((left + 20, 24), pen.between(18, 34), 30, pen.ink)


def draw_line_art(pen: Pen) -> None:
    """Draw polygons, ellipses, curved outlines and hatching, a few words among them."""
    for _ in range(14):
        (x, y), r = pen.point(), pen.between(25, 120)
        fill, width = pen.colour(), pen.between(1, 6)
        if pen.rng.random() < 0.4:
            box = ((x - r, y - r * pen.between(0.4, 1)), (x + r, y + r * pen.between(0.4, 1)))
            pen.ellipse(box, fill, pen.ink, width)
            continue
        turns = np.sort(pen.rng.uniform(0, 2 * np.pi, int(pen.between(3, 9))))
        far = pen.rng.uniform(0.5 * r, r, len(turns))
        around = [(x + d * np.cos(a), y + d * np.sin(a)) for a, d in zip(turns, far, strict=True)]
        pen.shape(around, fill, pen.ink, width)
    for _ in range(4):
        (x, y), slope, width = pen.point(), pen.between(-1, 1), pen.between(1, 4)
        colour = pen.colour()
        for _ in range(int(pen.between(5, 12))):
            x += pen.between(14, 40)
            pen.line([(x, y), (x + 120 * slope, y + 120)], colour, width)
    for _ in range(8):
        x, y = pen.point()
        shift = y - SIZE[1] / 2
        curve = [(px, py + shift) for px, py in _wave(pen, x, x + pen.between(150, 400))]
        pen.line(curve, pen.ink, pen.between(1, 5))
    for _ in range(4):
        x, y = pen.point()
        pen.words((x / 2, y), pen.between(SMALLEST_LETTERS, 40), 16, pen.ink)


KINDS: tuple[Page, ...] = (draw_text, draw_slide, draw_chart, draw_line_art)


def _wave(pen: Pen, left: float, right: float) -> list[Point]:
    """Return a curve of three sines of chance lengths, about the middle of the page."""
    x = np.linspace(left, right, 160)
    y = np.full_like(x, SIZE[1] / 2)
    for _ in range(3):
        y += pen.between(10, 60) * np.sin(x / pen.between(15, 90) + pen.between(0, 6))
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _two_colours(rng: np.random.Generator) -> tuple[Colour, Colour]:
    """Return paper and ink: black on white, or chance colours that are far apart."""
    if rng.random() < 0.4:
        return (255, 255, 255), (0, 0, 0)
    light, dark = _colour(rng, 170, 256), _colour(rng, 0, 90)
    return (light, dark) if rng.random() < 0.7 else (dark, light)


def _colour(rng: np.random.Generator, low: int, high: int) -> Colour:
    """Return a chance colour, its channels from ``low`` up to ``high``."""
    r, g, b = (int(v) for v in rng.integers(low, high, 3))
    return r, g, b


def _opposite(colour: Colour) -> Colour:
    """Return black for light colours, and white for dark ones."""
    return (0, 0, 0) if sum(colour) > 3 * 128 else (255, 255, 255)


def _finer(points: list[Point]) -> list[Point]:
    return [(x * FINER, y * FINER) for x, y in points]


if __name__ == "__main__":
    raise SystemExit(main())
