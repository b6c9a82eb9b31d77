"""Whatever a training program wraps a network in, the network's own tensors come out."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_srgan.store.tensors.unwrap import unwrap

NETWORKS = {
    "ours": ("body.head.weight", "body.norm.weight", "tail.last.bias"),
    "a sequence of layers": ("model.0.weight", "model.1.sub.0.weight", "model.10.bias"),
    "a short one": ("conv.weight", "conv.bias"),
    "with a part called net": ("net.weight", "tail.weight"),
    "with parts called net and model": ("net.weight", "model.weight"),
    "with a discriminator's word": ("disc.weight", "tail.weight"),
}
ENTRIES = [
    *("state_dict", "ema_state_dict", "params", "params_ema", "params-ema", "model", "generator"),
    *("netG", "net_g", "g_state_dict", "model_g", "g_ema", "G_ema", "generator_state_dict"),
    *("network", "model_state_dict", "runner", "average", "ema", "ema_model_state_dict"),
]
PREFIXES = [
    *("module.", "_orig_mod.", "net.", "model.", "generator.", "netG.", "net_g.", "model_g."),
    *("runner.generator.", "G.", "generator_ema.", "ema_model.", "params_ema.", "state_dict."),
]


def tensors(names, first=0.0):
    return {name: torch.full((2,), first + i) for i, name in enumerate(names)}


def same(one, other):
    return list(one) == list(other) and all(torch.equal(one[key], other[key]) for key in one)


def prefixed(prefix, state):
    return {prefix + key: value for key, value in state.items()}


@pytest.mark.parametrize("names", NETWORKS.values(), ids=NETWORKS)
def test_a_bare_state_dict_is_left_as_it_is(names):
    found = unwrap(tensors(names))

    assert same(found.state, tensors(names))
    assert (found.chosen, found.averaged, found.left_out) == ((), False, ())


@given(
    names=st.sampled_from(list(NETWORKS.values())),
    entries=st.lists(st.sampled_from(ENTRIES), max_size=3),
    prefixes=st.lists(st.sampled_from(PREFIXES), max_size=3),
)
def test_wrappers_in_any_order_come_off(names, entries, prefixes):
    content = tensors(names)
    for prefix in prefixes:
        content = prefixed(prefix, content)
    for entry in entries:
        content = {"epoch": 7, "optimizer": {"lr": 0.1}, entry: content}

    found = unwrap(content)

    assert same(found.state, tensors(names))
    assert "".join(found.chosen[len(entries) :]) == "".join(reversed(prefixes))
    assert list(found.chosen[: len(entries)]) == entries[::-1]
    said = "".join([*entries, *prefixes])
    assert found.averaged == ("ema" in said or "average" in said)


@pytest.mark.parametrize(
    ("averaged", "raw"),
    [
        ("ema_state_dict", "state_dict"),
        ("params_ema", "params"),
        ("g_ema", "g"),
        ("G_ema", "G"),
        ("ema", "model"),
        ("model_ema", "model"),
        ("average", "generator"),
        ("ema_generator", "state_dict"),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_averages_are_preferred_to_raw_weights_and_said(averaged, raw, order):
    both = {averaged: tensors(NETWORKS["ours"], 10), raw: tensors(NETWORKS["ours"])}

    found = unwrap(dict(list(both.items())[::order]))

    assert same(found.state, both[averaged])
    assert found.averaged
    assert found.chosen == (averaged,)


@pytest.mark.parametrize(
    ("averaged", "raw"),
    [("generator_ema.", "generator."), ("net_g_ema.", "net_g."), ("ema_model.", "online_model.")],
)
def test_averages_are_preferred_among_the_tensors_of_one_dictionary_too(averaged, raw):
    state = tensors(NETWORKS["ours"])

    found = unwrap(prefixed(raw, state) | prefixed(averaged, tensors(NETWORKS["ours"], 10)))

    assert same(found.state, tensors(NETWORKS["ours"], 10))
    assert found.averaged
    assert found.left_out == (raw,)


@pytest.mark.parametrize("count", ["n_averaged", "steps"])
@pytest.mark.parametrize("outer", ["", "_orig_mod.", "generator_ema."])
def test_an_averaged_model_counts_beside_its_tensors(count, outer):
    state = prefixed(outer + "module.", tensors(NETWORKS["ours"]))
    state[outer + count] = torch.tensor(100)

    found = unwrap({"state_dict": state})

    assert same(found.state, tensors(NETWORKS["ours"]))
    assert found.averaged
    assert found.left_out == (count,)


def test_the_networks_that_train_a_generator_are_left_out():
    state = prefixed("generator.", tensors(NETWORKS["ours"]))
    beside = {
        "discriminator.model.0.weight": torch.zeros(3),
        "netD.main.weight": torch.zeros(3),
        "perceptual_loss.vgg.mean": torch.zeros(3),
        "lpips.lin0.weight": torch.zeros(3),
        "step_counter": torch.tensor(3),
    }

    found = unwrap({"meta": {"epoch": 3}, "state_dict": beside | state, "optimizer": []})

    assert same(found.state, tensors(NETWORKS["ours"]))
    assert found.left_out == (
        "discriminator.",
        "netD.",
        "perceptual_loss.",
        "lpips.",
        "step_counter",
    )


@pytest.mark.parametrize(
    "odd", ["mean", "sub_mean.weight", "generator2.head.weight", "model.head.weight"]
)
def test_what_may_change_the_image_is_never_left_out(odd):
    state = prefixed("generator.", tensors(NETWORKS["ours"]))

    with pytest.raises(ValueError, match=r"beside those of generator: .*not known"):
        unwrap(state | {odd: torch.zeros(3)})


@pytest.mark.parametrize(
    ("one", "other"), [("model", "state_dict"), ("generator", "netG"), ("ema", "params_ema")]
)
def test_one_of_two_equals_is_not_guessed(one, other):
    state = tensors(NETWORKS["ours"])

    with pytest.raises(ValueError, match=f"several networks.* {one}, {other}"):
        unwrap({one: state, other: state})


@pytest.mark.parametrize("other", ["optimizer", "netD", "G_A", "scheduler"])
def test_only_names_of_networks_are_entered(other):
    with pytest.raises(ValueError, match="holds more than tensors"):
        unwrap({other: tensors(NETWORKS["ours"])})


def test_an_average_that_is_no_state_dict_is_passed_over():
    state = tensors(NETWORKS["ours"])

    found = unwrap({"ema": {"shadow_params": [torch.zeros(2)], "decay": 0.9}, "model": state})

    assert same(found.state, state)
    assert not found.averaged


def test_what_contains_itself_comes_to_an_end():
    content = {"epoch": 3}
    content["state_dict"] = content
    content |= {str(i): content for i in range(100)}

    with pytest.raises(ValueError, match="more than tensors"):
        unwrap(content)


def test_parameters_become_plain_tensors():
    found = unwrap({"conv.weight": torch.nn.Parameter(torch.zeros(2))})

    assert not found.state["conv.weight"].requires_grad
