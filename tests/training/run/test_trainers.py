"""What a phase's update does to the images it judges."""

from __future__ import annotations

import pytest
import torch

from napari_srgan.training.config import from_settings
from napari_srgan.training.run.trainers import moved_at_random


def test_images_are_moved_alike_by_no_more_than_allowed_and_mirrored_at_borders() -> None:
    rows = torch.arange(12.0)[:, None].expand(12, 12)
    images = torch.stack([torch.stack([rows, rows.T])] * 3)
    seen = set()
    for _ in range(300):
        moved = moved_at_random(images, 3)
        assert moved.shape == images.shape
        assert torch.equal(moved[0], moved[1])
        down, right = int(moved[0, 0, 6, 6]) - 6, int(moved[0, 1, 6, 6]) - 6
        seen.add((down, right))
        expected = [abs(i + down) if i + down < 12 else 22 - i - down for i in range(12)]
        assert moved[0, 0, :, 0].tolist() == expected
    assert seen == {(a, b) for a in range(-3, 4) for b in range(-3, 4)}


def test_gradients_return_to_the_pixels_that_were_moved() -> None:
    images = torch.rand(1, 1, 8, 8, requires_grad=True)
    moved_at_random(images, 2).sum().backward()
    assert images.grad is not None
    assert float(images.grad.sum()) == pytest.approx(64)


@pytest.mark.parametrize("shift", [-1, 96])
def test_a_shift_beyond_the_crop_is_refused(shift: int) -> None:
    with pytest.raises(ValueError, match=r"srgan\.shift must be from 0 up to the crop"):
        from_settings({"srgan.shift": shift})
