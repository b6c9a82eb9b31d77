import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from napari_srgan.training.optimise.losses import (
    VGG_SCALE_PAPER,
    VGGLoss,
    adversarial_loss,
    discriminator_loss,
    grid_loss,
    mesh_loss,
    overshoot_loss,
    pixel_loss,
    total_variation,
)
from napari_srgan.training.optimise.vgg import load_vgg

LOG2 = math.log(2)
PIXEL_LOSSES = [pixel_loss(kind) for kind in ("mse", "l1", "luminance", "psnr")]


class RedAndTwiceGreen(nn.Module):
    """A feature network of two maps that a person can follow; it keeps what it is given."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor([1.0, 2.0]).reshape(1, 2, 1, 1))
        self.seen, self.with_gradients = [], []

    def forward(self, x):
        self.seen.append(x.detach())
        self.with_gradients.append(torch.is_grad_enabled())
        return x[:, :2] * self.gain


def image(red, green, blue):
    """One image of one pixel for each of the values."""
    return torch.tensor([red, green, blue]).reshape(1, 3, 1, -1)


# Two pixels that differ by 1 and −1 in red, 0.5 and 0 in green, 0 and 1.5 in blue.
UPSCALED = image([0.5, -1.0], [0.5, 0.25], [0.0, 1.0])
HIGH = image([-0.5, 0.0], [0.0, 0.25], [0.0, -0.5])
MEAN_SQUARE = (1 + 1 + 0.25 + 0 + 0 + 2.25) / 6
IN_LUMINANCE = (0.299 * 1 + 0.587 * 0.5, 0.299 * -1 + 0.114 * 1.5)  # by BT.601's weights
LUMINANCE_SQUARE = 0.8 * sum(y**2 for y in IN_LUMINANCE) / 2 + 0.2 * MEAN_SQUARE


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("mse", MEAN_SQUARE),
        ("l1", (1 + 1 + 0.5 + 0 + 0 + 1.5) / 6),
        ("luminance", LUMINANCE_SQUARE),
        ("psnr", math.log(1 + LUMINANCE_SQUARE / (2 / 255) ** 2)),
    ],
)
def test_pixel_losses_average_over_images_channels_and_pixels(kind, expected):
    loss = pixel_loss(kind)

    assert loss(UPSCALED, HIGH).item() == pytest.approx(expected)
    assert loss(UPSCALED.repeat(5, 1, 1, 1), HIGH.repeat(5, 1, 1, 1)).item() == pytest.approx(
        expected
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_the_loss_of_luminance_of_grey_images_is_the_mean_squared_error(channels):
    upscaled, high = (torch.rand(2, 1, 8, 12).expand(-1, channels, -1, -1) for _ in range(2))

    expected = pixel_loss("mse")(upscaled, high)

    torch.testing.assert_close(pixel_loss("luminance")(upscaled, high), expected)


@pytest.mark.parametrize("channels", [2, 4])
def test_the_loss_of_luminance_of_channels_that_are_not_rgb_is_the_mean_squared_error(channels):
    upscaled, high = (torch.rand(2, channels, 8, 12) for _ in range(2))

    expected = pixel_loss("mse")(upscaled, high)

    torch.testing.assert_close(pixel_loss("luminance")(upscaled, high), expected)


def test_the_loss_of_psnr_counts_ratios_of_errors_image_by_image():
    high = torch.zeros(2, 3, 4, 4)
    smooth, busy = torch.full_like(high[:1], 0.05), torch.full_like(high[:1], 0.5)
    loss, before = pixel_loss("psnr"), torch.cat([smooth, busy])

    of_smooth, of_busy = (
        loss(before, high) - loss(torch.cat(after), high)
        for after in ([smooth * 0.9, busy], [smooth, busy * 0.9])
    )

    assert of_smooth.item() == pytest.approx(of_busy.item(), rel=0.05)
    assert loss(high, high).item() == 0


def test_an_unknown_pixel_loss_is_refused():
    with pytest.raises(ValueError, match="must be one of mse, l1, luminance, psnr; got 'l2'"):
        pixel_loss("l2")


# In [0, 1] the differences are halved: red 0.5 and −0.5; green 0.25 and 0, doubled by the network.
# Eq. 5: ((0.5² + 0.5²) + (0.5² + 0)) / 2 positions.
BY_HAND = (0.25 + 0.25 + 0.25) / 2


def test_vgg_loss_sums_over_maps_and_averages_over_positions():
    loss = VGGLoss(RedAndTwiceGreen(), scale=1.0)(UPSCALED, HIGH)

    assert loss.item() == pytest.approx(BY_HAND)


def test_vgg_loss_averages_over_images():
    same_and_different = torch.cat([HIGH, UPSCALED])

    loss = VGGLoss(RedAndTwiceGreen(), scale=1.0)(same_and_different, HIGH.repeat(2, 1, 1, 1))

    assert loss.item() == pytest.approx(BY_HAND / 2)


def test_the_papers_rescaling_divides_features_by_12_75_and_the_loss_by_its_square():
    loss = VGGLoss(RedAndTwiceGreen())(UPSCALED, HIGH)

    assert loss.item() == pytest.approx(BY_HAND / 12.75**2)
    assert pytest.approx(0.006, abs=2e-4) == VGG_SCALE_PAPER**2  # §3.2 gives this rounding


def test_the_feature_network_sees_the_unit_range():
    network = RedAndTwiceGreen()
    black_and_white = image([-1.0, 1.0], [-1.0, 1.0], [-1.0, 1.0])

    VGGLoss(network)(black_and_white, black_and_white)

    for seen in network.seen:
        assert torch.equal(seen, image([0.0, 1.0], [0.0, 1.0], [0.0, 1.0]))


def test_grey_images_are_seen_as_grey_rgb():
    grey, other = torch.rand(2, 1, 4, 6) * 2 - 1, torch.rand(2, 1, 4, 6) * 2 - 1
    loss = VGGLoss(RedAndTwiceGreen())

    in_colour = loss(grey.repeat(1, 3, 1, 1), other.repeat(1, 3, 1, 1))

    torch.testing.assert_close(loss(grey, other), in_colour)


def test_vgg_gradients_reach_the_upscaled_image_alone():
    network = RedAndTwiceGreen()
    upscaled, high = UPSCALED.clone().requires_grad_(), HIGH.clone().requires_grad_()

    VGGLoss(network, scale=1.0)(upscaled, high).backward()

    # d/du of (gain · (u − h) / 2)² / 2 positions is gain² · (u − h) / 4.
    expected = image([0.25, -0.25], [4 * 0.5 / 4, 0.0], [0.0, 0.0])
    torch.testing.assert_close(upscaled.grad, expected)
    assert high.grad is None
    assert network.gain.grad is None
    assert network.with_gradients == [False, True]
    assert not network.training


def test_vgg_loss_of_equal_images_is_zero_and_of_others_is_not():
    loss = VGGLoss(load_vgg((2, 2), random=True).network)
    images = torch.rand(2, 3, 12, 18) * 2 - 1

    assert loss(images, images).item() == 0
    assert loss(images, images.flip(3)).item() > 0


def test_vgg_loss_has_all_its_weights_frozen():
    loss = VGGLoss(load_vgg((1, 2), random=True).network.requires_grad_(True))

    assert not any(weight.requires_grad for weight in loss.parameters())


def test_losses_under_bfloat16_autocast_are_float32_and_close():
    vgg = VGGLoss(load_vgg((2, 2), random=True).network)
    generator = nn.Conv2d(3, 3, 3, padding=1)
    low, high = torch.rand(2, 3, 24, 36), torch.rand(2, 3, 24, 36) * 2 - 1

    for loss in (vgg, *PIXEL_LOSSES):
        exact = loss(generator(low), high)
        with torch.autocast("cpu", torch.bfloat16):
            upscaled = generator(low)
            rough = loss(upscaled, high)
        assert upscaled.dtype == torch.bfloat16
        assert rough.dtype == torch.float32
        torch.testing.assert_close(rough, exact, rtol=0.02, atol=0)


@pytest.mark.parametrize("loss", [*PIXEL_LOSSES, VGGLoss(nn.Identity())])
def test_losses_of_bfloat16_images_are_counted_in_float32(loss):
    upscaled, high = (torch.rand(2, 3, 8, 12).bfloat16() for _ in range(2))

    found = loss(upscaled, high)

    assert found.dtype == torch.float32
    assert torch.equal(found, loss(upscaled.float(), high.float()))


def test_channels_last_images_give_the_same_loss():
    loss = VGGLoss(load_vgg((2, 2), random=True).network)
    upscaled, high = torch.rand(2, 2, 3, 12, 18) * 2 - 1

    last = [one.to(memory_format=torch.channels_last) for one in (upscaled, high)]

    torch.testing.assert_close(loss(*last), loss(upscaled, high))


@pytest.mark.parametrize("loss", [*PIXEL_LOSSES, VGGLoss(nn.Identity())])
def test_images_of_different_shapes_are_refused_and_not_broadcast(loss):
    with pytest.raises(ValueError, match=r"\(2, 3, 4, 6\).*\(2, 3, 4, 1\).* one shape"):
        loss(torch.zeros(2, 3, 4, 6), torch.zeros(2, 3, 4, 1))


# σ(log 3) = 3/4, so −log D = log(4/3); σ(0) = 1/2, so log 2.
FAKE = torch.tensor([[math.log(3)], [0.0]])


def test_adversarial_loss_is_the_mean_of_minus_log_d():
    assert adversarial_loss(FAKE).item() == pytest.approx((math.log(4 / 3) + LOG2) / 2)


def test_discriminator_loss_is_minus_eq_2():
    # −mean(log D) of (3/4, 1/2), and −mean(log(1 − D)) of (1/4, 1/2).
    real, fake = FAKE, torch.tensor([[-math.log(3)], [0.0]])

    expected = (math.log(4 / 3) + LOG2) / 2 * 2

    assert discriminator_loss(real, fake).item() == pytest.approx(expected)
    # The same with real and fake exchanged: log 4 in place of log 4/3.
    assert discriminator_loss(fake, real).item() == pytest.approx(math.log(4) + LOG2)


def test_a_discriminator_that_cannot_tell_loses_2_log_2():
    undecided = torch.zeros(3, 1)

    assert discriminator_loss(undecided, undecided).item() == pytest.approx(2 * LOG2)


@given(st.lists(st.floats(-30, 30), min_size=1, max_size=4))
def test_adversarial_losses_agree_with_the_sigmoid(values):
    logits = torch.tensor(values, dtype=torch.float64)
    photograph, upscaled = torch.sigmoid(logits), torch.sigmoid(-logits)  # D and 1 − D

    found = [adversarial_loss(logits), discriminator_loss(torch.zeros(1), logits)]

    expected = [-photograph.log().mean(), LOG2 - upscaled.log().mean()]
    for one, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(one.double(), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    ("logit", "loss", "slope"), [(1000.0, 0.0, 0.0), (-1000.0, 1000.0, -1.0), (0.0, LOG2, -0.5)]
)
def test_adversarial_loss_is_stable_where_the_sigmoid_is_not(logit, loss, slope, dtype):
    logits = torch.full((2, 1), logit, dtype=dtype, requires_grad=True)

    value = adversarial_loss(logits)
    value.backward()

    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(loss)
    assert logits.grad.tolist() == [[slope / 2]] * 2


@pytest.mark.parametrize(
    ("real", "fake", "loss", "slopes"),
    [(1000.0, -1000.0, 0.0, (0.0, 0.0)), (-1000.0, 1000.0, 2000.0, (-1.0, 1.0))],
)
def test_discriminator_loss_is_stable_where_the_sigmoid_is_not(real, fake, loss, slopes):
    logits = [torch.full((1, 1), value, requires_grad=True) for value in (real, fake)]

    value = discriminator_loss(*logits)
    value.backward()

    assert value.item() == pytest.approx(loss)
    assert tuple(one.grad.item() for one in logits) == slopes


def test_a_pattern_of_the_scales_period_is_the_grid_loss_and_texture_hardly_is() -> None:
    high = torch.zeros(2, 3, 96, 96)
    pattern = torch.zeros(4, 4)
    pattern[1, 2] = 0.4
    grid = pattern.repeat(24, 24).expand_as(high)
    texture = 0.1 * torch.randn(high.shape, generator=torch.Generator().manual_seed(0))

    assert float(grid_loss(grid, high, 4)) == pytest.approx(0.4**2 * (1 / 16 - 1 / 256), rel=1e-4)
    assert float(grid_loss(high, high, 4)) == 0
    expected = float(texture.var()) / 64 * 15 / 16  # of independent pixels, 64 to a place
    assert float(grid_loss(texture, high, 4)) == pytest.approx(expected, rel=0.05)


def test_the_mesh_loss_is_as_strong_as_the_pattern_however_weak_and_pays_for_no_texture() -> None:
    high = torch.zeros(1, 3, 64, 64)
    pattern = torch.zeros(4, 4)
    pattern[1, 2] = 1.0
    grid = pattern.repeat(16, 16).expand_as(high)
    texture = torch.randn(high.shape, generator=torch.Generator().manual_seed(0))

    strong, weak, grain = (float(mesh_loss(x, high, 4)) for x in (0.4 * grid, 0.04 * grid, texture))
    # White is 1 and black 0 in it; that of windows and that of the image are the same here.
    assert strong == pytest.approx(2 * 0.4 / 2 * (1 / 16 - 1 / 256) ** 0.5, rel=1e-3)
    assert weak == pytest.approx(strong / 10, rel=1e-2)
    assert grain < 0.2 * float(mesh_loss(texture.std() / pattern.std() * grid, high, 4))


def test_the_mesh_loss_has_a_gradient_where_there_is_no_mesh() -> None:
    upscaled = torch.zeros(1, 3, 16, 16, requires_grad=True)
    mesh_loss(upscaled, torch.zeros(1, 3, 16, 16), 4).backward()
    assert upscaled.grad is not None
    assert bool(upscaled.grad.isfinite().all())


def test_the_grid_loss_leaves_colour_to_others_and_takes_small_crops() -> None:
    high = torch.zeros(1, 3, 8, 12)
    assert float(grid_loss(high + 0.5, high, 4)) == pytest.approx(0, abs=1e-6)


def test_total_variation_sums_the_steps_of_an_image_and_leaves_flat_ones_alone() -> None:
    flat = torch.full((2, 3, 8, 12), 0.25, requires_grad=True)
    found = total_variation(flat)
    found.backward()
    assert flat.grad is not None
    assert float(found.detach()) == pytest.approx(0, abs=1e-6)
    assert bool((flat.grad == 0).all())

    edge = torch.zeros(1, 3, 8, 12)
    edge[..., 5:] = 0.5
    corner = torch.zeros(1, 1, 8, 12)
    corner[..., 3, 3] = 1.0
    assert float(total_variation(edge)) == pytest.approx(3 * 8 * 0.5, rel=1e-3)
    assert float(total_variation(edge.repeat(4, 1, 1, 1))) == pytest.approx(12, rel=1e-3)
    assert float(total_variation(corner)) == pytest.approx(2**0.5 + 1 + 1, rel=1e-3)


def test_echoes_beside_an_edge_are_overshoot_and_moved_texture_is_none() -> None:
    high = torch.zeros(1, 3, 24, 24)
    high[..., 12:] = 1.0
    echo = high.clone()
    echo[..., 5] = -0.25
    echo[..., 18] = 1.25
    texture = torch.zeros(1, 3, 24, 24)
    texture[..., 4:20, 4:20] = torch.rand(16, 16, generator=torch.Generator().manual_seed(0))

    assert float(overshoot_loss(high, high)) == 0
    assert float(overshoot_loss(echo, high)) == pytest.approx(2 * 0.25 / 24)
    assert float(overshoot_loss(texture.roll((1, 2), (2, 3)), texture)) == 0


def test_an_edge_may_be_two_pixels_from_its_place_and_no_more() -> None:
    places = torch.arange(16).expand(1, 1, 8, 16)
    high, near, far = ((places >= edge).float() for edge in (8, 10, 11))

    assert float(overshoot_loss(near, high)) == 0
    assert float(overshoot_loss(far, high)) == pytest.approx(1 / 16)


def test_overshoot_of_either_sign_is_drawn_back() -> None:
    high = torch.zeros(1, 1, 8, 8)
    upscaled = torch.zeros(1, 1, 8, 8)
    upscaled[..., 2, 2], upscaled[..., 5, 5] = 0.5, -0.5
    upscaled.requires_grad_(True)
    overshoot_loss(upscaled, high).backward()
    gradient = upscaled.grad
    assert gradient is not None
    assert float(gradient[0, 0, 2, 2]) == 1 / 64
    assert float(gradient[0, 0, 5, 5]) == -1 / 64
    assert int(gradient.count_nonzero()) == 2
