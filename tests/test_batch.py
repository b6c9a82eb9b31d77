from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from tifffile import TiffFile

from napari_srgan.batch import Task, iter_task, plan_tasks
from napari_srgan.files import Metadata, Picture, read_picture, write_picture
from napari_srgan.files.provenance import caption_in, record_in, steps_of
from napari_srgan.inference.run import upscale_array
from napari_srgan.inference.settings import Settings, finish
from napari_srgan.models.srresnet import SRResNet
from napari_srgan.store.checkpoint import Model


@pytest.fixture
def model() -> Model:
    return Model("tiny", SRResNet(blocks=1, features=4).eval(), {})


def photo(path: Path, *, dtype: type = np.uint8, shape: tuple[int, ...] = (6, 9, 3)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(0).integers(0, 200, shape).astype(dtype)
    write_picture(path, Picture(values, rgb=len(shape) == 3))
    return path


def run(task: Task, model: Model) -> None:
    for _ in iter_task(task, model, normalize="auto", settings=Settings()):
        pass


def test_files_and_folders_go_to_one_folder(tmp_path) -> None:
    alone = photo(tmp_path / "alone.png")
    photo(tmp_path / "scans" / "b10.png")
    photo(tmp_path / "scans" / "b9.tif")
    (tmp_path / "scans" / "notes.txt").write_text("not an image")
    tasks = plan_tasks([alone, tmp_path / "scans"], tmp_path / "out")
    assert [t.target.relative_to(tmp_path / "out").name for t in tasks] == [
        "alone.png",
        "b9.tif",
        "b10.png",
    ]


def test_a_single_file_may_be_given_a_name(tmp_path) -> None:
    source = photo(tmp_path / "a.png")
    (task,) = plan_tasks([source], tmp_path / "b.tif")
    assert task.target == tmp_path / "b.tif"


def test_a_folder_that_looks_like_a_file_is_a_folder(tmp_path) -> None:
    source = photo(tmp_path / "a.png")
    (tmp_path / "odd.png").mkdir()
    (task,) = plan_tasks([source], tmp_path / "odd.png")
    assert task.target == tmp_path / "odd.png" / "a.png"


@pytest.mark.parametrize("output", ["a.png", "."])
def test_an_input_is_never_overwritten(tmp_path, output: str) -> None:
    source = photo(tmp_path / "a.png")
    with pytest.raises(ValueError, match="is an input"):
        plan_tasks([source], tmp_path / output, overwrite=True)


def test_an_input_is_recognised_through_a_link(tmp_path) -> None:
    source = photo(tmp_path / "real" / "a.png")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(ValueError, match="is an input"):
        plan_tasks([source], tmp_path / "link")


def test_two_inputs_for_one_target_are_refused(tmp_path) -> None:
    sources = [photo(tmp_path / name / "a.png") for name in ("x", "y")]
    with pytest.raises(ValueError, match="would both be written"):
        plan_tasks(sources, tmp_path / "out")


def test_the_same_input_twice_is_one_task(tmp_path) -> None:
    source = photo(tmp_path / "a.png")
    assert len(plan_tasks([source, source], tmp_path / "out")) == 1


def test_several_files_do_not_fit_one_file(tmp_path) -> None:
    sources = [photo(tmp_path / name) for name in ("a.png", "b.png")]
    with pytest.raises(ValueError, match="one file for 2 images"):
        plan_tasks(sources, tmp_path / "out.png")


def test_what_exists_is_kept_unless_asked_otherwise(tmp_path) -> None:
    source, taken = photo(tmp_path / "a.png"), photo(tmp_path / "out" / "a.png")
    with pytest.raises(FileExistsError, match="--overwrite"):
        plan_tasks([source], taken.parent)
    assert plan_tasks([source], taken.parent, overwrite=True) == [Task(source, taken)]


def test_a_missing_input_is_named(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.png"):
        plan_tasks([tmp_path / "nothing.png"], tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "dtype", "shape"),
    [
        ("a.png", np.uint8, (6, 9, 3)),
        ("a.png", np.uint16, (6, 9)),
        ("a.png", np.uint16, (6, 9, 3)),
        ("a.tif", np.float32, (6, 9)),
        ("a.tif", np.int16, (6, 9)),
        ("a.bmp", np.uint8, (6, 9, 3)),
    ],
)
def test_a_file_keeps_its_bit_depth_and_equals_the_upscaled_array(
    tmp_path, model, name: str, dtype: type, shape: tuple[int, ...]
) -> None:
    source = photo(tmp_path / name, dtype=dtype, shape=shape)
    run(Task(source, tmp_path / "out" / name), model)
    low, high = read_picture(source).data, read_picture(tmp_path / "out" / name).data
    np.testing.assert_array_equal(
        high, upscale_array(low, model, rgb=len(shape) == 3, settings=Settings())
    )
    assert high.dtype == dtype


def test_the_pixel_size_is_divided_by_the_scale(tmp_path, model) -> None:
    values = np.zeros((2, 6, 9), np.uint16)
    picture = Picture(
        values, False, (3.0, 0.5, 0.25), ("micrometer",) * 3, axis_labels=("z", "y", "x")
    )
    write_picture(tmp_path / "a.tif", picture)
    run(Task(tmp_path / "a.tif", tmp_path / "b.tif"), model)
    high = read_picture(tmp_path / "b.tif")
    assert high.data.shape == (2, 24, 36)
    assert high.pixel_scale == pytest.approx((3.0, 0.125, 0.0625))
    assert high.units == ("micrometer",) * 3


def test_a_format_that_cannot_hold_the_result_leaves_nothing(tmp_path, model) -> None:
    source = photo(tmp_path / "a.tif", dtype=np.float32, shape=(6, 9))
    with pytest.raises(ValueError, match="JPEG cannot hold"):
        run(Task(source, tmp_path / "out" / "a.jpg"), model)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".webp"])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_a_file_says_how_it_was_made(tmp_path, random_model, suffix, dtype):
    if dtype == "u2" and suffix in (".jpg", ".webp"):
        pytest.skip("holds 8 bits")
    pixels = np.random.default_rng(0).integers(0, 255, (9, 7, 3)).astype(dtype)
    source, target = tmp_path / f"cells{suffix}", tmp_path / "out" / f"cells{suffix}"
    write_picture(source, Picture(pixels, rgb=True))

    steps = iter_task(Task(source, target), random_model(), normalize="auto",
                      settings=Settings("cpu", "float32"))  # fmt: skip
    finish(steps)

    made_by = json.loads(described(target))["napari-srgan"]
    assert (made_by["model"], made_by["device"], made_by["precision"]) == (
        "random", "cpu", "float32"
    )  # fmt: skip
    assert made_by["source"] == source.name
    assert read_picture(target).data.shape == (36, 28, 3)


