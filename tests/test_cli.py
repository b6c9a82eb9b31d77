from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from typer.testing import CliRunner, Result

from napari_srgan.cli import app
from napari_srgan.files import Metadata, Picture, read_picture, write_picture
from napari_srgan.files.provenance import described, record_in
from napari_srgan.inference import verify as verification
from napari_srgan.models.srresnet import SRResNet
from napari_srgan.store import load
from napari_srgan.store.checkpoint import save_checkpoint
from napari_srgan.store.registry import entry
from napari_srgan.store.self_test import SelfTest, make_self_test


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "models" / "tiny.safetensors"
    path.parent.mkdir()
    save_checkpoint(path, SRResNet(blocks=1, features=4), {"name": "tiny"})
    return path


def photo(path: Path, *, value: float = 7, dtype: type = np.uint8) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_picture(path, Picture(np.full((6, 9), value, dtype), rgb=False))
    return path


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_file_is_upscaled_and_its_target_printed(tmp_path, model) -> None:
    source = photo(tmp_path / "a.png")
    result = call("upscale", source, "-o", tmp_path / "out", "--model", model)
    assert result.exit_code == 0, result.output
    assert str(tmp_path / "out" / "a.png") in result.stdout
    assert read_picture(tmp_path / "out" / "a.png").data.shape == (24, 36)


def test_no_bar_is_drawn_into_a_file_and_a_long_run_is_told_in_words(
    tmp_path, model, monkeypatch
) -> None:
    source = tmp_path / "a.tif"
    write_picture(source, Picture(np.full((400, 400), 7, np.uint8), rgb=False))
    clock = count(step=100.0)  # seconds: whatever is done takes minutes
    monkeypatch.setattr("napari_srgan.cli.time", SimpleNamespace(monotonic=partial(next, clock)))
    result = call("upscale", source, "-o", tmp_path / "out", "--model", model)
    assert result.exit_code == 0, result.output
    (line,) = result.stderr.splitlines()  # a bar is drawn over itself, by carriage returns
    assert re.fullmatch(r"a\.tif: about \d+ (min|s|h) left\.", line)


