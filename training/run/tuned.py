"""What came of fine-tuning: the comparison with the start model, in words and as a card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from napari_srgan.store.generative import in_words
from napari_srgan.training.run.folder import RunFolder
from napari_srgan.training.run.tuning_plan import LPIPS, FineTuning

# How measures are headed in a card, and written.
_SHOWN = {
    "psnr": ("PSNR dB", ".2f"),
    "ssim_daala": ("SSIM (daala)", ".4f"),
    "perceptual": ("perceptual distance", ".4f"),
    LPIPS: ("LPIPS (Alex)", ".4f"),
}


@dataclass(frozen=True)
class Tuned:
    """What came of it.

    Attributes
    ----------
    entry : dict
        As for the registry.
    before, after : dict of str to float
        What the start model and the new one measure on the images held back.
    images : int
        How many these are.
    """

    entry: dict[str, Any]
    before: Mapping[str, float]
    after: Mapping[str, float]
    images: int

    @property
    def gain(self) -> float:
        """PSNR won on the images held back, in dB."""
        return self.after["psnr"] - self.before["psnr"]

    def verdict(self) -> str:
        """Return in a sentence or two what was won."""
        measures = [f"PSNR {self._change('psnr')} dB ({self.gain:+.2f})"]
        measures += [
            f"{title} {self._change(name)}"
            for name, title in (("perceptual", "perceptual distance"), (LPIPS, "LPIPS"))
            if name in self.after
        ]
        figures = f"On {self.images} images held back: {', '.join(measures)}."
        if self.gain > 0:
            return figures
        return (
            f"{figures} That is no better than the start model: more images or more time may help."
        )

    def _change(self, name: str) -> str:
        form = _SHOWN[name][1]
        return f"{self.before[name]:{form}} → {self.after[name]:{form}}"


def card_of(job: FineTuning, tuned: Tuned, run: RunFolder) -> str:
    """Return the card of a model that was fine-tuned: what it is, measures, and is made of."""
    described, invents = run.described(), in_words(tuned.entry["generative"])
    settings = json.dumps(dict(job.changes), ensure_ascii=False) if job.changes else "none"
    titles = [title for name, (title, _) in _SHOWN.items() if name in tuned.after]
    return f"""# {tuned.entry["name"]}

`{job.start}` fine-tuned on {described["images"]} images of {job.images.name}, for images of their
kind. It is as good on others as they are like these.

| on {tuned.images} images held back | {" | ".join(titles)} |
|---|{"---|" * len(titles)}
| {job.start} | {_figures(tuned.before)} |
| {tuned.entry["name"]} | {_figures(tuned.after)} |

- file: `{job.target.name}`, sha256 `{tuned.entry["sha256"]}`
- scale: {tuned.entry["scale"]}, family: {tuned.entry["family"]}, {invents}
- begun with: sha256 `{described["weights"]}`
- recipe: `{job.recipe}`; settings changed: {settings}
- time allowed: {job.seconds / 60:.0f} minutes, from {described["began"]}
- napari-srgan {described["napari-srgan"]}, torch {described["torch"]}, {described["machine"]}
- licence: that of the images and of `{job.start}` decides; fill it in before you give the file away
"""


def _figures(measured: Mapping[str, float]) -> str:
    return " | ".join(
        f"{measured[name]:{form}}" for name, (_, form) in _SHOWN.items() if name in measured
    )
