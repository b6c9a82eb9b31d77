"""Refined answers: the mean over eight orientations, and results that reduce to the image."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from napari_srgan.graph.back_project import RADIUS
from napari_srgan.graph.network import OpaqueNetwork, inference_network
from napari_srgan.graph.ops import Interpolate, run_layers
from napari_srgan.graph.orient import ORIENTATIONS
from napari_srgan.graph.refine import Refinement, refined
from napari_srgan.graph.stream_plan import StreamPlan
from napari_srgan.resampling import reduction_taps

CPU = torch.device("cpu")
ENSEMBLE = Refinement(ensemble=True, spread=True)
HELD = Refinement(consistent=True)
ALL = Refinement(ensemble=True, spread=True, consistent=True)
SIDES = st.integers(1, 40)


def function(network, refinement):
    return refined(network, refinement).placed(CPU, torch.float32)


def reduced(high, scale):
    return F.interpolate(high, scale_factor=1 / scale, mode="bicubic", antialias=True)


class Opaque(nn.Module):
    """Something that is no list of layers: sharpened by the mean of the whole image."""

    def forward(self, x):
        return F.interpolate(x, scale_factor=4.0, mode="bicubic") + 0.1 * (x.mean() - x.amin())


OPAQUE = OpaqueNetwork(Opaque().eval(), 3, 4, None)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_the_taps_are_those_of_antialiased_bicubic_interpolation(scale):
    first, taps = reduction_taps(scale)
    column = torch.rand(12 * scale, 1, dtype=torch.float64)
    image = column.expand(-1, 12 * scale)[None, None]
    wanted = reduced(image, scale)[0, 0, 5, 0]
    seen = column[5 * scale + first :][: len(taps), 0]
    torch.testing.assert_close((seen * torch.from_numpy(taps)).sum(), wanted)


@torch.no_grad()
@pytest.mark.parametrize("grey", [False, True])
def test_an_ensemble_is_the_mean_of_eight_and_their_spread(random_network, grey):
    network = inference_network(random_network(), grey=grey)
    image = torch.rand(1, 1 if grey else 3, 11, 17)
    one = network.placed(CPU, torch.float32)
    eight = torch.stack([each.turn_back(one(each.turn(image))) for each in ORIENTATIONS])

    found = function(network, ENSEMBLE)(image)

    torch.testing.assert_close(found[:, :-1], eight.mean(0), atol=1e-5, rtol=1e-5)
    spread = eight.var(0, correction=0).mean(1, keepdim=True).sqrt()
    torch.testing.assert_close(found[:, -1:], spread, atol=1e-4, rtol=1e-3)


@torch.no_grad()
def test_an_opaque_network_is_given_the_image_turned():
    image = torch.rand(1, 3, 11, 17)
    one = OPAQUE.placed(CPU, torch.float32)
    eight = torch.stack([each.turn_back(one(each.turn(image))) for each in ORIENTATIONS])
    found = function(OPAQUE, ENSEMBLE)(image)
    torch.testing.assert_close(found[:, :-1], eight.mean(0), atol=1e-5, rtol=1e-5)
    held = function(OPAQUE, HELD)(image)
    torch.testing.assert_close(reduced(held, 4), image, atol=1e-4, rtol=0)


@given(height=SIDES, width=SIDES, scale=st.sampled_from([2, 3, 4]), seed=st.integers(0, 9))
@settings(max_examples=40)
@torch.no_grad()
def test_what_is_consistent_reduces_to_the_image(random_network, height, width, scale, seed):
    network = inference_network(random_network(seed, scale=scale))
    image = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))
    held = function(network, HELD)(image)
    # Answers of random networks are off by as much as the whole range.
    torch.testing.assert_close(reduced(held, scale), image, atol=2e-4, rtol=0)


@given(height=SIDES, width=SIDES)
@settings(max_examples=20)
@torch.no_grad()
def test_bounds_are_kept_and_what_they_allow_is_met(random_network, height, width):
    torch.manual_seed(height)
    high = torch.rand(1, 3, 4 * height, 4 * width)
    high = F.avg_pool2d(F.pad(high, (2, 2, 2, 2), mode="replicate"), 5, 1) * 3 - 1
    image = reduced(high.clamp(0, 1), 4)
    network = inference_network(random_network())
    held = function(network, HELD)(image, (0, 1))
    assert float(held.min()) >= 0
    assert float(held.max()) <= 1
    far = (reduced(held, 4) - image).abs() > 0.5 / 255
    assert float(far.float().mean()) < 0.01


@torch.no_grad()
def test_what_is_consistent_already_stays(random_network):
    image = torch.full((1, 3, 9, 13), 0.25)
    layers = (*inference_network(random_network()).layers[:1], Interpolate(0, 4, "nearest"))
    even = type(inference_network(random_network()))(layers)
    held = function(even, HELD)(image)
    torch.testing.assert_close(held, torch.full_like(held, 0.25))


@given(height=SIDES, width=SIDES, band=st.integers(1, 12))
@settings(max_examples=15)
def test_bands_equal_the_whole_image(random_network, in_bands, height, width, band):
    network = refined(inference_network(random_network(features=4)), ALL)
    image = torch.rand(1, 3, height, width)
    with torch.inference_mode():
        wanted = network.placed(CPU, torch.float32)(image)
    found = in_bands(network.stream_plan(torch.float32), image, band)
    torch.testing.assert_close(found[:, :-1], wanted[:, :-1], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found[:, -1:], wanted[:, -1:], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_half_precision_is_held_to_the_image_in_full(random_network, in_bands, precision):
    network = refined(inference_network(random_network()), HELD)
    image = torch.rand(1, 3, 33, 21)
    held = in_bands(network.stream_plan(precision), image, 5)
    torch.testing.assert_close(reduced(held, 4), image, atol=1e-4, rtol=0)


@torch.no_grad()
def test_a_pixel_reaches_no_further_than_the_radius(random_network):
    network = refined(inference_network(random_network(blocks=1)), HELD)
    side = 2 * network.radius + 5
    image = torch.rand(1, 3, side, 9)
    poked = image.clone()
    poked[..., side // 2, :] += 0.5
    run = network.placed(CPU, torch.float32)
    rows = (run(poked) - run(image)).abs().amax((0, 1, 3)).nonzero() // 4
    assert int((rows - side // 2).abs().max()) <= network.radius


def test_the_radius_is_the_networks_and_that_of_back_projection(random_network):
    network = inference_network(random_network())
    assert refined(network, HELD).radius == network.radius + RADIUS
    assert refined(network, ENSEMBLE).radius == network.radius
    assert refined(OPAQUE, HELD).radius is None


def test_nothing_to_do_is_the_network_itself(random_network):
    network = inference_network(random_network())
    assert refined(network, Refinement()) is network


@torch.no_grad()
def test_a_spread_can_be_had_of_the_answer_itself(random_network):
    network = inference_network(random_network())
    image = torch.rand(1, 3, 11, 17)
    found = function(network, Refinement(spread=True))(image)
    torch.testing.assert_close(found[:, :-1], network.placed(CPU, torch.float32)(image))
    torch.testing.assert_close(found[:, -1:], function(network, ENSEMBLE)(image)[:, -1:])


def test_a_plan_of_layers_as_they_are_computes_what_they_do(random_network, in_bands):
    layers = inference_network(random_network()).layers
    image = torch.rand(1, 3, 9, 8)
    found = in_bands(StreamPlan.of_prepared(layers), image, 3)
    torch.testing.assert_close(found, run_layers(layers, image), atol=1e-5, rtol=1e-5)
