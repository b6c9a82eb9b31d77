"""What a phase's update does to the images it judges."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from napari_srgan.training.config import STARTED, from_settings
from napari_srgan.training.optimise.distributed import own_team
from napari_srgan.training.run.trainers import (
    STARTS,
    AdversarialTrainer,
    random_translation,
    to_signed,
)

SMALL = {
    "network.blocks": 1,
    "network.features": 4,
    "data.crop": 32,
    "data.batch": 2,
    "adversarial.random_translation": 0,
}


def test_images_are_moved_alike_by_no_more_than_allowed_and_mirrored_at_borders() -> None:
    rows = torch.arange(12.0)[:, None].expand(12, 12)
    images = torch.stack([torch.stack([rows, rows.T])] * 3)
    seen = set()
    for _ in range(300):
        moved = random_translation(images, 3)
        assert moved.shape == images.shape
        assert torch.equal(moved[0], moved[1])
        down, right = int(moved[0, 0, 6, 6]) - 6, int(moved[0, 1, 6, 6]) - 6
        seen.add((down, right))
        expected = [abs(i + down) if i + down < 12 else 22 - i - down for i in range(12)]
        assert moved[0, 0, :, 0].tolist() == expected
    assert seen == {(a, b) for a in range(-3, 4) for b in range(-3, 4)}


def test_gradients_return_to_the_pixels_that_were_moved() -> None:
    images = torch.rand(1, 1, 8, 8, requires_grad=True)
    random_translation(images, 2).sum().backward()
    assert images.grad is not None
    assert float(images.grad.sum()) == pytest.approx(64)


@pytest.mark.parametrize("shift", [-1, 96])
def test_a_shift_beyond_the_crop_is_refused(shift: int) -> None:
    with pytest.raises(ValueError, match=r"adversarial\.random_translation must be"):
        from_settings({"adversarial.random_translation": shift})


def trainer(content=F.mse_loss, **settings: object) -> AdversarialTrainer:
    values = {
        "adversarial.batch_norm": "train",
        "precision": "float32",
        "adversarial.adversarial_weight": 1e-3,
    }
    recipe = from_settings({**SMALL, **values, **settings})
    return AdversarialTrainer(recipe, None, content, torch.device("cpu"), own_team())


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.rand(2, 3, 8, 8), torch.rand(2, 3, 32, 32)


def changed(module: torch.nn.Module, before: dict[str, torch.Tensor]) -> bool:
    return any(not torch.equal(value, before[name]) for name, value in module.named_parameters())


def parameters(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in module.named_parameters()}


def test_an_update_moves_both_networks() -> None:
    made = trainer()
    generator, critic = parameters(made.generator), parameters(made.discriminator)
    made.update(*batch())
    assert changed(made.generator, generator)
    assert changed(made.discriminator, critic)
    assert made.step == 1


def test_the_step_of_the_discriminator_leaves_the_generator_alone() -> None:
    """Without an adversarial term, no discriminator has a say in what the generator becomes."""
    one, other = (trainer(**{"adversarial.adversarial_weight": 0.0}) for _ in range(2))
    with torch.no_grad():
        for value in other.discriminator.parameters():
            value.mul_(1.5)
    for made in (one, other):
        made.update(*batch())
    assert not changed(other.generator, parameters(one.generator))
    assert changed(other.discriminator, parameters(one.discriminator))


def test_the_gradients_of_both_terms_are_measured_where_they_meet_at_the_output() -> None:
    low, high = batch()
    first = trainer().generator.train()(low).detach()
    measured, alone = (
        trainer(**{"adversarial.adversarial_weight": weight}).update(low, high)
        for weight in (1e-3, 0.0)
    )
    expected = 2 * (first - (2 * high - 1)) / high.numel()  # of the mean squared error
    torch.testing.assert_close(measured["content_gradient"], expected.norm())
    assert measured["adversarial_gradient"] > 0
    assert alone["adversarial_gradient"] == 0


def test_the_step_of_the_generator_leaves_the_discriminator_alone() -> None:
    """Whatever else the generator is told to lower, the discriminator becomes the same."""
    one = trainer()
    other = trainer(content=lambda upscaled, high: -100 * F.mse_loss(upscaled, high))
    for made in (one, other):
        made.update(*batch())
    assert changed(other.generator, parameters(one.generator))
    assert not changed(other.discriminator, parameters(one.discriminator))


def test_frozen_norms_keep_their_statistics_and_others_do_not() -> None:
    for norms, moved in (("frozen", False), ("train", True)):
        made = trainer(**{"adversarial.batch_norm": norms})
        before = {name: value.clone() for name, value in made.generator.named_buffers()}
        made.update(*batch())
        after = dict(made.generator.named_buffers())
        means = [name for name in before if name.endswith("running_mean")]
        assert means
        assert any(not torch.equal(before[name], after[name]) for name in means) == moved


def test_the_rate_drops_to_a_tenth_where_the_recipe_says() -> None:
    made = trainer(**{"adversarial.drop_at": 2, "adversarial.learning_rate": 1e-4})
    rates = []
    for _ in range(3):
        rates.append(made.learning_rate())
        made.update(*batch())
    assert rates == pytest.approx([1e-4, 1e-4, 1e-5])


def test_the_average_follows_the_updates_as_its_decay_says() -> None:
    made = trainer(ema=0.5)
    expected = {name: value.clone() for name, value in made.generator.named_parameters()}
    for update in range(1, 4):
        made.update(*batch())
        decay = min(0.5, update / (update + 10))
        for name, value in made.generator.named_parameters():
            expected[name] = torch.lerp(expected[name], value.detach(), 1 - decay)
    for name, value in made.average.network.named_parameters():
        torch.testing.assert_close(value, expected[name])
        assert not value.requires_grad


def test_the_average_has_the_statistics_of_the_network_and_changes_nothing_in_it() -> None:
    one, other = trainer(ema=0.9), trainer(ema=0.0)
    for made in (one, other):
        made.update(*batch())
    assert not changed(one.generator, parameters(other.generator))
    means = dict(one.generator.named_buffers())
    for name, value in one.average.network.named_buffers():
        assert torch.equal(value, means[name])
    # Without a memory, the average is the network itself.
    assert not changed(other.average.network, parameters(other.generator))


@pytest.mark.parametrize("value_range", [(-1.0, 1.0), (0.0, 1.0), (0.0, 255.0)])
def test_losses_see_black_and_white_as_minus_and_plus_1(value_range) -> None:
    black, white = value_range
    made = to_signed(torch.tensor([black, (black + white) / 2, white]), value_range)
    assert made.tolist() == [-1, 0, 1]


def test_every_family_that_can_start_as_interpolation_has_its_start() -> None:
    assert tuple(STARTS) == STARTED
