import io
import json
import os
import pickle
import re
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save, save_file

from napari_srgan.store.checkpoint import (
    CheckpointError,
    load_checkpoint,
    rounded_to_half,
    save_checkpoint,
)
from napari_srgan.store.self_test import make_self_test

ARCHITECTURES = [
    {},
    {"batch_norm": False},
    {"blocks": 5, "features": 4},
    {"channels": 1, "scale": 2},
    {"channels": 5, "scale": 3, "batch_norm": False},
    {"blocks": 1, "scale": 8},
]


def as_pytorch(content, **options):
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


def as_old_pytorch(content):
    return as_pytorch(content, _use_new_zipfile_serialization=False)


def same_network(one, other):
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


@pytest.fixture
def state(random_network):
    return random_network().state_dict()


@pytest.fixture
def load(tmp_path):
    """Return a loader of bytes, or of a content that PyTorch saves."""

    def load(content, name="model.pth"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else as_pytorch(content))
        return load_checkpoint(path)

    return load


# What is a generator


@pytest.mark.parametrize("sizes", ARCHITECTURES)
def test_what_was_saved_is_what_is_loaded(random_network, tmp_path, sizes):
    network, path = random_network(**sizes), tmp_path / "model.safetensors"

    save_checkpoint(path, network, {"licence": "BSD"})
    model = load_checkpoint(path)

    assert same_network(model.network, network)
    assert model.scale == network.scale
    assert dict(model.metadata) == {"licence": "BSD"}


@pytest.mark.parametrize("sizes", ARCHITECTURES)
@pytest.mark.parametrize("write", [save, as_pytorch, as_old_pytorch])
def test_the_sizes_are_read_off_the_tensors_of_any_kind_of_file(random_network, load, sizes, write):
    network = random_network(**sizes)

    loaded = load(write(network.state_dict())).network

    for size in ("blocks", "features", "channels", "scale", "batch_norm"):
        assert getattr(loaded, size) == getattr(network, size)
    assert same_network(loaded, network)


def test_more_than_nine_blocks_are_counted_as_numbers(random_network, load):
    assert load(save(random_network(blocks=12, features=2).state_dict())).network.blocks == 12


def test_the_network_is_for_evaluation_on_the_cpu_and_learns_nothing(load, state):
    network = load(state).network

    assert not network.training
    assert not any(value.requires_grad for value in network.parameters())
    assert {value.device.type for value in network.parameters()} == {"cpu"}


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn]
)
def test_other_floats_are_loaded_as_float32(load, state, dtype):
    other = {key: v.to(dtype) if v.is_floating_point() else v for key, v in state.items()}

    loaded = load(save(other)).network.state_dict()

    for key, value in loaded.items():
        assert value.dtype == state[key].dtype
        torch.testing.assert_close(value, other[key].to(value.dtype), rtol=0, atol=0)


@pytest.mark.parametrize(
    "change",
    [
        lambda value: torch.stack([value, value], -1)[..., 0],  # every second value of a storage
        lambda value: value.to(memory_format=torch.channels_last) if value.ndim == 4 else value,
        torch.nn.Parameter,
    ],
)
def test_tensors_are_loaded_however_they_lie_in_memory(load, random_network, state, change):
    odd = {key: change(v) if v.is_floating_point() else v for key, v in state.items()}

    network = load(odd).network

    assert same_network(network, random_network())
    assert all(value.is_contiguous() for value in network.parameters())


def test_tensors_may_share_their_values_and_do_not_when_loaded(load, state):
    slope = state["body.act.weight"]
    shared = {key: slope if key.endswith("act.weight") else v for key, v in state.items()}

    loaded = load(shared).network.state_dict()

    slopes = [value for key, value in loaded.items() if key.endswith("act.weight")]
    assert all(torch.equal(value, slope) for value in slopes)
    assert len({value.data_ptr() for value in slopes}) == len(slopes)


