"""A refused PyTorch file says which classes it holds, and how its tensors are exported."""

import argparse
import collections
import functools
import io
import os
import pathlib
import pickle
import re

import numpy as np
import pytest
import torch

from napari_srgan.store.tensors.pickles import refusal
from napari_srgan.store.tensors.tensor_file import CheckpointError, read_tensors

STATE = {"conv.weight": torch.zeros(2, 2)}


class Whole(torch.nn.Conv2d):
    """A network whose class is not this package's."""


class Settings(dict):
    """What a training program keeps beside its tensors."""


class Runs:
    def __reduce__(self):
        return os.mkdir, ("it ran",)


def by_torch(content, **options):
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


WRITERS = {
    "zip": by_torch,
    "legacy": lambda content: by_torch(content, _use_new_zipfile_serialization=False),
    "zip, protocol 4": lambda content: by_torch(content, pickle_protocol=4),
    "legacy, protocol 5": lambda content: by_torch(
        content, _use_new_zipfile_serialization=False, pickle_protocol=5
    ),
}


@pytest.fixture(params=WRITERS)
def refused(tmp_path, monkeypatch, request):
    """Return what is said of a content in each of PyTorch's formats, read in its folder."""
    monkeypatch.chdir(tmp_path)

    def refused(content):
        path = tmp_path / "my net.pth"
        path.write_bytes(WRITERS[request.param](content))
        with pytest.raises(CheckpointError) as caught:
            read_tensors(path)
        assert not (tmp_path / "it ran").exists()
        return str(caught.value)

    return refused


def exported(message):
    """Do what a message says in the folder of the file, and return the tensors then."""
    lines = re.search(r"in Python: (.*)$", message).group(1)
    exec(lines, {})
    return read_tensors(pathlib.Path("my net-tensors.pth"))[0].state


@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")  # torch's, while saving
@pytest.mark.parametrize(
    "wrap",
    [
        lambda whole: whole,
        lambda whole: {"epoch": 3, "model": whole},
        lambda whole: {"optimizer": {"state": {}}, "state_dict": whole},
    ],
)
def test_whole_modules_are_named_and_the_lines_export_their_tensors(refused, wrap):
    message = refused(wrap(Whole(2, 2, 1)))

    assert "holds whole modules" in message
    assert f"{__name__}.Whole" in message
    assert list(exported(message)) == ["weight", "bias"]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (argparse.Namespace(scale=4), "argparse.Namespace"),
        (Settings(scale=4), f"{__name__}.Settings"),
        (np.float64(30.1), "numpy._core.multiarray.scalar|numpy.core.multiarray.scalar"),
        (pathlib.PurePosixPath("x"), "pathlib.PurePosixPath"),
        (collections.defaultdict(list), "collections.defaultdict"),
        (functools.partial(dict), "functools.partial"),
    ],
)
def test_objects_beside_tensors_are_named_and_the_lines_leave_them(refused, value, name):
    message = refused({"settings": value, "state_dict": STATE})

    assert "Python objects beside its tensors" in message
    assert re.search(name, message)
    assert list(exported(message)) == list(STATE)


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: {**STATE, "z": x}, lambda x: [Whole, x]])
def test_calls_of_python_functions_are_named_and_nobody_is_told_to_run_them(refused, wrap):
    message = refused(wrap(Runs()))

    assert re.search(r"it calls for (posix|nt)\.mkdir, which no model needs", message)
    assert "weights_only" not in message
    assert "do not load this file" in message


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_tensors_that_pickle_wrote_are_told_apart(tmp_path, monkeypatch, protocol):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "my net.pth"
    path.write_bytes(pickle.dumps(STATE, protocol))

    message = refusal(path)

    assert "was written by pickle, not by torch.save" in message
    assert list(exported(message)) == list(STATE)


def test_a_protocol_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "my net.pth"
    path.write_bytes(by_torch(STATE, pickle_protocol=4))

    with pytest.raises(CheckpointError, match="was saved with pickle protocol 4") as caught:
        read_tensors(path)

    assert list(exported(str(caught.value))) == list(STATE)


@pytest.mark.parametrize("content", [STATE, [1, 2], None])
def test_of_plain_values_nothing_is_said(tmp_path, content):
    path = tmp_path / "model.pth"
    path.write_bytes(by_torch(content))

    assert refusal(path) is None


def test_torchs_own_words_never_come_through(refused):
    for content in (Whole(2, 2, 1), {"a": argparse.Namespace()}, Runs()):
        message = refused(content)

        assert message.isprintable()
        assert not re.search("two options|safe_globals|arbitrary code", message)
