"""Upscale test patterns: what is finer than the pixels of an image cannot be brought back.

python examples/test_patterns.py [OUT.png]
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import napari_srgan as ns

SIZE, SCALE = 256, 4
y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
radius, angle = np.hypot(x, y), np.arctan2(y, x)
# Cycles to a pixel grow with the radius, to a quarter at the edge; an image four times as coarse
# holds an eighth.
zone_plate = 0.5 + 0.5 * np.cos(np.pi * radius**2 / (2 * SIZE))
siemens_star = (np.sin(36 * angle) > 0) * (radius < 0.48 * SIZE) * 1.0
page = Image.new("L", (SIZE, SIZE), 255)
for line, points in enumerate((28, 20, 14, 10, 8, 6)):
    text = "Sphinx of black quartz, judge my vow 0123456789"
    ImageDraw.Draw(page).text((6, 8 + 40 * line), text, 0, ImageFont.load_default(points))
patterns = {
    "zone plate": (255 * zone_plate).round().astype(np.uint8),
    "Siemens star": (255 * siemens_star).astype(np.uint8),
    "text": np.asarray(page),
}


def reduced(image: np.ndarray) -> np.ndarray:
    """Return an image as a lens and large pixels give it: averaged."""
    size = image.shape[1] // SCALE, image.shape[0] // SCALE
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


def likeness(one: np.ndarray, other: np.ndarray, where: np.ndarray) -> float:
    """Return the correlation of two images in a part of them."""
    return float(np.corrcoef(one[where], other[where])[0, 1])


held = radius < 0.2 * SIZE  # up to a tenth of a cycle to a pixel
lost = (radius > 0.3 * SIZE) & (radius < 0.48 * SIZE)
rows = []
for name, image in patterns.items():
    averaged, skipped = reduced(image), image[SCALE // 2 :: SCALE, SCALE // 2 :: SCALE]
    results = [ns.upscale(low, "srresnet-small-x4") for low in (averaged, skipped)]
    rows.append(np.hstack([image, averaged.repeat(SCALE, 0).repeat(SCALE, 1), *results]))
    if name == "zone plate":
        for how, result in zip(("averaged", "every 4th pixel"), results, strict=True):
            inside, beyond = (likeness(image, result, where) for where in (held, lost))
            contrast = result[lost].std() / image[lost].std()
            print(f"{name}, {how}: likeness to the original {inside:.2f} where the low image can")
            print(f"    hold its rings, {beyond:.2f} beyond, with a contrast of {contrast:.2f}")
print("Every 4th pixel leaves false rings (aliasing), which no network can tell from true ones.")
if len(sys.argv) == 2 and sys.argv[1].endswith(".png"):
    Image.fromarray(np.vstack(rows)).save(Path(sys.argv[1]))
    print("original, averaged ÷4, that upscaled, every 4th pixel upscaled:", sys.argv[1])