@pytest.mark.parametrize("write", [save, as_pytorch])
@pytest.mark.parametrize(
    "change", [lambda count: None, lambda count: count.half() + torch.inf, lambda count: count + 7]
)
def test_counts_of_training_steps_may_lack_and_do_not_matter(
    load, random_network, state, write, change
):
    changed = {k: change(v) if k.endswith("num_batches_tracked") else v for k, v in state.items()}

    loaded = load(write({k: v for k, v in changed.items() if v is not None})).network.state_dict()

    assert loaded.keys() == state.keys()
    for key, value in random_network().state_dict().items():
        assert loaded[key].dtype == value.dtype
        assert key.endswith("num_batches_tracked") or torch.equal(loaded[key], value)


def test_averages_are_loaded_before_raw_weights_and_it_is_said(load, state, caplog):
    raw = {key: torch.zeros_like(value) for key, value in state.items()}

    with caplog.at_level("INFO"):
        model = load({"state_dict": raw, "ema_state_dict": state})

    assert torch.equal(model.network.state_dict()["tail.last.bias"], state["tail.last.bias"])
    assert dict(model.metadata) == {"taken_from": "ema_state_dict", "averaged": "true"}
    assert "took the averaged weights (ema_state_dict)" in caplog.text


def test_a_generator_is_loaded_from_beside_what_trained_it(load, state):
    trained = {f"generator.module.{key}": value for key, value in state.items()}
    beside = {"discriminator.conv.weight": torch.zeros(3), "perceptual_loss.vgg.mean": state}

    content = {"meta": {"epoch": 3}, "state_dict": trained | {"discriminator.x": torch.zeros(1)}}
    assert load(content | beside).network.blocks == 2


HOSTILE = "\x1b]0;title\x07\u202e\x00evil\n"


def test_nothing_of_a_file_can_rewrite_a_terminal(load, state, tmp_path):
    path = tmp_path / f"m{HOSTILE.replace(chr(0), '')}.safetensors"
    path.write_bytes(
        save(state, {"name": HOSTILE + "x" * 500_000, HOSTILE: HOSTILE, "licence": HOSTILE})
    )

    model = load_checkpoint(path)

    for text in (model.name, *model.metadata, *model.metadata.values()):
        assert text.isprintable()
        assert len(text) <= 8000
    assert len(model.name) <= 100


@pytest.mark.parametrize("write", [save, as_pytorch])
@pytest.mark.parametrize("beside", [True, False])
def test_no_message_about_a_file_can_rewrite_a_terminal(load, state, write, beside):
    odd = {HOSTILE: torch.zeros(2), HOSTILE + "x" * 500_000: torch.zeros(2)}

    with pytest.raises(CheckpointError) as caught:
        load(write(odd | (state if beside else {})))

    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 4001


@pytest.mark.parametrize("blocks", [600, 7_000])
@pytest.mark.parametrize("write", [save, as_pytorch, as_old_pytorch])
def test_networks_nobody_has_are_refused_before_they_are_built(
    load, state, write, blocks, monkeypatch
):
    monkeypatch.setattr(torch.nn.Conv2d, "__init__", lambda *_, **__: pytest.fail("was built"))
    one = torch.zeros(1)
    claimed = {f"body.blocks.{i}.conv1.weight": one.clone() for i in range(blocks)}

    with pytest.raises(CheckpointError, match=r"512 or fewer; got 600|generator at most 6000"):
        load(write(state | claimed))


def test_the_name_is_the_one_asked_for_then_the_files_own_then_its_stem(random_network, tmp_path):
    path = tmp_path / "stem.safetensors"
    save_checkpoint(path, random_network(), {})
    assert load_checkpoint(path).name == "stem"

    save_checkpoint(path, random_network(), {"name": "own", "invents": "true"})
    assert load_checkpoint(path).name == "own"
    assert load_checkpoint(str(path), "asked").name == "asked"
    assert load_checkpoint(path).generative


@pytest.mark.parametrize(
    ("says", "generative"),
    [
        ({"invents": "true"}, True),
        ({"invents": "false"}, False),
        ({"invents": "maybe"}, None),
        ({}, None),
    ],
)
def test_whether_a_model_invents_is_what_its_file_says_and_else_unknown(
    load, state, says, generative
):
    assert load(save(state, says)).generative is generative
    assert load(state).generative is None


def test_the_content_decides_not_the_suffix(load, state):
    assert load(save(state), "model.pth").network.blocks == 2
    assert load(as_pytorch(state), "model.safetensors").network.blocks == 2


