import pytest
import torch

from napari_srgan.models.discriminator import Discriminator


def parameters_by_formula(features, channels, crop):
    widths = [features * multiple for multiple in (1, 1, 2, 2, 4, 4, 8, 8)]
    convolutions = sum(9 * i * o + o for i, o in zip([channels, *widths], widths, strict=False))
    norms = 2 * sum(widths[1:])
    dense = widths[-1] * (crop // 16) ** 2 * 1024 + 1024 + 1024 + 1
    return convolutions + norms + dense


def parameters_of(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_papers_network_has_23_565_505_parameters():
    assert parameters_by_formula(64, 3, 96) == 23_565_505
    with torch.device("meta"):
        assert parameters_of(Discriminator()) == 23_565_505


def test_every_size_is_a_parameter():
    network = Discriminator(features=4, channels=1, crop=32)

    assert parameters_of(network) == parameters_by_formula(4, 1, 32)
    assert network(torch.rand(3, 1, 32, 32)).shape == (3, 1)


def test_the_layers_halve_the_crop_four_times_and_widen_it_eightfold():
    network = Discriminator(features=4, crop=48)
    shapes = []
    for layer in network.convolutions:
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_hook(lambda *args: shapes.append(tuple(args[2].shape[1:])))

    network(torch.rand(1, 3, 48, 48))

    sides = (48, 24, 24, 12, 12, 6, 6, 3)
    assert shapes == [(4 * m, s, s) for m, s in zip((1, 1, 2, 2, 4, 4, 8, 8), sides, strict=True)]


@torch.no_grad()
def test_the_output_is_a_logit_not_a_probability():
    network = Discriminator(features=4, crop=16).eval()
    network.decision[-1].bias.fill_(7)

    assert network(torch.rand(1, 3, 16, 16)).item() > 5


def test_every_pixel_of_the_crop_counts():
    crop = torch.rand(1, 3, 32, 32, requires_grad=True)

    Discriminator(features=4, crop=32).eval()(crop).sum().backward()

    assert crop.grad.ne(0).all()


@pytest.mark.parametrize("crop", [0, 8, 24, -16])
def test_a_crop_that_four_strides_do_not_divide_is_refused(crop):
    with pytest.raises(ValueError, match=f"multiple of 16.*got {crop}"):
        Discriminator(crop=crop)


def test_a_crop_of_another_size_than_it_was_built_for_is_refused():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        Discriminator(features=4, crop=32)(torch.rand(1, 3, 48, 48))
