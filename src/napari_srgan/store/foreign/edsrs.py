"""Dialects of EDSR and MDSR: a mean is taken off, pixels are in 0 to 255 inside."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_srgan.models.edsr import EDSR, mean_of
from napari_srgan.models.mdsr import MDSR
from napari_srgan.store.foreign.dialects import Dialect, table

_WIDE = 256  # features; from there on both projects scale residuals by 0.1 (Lim et al., §3.3)
_WIDE_SCALING = 0.1
_LEVELS = 255.0

_SHIFTS = ("sub_mean.weight", "sub_mean.bias", "add_mean.weight", "add_mean.bias")


def _in_unit_range(state: dict[str, Tensor], levels: float = _LEVELS) -> dict[str, Tensor]:
    """Return the tensors of a network that takes and gives [0, 1], of one for 0 to ``levels``."""
    scaled = dict(state)
    for key, factor in (("head.weight", levels), ("last.weight", 1 / levels),
                        ("last.bias", 1 / levels)):  # fmt: skip
        if key in scaled:
            scaled[key] = scaled[key].float() * factor
    return scaled


def _with_scaling(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors with the factor of residuals, which no tensor has."""
    head = state.get("head.weight")
    wide = head is not None and head.ndim == 4 and len(head) >= _WIDE
    factor = _WIDE_SCALING if wide else 1.0
    return {**state, "residual_scaling": torch.tensor(factor, dtype=torch.float32, device="cpu")}


def _of_basicsr(state: dict[str, Tensor]) -> dict[str, Tensor]:
    mean = mean_of(state["last.weight"].shape[0] if "last.weight" in state else 3)
    return {**_with_scaling(_in_unit_range(state)), "mean": mean}


def _without_shifts(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors with the mean in place of the convolutions that take it off and add it.

    Raises
    ------
    ValueError
        If these convolutions do something else.
    """
    shifts = {key: state[key].float() for key in _SHIFTS if key in state}
    rest = {key: value for key, value in state.items() if key not in _SHIFTS}
    if len(shifts) < len(_SHIFTS):
        return rest
    mean = shifts["add_mean.bias"]
    identity = torch.eye(len(mean), device="cpu")[..., None, None]
    wanted = {"sub_mean.weight": identity, "add_mean.weight": identity, "sub_mean.bias": -mean}
    for key, value in wanted.items():
        if shifts[key].shape != value.shape or not torch.allclose(shifts[key], value, atol=1e-3):
            raise ValueError(f"{key} does not take off, or add, the mean in add_mean.bias")
    levels = _LEVELS if float(mean.max()) > 1 else 1.0
    return {**_in_unit_range(rest, levels), "mean": (mean / levels).view(1, -1, 1, 1)}


def _of_edsr(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return _with_scaling(_without_shifts(state))


_SHIFT_MODULES = """
    sub_mean                        sub_mean
    add_mean                        add_mean
    head.0                          head
    body.{n}.body.0                 blocks.{n}.conv1
    body.{n}.body.2                 blocks.{n}.conv2
    body.{last}                     trunk
"""

EDSRS = (
    Dialect(
        "basicsr-edsr",
        "XPixelGroup/BasicSR",
        EDSR.family,
        table("""
        conv_first                      head
        body.{n}.conv1                  blocks.{n}.conv1
        body.{n}.conv2                  blocks.{n}.conv2
        conv_after_body                 trunk
        upsample.{2n}                   upsample.{n}.0
        conv_last                       last
        """),
        marks=("conv_after_body.weight", "upsample.0.weight", "body.0.conv1.weight"),
        adapt=_of_basicsr,
        note="with residual scaling 0.1 from 256 features on",
    ),
    Dialect(
        "edsr",
        "sanghyun-son/EDSR-PyTorch",
        EDSR.family,
        table(
            """
        tail.0.{2n}                     upsample.{n}.0
        tail.1                          last
        """
            + _SHIFT_MODULES
        ),
        marks=("head.0.weight", "body.0.body.0.weight", "tail.0.0.weight", *_SHIFTS),
        adapt=_of_edsr,
        note="with residual scaling 0.1 from 256 features on",
    ),
    Dialect(
        "mdsr",
        "sanghyun-son/EDSR-PyTorch",
        MDSR.family,
        table(
            """
        pre_process.{n}.{m}.body.0      before.{n}.{m}.conv1
        pre_process.{n}.{m}.body.2      before.{n}.{m}.conv2
        upsample.{n}.{2m}               upsample.{n}.{m}.0
        tail.0                          last
        """
            + _SHIFT_MODULES
        ),
        {},
        marks=("head.0.weight", "pre_process.0.0.body.0.weight", "upsample.0.0.weight", *_SHIFTS),
        adapt=_without_shifts,
    ),
)
