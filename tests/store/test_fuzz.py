"""A model file with one thing wrong loads as what it was, or is refused in one clean line.

The files are valid but for what is changed: a field of a safetensors header, an instruction of a
pickle, a member of a zip archive. Bytes alone would hardly ever come past the first check.
"""

from __future__ import annotations

import io
import json
import pickletools
import struct
import sys
import warnings
import zipfile
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from napari_srgan.models.srresnet import SRResNet
from napari_srgan.store.checkpoint import CheckpointError, load_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MOST_MEMORY = 2**29  # bytes that a file of 10 KB may take while it is read
HOSTILE = "\x1b[2J\u202e\x00"
NUMBERS = [0, -1, 1, 7, 2**31, 2**40, 2**63 - 1, 2**63, 2**64, 10**30, 1.5, True]
JUNK = st.sampled_from([*NUMBERS, None, "", "F32", HOSTILE, "x" * 10**5, [], [1], {}, {"a": 1}])


def make_network() -> SRResNet:
    network = SRResNet(blocks=1, features=2, scale=2).eval().requires_grad_(False)
    for place, value in enumerate(network.state_dict().values()):
        if value.is_floating_point():
            value.copy_((torch.arange(value.numel()).view(value.shape) % 97 + place) / 200 + 0.05)
    return network


NETWORK = make_network()
STATE = NETWORK.state_dict()
VALUES = torch.cat([value.flatten() for value in STATE.values()]).unique()
IMAGE = torch.linspace(0, 1, 90).view(1, 3, 5, 6)


@pytest.fixture(scope="module")
def loads_or_is_refused(tmp_path_factory):
    """Return a check of a file's content: the model, or one clean line, and no code run."""
    folder = tmp_path_factory.mktemp("fuzz")

    def check(content: bytes) -> None:
        path = folder / "model.pth"
        path.write_bytes(content)
        before = peak_memory()
        try:
            with warnings.catch_warnings(action="ignore"):  # torch's, about what bytes may mean
                model = load_checkpoint(path)
        except CheckpointError as error:
            message = str(error)
            assert message.startswith(str(path))
            assert message.isprintable()
            assert len(message) <= 4000
        else:
            network = model.network
            assert torch.equal(network(IMAGE), NETWORK(IMAGE)) or has_only_its_own(network)
            assert "".join((model.name, *model.metadata, *model.metadata.values())).isprintable()
        assert peak_memory() - before < MOST_MEMORY
        assert [file.name for file in folder.iterdir()] == [path.name]

    check.marker = folder / "it ran"
    return check


def has_only_its_own(network) -> bool:
    """Tell whether all values are the file's: strides and places in it may say which go where."""
    return all(torch.isin(value, VALUES).all() for value in network.state_dict().values())


def peak_memory() -> int:
    if sys.platform == "win32":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 2**10


# safetensors

WHOLE = save(STATE, {"name": "whole", "invents": "false"})
LENGTH = struct.unpack("<Q", WHOLE[:8])[0]
TENSORS = sorted(STATE)


def with_header(text: str, length: int = 0, more: bytes = b"") -> bytes:
    header = text.encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(header) + length) + header + WHOLE[8 + LENGTH :] + more


def set_a_field(header, key, draw) -> None:
    header[key][draw(st.sampled_from(["dtype", "shape", "data_offsets", "more"]))] = draw(JUNK)


def set_a_number(header, key, draw) -> None:
    numbers = header[key][draw(st.sampled_from(["shape", "data_offsets"]))]
    if numbers:
        numbers[draw(st.integers(0, len(numbers) - 1))] = draw(JUNK)


def move_an_end(header, key, draw) -> None:
    first, last = header[key]["data_offsets"]
    moves = st.integers(-9, 9)
    header[key]["data_offsets"] = [first + draw(moves), last + draw(moves)]


