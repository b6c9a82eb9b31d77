"""The network between two others, as a model file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import safetensors
import torch
from typer.testing import CliRunner

from napari_srgan.store.checkpoint import load_checkpoint, save_checkpoint
from napari_srgan.store.tensors import tensor_file
from napari_srgan.training.cli import app
from napari_srgan.training.run.export import export_generator, export_interpolated
from napari_srgan.training.run.folder import RunFolder


@pytest.fixture
def two(tmp_path: Path, random_network) -> tuple[Path, Path]:
    paths = tmp_path / "one.safetensors", tmp_path / "other.safetensors"
    for seed, path in enumerate(paths):
        invents = "true" if seed else "false"
        save_checkpoint(path, random_network(seed), {"name": path.stem, "invents": invents})
    return paths


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_every_weight_lies_between_those_of_the_two(tmp_path, two, share) -> None:
    entry = export_interpolated(*two, tmp_path / "between.safetensors", "between", share=share)

    one, other, between = (
        load_checkpoint(path).network.state_dict()
        for path in (*two, tmp_path / "between.safetensors")
    )
    for key, value in between.items():
        torch.testing.assert_close(value, torch.lerp(one[key].double(), other[key].double(), share),
                                   check_dtype=False)  # fmt: skip
    assert entry["name"] == "between"
    assert entry["size"] == (tmp_path / "between.safetensors").stat().st_size


def test_it_invents_if_either_does_and_says_what_it_is_made_of(tmp_path, two) -> None:
    entry = export_interpolated(*two, tmp_path / "b.safetensors", "b", share=0.5)

    model = load_checkpoint(tmp_path / "b.safetensors")
    assert entry["generative"] is model.generative is True
    assert model.metadata["share"] == "0.5"
    assert model.self_test is not None
    assert export_interpolated(two[0], two[0], tmp_path / "c.safetensors", "c", share=0.5)[
        "generative"
    ] is False  # fmt: skip


def test_the_command_line_takes_names_as_well_as_files(tmp_path, two) -> None:
    given = ("interpolate", "srresnet-small-x4", str(two[0]), str(tmp_path / "b.safetensors"))
    refused = CliRunner().invoke(app, [*given, "--share", "0.5"])
    assert refused.exit_code == 1
    assert "srresnet-small-x4" in refused.output  # the two are of other sizes
    small = ("interpolate", *2 * ("srresnet-small-x4",), str(tmp_path / "c.safetensors"))
    made = CliRunner().invoke(app, [*small, "--share", "0.5"])
    assert made.exit_code == 0, made.output
    assert json.loads(made.output)["generative"] is False


def test_of_what_is_not_known_nothing_is_claimed(tmp_path, two, random_network) -> None:
    found = tmp_path / "found.safetensors"
    save_checkpoint(found, random_network(), {})

    faithful = export_interpolated(two[0], found, tmp_path / "b.safetensors", "b", share=0.5)
    drawing = export_interpolated(found, two[1], tmp_path / "c.safetensors", "c", share=0.5)

    assert faithful["generative"] is load_checkpoint(tmp_path / "b.safetensors").generative is None
    assert drawing["generative"] is load_checkpoint(tmp_path / "c.safetensors").generative is True


def test_networks_of_other_sizes_and_shares_beyond_are_refused(
    tmp_path, two, random_network
) -> None:
    save_checkpoint(tmp_path / "deep.safetensors", random_network(blocks=3), {})
    with pytest.raises(ValueError, match="are different networks"):
        export_interpolated(
            two[0], tmp_path / "deep.safetensors", tmp_path / "x.safetensors", "x", share=0.5
        )
    with pytest.raises(ValueError, match=r"share is from 0.*got 1\.5"):
        export_interpolated(*two, tmp_path / "x.safetensors", "x", share=1.5)
    assert not (tmp_path / "x.safetensors").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x.pth", r"x\.pth does not end in \.safetensors.* Call it x\.safetensors"),
        ("x", "Call it x.safetensors"),
        ("none/x.safetensors", "There is no folder .*none to write x.safetensors to"),
        ("folder.safetensors", "is a folder; name a file in it"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_work(tmp_path, two, name, message) -> None:
    (tmp_path / "folder.safetensors").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises((OSError, ValueError), match=message):
        export_interpolated(*two, tmp_path / name, "x", share=0.5)
    with pytest.raises((OSError, ValueError), match=message):
        export_generator(RunFolder(tmp_path), tmp_path / name, "x", which="plain")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_full_disk_is_told_in_words_and_leaves_what_was_there(tmp_path, two, monkeypatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise safetensors.SafetensorError("I/O error: No space left on device (os error 28)")

    before = two[0].read_bytes()
    monkeypatch.setattr(tensor_file, "save_file", full)
    with pytest.raises(OSError, match=r"one\.safetensors cannot be written: .*No space left"):
        export_interpolated(*two, two[0], "x", share=0.5)
    assert two[0].read_bytes() == before
    assert sorted(tmp_path.iterdir()) == sorted(two)
