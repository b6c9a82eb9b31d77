"""What a teacher's lessons are."""

from __future__ import annotations

import pytest
import torch

from napari_srgan.training.config import from_settings
from napari_srgan.training.optimise.distill import Teacher, turned, turned_back

CPU = torch.device("cpu")


@pytest.mark.parametrize("way", range(8))
def test_images_are_turned_in_eight_ways_and_back(way: int) -> None:
    images = torch.rand(2, 3, 4, 6)
    assert torch.equal(turned_back(turned(images, way), way), images)


def test_the_eight_ways_are_different_and_the_first_leaves_images_as_they_are() -> None:
    images = torch.rand(1, 1, 5, 5)
    ways = [turned(images, way) for way in range(8)]
    assert torch.equal(ways[0], images)
    assert not any(torch.equal(ways[i], ways[j]) for i in range(8) for j in range(i))


def test_a_lesson_is_an_answer_to_a_turned_image_mixed_with_the_original(random_network) -> None:
    network = random_network()
    low, high = torch.rand(2, 3, 6, 7), torch.rand(2, 3, 24, 28) * 2 - 1
    with torch.no_grad():
        answers = [turned_back(network(turned(low, way)), way) for way in range(8)]
    torch.manual_seed(1)
    met = set()
    for _ in range(60):
        lesson = Teacher(network, 0.25, CPU).lesson(low, high)
        assert not lesson.requires_grad
        away = [float((lesson - (0.75 * high + 0.25 * one)).abs().max()) for one in answers]
        assert min(away) < 1e-5
        met.add(away.index(min(away)))
    assert met == set(range(1, 8))


def test_a_network_that_answers_alike_in_all_ways_teaches_what_it_says(random_network) -> None:
    network = random_network()
    with torch.no_grad():
        for weight in network.parameters():
            if weight.ndim == 4:
                weight.copy_(weight.mean((2, 3), keepdim=True).expand_as(weight))
        shuffled = network.tail.upsample  # all phases of a shuffle alike
        for stage in shuffled:
            phases = stage.conv.weight.unflatten(0, (-1, 4)).mean(1, keepdim=True)
            stage.conv.weight.copy_(phases.expand(-1, 4, -1, -1, -1).flatten(0, 1))
            bias = stage.conv.bias.unflatten(0, (-1, 4)).mean(1, keepdim=True)
            stage.conv.bias.copy_(bias.expand(-1, 4).flatten())
        low = torch.rand(1, 3, 5, 5)
        wanted = network(low)
    lesson = Teacher(network, 1.0, CPU).lesson(low, torch.zeros_like(wanted))
    torch.testing.assert_close(lesson, wanted, atol=1e-4, rtol=0)


def test_the_teacher_is_left_as_it_is(random_network) -> None:
    network = random_network()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    Teacher(network, 0.5, CPU).lesson(torch.rand(1, 3, 4, 4), torch.rand(1, 3, 16, 16))
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    assert all(weight.requires_grad for weight in network.parameters())


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_is_from_none_to_all(share: float) -> None:
    with pytest.raises(ValueError, match=r"pretrain\.teacher_share must be"):
        from_settings({"pretrain.teacher_share": share})