def test_a_loaded_network_does_not_change_with_its_file(random_network, tmp_path):
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, random_network(), {})
    network = load_checkpoint(path).network

    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(bytes(size // 2))

    assert same_network(network, random_network())


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc, and names files in bytes")
@pytest.mark.parametrize("write", [save, as_pytorch])
def test_a_file_whose_name_is_no_text_is_loaded_and_not_kept_open(tmp_path, state, write):
    path = tmp_path / os.fsdecode(b"caf\xe9 \xe6\x9d\xb1.safetensors")
    path.write_bytes(write(state))

    model = load_checkpoint(path)

    assert model.name == r"caf\udce9 東"
    mapped = Path("/proc/self/maps").read_text(errors="replace")
    opened = [os.path.realpath(file) for file in Path("/proc/self/fd").iterdir()]
    assert str(tmp_path) not in mapped
    assert not any(str(tmp_path) in name for name in opened)


@pytest.mark.parametrize("tag", [b"cuda:1", b"xla:0", b"npu:0", b"mps:0", b"unheard of"])
def test_tensors_of_devices_that_are_not_here_are_loaded_on_the_cpu(random_network, load, tag):
    written = as_pytorch(random_network().state_dict(), _use_new_zipfile_serialization=False)
    tagged = b"X" + len(tag).to_bytes(4, "little") + tag

    network = load(written.replace(b"X\x03\x00\x00\x00cpu", tagged)).network

    assert same_network(network, random_network())


@pytest.mark.skipif(sys.platform == "win32", reason="would take the room on the disk")
def test_a_file_larger_than_any_model_is_refused_unread(tmp_path, state):
    path = tmp_path / "huge.safetensors"
    path.write_bytes(save(state))
    with path.open("r+b") as file:
        file.truncate(2**33)  # of which the disk keeps what was written

    with pytest.raises(CheckpointError, match="8589934592 bytes, more than any generator"):
        load_checkpoint(path)


def test_loading_takes_no_random_numbers(load, state):
    before = torch.random.get_rng_state()

    load(save(state))

    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("sizes", ARCHITECTURES)
def test_a_self_test_is_loaded_as_it_was_saved(random_network, tmp_path, sizes):
    network, path = random_network(**sizes), tmp_path / "model.safetensors"
    test = make_self_test(network)

    save_checkpoint(path, network, {}, test)
    model = load_checkpoint(path)

    assert same_network(model.network, network)
    np.testing.assert_array_equal(model.self_test.low, test.low)
    np.testing.assert_array_equal(model.self_test.upscaled, test.upscaled)


@pytest.mark.parametrize("write", [save, as_pytorch])
def test_a_file_without_a_self_test_is_a_model_without_one(load, state, write):
    assert load(write(state)).self_test is None


# What is not


def without(state, *keys):
    return {key: value for key, value in state.items() if key not in keys}


def test_every_missing_extra_and_misshapen_tensor_is_named(load, state):
    changed = without(state, "body.act.weight", "tail.last.bias")
    changed["body.extra"] = torch.zeros(1)
    changed["body.trunk.bias"] = torch.zeros(9)

    with pytest.raises(CheckpointError, match="does not fit SRResNet") as caught:
        load(changed)

    assert "missing body.act.weight, tail.last.bias;" in str(caught.value)
    assert "not expected body.extra;" in str(caught.value)
    assert "body.trunk.bias is (9,) instead of (8,)" in str(caught.value)


def test_a_long_list_of_faults_is_cut(load, state):
    with pytest.raises(CheckpointError, match=r"missing (\S+, ){2}\S+ and \d+ more"):
        load({key: v for key, v in state.items() if "norm" not in key or key == "body.norm.weight"})


@pytest.mark.parametrize(
    ("key", "tensor", "message"),
    [
        ("body.head.weight", torch.zeros(8, 3), "no generator that is known"),
        ("body.head.weight", torch.zeros(0, 3, 9, 9), "1 or more; got 2, 0 and 3"),
        ("tail.upsample.0.conv.weight", torch.tensor(1.0), "scale must be one of"),
        ("tail.upsample.0.conv.weight", torch.zeros(40, 8, 3, 3), "misshapen"),
        ("tail.upsample.7.conv.weight", torch.zeros(200, 8, 3, 3), "describes no SRResNet: scale"),
        ("body.blocks.0.conv1.weight", torch.zeros(8, 8, 5, 5), r"\(8, 8, 5, 5\) instead of"),
        ("body.norm.running_mean", torch.full((8,), torch.nan), "not finite: body.norm.running_m"),
        (
            "tail.last.bias",
            torch.tensor([0, 1e300, 0], dtype=torch.float64),
            r"too large .*bias \(up to 1e\+300",
        ),
        ("tail.last.bias", torch.tensor([0, torch.inf, 0]).double(), "not finite: tail.last.bias"),
        ("body.head.bias", torch.zeros(8, dtype=torch.complex64), "no plain array of numbers"),
        ("body.head.bias", torch.zeros(8).to_sparse(), "no plain array of numbers"),
        ("body.head.bias", torch.zeros(8, device="meta"), "no plain array of numbers"),
        (
            "body.norm.running_var",
            -torch.ones(8),
            r"variances below 0: body.norm.running_var \(down",
        ),
        ("body.head.bias", torch.ones(8, dtype=torch.int64), "whole numbers where weights are"),
        ("body.head.bias", torch.ones(8, dtype=torch.bool), r"body\.head\.bias \(torch\.bool\)"),
        ("body.head.bias", torch.zeros(1).expand(10**9), "but its tensors claim"),
        ("body.head.weight", torch.zeros(1).expand(10**9, 3, 9, 9), "but its tensors claim"),
    ],
)
def test_a_tensor_that_cannot_be_is_refused(load, state, key, tensor, message):
    with pytest.raises(CheckpointError, match=message):
        load({**state, key: tensor})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"low": None}, "half a self-test: self_test.upscaled alone"),
        ({"upscaled": None}, "half a self-test: self_test.low alone"),
        ({"low": torch.zeros(3, 2, 5)}, "does not fit its network: torch.float32"),
        ({"low": torch.zeros(1, 2, 5, dtype=torch.uint8)}, r"does not fit .*\(1, 2, 5\)"),
        ({"low": torch.zeros(2, 5, dtype=torch.uint8)}, "does not fit"),
        ({"low": torch.tensor(7, dtype=torch.uint8)}, "does not fit"),
        ({"upscaled": torch.zeros(3, 8, 20).half()}, "torch.float16"),
        ({"upscaled": torch.zeros(3, 20, 8)}, r"does not fit .*\(3, 20, 8\)"),
        ({"upscaled": torch.zeros(3, 4, 10)}, "does not fit"),
        ({"upscaled": torch.full((3, 8, 20), torch.nan)}, "self-test with values that are not fin"),
        (
            {"low": torch.zeros(3, 0, 5, dtype=torch.uint8), "upscaled": torch.zeros(3, 0, 20)},
            "does not fit",
        ),
        (
            {"low": torch.zeros(3, 1, 129, dtype=torch.uint8), "upscaled": torch.zeros(3, 4, 516)},
            "at most 128",
        ),
        ({"more": torch.zeros(1)}, r"not expected self_test\.more"),
    ],
)
def test_a_self_test_that_cannot_be_is_refused(load, state, change, message):
    test = {"low": torch.zeros(3, 2, 5, dtype=torch.uint8), "upscaled": torch.zeros(3, 8, 20)}
    tensors = {f"self_test.{key}": v for key, v in {**test, **change}.items() if v is not None}

    with pytest.raises(CheckpointError, match=message):
        load(save({**state, **tensors}))