def described(path):
    """Return what an image file says of itself, as other programs read it."""
    if path.suffix == ".tif":
        with TiffFile(path) as tif:
            return tif.shaped_metadata[0]["Description"]
    with Image.open(path) as image:
        return image.text["Description"] if path.suffix == ".png" else image.getexif()[0x010E]


def test_a_stack_with_a_pixel_size_says_so_in_its_ome_metadata(tmp_path, random_model):
    source, target = tmp_path / "cells.tif", tmp_path / "out" / "cells.tif"
    sizes = {"pixel_scale": (2.0, 0.5, 0.5), "units": ("micrometer",) * 3}
    write_picture(source, Picture(np.zeros((2, 9, 7), "u2"), False, **sizes,
                                  axis_labels=("z", "y", "x")))  # fmt: skip

    finish(iter_task(Task(source, target), random_model(), normalize="dtype",
                     settings=Settings("cpu", "float32")))  # fmt: skip

    with TiffFile(target) as tif:
        description = ElementTree.fromstring(tif.ome_metadata).find(".//{*}Image/{*}Description")
    assert json.loads(description.text)["napari-srgan"]["model"] == "random"
    assert read_picture(target).pixel_scale == (2.0, 0.125, 0.125)


def test_channels_of_a_file_have_ranges_of_their_own(tmp_path, random_model):
    pixels = np.random.default_rng(0).integers(0, 60_000, (2, 9, 7)).astype("u2")
    pixels[1] //= 100
    source, target = tmp_path / "cells.tif", tmp_path / "out" / "cells.tif"
    write_picture(source, Picture(pixels, False, (1.0, 0.5, 0.5), ("pixel", *["micrometer"] * 2),
                                  ("c", "y", "x")))  # fmt: skip

    finish(iter_task(Task(source, target), random_model(), normalize="auto",
                     settings=Settings("cpu", "float32")))  # fmt: skip

    written = read_picture(target).data
    for channel in range(2):
        alone = upscale_array(pixels[channel], random_model(), settings=Settings("cpu", "float32"))
        assert (written[channel] == alone).all()


@pytest.mark.parametrize(
    ("name", "target", "message"),
    [
        ("a.png", "a.gif", "No image format is named '.gif'"),
        ("a.png", "a", "No image format is named ''"),
        ("rgba.png", "a.bmp", "BMP cannot hold uint8 RGBA"),
        ("wide.png", "a.webp", "only 16383 a side"),
    ],
)
def test_what_cannot_be_written_is_told_before_the_work(tmp_path, random_model, passes, name,
                                                        target, message):  # fmt: skip
    shape = {"a.png": (9, 7, 3), "rgba.png": (9, 7, 4), "wide.png": (2, 5000, 3)}[name]
    source = photo(tmp_path / name, shape=shape)
    windows = passes()
    task = Task(source, tmp_path / "out" / target)
    with pytest.raises(ValueError, match=message):
        finish(iter_task(task, random_model(), normalize="auto", settings=Settings("cpu")))
    assert windows == []


