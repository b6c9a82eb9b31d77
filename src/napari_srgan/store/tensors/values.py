"""The values of a file's tensors: checked, and converted to what a network computes with."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from napari_srgan.wording import listed


def converted(state: Mapping[str, Tensor], like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return copies of tensors in the types of those that a network has under these names.

    Copies, because a file's tensors may share their values. Weights become float32: from 16 bits
    exactly, from 64 rounded to the nearest.

    Raises
    ------
    ValueError
        If weights are whole numbers, not finite or too large, or a variance is below 0. The message
        is a sentence's end, after the file's name.
    """
    whole = [
        f"{key} ({value.dtype})"
        for key, value in state.items()
        if like[key].is_floating_point() and not value.is_floating_point()
    ]
    if whole:
        raise ValueError(
            f"has whole numbers where weights are fractions: {listed(whole)}. Quantised models are "
            "not read: give the one it was made of."
        )
    result = {key: _as(value, like[key]) for key, value in state.items()}
    for fault, keys in _faults(state, result).items():
        if keys:
            raise ValueError(f"has {fault}: {listed(keys)}.")
    return result


def _as(value: Tensor, like: Tensor) -> Tensor:
    if like.is_floating_point():
        return value.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
    # A count of training steps, which nothing uses: in 16 bits it may have become infinite.
    return value.double().nan_to_num(0, 0, 0).to(like.dtype)


def _faults(state: Mapping[str, Tensor], result: Mapping[str, Tensor]) -> dict[str, list[str]]:
    """Return the tensors that have values no network can have, by what is wrong with them."""
    broken = [key for key, value in result.items() if not bool(value.isfinite().all())]
    large = {key: state[key].double() for key in broken}
    return {
        "weights too large for 32 bits": [
            f"{key} (up to {float(value.abs().max()):.3g})"
            for key, value in large.items()
            if bool(value.isfinite().all())
        ],
        "weights that are not finite": broken,
        "variances below 0": [
            f"{key} (down to {float(value.min()):.3g})"
            for key, value in result.items()
            if key.endswith("running_var") and bool((value < 0).any())
        ],
    }