def test_an_absurd_block_number_is_no_number_of_blocks(load, state):
    with pytest.raises(CheckpointError, match=r"not expected body\.blocks\.999999999"):
        load({**state, "body.blocks.999999999.conv1.weight": torch.zeros(8, 8, 3, 3)})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds list, not a generator's tensors"),
        ({}, "holds dict, not"),
        (None, "holds NoneType, not"),
        (torch.zeros(3), "holds Tensor, not"),
        ({"step": 3, "lr": 0.1}, "more than tensors: step, lr"),
        ({1: torch.zeros(2)}, "no generator that is known.*Its tensors are 1"),
        ({"conv.weight": torch.zeros(2)}, "Its tensors are conv.weight"),
    ],
)
def test_other_contents_are_named(load, content, message):
    with pytest.raises(CheckpointError, match=message):
        load(content)


@pytest.mark.parametrize("name", ["model.safetensors", "model.pth"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html><title>404</title>", "is a web page, not a model"),
        (b"\n  <html lang=en>", "is a web page"),
        (b"\xef\xbb\xbf<!-- moved --><html>", "is a web page"),
        (b'<?xml version="1.0"?><Error/>', "is a web page"),
        (b"once upon a time", "neither a safetensors nor a PyTorch file: it begins with b'once"),
        (b"PK\x03\x04", "cut short"),
        (b"\x80\x02", "cut short"),
        (bytes(9) + b"\x01" * 90, "neither"),
    ],
)
def test_what_is_no_model_file_is_named(load, name, content, message):
    with pytest.raises(CheckpointError, match=re.escape(message)):
        load(content, name)