def set_the_type(header, key, draw) -> None:
    kinds = ["F64", "I64", "I32", "BOOL", "U8", "F8_E4M3", "C64", "F4", "f32", "U64"]
    header[key]["dtype"] = draw(st.sampled_from(kinds))


def rename(header, key, draw) -> None:
    names = ["", HOSTILE, "x" * 10**5, f"module.{key}", "body.blocks.99999999.conv1.weight"]
    header[draw(st.sampled_from([*names, "\ud800", "self_test.low", f"{key}.0"]))] = header.pop(key)


def lengthen_the_shape(header, key, draw) -> None:
    header[key]["shape"] = [1] * draw(st.sampled_from([1, 64, 1000])) + header[key]["shape"]


def say_more(header, key, draw) -> None:
    facts = JUNK | st.dictionaries(st.sampled_from(["name", "invents", HOSTILE]), JUNK)
    header["__metadata__"] = draw(facts)


def add_one(header, key, draw) -> None:
    shape = draw(st.lists(st.sampled_from([0, 1, 2**40]), max_size=3))
    header[draw(st.sampled_from(["more", "self_test.low"]))] = {
        "dtype": "F32", "shape": shape, "data_offsets": [len(WHOLE) - 8 - LENGTH] * 2,
    }  # fmt: skip


def leave_out(header, key, draw) -> None:
    del header[key]


CHANGES = [
    set_a_field, set_a_number, move_an_end, set_the_type, rename, lengthen_the_shape, say_more,
    add_one, leave_out,
]  # fmt: skip


@given(data=st.data(), key=st.sampled_from(TENSORS), change=st.sampled_from(CHANGES))
@settings(max_examples=150)
def test_a_safetensors_header_with_one_thing_changed(loads_or_is_refused, data, key, change):
    header = json.loads(WHOLE[8 : 8 + LENGTH])
    change(header, key, data.draw)

    loads_or_is_refused(with_header(json.dumps(header)))


@pytest.mark.parametrize("change", ["twice", "nested", "cut", "longer", "shorter", "spaced"])
def test_a_safetensors_header_that_is_written_oddly(loads_or_is_refused, change):
    text = WHOLE[8 : 8 + LENGTH].decode()
    first = json.dumps({TENSORS[0]: json.loads(text)[TENSORS[0]]})
    written: dict[str, Callable[[], bytes]] = {
        "twice": lambda: with_header(f"{first[:-1]},{text[1:]}"),
        "nested": lambda: with_header('{"a":' * 100_000 + text),
        "cut": lambda: with_header(text.rstrip()[:-3]),
        "longer": lambda: with_header(text, 8),
        "shorter": lambda: with_header(text, -8),
        "spaced": lambda: with_header(text + " " * 4096),
    }

    loads_or_is_refused(written[change]())


# PyTorch's pickles

NAMES = [
    *("cos\nmkdir\n", "cposix\nmkdir\n", "cbuiltins\neval\n", "cbuiltins\nbytearray\n"),
    *(f"ctorch._utils\n_rebuild_{kind}\n" for kind in ("tensor", "qtensor", "parameter")),
    *(f"ctorch._utils\n_rebuild_{kind}\n" for kind in ("sparse_tensor", "nested_tensor")),
    "ctorch._utils\n_rebuild_meta_tensor_no_storage\n",
    "ctorch._utils\n_rebuild_wrapper_subclass\n",
    *(f"ctorch\n{kind}Storage\n" for kind in ("Double", "Half", "QInt8", "ComplexFloat", "Long")),
    *("ctorch\nSize\n", "ctorch\ndevice\n", "ccollections\nCounter\n", "c_codecs\nencode\n"),
    "c\x1b[2J\nx\n",
]
PUSHES = [
    *(b"K\x00", b"K\x07", b"M\xff\xff", b"J\xff\xff\xff\xff", b"J\xff\xff\xff\x7f", b"N", b"\x88"),
    *(b"\x8a\x08" + b"\xff" * 7 + b"\x7f", b"\x8a\x05\x00\x00\x00\x00\x10", b")", b"]", b"}"),
    *(b"X\x01\x00\x00\x00x", b"X\x04\x00\x00\x00meta", b"X\x04\x00\x00\x00\x1b[2J"),
]
DOES = [b"0", b"2", b"R", b"Q", b"b", b"t", b"s", b"u", b".", b"(", b"h\x00", b"h\x05", b"\x81"]


