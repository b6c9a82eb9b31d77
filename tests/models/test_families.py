"""The contract that every family of generators keeps, at every scale that it has."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_srgan.graph.network import LayerNetwork, inference_network
from napari_srgan.inference.planning import Tiles
from napari_srgan.inference.run import upscale_array
from napari_srgan.inference.runner import Runner
from napari_srgan.inference.settings import Settings
from napari_srgan.inference.verify import verify
from napari_srgan.models.families import FAMILIES
from napari_srgan.store.checkpoint import Model, load_checkpoint, save_checkpoint
from napari_srgan.store.self_test import make_self_test
from napari_srgan.training.config import from_settings
from napari_srgan.training.metrics.evaluate import iter_evaluate
from napari_srgan.training.metrics.pairs import find_data_sets
from napari_srgan.training.optimise.distributed import own_team
from napari_srgan.training.optimise.losses import mse_loss
from napari_srgan.training.run.trainers import PretrainTrainer

CPU = torch.device("cpu")
# A line for each family: sizes that are small enough to be run here, and its scales.
SMALL = {
    "srresnet": ({"blocks": 2, "features": 8}, (2, 3, 4, 8)),
    "srresnet-variant": ({"blocks": 2, "features": 8}, (2, 3, 4, 6)),
    "edsr": ({"blocks": 2, "features": 8, "residual_scaling": 0.5}, (2, 3, 4)),
    "mdsr": ({"blocks": 2, "features": 8}, (2, 3, 4)),
    "rir-srresnet": ({"blocks": 1, "features": 8, "growth": 4}, (2, 4)),
    "rrdb": ({"blocks": 1, "features": 8, "growth": 4}, (2, 4)),
    "srvgg": ({"blocks": 2, "features": 8}, (2, 3, 4)),
    "srcnn": ({"features": 8, "mapped": 4}, (2, 3, 4)),
    "espcn": ({"features": 8, "mapped": 4}, (2, 3, 4)),
    "drcn": ({"recursions": 3, "features": 8}, (2, 3)),
}
# What else of a family is held to the same laws, at its first scale.
CHOICES = {
    "swift": ("srresnet-variant", {"convolutions": "separable", "block_activation": "prelu-channel",
                                   "stage_activation": "prelu-channel", "output": "tanh"}),
    "inverted": ("srresnet-variant", {"convolutions": "inverted", "bias": False}),
    "reflected": ("srresnet-variant", {"padding": "reflect", "bias": False, "stage_features": 12,
                                       "head_activation": "prelu-channel"}),
    "imagenet": ("srresnet-variant", {"input_units": "imagenet", "output_units": "imagenet",
                                      "stage_norm": True, "eps": 0.8, "block_activation": "silu"}),
    "msrresnet": ("srresnet-variant", {"norm": "none", "trunk": "none", "hr": True,
                                       "base": "bilinear", "output_units": "unit",
                                       "hr_activation": "leaky-0.1", "head_kernel": 3}),
    "unshuffled": ("rrdb", {"unshuffle": 2}),
    "unshuffled by 4": ("rrdb", {"unshuffle": 4}),
}  # fmt: skip
CASES = {f"{family} x{scale}": (family, {**sizes, "scale": scale})
         for family, (sizes, scales) in SMALL.items() for scale in scales}  # fmt: skip
CASES |= {
    name: (family, {**SMALL[family][0], **choices, "scale": SMALL[family][1][0]})
    for name, (family, choices) in CHOICES.items()
}


def test_every_family_keeps_the_contract() -> None:
    assert SMALL.keys() == FAMILIES.keys()
    assert all(name == kind.family for name, kind in FAMILIES.items())


def test_the_reports_generator_has_what_its_summary_prints() -> None:
    network = FAMILIES["rir-srresnet"]()
    kinds = [type(module).__name__ for module in network.modules()]
    assert sum(parameter.numel() for parameter in network.parameters()) == 1_341_571
    statistics = [b.numel() for name, b in network.named_buffers() if "running" in name]
    assert (kinds.count("Conv2d"), kinds.count("BatchNorm2d"), sum(statistics)) == (42, 36, 3072)


@pytest.fixture(params=CASES, ids=str)
def network(request):
    """Return a network in which every number is random, statistics included."""
    family, sizes = CASES[request.param]
    torch.manual_seed(3)
    made = FAMILIES[family](**sizes).eval().requires_grad_(False)
    for name, value in made.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
        elif name.endswith(("running_mean", "bias")):
            value.uniform_(-0.2, 0.2)
    return made


def in_unit_range(network, low):
    black, white = network.value_range
    with torch.no_grad():
        return (network(low) - black) / (white - black)


def noise(*shape):
    return np.random.default_rng(0).integers(0, 255, shape, np.uint8, endpoint=True)


def test_it_enlarges_images_of_any_size(network) -> None:
    for height, width in ((1, 1), (1, 6), (5, 4)):
        high = network(torch.rand(2, network.channels, height, width))
        assert high.shape == (2, 3, network.scale * height, network.scale * width)


def test_it_is_read_from_its_tensors_alone_and_by_no_other_family(network, tmp_path) -> None:
    path = tmp_path / "made.safetensors"
    save_checkpoint(path, network, {"name": "made"}, make_self_test(network))

    model = load_checkpoint(path)

    assert type(model.network) is type(network)
    assert model.network.sizes() == network.sizes()
    before, after = network.state_dict(), model.network.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    others = [kind for kind in FAMILIES.values() if not isinstance(network, kind)]
    assert [kind.sizes_of(before) for kind in others] == [None] * len(others)
    assert verify(model, CPU, torch.float32).passed


def test_it_is_read_as_layers_and_computes_what_it_does(network) -> None:
    made, low = inference_network(network), torch.rand(1, 3, 9, 7)
    assert isinstance(made, LayerNetwork)
    found = made.placed(CPU, torch.float32)(low)
    torch.testing.assert_close(found, in_unit_range(network, low), atol=1e-5, rtol=1e-5)


def test_grey_images_are_those_of_three_equal_channels_averaged(network) -> None:
    made, grey = inference_network(network, grey=True), torch.rand(1, 1, 9, 7)
    found = Runner(made, CPU, torch.float32).run(grey)
    expected = in_unit_range(network, grey.expand(-1, 3, -1, -1)).mean(1, keepdim=True)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_its_rows_are_streamed(network, precision) -> None:
    runner, low = Runner(inference_network(network), CPU, precision), torch.rand(1, 3, 41, 9)
    work = runner.begin(41, 9, 3)
    found = torch.cat([work.feed(low[:, :, a:b]).clone() for a, b in work.steps], 2).float()
    wanted = in_unit_range(network, low)
    limit = 1e-5 if precision == torch.float32 else 0.05 * float(wanted.abs().max())
    torch.testing.assert_close(found, wanted, atol=limit, rtol=0)


@pytest.mark.parametrize("shape", [(37, 41, 3), (37, 41), (2, 23, 25, 4)])
def test_tiles_bands_and_the_whole_image_are_the_same(network, monkeypatch, shape) -> None:
    image, model = noise(*shape), Model("made", network, {})
    exact = Settings("cpu", "float32")
    whole = upscale_array(image, model, settings=replace(exact, tile=1000))
    tiles = upscale_array(image, model, settings=replace(exact, tile=9))
    monkeypatch.setattr(Tiles, "hold", lambda *_: False)
    bands = upscale_array(image, model, settings=exact)
    for found in (tiles, bands):
        assert np.abs(found.astype(int) - whole.astype(int)).max() <= 1


def test_a_pixel_reaches_as_far_as_its_radius_and_no_further(network) -> None:
    made, exact, scale = inference_network(network), network.double(), network.scale
    radius, step = made.radius, made.step
    side = 2 * radius + 3
    low = torch.rand(1, 3, side, side, dtype=torch.float64)
    poked = low.clone()
    poked[..., radius + 1, radius + 1] += 5
    changed = (exact(low) != exact(poked)).any(1)[0]
    rows = torch.nonzero(changed.any(1)).flatten()
    # Rounded up to whole pixels, and to steps: it may be one more than is seen.
    assert scale <= int(rows[0]) < scale * (2 + step)
    assert scale * (side - 2 - step) <= int(rows[-1]) < scale * (side - 1)


def test_it_is_measured_at_its_own_scale(network, tmp_path) -> None:
    from PIL import Image

    (tmp_path / "set").mkdir()
    Image.fromarray(noise(48, 72, 3)).save(tmp_path / "set" / "one.png")
    upscale = {"made": lambda low: upscale_array(low, Model("made", network, {}),
                                                 settings=Settings("cpu", "float32"))}  # fmt: skip
    steps = iter_evaluate(find_data_sets(tmp_path), upscale, scale=network.scale)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            measured = end.value.results["set"]["made"]
            break
    assert np.isfinite(list(measured.values())).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_recipe_trains_it(family) -> None:
    sizes, scales = SMALL[family]
    given = {f"network.{name}": value for name, value in sizes.items()}
    recipe = from_settings(
        {**given, "network.family": family, "network.scale": scales[0], "data.crop": 24,
         "pretrain.learning_rate": 1e-3, "precision": "float32"}
    )  # fmt: skip
    trainer = PretrainTrainer(recipe, mse_loss, CPU, own_team())
    low, high = torch.rand(2, 3, 24 // scales[0], 24 // scales[0]), torch.rand(2, 3, 24, 24)
    losses = [float(trainer.update(low, high)["content"]) for _ in range(12)]
    assert losses[-1] < losses[0]