@pytest.mark.parametrize("length", [1 << 20, 100_000_000, 1 << 40, (1 << 63) - 1, (1 << 64) - 1])
def test_a_header_that_claims_to_be_huge_is_refused(load, length):
    with pytest.raises(CheckpointError, match="damaged or cut short"):
        load(struct.pack("<Q", length) + b'{"a":', "model.safetensors")


def test_a_header_that_points_outside_its_file_is_refused(load):
    entry = {"dtype": "F32", "shape": [10**6], "data_offsets": [0, 4 * 10**6]}
    header = json.dumps({"body.head.weight": entry}).encode()

    with pytest.raises(CheckpointError, match="damaged or cut short"):
        load(struct.pack("<Q", len(header)) + header + bytes(64), "model.safetensors")


@given(data=st.data())
@settings(max_examples=60)
@pytest.mark.parametrize("write", [save, as_pytorch, as_old_pytorch])
def test_a_file_cut_anywhere_is_refused(random_network, tmp_path_factory, write, data):
    whole = write(random_network(blocks=1, features=2).state_dict())
    last = len(whole) - 1
    kept = data.draw(st.integers(0, last) | st.integers(0, 2000) | st.just(last))
    path = tmp_path_factory.getbasetemp() / "cut.safetensors"
    path.write_bytes(whole[:kept])

    with pytest.raises(CheckpointError, match=r"cut\.safetensors"):
        load_checkpoint(path)


@given(changes=st.dictionaries(st.integers(0, 3000), st.integers(0, 255), min_size=1, max_size=4))
@settings(max_examples=80)
@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's, about what the bytes happen to say
@pytest.mark.parametrize("write", [save, as_pytorch, as_old_pytorch])
def test_a_damaged_file_is_refused_or_loads_but_nothing_else(
    random_network, tmp_path_factory, write, changes
):
    content = bytearray(write(random_network(blocks=1, features=2).state_dict()))
    for place, value in changes.items():
        content[place % len(content)] = value
    path = tmp_path_factory.getbasetemp() / "damaged.pth"
    path.write_bytes(content)

    try:
        state = load_checkpoint(path).network.state_dict()
    except CheckpointError:
        return
    assert all(torch.isfinite(value).all() for value in state.values())


