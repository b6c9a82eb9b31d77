"""A convolution before a pixel shuffle equals the one after it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from napari_srgan.models.subpixel import convolve_before_shuffle, kernel_before_shuffle


@given(
    factor=st.integers(1, 4),
    half_side=st.integers(0, 5),
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    seed=st.integers(0, 999),
)
def test_it_equals_the_convolution_after_the_shuffle(
    factor: int, half_side: int, height: int, width: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    side = 2 * half_side + 1
    x = torch.randn(2, 3 * factor**2, height, width, generator=generator, dtype=torch.float64)
    weight = torch.randn(2, 3, side, side, generator=generator, dtype=torch.float64)
    bias = torch.randn(2, generator=generator, dtype=torch.float64)
    wanted = F.conv2d(F.pixel_shuffle(x, factor), weight, bias, padding=half_side)
    torch.testing.assert_close(convolve_before_shuffle(x, weight, bias, factor), wanted)


def test_without_a_bias() -> None:
    x, weight = torch.randn(1, 8, 4, 5), torch.randn(1, 2, 3, 3)
    wanted = F.conv2d(F.pixel_shuffle(x, 2), weight, padding=1)
    torch.testing.assert_close(convolve_before_shuffle(x, weight, None, 2), wanted)


@pytest.mark.parametrize("factor", [2, 3])
def test_gradients_are_those_of_the_convolution_after_the_shuffle(factor: int) -> None:
    x = torch.randn(1, 2 * factor**2, 6, 5, dtype=torch.float64)
    weight = torch.randn(3, 2, 9, 9, dtype=torch.float64, requires_grad=True)
    target = torch.randn(1, 3, 6 * factor, 5 * factor, dtype=torch.float64)
    (wanted,) = torch.autograd.grad(
        (F.conv2d(F.pixel_shuffle(x, factor), weight, padding=4) * target).sum(), weight
    )
    (found,) = torch.autograd.grad(
        (convolve_before_shuffle(x, weight, None, factor) * target).sum(), weight
    )
    torch.testing.assert_close(found, wanted)


def test_the_paper_s_last_layer_becomes_twelve_maps_of_five_by_five() -> None:
    assert kernel_before_shuffle(torch.zeros(3, 64, 9, 9), 2).shape == (12, 256, 5, 5)