def test_an_output_folder_that_is_a_file_is_told_before_the_work(tmp_path, random_model, passes):
    source, windows = photo(tmp_path / "a.png"), passes()
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(OSError, match="out"):
        finish(iter_task(Task(source, tmp_path / "out" / "a.png"), random_model(),
                         normalize="auto", settings=Settings("cpu")))  # fmt: skip
    assert windows == []


@pytest.mark.parametrize("first", [".png", ".tif", ".jpg", ".webp"])
@pytest.mark.parametrize("second", [".png", ".tif", ".jpg", ".webp"])
def test_a_chain_through_files_remembers_what_was_invented(tmp_path, random_model, first, second):
    source = photo(tmp_path / "a.png")
    once, twice = tmp_path / f"b{first}", tmp_path / f"c{second}"
    settings = Settings("cpu", "float32")
    drawing = replace(random_model(), name="drawing", generative=True)
    faithful = replace(random_model(), name="faithful", generative=False)
    for model, task in ((drawing, Task(source, once)), (faithful, Task(once, twice))):
        finish(iter_task(task, model, normalize="auto", settings=settings))

    record = record_in(read_picture(twice).metadata.description)

    assert [step["model"] for step in steps_of(record)] == ["faithful", "drawing"]
    assert [step["generative"] for step in steps_of(record)] == [True, True]
    assert [step["source"] for step in steps_of(record)] == [once.name, "a.png"]


def test_an_authors_words_stay_before_the_record(tmp_path, random_model):
    source, target = tmp_path / "a.png", tmp_path / "b.png"
    words = Metadata(description="A cell, fixed.")
    write_picture(source, Picture(np.zeros((9, 7), "u1"), rgb=False, metadata=words))
    for here, there in ((source, target), (target, tmp_path / "c.png")):
        finish(iter_task(Task(here, there), random_model(), normalize="auto",
                         settings=Settings("cpu", "float32")))  # fmt: skip
    description = read_picture(tmp_path / "c.png").metadata.description
    assert caption_in(description) == "A cell, fixed."
    assert description.startswith("A cell, fixed.\n")
    assert len(list(steps_of(record_in(description)))) == 2


def test_each_name_that_is_asked_for_is_made_though_links_lead_to_one_file(tmp_path):
    source = photo(tmp_path / "a.png")
    links = [tmp_path / "b.png", tmp_path / "c.png"]
    for link in links:
        link.symlink_to(source)
    tasks = plan_tasks([source, *links, tmp_path / "." / "a.png"], tmp_path / "out")
    assert [task.target.name for task in tasks] == ["a.png", "b.png", "c.png"]


def test_one_file_by_way_of_two_folders_is_made_once(tmp_path):
    photo(tmp_path / "real" / "a.png")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert len(plan_tasks([tmp_path / "real", tmp_path / "link"], tmp_path / "out")) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
def test_what_may_never_end_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    for name, cause in (("pipe.png", "pipe or a device"), ("loop.png", "leads to no file")):
        with pytest.raises(OSError, match=cause):
            plan_tasks([tmp_path / name], tmp_path / "out")


def test_a_link_that_leads_to_itself_is_no_output(tmp_path):
    source = photo(tmp_path / "a.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    with pytest.raises(OSError, match="loop"):
        plan_tasks([source], tmp_path / "loop.png", overwrite=True)


def test_what_a_folder_holds_besides_is_said(tmp_path, caplog):
    photo(tmp_path / "in" / "a.png")
    photo(tmp_path / "in" / "below.png" / "b.png")
    (tmp_path / "in" / "x.gif").write_bytes(b"GIF89a")
    (tmp_path / "in" / "gone.png").symlink_to("nowhere")
    plan_tasks([tmp_path / "in"], tmp_path / "out")
    assert "1 folder in it is not entered (below.png)" in caplog.text
    assert "1 file of another kind is left out (x.gif)" in caplog.text
    assert "1 name in it leads to no file (gone.png)" in caplog.text


@pytest.mark.parametrize("output", ["out.gif", "out.heic"])
def test_an_image_that_is_not_written_is_no_folder(tmp_path, output):
    with pytest.raises(ValueError, match="No image format is named"):
        plan_tasks([photo(tmp_path / "a.png")], tmp_path / output)


def test_an_output_that_cannot_be_a_folder_is_told_once_for_all(tmp_path):
    source = photo(tmp_path / "a.png")
    (tmp_path / "file").write_text("in the way")
    for output in (tmp_path / "file", tmp_path / "file" / "deeper", tmp_path / "file" / "b.png"):
        with pytest.raises(NotADirectoryError, match="file is a file"):
            plan_tasks([source], output)


def test_a_target_that_is_a_folder_is_told_before_the_work(tmp_path):
    (tmp_path / "out" / "a.png").mkdir(parents=True)
    with pytest.raises(IsADirectoryError, match=r"a\.png is a folder"):
        plan_tasks([photo(tmp_path / "a.png")], tmp_path / "out", overwrite=True)
