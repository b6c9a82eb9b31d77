"""Files of other projects: loaded from their tensors, they compute what their own scripts do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from foreign_networks import FOREIGN, Foreign, mdsr, randomised, srvgg

from napari_srgan.graph.network import inference_network
from napari_srgan.inference.run import upscale_array
from napari_srgan.inference.settings import Settings
from napari_srgan.store.checkpoint import CheckpointError, load_checkpoint
from napari_srgan.store.load import load_model

CPU = torch.device("cpu")


@pytest.fixture(params=FOREIGN, ids=str)
def foreign(request) -> Foreign:
    return FOREIGN[request.param]


def saved(network, path):
    torch.save(network.state_dict(), path)
    return path


def levels(rgb):
    return 255 * rgb[0].permute(1, 2, 0).clamp(0, 1).numpy()


def test_a_published_file_has_as_many_tensors_as_the_network_it_is_held_to(foreign) -> None:
    if foreign.tensors:
        with torch.device("meta"):
            network = foreign.full()
        assert len(network.state_dict()) == foreign.tensors


def test_it_gives_what_the_projects_script_gives(foreign, tmp_path) -> None:
    network = randomised(foreign.small())
    model = load_checkpoint(saved(network, tmp_path / "made.pth"))

    assert model.metadata["dialect"] == foreign.dialect
    image = np.random.default_rng(0).integers(0, 255, (13, 10, 3), np.uint8, endpoint=True)
    for rgb in (image, image[:, :, :1].repeat(3, 2)):
        wanted = foreign.infer(network, torch.from_numpy(rgb).permute(2, 0, 1)[None] / 255)
        found = inference_network(model.network).placed(CPU, torch.float32)(
            torch.from_numpy(rgb).permute(2, 0, 1)[None] / 255
        )
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)
        upscaled = upscale_array(rgb, model, settings=Settings("cpu", "float32"))
        assert np.abs(upscaled - levels(wanted)).max() <= 1
    grey = upscale_array(image[:, :, 0], model, settings=Settings("cpu", "float32"))
    assert np.abs(grey - levels(wanted.mean(1, keepdim=True))[..., 0]).max() <= 1


def test_it_fills_its_range(foreign) -> None:
    """An output that is nearly the same everywhere would prove nothing of the layers before it."""
    wanted = foreign.infer(randomised(foreign.small()), torch.rand(1, 3, 12, 12))
    assert float(wanted.std()) > 0.02


def without(state, key):
    return {name: value for name, value in state.items() if name != key}


def last_key(state, tensor="weight"):
    return [key for key in state if key.endswith(tensor) and state[key].shape[2:] > (1, 1)][-1]


def test_a_missing_an_extra_and_a_misshapen_tensor_are_named_as_in_the_file(
    foreign, tmp_path
) -> None:
    state = randomised(foreign.small()).state_dict()
    key = last_key(state)
    faults = {
        rf"missing .*{key}": without(state, key),
        r"not expected stray.weight": {**state, "stray.weight": torch.zeros(3)},
        rf"{key} is \(.*\) instead of": {**state, key: state[key][..., :1, :]},
    }
    for message, changed in faults.items():
        torch.save(changed, tmp_path / "made.pth")
        with pytest.raises(CheckpointError, match=message):
            load_checkpoint(tmp_path / "made.pth")


@pytest.mark.parametrize("of", ["lornatang", "twtygqyy 2017"])
def test_a_tensor_missing_anywhere_is_named(of, tmp_path) -> None:
    state = randomised(FOREIGN[of].small()).state_dict()
    for key in [key for key in state if not key.endswith("num_batches_tracked")]:
        torch.save(without(state, key), tmp_path / "made.pth")
        with pytest.raises(CheckpointError, match=rf"(missing|instead).*{key.rsplit('.', 1)[0]}"):
            load_checkpoint(tmp_path / "made.pth")


WRAPPED = {
    "prefixes": ("lornatang", lambda s: {
        "epoch": 3, "state_dict": {f"_orig_mod.{k}": v + 1 for k, v in s.items()},
        "ema_state_dict": {**{f"_orig_mod.module.{k}": v for k, v in s.items()},
                           "_orig_mod.n_averaged": torch.tensor(5)}}),
    "companions": ("mmagic", lambda s: {"meta": {}, "state_dict": {
        **{f"generator.{k}": v for k, v in s.items()},
        "discriminator.conv0.weight": torch.zeros(3),
        "perceptual_loss.vgg.0.weight": torch.zeros(2)}}),
    "average": ("basicsr msrresnet", lambda s: {"params": {k: v + 1 for k, v in s.items()},
                                                "params_ema": s}),
    "compiled": ("fast-srgan", lambda s: {f"_orig_mod.{k}": v for k, v in s.items()}),
    "data parallel": ("leftthomas", lambda s: {f"module.{k}": v for k, v in s.items()}),
    "net": ("sgrvinod", lambda s: {f"net.{k}": v for k, v in s.items()}),
    "half": ("basicsr 2018", lambda s: {"model": {k: v.half() for k, v in s.items()}}),
    "no counts": ("mseitzer", lambda s: {
        k: v for k, v in s.items() if not k.endswith("num_batches_tracked")}),
}  # fmt: skip


@pytest.mark.parametrize("way", WRAPPED)
def test_it_is_found_in_what_its_project_wraps_it_in(way, tmp_path) -> None:
    of, wrap = WRAPPED[way]
    network = randomised(FOREIGN[of].small())
    if way == "half":
        network.half().float()
    torch.save(wrap(network.state_dict()), tmp_path / "wrapped.pth")
    low = torch.rand(1, 3, 9, 8)
    model = load_checkpoint(tmp_path / "wrapped.pth")
    found = inference_network(model.network).placed(CPU, torch.float32)(low)
    wanted = FOREIGN[of].infer(network, low)
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


def test_what_needs_the_whole_image_says_so_and_why(tmp_path, caplog) -> None:
    network = randomised(FOREIGN["twtygqyy"].small())
    model = load_checkpoint(saved(network, tmp_path / "made.pth"))
    image = np.zeros((8, 9, 3), np.uint8)
    upscale_array(image, model, settings=Settings("cpu", "float32"))
    assert "made computes each image as a whole" in caplog.text
    assert "statistics of the whole image (instance norm)" in caplog.text


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_file_of_several_scales_is_loaded_at_the_one_that_is_asked_for(scale, tmp_path) -> None:
    foreign = FOREIGN["mdsr"]
    path = saved(randomised(foreign.small()), tmp_path / "made.pth")
    network = randomised(mdsr(6, 2, scale=scale))
    model = load_model(path, scale=scale)
    assert (model.scale, model.scales) == (scale, (2, 3, 4))
    assert load_model(path, scale=scale).network is model.network
    image = np.random.default_rng(1).integers(0, 255, (11, 9, 3), np.uint8, endpoint=True)
    wanted = foreign.infer(network, torch.from_numpy(image).permute(2, 0, 1)[None] / 255)
    upscaled = upscale_array(image, model, settings=Settings("cpu", "float32"))
    assert np.abs(upscaled - levels(wanted)).max() <= 1


def test_a_scale_that_a_model_has_not_is_refused(tmp_path) -> None:
    path = saved(randomised(FOREIGN["mdsr"].small()), tmp_path / "several.pth")
    with pytest.raises(
        ValueError, match="several cannot do that: it enlarges by 2, 3, 4, not by 8"
    ):
        load_model(path, scale=8)
    with pytest.raises(ValueError, match="it enlarges by 4, not by 2"):
        load_model("srresnet-small-x4", scale=2)


def test_a_mean_that_is_taken_off_otherwise_is_refused_by_name(tmp_path) -> None:
    state = randomised(FOREIGN["edsr"].small()).state_dict()
    torch.save({**state, "sub_mean.bias": state["sub_mean.bias"] + 9}, tmp_path / "made.pth")
    with pytest.raises(CheckpointError, match=r"sub_mean\.bias does not take off"):
        load_checkpoint(tmp_path / "made.pth")


def test_what_names_leave_open_is_asked_and_taken_as_told(tmp_path) -> None:
    network = randomised(srvgg(6, 2, slopes=False))
    path = saved(network, tmp_path / "made.pth")
    with pytest.raises(CheckpointError, match=r"in 2 ways.*realesr-compact-leaky.*Say which: --as"):
        load_model(path)
    low = torch.rand(1, 3, 7, 9)
    found = load_model(path, dialect="realesr-compact-leaky").network(low)
    torch.testing.assert_close(found, network(low))
    with pytest.raises(ValueError, match="no dialect 'realesr-leaky'; did you mean"):
        load_model(path, dialect="realesr-leaky")
    with pytest.raises(CheckpointError, match=r"does not fit lornatang .*missing"):
        load_model(path, dialect="lornatang")
