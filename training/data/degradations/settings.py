"""How strongly images are degraded, and how often in which way: what a recipe can set of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

ORDERS = {"bicubic": 0, "first-order": 1, "second-order": 2}  # times an image is degraded

_LARGEST_AIRY = 20  # pixels to the first dark ring


def _bounded(default: float, text: str, least: float, most: float) -> Any:
    bounds = f"From {least:g} to {most:g}."
    return field(
        default=default, metadata={"help": f"{text} {bounds}", "least": least, "most": most}
    )


def _share(default: float, text: str) -> Any:
    return _bounded(default, text, 0.0, 1.0)


def _weight(default: float, text: str) -> Any:
    return _bounded(default, f"Weight among its kind: {text}", 0.0, 1000.0)


@dataclass(frozen=True)
class Degradation:
    """What is drawn for each image: shares are chances, weights how often among their kind.

    Sizes of kernels are in high-resolution pixels, whatever size the image has when they are
    applied. The defaults are milder than Real-ESRGAN's, which are for images from the web that
    were saved many times over.

    Raises
    ------
    ValueError
        If a value is out of its bounds, a least value above its greatest, or all kinds have the
        weight 0.
    """

    clean_share: float = _share(0.15, "Chance that an image is reduced bicubically and no more.")

    blur_share: float = _share(0.8, "Chance that an image is blurred, each time.")
    blur_isotropic: float = _weight(0.4, "a round Gaussian.")
    blur_anisotropic: float = _weight(0.4, "an oval Gaussian.")
    blur_airy: float = _weight(0.1, "a perfect lens.")
    blur_motion: float = _weight(0.1, "a motion along a line.")
    blur_sigma_min: float = _bounded(0.2, "Least σ of Gaussians, pixels.", 0.05, 20.0)
    blur_sigma_max: float = _bounded(3.0, "Greatest σ of Gaussians, pixels.", 0.05, 20.0)
    numerical_aperture_min: float = _bounded(0.5, "Least NA of a perfect lens.", 0.01, 1.7)
    numerical_aperture_max: float = _bounded(1.4, "Greatest NA of a perfect lens.", 0.01, 1.7)
    wavelength_min: float = _bounded(450.0, "Shortest wavelength, nm.", 10.0, 20_000.0)
    wavelength_max: float = _bounded(650.0, "Longest wavelength, nm.", 10.0, 20_000.0)
    pixel_size: float = _bounded(160.0, "Side of a high-resolution pixel, nm.", 10.0, 20_000.0)
    motion_max: float = _bounded(8.0, "Longest motion, pixels.", 0.0, 60.0)

    between_min: float = _bounded(
        0.35, "Least size of an image between both times, of 1, the original's.", 0.1, 2.0
    )
    between_max: float = _bounded(1.0, "Greatest size between both times.", 0.1, 2.0)
    resize_area: float = _weight(0.3, "the mean of an area.")
    resize_bilinear: float = _weight(0.3, "bilinear, antialiased.")
    resize_bicubic: float = _weight(0.35, "bicubic, antialiased.")
    resize_nearest: float = _weight(0.05, "single pixels, at a random phase.")

    noise_share: float = _share(0.7, "Chance of noise, each time.")
    noise_gaussian: float = _weight(0.55, "Gaussian.")
    noise_poisson: float = _weight(0.4, "Poisson and Gaussian, as sensors have it.")
    noise_salt_and_pepper: float = _weight(0.05, "white and black pixels.")
    noise_sigma_max: float = _bounded(15.0, "Greatest σ of Gaussian noise, levels.", 0.0, 255.0)
    grey_noise_share: float = _share(0.4, "Chance that noise is the same in all channels.")
    electrons_min: float = _bounded(200.0, "Fewest electrons that white is made of.", 1.0, 1e6)
    electrons_max: float = _bounded(10_000.0, "Most electrons that white is made of.", 1.0, 1e6)
    read_noise_max: float = _bounded(4.0, "Greatest σ of reading, electrons.", 0.0, 1000.0)
    excess_noise: float = _bounded(1.0, "Excess noise factor; 2 for EMCCD.", 1.0, 4.0)
    salt_and_pepper_max: float = _share(0.003, "Greatest share of white and black pixels.")

    sharpen_share: float = _share(0.2, "Chance of sharpening halos, at the end.")
    sharpen_radius_max: float = _bounded(1.5, "Greatest σ of the mask, pixels.", 0.3, 20.0)
    sharpen_amount_max: float = _bounded(1.0, "Greatest strength of sharpening.", 0.0, 5.0)

    compression_share: float = _share(0.75, "Chance of compression, each time.")
    compression_jpeg: float = _weight(0.85, "JPEG.")
    compression_webp: float = _weight(0.15, "WebP.")
    quality_min: float = _bounded(35.0, "Lowest quality of compression.", 1.0, 95.0)
    quality_max: float = _bounded(95.0, "Highest quality of compression.", 1.0, 95.0)

    def __post_init__(self) -> None:
        for one in fields(self):
            _check_bounds(one.name, getattr(self, one.name), one.metadata)
        names = {one.name for one in fields(self)}
        for most in sorted(name for name in names if name.endswith("_max")):
            least = f"{most[:-4]}_min"
            if least in names and getattr(self, least) > getattr(self, most):
                raise ValueError(
                    f"degradation.{least}, {getattr(self, least):g}, is above "
                    f"degradation.{most}, {getattr(self, most):g}."
                )
        self._check_airy()
        for kind in ("blur", "resize", "noise", "compression"):
            if not any(self.weights(kind).values()):
                raise ValueError(
                    f"All weights of degradation.{kind}_… are 0. For none of it, set "
                    f"degradation.{kind}_share=0."
                    if kind != "resize"
                    else "All weights of degradation.resize_… are 0: give one of them a weight."
                )

    def _check_airy(self) -> None:
        radius = 0.61 * self.wavelength_max / self.numerical_aperture_min / self.pixel_size
        if self.blur_airy and radius > _LARGEST_AIRY:
            raise ValueError(
                "The Airy disk of degradation.numerical_aperture_min and wavelength_max has a "
                f"radius of {radius:.0f} pixels of degradation.pixel_size; it may have "
                f"{_LARGEST_AIRY}. Change one of them, or set degradation.blur_airy=0."
            )

    def weights(self, kind: str) -> dict[str, float]:
        """Return how often each way of a kind is drawn, by its name without the kind's.

        ``kind`` is ``blur``, ``resize``, ``noise`` or ``compression``.
        """
        return {way: getattr(self, f"{kind}_{way}") for way in _WAYS[kind]}


_WAYS = {
    "blur": ("isotropic", "anisotropic", "airy", "motion"),
    "resize": ("area", "bilinear", "bicubic", "nearest"),
    "noise": ("gaussian", "poisson", "salt_and_pepper"),
    "compression": ("jpeg", "webp"),
}


def _check_bounds(name: str, value: float, bounds: Mapping[str, Any]) -> None:
    least, most = bounds["least"], bounds["most"]
    if not (math.isfinite(value) and least <= value <= most):
        raise ValueError(f"degradation.{name} must be from {least:g} to {most:g}; got {value:g}.")