def test_a_bad_file_is_named_and_the_others_are_done(tmp_path, model) -> None:
    photo(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.png").write_bytes(b"")
    photo(tmp_path / "in" / "c.png")
    result = call("upscale", tmp_path / "in", "-o", tmp_path / "out", "--model", model)
    assert result.exit_code == 1
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.png", "c.png"]
    assert f"{tmp_path / 'in' / 'b.png'} is empty" in result.stderr
    assert "1 of 3 images failed" in result.stderr


def test_an_image_with_nan_fails_with_its_count_unless_filled(tmp_path, model) -> None:
    values = np.ones((6, 9), np.float32)
    values[2, 3] = np.nan
    write_picture(tmp_path / "a.tif", Picture(values, rgb=False))
    refused = call("upscale", tmp_path / "a.tif", "-o", tmp_path / "out", "--model", model)
    assert refused.exit_code == 1
    assert "1 NaN and 0 infinite" in refused.stderr
    filled = call(
        "upscale", tmp_path / "a.tif", "-o", tmp_path / "out", "--model", model, "--nan", "fill"
    )
    assert filled.exit_code == 0
    np.testing.assert_array_equal(read_picture(tmp_path / "out" / "a.tif").data, 1)


def test_a_file_says_that_it_is_the_mean_of_eight_and_held_to_its_image(tmp_path, model) -> None:
    source, target = photo(tmp_path / "a.png"), tmp_path / "b.png"
    how = ["--quality", "ensemble", "--consistent"]
    result = call("upscale", source, "-o", target, "--model", model, *how)
    assert result.exit_code == 0, result.output
    made = record_in(read_picture(target).metadata.description)
    assert (made["quality"], made["consistent"]) == ("ensemble", True)


def test_channels_of_a_file_that_does_not_name_them_are_told_apart(tmp_path, model) -> None:
    bright = np.random.default_rng(0).integers(0, 4000, (1, 12, 9)).astype(np.uint16)
    write_picture(tmp_path / "a.tif", Picture(np.concatenate([bright, bright // 50]), rgb=False))
    run = ["upscale", tmp_path / "a.tif", "-o", tmp_path / "out", "--model", model, "--overwrite"]
    asked = call(*run)
    assert asked.exit_code == 0
    assert "If that axis holds channels, say channel_axis=0" in asked.stderr
    told = call(*run, "--channel-axis", "0")
    assert "channel_axis" not in told.stderr


def test_the_input_is_left_alone_when_the_output_is_its_folder(tmp_path, model) -> None:
    source = photo(tmp_path / "a.png")
    before = source.read_bytes()
    result = call("upscale", source, "-o", tmp_path, "--model", model, "--overwrite")
    assert result.exit_code == 2
    assert "is an input" in result.stderr
    assert source.read_bytes() == before


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--model", "srresnet", "did you mean 'srresnet-x4'"),
        ("--tile", "0", "--tile takes"),
        ("--tile", "wide", "--tile takes"),
        ("--normalize", "5, 3", "first value below its second"),
        ("--nan", "ignore", "--nan takes"),
        ("--quality", "best", "--quality takes standard or ensemble"),
    ],
)
def test_a_wrong_option_ends_before_any_work(
    tmp_path, model, option: str, value: str, message: str
) -> None:
    source = photo(tmp_path / "a.png")
    result = call("upscale", source, "-o", tmp_path / "out", "--model", model, option, value)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "out").exists()


def test_the_models_are_listed_with_their_purpose_and_place() -> None:
    result = call("models")
    assert result.exit_code == 0
    assert "srresnet-x4 (×4, in the package): invents no detail" in result.stdout
    assert "srgan-x4 (×4, in the package): invents detail" in result.stdout


def test_what_is_not_known_of_a_model_is_listed_as_not_known(monkeypatch) -> None:
    unknown = replace(entry("srresnet-x4"), generative=None)
    monkeypatch.setattr("napari_srgan.store.cache.registry", lambda: (unknown,))

    assert "not known whether it invents detail" in call("models").stdout


def test_the_models_that_are_here_are_verified_on_every_device() -> None:
    result = call("models", "--verify")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("srresnet-x4")


@pytest.mark.parametrize(
    ("off", "status", "told"), [(0, 0, "as it should be"), (0.1, 1, "Choose precision float32.")]
)
def test_a_device_that_computes_something_else_is_an_error(
    random_model, monkeypatch, off: float, status: int, told: str
) -> None:
    model = random_model()
    right = make_self_test(model.network)
    test = SelfTest(right.low, right.upscaled + np.float32(off))
    monkeypatch.setattr(load, "load_model", lambda name: replace(model, name=name, self_test=test))
    monkeypatch.setattr(verification, "half_precision", lambda device: torch.bfloat16)
    result = call("models", "--verify")
    assert result.exit_code == status
    assert "srresnet-x4 on cpu, float32: " in result.stdout
    assert told in result.stdout


def test_bundled_weights_need_no_download() -> None:
    result = call("fetch", "srresnet-x4")
    assert result.exit_code == 0, result.stderr
    assert Path(result.stdout.split(": ", 1)[1].strip()).is_file()


def test_fetching_an_unknown_name_is_an_error() -> None:
    result = call("fetch", "srresnet-x5")
    assert result.exit_code == 2
    assert "srresnet-x4" in result.stderr


class TestInfo:
    def test_it_tells_what_a_file_is(self, tmp_path) -> None:
        picture = Picture(
            np.zeros((3, 6, 9), np.uint16), False, (2.0, 0.5, 0.25),
            ("second", "micrometer", "micrometer"), ("t", "y", "x"), bits=12,
        )  # fmt: skip
        write_picture(tmp_path / "a.tif", picture)
        told = call("info", tmp_path / "a.tif")
        assert told.exit_code == 0
        for words in ("TIFF, 9 × 6 pixels, grey, uint16, 12 bits", "a stack of 3 planes (axes t)",
                      "t 2 second, y 0.5 micrometer, x 0.25 micrometer", "colour profile: none",
                      "not upscaled by napari-srgan"):  # fmt: skip
            assert words in told.stdout

    @pytest.mark.parametrize(
        ("generative", "words"),
        [(True, "CAUTION: texture in it was invented"), (False, "no texture in it was invented"),
         (None, "not known whether")],
    )  # fmt: skip
    def test_it_tells_each_step_and_whether_texture_was_invented(
        self, tmp_path, generative, words
    ) -> None:
        first = {"model": "first", "scale": 4, "generative": generative, "source": "x.png"}
        record = {"model": "second\x1b[31m", "scale": 4, "generative": generative, "input": first}
        metadata = Metadata(description=described("A cell.", record))
        pixels = np.zeros((6, 9, 3), np.uint8)
        write_picture(tmp_path / "a.jpg", Picture(pixels, True, metadata=metadata))
        told = call("info", tmp_path / "a.jpg").stdout
        assert words in told
        assert "description: A cell.\n" in told
        assert told.index(r"×4 by second\x1b[31m") < told.index("×4 by first (from x.png)")

    def test_a_file_that_is_none_is_named_and_the_others_are_told(self, tmp_path) -> None:
        (tmp_path / "a.png").write_bytes(b"")
        told = call("info", tmp_path / "a.png", photo(tmp_path / "b.png"))
        assert told.exit_code == 1
        assert "a.png is empty" in told.stderr
        assert "PNG, 9 × 6" in told.stdout

    def test_a_profile_is_called_by_its_name(self, tmp_path) -> None:
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        Image.new("RGB", (9, 6)).save(tmp_path / "a.png", icc_profile=profile)
        assert "colour profile: sRGB built-in (" in call("info", tmp_path / "a.png").stdout


def test_what_a_file_loses_is_printed(tmp_path, model) -> None:
    Image.new("RGB", (9, 6)).save(tmp_path / "a.png", dpi=(300, 300), exif=b"Exif\0\0nothing")
    result = call("upscale", tmp_path / "a.png", "-o", tmp_path / "b.bmp", "--model", model)
    assert result.exit_code == 0
    assert "a.png has a eXIf chunk that cannot be read" in result.stderr
    assert "BMP cannot hold the picture's description" in result.stderr
