"""Files from before PyTorch 1.6 hold what they ask for, or are refused: never memory as it was."""

from __future__ import annotations

import io
import pickle
import pickletools
from typing import TYPE_CHECKING

import pytest
import torch

from napari_srgan.store.tensors.tensor_file import CheckpointError, unpickle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SHARED = torch.arange(6.0)
STATE = {"one": torch.ones(6), "two": SHARED[:4], "three": SHARED[2:], "four": torch.zeros(6)}


def legacy_file(folder: Path, change: Callable[[list[str]], list[str]]) -> Path:
    """Write a file whose list of storages is changed."""
    buffer = io.BytesIO()
    torch.save(STATE, buffer, _use_new_zipfile_serialization=False)
    content = buffer.getvalue()
    buffer.seek(0)
    for _ in range(4):
        list(pickletools.genops(buffer))
    start = buffer.tell()
    names = pickle.load(buffer)
    path = folder / "old.pth"
    listed = pickle.dumps(change(names), protocol=2)
    path.write_bytes(content[:start] + listed + content[buffer.tell() :])
    return path


def test_a_file_with_all_its_storages_is_read(tmp_path) -> None:
    path = legacy_file(tmp_path, lambda names: names)

    state = unpickle(path)
    assert all(torch.equal(state[key], value) for key, value in STATE.items())


@pytest.mark.parametrize(
    "change",
    [
        lambda names: [names[0], *names[:-1]],
        lambda names: names[:-1],
        lambda names: [],
    ],
)
def test_a_file_that_lacks_a_storage_is_refused(tmp_path, change) -> None:
    path = legacy_file(tmp_path, change)

    with pytest.raises(CheckpointError, match="damaged"):
        unpickle(path)
