import pytest
import torch
import torch.nn.functional as F
from torch import nn

from napari_srgan.models.perceptual.vgg import BLOCKS, IMAGENET_MEAN, IMAGENET_STD, VGG19Features

# torchvision's vgg19().features: the places of its convolutions, and their feature maps.
TORCHVISION = {
    **dict.fromkeys((0, 2), 64),
    **dict.fromkeys((5, 7), 128),
    **dict.fromkeys((10, 12, 14, 16), 256),
    **dict.fromkeys((19, 21, 23, 25, 28, 30, 32, 34), 512),
}
TORCHVISION_POOLINGS = (4, 9, 18, 27)
LAYERS = [(i, j) for i, (_, count) in enumerate(BLOCKS, 1) for j in range(1, count + 1)]


@pytest.fixture(scope="module")
def whole():
    with torch.device("meta"):
        return VGG19Features(5, 4)


def test_keys_and_shapes_are_torchvisions(whole):
    expected, inputs = {}, 3
    for place, outputs in TORCHVISION.items():
        expected[f"features.{place}.weight"] = (outputs, inputs, 3, 3)
        expected[f"features.{place}.bias"] = (outputs,)
        inputs = outputs

    assert {key: tuple(value.shape) for key, value in whole.state_dict().items()} == expected


def test_poolings_are_where_torchvision_has_them(whole):
    places = [n for n, layer in enumerate(whole.features) if isinstance(layer, nn.MaxPool2d)]

    assert tuple(places) == TORCHVISION_POOLINGS


@pytest.mark.parametrize(
    ("layer", "length"), [((1, 1), 2), ((1, 2), 4), ((2, 2), 9), ((3, 4), 18), ((5, 4), 36)]
)
def test_a_layer_is_torchvisions_features_up_to_its_activation(layer, length):
    with torch.device("meta"):
        features = VGG19Features(*layer).features

    assert len(features) == length
    assert isinstance(features[-1], nn.ReLU)


@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_is_the_beginning_of_the_whole(layer, whole):
    with torch.device("meta"):
        features = VGG19Features(*layer).features

    assert [repr(one) for one in features] == [repr(one) for one in whole.features[: len(features)]]


@pytest.mark.parametrize("layer", [(1, 1), (2, 2), (3, 4), (5, 4)])
def test_feature_maps_have_the_promised_shape(layer):
    with torch.device("meta"):
        shape = VGG19Features(*layer)(torch.empty(2, 3, 40, 53)).shape

    shrunk = 2 ** (layer[0] - 1)
    assert shape == (2, BLOCKS[layer[0] - 1][0], 40 // shrunk, 53 // shrunk)


def test_phi22_is_the_composition_of_its_layers():
    network = VGG19Features(2, 2)
    weights = network.state_dict()
    images = torch.rand(2, 3, 13, 18)

    def convolve(x, place):
        weight, bias = (weights[f"features.{place}.{kind}"] for kind in ("weight", "bias"))
        return F.relu(F.conv2d(x, weight, bias, padding=1))

    mean, std = (torch.tensor(v).reshape(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    first = convolve(convolve((images - mean) / std, 0), 2)
    expected = convolve(convolve(F.max_pool2d(first, 2), 5), 7)

    torch.testing.assert_close(network(images), expected)


@pytest.mark.parametrize("channel", range(3))
def test_images_are_normalised_as_imagenet_was(channel):
    network = VGG19Features(1, 1)
    with torch.no_grad():
        network.features[0].weight.zero_()
        network.features[0].bias.zero_()
        network.features[0].weight[0, channel, 1, 1] = 1

    image = torch.zeros(1, 3, 4, 6)
    image[:, channel] = IMAGENET_MEAN[channel] + 2 * IMAGENET_STD[channel]

    torch.testing.assert_close(network(image)[0, 0], torch.full((4, 6), 2.0))


def test_the_images_are_left_as_they_are():
    images = torch.rand(1, 3, 6, 9)
    before = images.clone()

    VGG19Features(1, 2)(images)

    assert torch.equal(images, before)


def test_channels_last_images_give_the_same_features():
    network, images = VGG19Features(2, 2), torch.rand(2, 3, 12, 18)

    features = network(images.to(memory_format=torch.channels_last))

    assert features.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(features, network(images))


@pytest.mark.parametrize("layer", [(0, 1), (6, 1), (1, 0), (1, 3), (2, 3), (5, 5), (-1, 1)])
def test_a_layer_that_vgg19_lacks_is_refused(layer):
    with pytest.raises(ValueError, match=rf"no layer φ{layer[0]},{layer[1]}; it has φ1,1 to φ1,2"):
        VGG19Features(*layer)


@pytest.mark.parametrize("shape", [(3, 8, 9), (1, 1, 8, 9), (1, 4, 8, 9), (1, 3, 1, 9)])
def test_images_that_do_not_fit_are_named(shape):
    with pytest.raises(ValueError, match=rf"2 × 2 pixels or more; got shape \({shape[0]}, "):
        VGG19Features(2, 1)(torch.zeros(shape))
