"""Model files of other projects: described, and written as this package's."""

from __future__ import annotations

import hashlib

import pytest
import torch
from foreign_networks import FOREIGN, randomised
from typer.testing import CliRunner

from napari_srgan.cli import app
from napari_srgan.inference.verify import verify
from napari_srgan.store.checkpoint import load_checkpoint
from napari_srgan.store.convert import convert, describe


def made(of, folder):
    path = folder / "theirs.pth"
    torch.save({"params_ema": randomised(FOREIGN[of].small()).state_dict()}, path)
    return path


@pytest.mark.parametrize(
    "of", ["swift-srgan", "mseitzer", "twtygqyy", "basicsr 2019", "edsr", "mdsr", "realesrgan x2"]
)
def test_a_converted_file_computes_what_its_source_does_and_says_what_that_is(of, tmp_path) -> None:
    source, target = made(of, tmp_path), tmp_path / "ours.safetensors"
    convert(source, target, licence="CC0", generative=True)

    before, after = load_checkpoint(source), load_checkpoint(target)
    low = torch.rand(1, 3, 9, 7)
    assert torch.equal(before.network(low), after.network(low))
    assert after.network.sizes() == before.network.sizes()
    assert after.metadata["source_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert (after.metadata["licence"], after.generative) == ("CC0", True)
    assert verify(after, torch.device("cpu"), torch.float32).passed


def test_what_is_not_said_stays_unknown(tmp_path) -> None:
    model = convert(made("edsr", tmp_path), tmp_path / "ours.safetensors")
    assert model.generative is None
    assert model.metadata["licence"] == "not stated in the file; ask sanghyun-son/EDSR-PyTorch"


def test_files_are_kept_and_names_are_checked(tmp_path) -> None:
    source = made("edsr", tmp_path)
    with pytest.raises(ValueError, match=r"ends in \.safetensors"):
        convert(source, tmp_path / "ours.pth")
    with pytest.raises(FileNotFoundError, match="no folder"):
        convert(source, tmp_path / "away" / "ours.safetensors")
    convert(source, tmp_path / "ours.safetensors")
    with pytest.raises(FileExistsError, match="exists"):
        convert(source, tmp_path / "ours.safetensors")


def test_a_description_says_what_was_recognised_and_why(tmp_path) -> None:
    lines = "\n".join(describe(made("realesrgan x2", tmp_path)))
    assert "Names of tensors: realesrgan, as XPixelGroup/BasicSR gives them." in lines
    assert "Recognised by: conv_first.weight, body.0.rdb1.conv1.weight" in lines
    assert "Taken from: params_ema, a running average of the weights." in lines
    assert "Network: rrdb, ×2." in lines
    assert "unshuffle = 2" in lines
    assert "not known whether it invents detail" in lines


def test_the_command_line_inspects_converts_and_upscales(tmp_path) -> None:
    from PIL import Image

    source, run = made("mdsr", tmp_path), CliRunner().invoke
    told = run(app, ["models", "--inspect", str(source)])
    assert (told.exit_code, "mdsr, ×2, ×3, ×4" in told.output) == (0, True)
    target = tmp_path / "ours.safetensors"
    assert run(app, ["convert", str(source), str(target)]).exit_code == 0
    Image.new("RGB", (9, 7)).save(tmp_path / "in.png")
    given = ["upscale", str(tmp_path / "in.png"), "--model", str(target), "--device", "cpu"]
    done = run(app, [*given, "-o", str(tmp_path / "out.png"), "--scale", "3"])
    assert done.exit_code == 0
    with Image.open(tmp_path / "out.png") as image:
        assert image.size == (27, 21)
