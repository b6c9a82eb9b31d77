"""Sizes of an SRResNet variant, read off its tensors, and the factors of its stages."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from napari_srgan.models.layers.shapes import Shapes

_ACTIVATIONS = {
    "head": "head_act",
    "block": "body.0.act",
    "stage": "upsample.0.act",
    "hr": "hr_act",
}


def read_sizes(shapes: Shapes, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what tensors tell; their activations and norms where they have some."""
    features, channels, head_kernel = shapes.convolution("head")
    _, wide, last_kernel = shapes.convolution("last")
    stages = [shapes.convolution(f"upsample.{n}.conv") for n in range(shapes.count("upsample"))]
    factors = [max(1, math.isqrt(outputs // wide)) for outputs, _, _ in stages]
    separable = shapes.has("head.depthwise")
    inverted = not separable and shapes.convolution("body.0.conv1")[1] == 1
    return {
        "blocks": shapes.count("body"),
        "features": features,
        "channels": shapes.convolution("last")[0] if separable else channels,
        "scale": math.prod(factors),
        "stages": " ".join(map(str, factors)),
        "stage_features": wide,
        "head_kernel": head_kernel,
        "last_kernel": last_kernel,
        "convolutions": "separable" if separable else "inverted" if inverted else "plain",
        "bias": any(shapes.has(module, "bias") for module in ("body.0.conv1", "body.0.conv2")),
        "outer_bias": any(shapes.has(module, "bias") for module in ("head", "last")),
        "norm": _norm_of(shapes, options["norm"]),
        "stage_norm": shapes.has("upsample.0.norm"),
        "trunk": _trunk_of(shapes),
        "hr": shapes.has("hr_conv"),
        **{
            f"{place}_activation": shapes.activation(module, options[f"{place}_activation"])
            for place, module in _ACTIVATIONS.items()
        },
    }


def _norm_of(shapes: Shapes, otherwise: str) -> str:
    norms = ("body.0.norm1", "body.0.norm2")
    if any(shapes.has(norm, f"running_{what}") for norm in norms for what in ("mean", "var")):
        return "batch"
    if any(map(shapes.has, norms)):
        return "instance-affine"
    return "instance" if otherwise == "instance" else "none"


def _trunk_of(shapes: Shapes) -> str:
    if not shapes.has("trunk_conv") and not shapes.has("trunk_end"):
        return "none"
    slope = shapes.numbers("trunk_end.weight") == 1 and not shapes.has("trunk_end", "bias")
    return "activation" if slope else "norm"


def factors_of(stages: str) -> list[int]:
    """Return the factors of pixel shuffles, given as text."""
    if not re.fullmatch(r"([1-9] )*[1-9]|", stages):
        raise ValueError(f"stages are factors from 1 to 9 with spaces between; got {stages!r}.")
    return [int(factor) for factor in stages.split()]


def prime_factors(number: int) -> list[int]:
    """Return the prime factors of a number, ascending."""
    for factor in range(2, number + 1):
        if number % factor == 0:
            return [factor, *prime_factors(number // factor)]
    return []
