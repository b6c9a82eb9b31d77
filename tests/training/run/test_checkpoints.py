"""Checkpoints: whole or named, whatever happened to the disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_srgan.training.run.checkpoints import Checkpoints, read_state, write_whole
from napari_srgan.training.run.damaged import DamagedFileError

STATE = {"step": 3, "generator": {"weight": torch.arange(20.0)}}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint") / "00000003.pt"
    write_whole(path, STATE)
    return path


def test_a_state_is_read_as_it_was_written_by_this_package_and_by_torch(written) -> None:
    for state in (read_state(written), torch.load(written, weights_only=True)):
        assert state["step"] == 3
        assert torch.equal(state["generator"]["weight"], torch.arange(20.0))


@given(st.data())
def test_a_changed_byte_anywhere_is_found_and_the_file_named(written, data) -> None:
    content = bytearray(written.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    other = written.with_name("changed.pt")
    other.write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"changed\.pt is damaged"):
        read_state(other)


@given(st.data())
def test_a_file_that_was_cut_short_is_found(written, data) -> None:
    content = written.read_bytes()
    other = written.with_name("cut.pt")
    other.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    # Cut exactly where the checksum begins it is a file of the version before, and whole.
    if other.stat().st_size == len(content) - 39:
        assert read_state(other)["step"] == 3
        return
    with pytest.raises(DamagedFileError, match=r"cut\.pt is damaged"):
        read_state(other)


def test_a_checkpoint_of_the_version_before_is_read(tmp_path) -> None:
    torch.save(STATE, tmp_path / "00000003.pt")
    assert read_state(tmp_path / "00000003.pt")["step"] == 3


def test_the_checkpoint_before_a_damaged_one_is_used_and_that_is_said(tmp_path, caplog) -> None:
    checkpoints = Checkpoints(tmp_path)
    for step in (2, 4):
        checkpoints.save(step, STATE | {"step": step})
    _flip(tmp_path / "00000004.pt")

    latest = checkpoints.latest()

    assert latest is not None
    assert latest["step"] == 2
    assert "00000004.pt is damaged" in caplog.text
    assert "00000002.pt is used" in caplog.text
    assert (tmp_path / "00000004.pt.damaged").exists()


def test_where_no_whole_checkpoint_is_left_that_is_said(tmp_path, caplog) -> None:
    checkpoints = Checkpoints(tmp_path)
    _flip(checkpoints.save(2, STATE))
    assert checkpoints.latest() is None
    assert "There is none before it" in caplog.text


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