class RunsWhenLoaded:
    """What a hostile file holds: it runs a command while it is being read."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (os.mkdir, (str(self.marker),))


@pytest.mark.parametrize("name", ["model.pth", "model.pt", "model.ckpt", "model.safetensors"])
@pytest.mark.parametrize(
    "write",
    [as_pytorch, as_old_pytorch, pickle.dumps, lambda content: pickle.dumps(content, 0)],
    ids=["zip", "legacy", "pickle", "pickle protocol 0"],
)
def test_code_in_a_file_is_never_run(load, state, tmp_path, name, write):
    marker = tmp_path / "it ran"
    content = write({**state, "body.head.bias": RunsWhenLoaded(marker)})

    with pytest.raises(CheckpointError) as caught:
        load(content, name)

    assert not marker.exists()
    assert "weights_only" not in str(caught.value)  # torch explains how to run it all the same


def test_the_hostile_file_of_these_tests_would_run(tmp_path):
    pickle.loads(pickle.dumps(RunsWhenLoaded(tmp_path / "it ran")))

    assert (tmp_path / "it ran").is_dir()


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: None])
def test_a_folder_or_nothing_is_no_file(tmp_path, make):
    path = tmp_path / "model.safetensors"
    make(path)

    with pytest.raises(FileNotFoundError, match="No model file at"):
        load_checkpoint(path)


# Saving


def test_saving_leaves_no_temporary_file_and_replaces_what_was_there(random_network, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"old")

    save_checkpoint(path, random_network(), {})

    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]
    assert load_checkpoint(path).network.blocks == 2


def test_whoever_reads_the_old_file_while_it_is_replaced_keeps_the_old_one(
    random_network, tmp_path
):
    path, reader = tmp_path / "model.safetensors", tmp_path / "reader"
    path.write_bytes(b"old")
    reader.hardlink_to(path)

    save_checkpoint(path, random_network(), {})

    assert reader.read_bytes() == b"old"


def test_saving_that_fails_keeps_what_was_there(random_network, tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"old")

    def full(state, part, metadata):
        part.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr("napari_srgan.store.tensors.tensor_file.save_file", full)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(path, random_network(), {})

    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]
    assert path.read_bytes() == b"old"


def test_a_network_in_training_can_be_saved(random_network, tmp_path):
    network = random_network().train().to(memory_format=torch.channels_last)

    save_checkpoint(tmp_path / "model.safetensors", network, {})

    assert same_network(load_checkpoint(tmp_path / "model.safetensors").network, network)


def test_a_saved_file_is_plain_safetensors(random_network, tmp_path):
    network = random_network()
    save_checkpoint(tmp_path / "ours", network, {})
    save_file(network.state_dict(), tmp_path / "theirs")

    ours, theirs = (load_checkpoint(tmp_path / name).network for name in ("ours", "theirs"))

    assert same_network(ours, theirs)


# Saving in half


def stored(path):
    return {key: value.dtype for key, value in load_file(path).items()}


@pytest.mark.parametrize("sizes", ARCHITECTURES)
def test_only_weights_of_convolutions_are_stored_in_half(random_network, tmp_path, sizes):
    network, path = random_network(**sizes), tmp_path / "model.safetensors"

    save_checkpoint(path, network, {}, half=True)

    for key, dtype in stored(path).items():
        value = network.state_dict()[key]
        assert dtype == (torch.float16 if value.ndim == 4 else value.dtype)


@pytest.mark.parametrize("sizes", ARCHITECTURES)
def test_what_is_loaded_is_the_rounded_network_in_float32(random_network, tmp_path, sizes):
    network, path = random_network(**sizes), tmp_path / "model.safetensors"
    rounded = rounded_to_half(network)

    save_checkpoint(path, network, {}, half=True)
    loaded = load_checkpoint(path).network

    assert same_network(loaded, rounded)
    assert not same_network(loaded, network)
    assert all(value.dtype == torch.float32 for value in loaded.parameters())
    assert same_network(rounded_to_half(rounded), rounded)


def test_rounding_leaves_the_network_itself_alone(random_network):
    network = random_network()

    rounded_to_half(network)

    assert same_network(network, random_network())


def test_half_is_nearly_half_the_size(random_network, tmp_path):
    network = random_network(features=32)
    for half in (False, True):
        save_checkpoint(tmp_path / str(half), network, {}, half=half)

    whole, part = ((tmp_path / str(half)).stat().st_size for half in (False, True))
    assert 0.5 < part / whole < 0.6


def test_half_changes_the_result_by_less_than_a_fifth_of_a_level(random_network):
    network = random_network()

    whole, half = (make_self_test(n).upscaled for n in (network, rounded_to_half(network)))

    assert 0 < 255 * np.abs(half - whole).max() < 0.2


@pytest.mark.parametrize(
    "store", [rounded_to_half, lambda n: save_checkpoint("x", n, {}, half=True)]
)
def test_a_weight_too_large_for_half_is_refused(random_network, tmp_path, monkeypatch, store):
    monkeypatch.chdir(tmp_path)
    network = random_network()
    with torch.no_grad():
        network.tail.last.weight[0, 0, 0, 0] = -7e4

    with pytest.raises(ValueError, match=r"tail\.last\.weight has weights up to 7e\+04"):
        store(network)

    assert list(tmp_path.iterdir()) == []