def changed(pickle: bytes, data, marker: Path) -> bytes:
    """Return a pickle in which one instruction is another, is lacking, or has one before it."""
    starts = [place for _, _, place in pickletools.genops(pickle)]
    which = data.draw(st.integers(0, len(starts) - 1))
    first, last = starts[which], [*starts, len(pickle)][which + 1]
    old = pickle[first:last]
    names = [name.encode() for name in NAMES]
    call = f"cos\nmkdir\n(V{marker}\ntR".encode()
    new = data.draw(
        st.sampled_from([b"", old * 3, call, *names, *PUSHES, *DOES])
        | st.sampled_from([call, *PUSHES, *DOES]).map(lambda one: one + old)
        | st.integers(0, 255).map(lambda byte: bytes([byte]) + old[1:])
    )
    return pickle[:first] + new + pickle[last:]


def saved(**options) -> bytes:
    file = io.BytesIO()
    torch.save(STATE, file, **options)
    return file.getvalue()


def members_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive_of(members, more=(), **options) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(file, "w", **options) as archive:
        for name, content in [*members.items(), *more]:
            archive.writestr(name, content)
    return file.getvalue()


MEMBERS = members_of(saved())
PICKLE = next(name for name in MEMBERS if name.endswith("data.pkl"))
LEGACY = saved(_use_new_zipfile_serialization=False)


@given(data=st.data())
@settings(max_examples=150)
def test_a_pickle_with_one_instruction_changed(loads_or_is_refused, data):
    pickle = changed(MEMBERS[PICKLE], data, loads_or_is_refused.marker)

    loads_or_is_refused(archive_of(MEMBERS | {PICKLE: pickle}))


@given(data=st.data())
@settings(max_examples=100)
def test_a_legacy_file_with_one_instruction_changed(loads_or_is_refused, data):
    file, ends = io.BytesIO(LEGACY), [0]
    for _ in range(5):  # its magic number, protocol, system, content and keys
        list(pickletools.genops(file))
        ends.append(file.tell())
    which = data.draw(st.sampled_from([0, 1, 2, 3, 3, 3, 3, 4]))
    first, last = ends[which], ends[which + 1]
    pickle = changed(LEGACY[first:last], data, loads_or_is_refused.marker)

    loads_or_is_refused(LEGACY[:first] + pickle + LEGACY[last:])


NEW_NAMES = ["x", "../x", "/x", "archive/data/99", "archive/constants.pkl", "data.pkl", HOSTILE]


@given(data=st.data(), name=st.sampled_from(sorted(MEMBERS)))
@settings(max_examples=80)
def test_an_archive_with_one_member_changed(loads_or_is_refused, data, name):
    members, more, options = dict(MEMBERS), [], {}
    old = members[name]
    change = data.draw(st.sampled_from(["content", "name", "none", "twice", "packed"]))
    if change == "content":
        members[name] = data.draw(st.sampled_from([b"", old[:-1], old + b"x", old * 2]))
    elif change == "name":
        members[data.draw(st.sampled_from(NEW_NAMES)) or name] = members.pop(name)
    elif change == "none":
        del members[name]
    elif change == "twice":
        more = [(name, data.draw(st.sampled_from([b"", b"x", MEMBERS[PICKLE]])))]
    else:
        options = {"compression": zipfile.ZIP_DEFLATED}

    loads_or_is_refused(archive_of(members, more, **options))
