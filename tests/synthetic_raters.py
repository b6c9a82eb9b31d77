"""Ratings of people whose opinions are known."""

from __future__ import annotations

import numpy as np

from napari_srgan.rating.ratings import Rating

TRUTH = {"nearest": 1.2, "bicubic": 1.8, "srresnet-x4": 3.0, "srgan-x4": 3.7, "HR": 4.5}


def opinions_of(
    truth=TRUTH, *, images=10, raters=6, noise=0.5, of_image=0.3, of_rater=0.2, seed=0, data_set=""
):
    """Return ratings: what is true, by how an image and a rater differ, and noise; rounded."""
    source = np.random.default_rng(seed)
    by_image = source.normal(0, of_image, images)
    by_rater = source.normal(0, of_rater, raters)
    return [
        Rating(data_set, f"image {i}", method, f"rater {r}", int(np.clip(round(value), 1, 5)))
        for method, mean in truth.items()
        for i in range(images)
        for r in range(raters)
        for value in [mean + by_image[i] + by_rater[r] + source.normal(0, noise)]
    ]
