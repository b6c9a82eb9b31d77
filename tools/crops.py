"""Draw the README's comparison: the same details by bicubic interpolation, models, and HR.

    python tools/crops.py [docs/crops.png]

The images come with scikit-image, and anyone may use them. Low resolution is made as the paper
does. The detail of an image is the one where bicubic interpolation is furthest from the original:
a rule, in which no model has a say.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from skimage import data

from napari_srgan.inference.run import upscale_array
from napari_srgan.inference.settings import Settings
from napari_srgan.resampling import SCALE, Pixels, enlarge, shrink
from napari_srgan.store.load import load_model
from napari_srgan.training.metrics.figures import Example, choose_box, draw_figure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_srgan.store.checkpoint import Model

ROOT = Path(__file__).resolve().parent.parent
# The public domain (NASA), and CC0 (Rachel Michetti; Stefan van der Walt), as skimage.data says.
IMAGES: dict[str, Callable[[], Pixels]] = {
    "astronaut": data.astronaut,
    "coffee": data.coffee,
    "chelsea": data.chelsea,
}
MODELS = ("srresnet-small-x4", "srresnet-x4", "srgan-x4")  # of clean images, the best of each kind
CROP = (96, 100)  # high-resolution pixels
MAGNIFIED = 2


def main() -> int:
    """Draw the picture, and return the exit status."""
    parser = argparse.ArgumentParser(description="Draw the README's comparison.")
    parser.add_argument("out", type=Path, nargs="?", default=ROOT / "docs" / "crops.png")
    path: Path = parser.parse_args().out
    models = [load_model(name) for name in MODELS]
    examples = [upscaled(name, load(), models) for name, load in IMAGES.items()]
    picture = draw_figure(examples, magnified=MAGNIFIED)
    Image.fromarray(picture).save(path, optimize=True)
    h, w = picture.shape[:2]
    print(f"{path}  {w} × {h} pixels, {path.stat().st_size:,} bytes")
    return 0


def upscaled(name: str, image: Pixels, models: Sequence[Model]) -> Example:
    """Return an image by bicubic interpolation and each model, and the detail to show of it."""
    h, w = (side - side % SCALE for side in image.shape[:2])
    high = image[:h, :w]
    low = shrink(high)
    bicubic = enlarge(low, SCALE, Image.Resampling.BICUBIC)
    settings = Settings(precision="float32")
    by_models = {one.name: upscale_array(low, one, settings=settings) for one in models}
    box = choose_box(high, {"bicubic": bicubic}, CROP)
    return Example(name, high, {"bicubic": bicubic, **by_models}, box)


if __name__ == "__main__":
    sys.exit(main())
