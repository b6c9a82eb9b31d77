"""Sessions are made of checked originals, under names that tell nothing, and resumed."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_srgan.files import read_picture
from napari_srgan.inference.run import upscale_array
from napari_srgan.inference.settings import Settings, finish
from napari_srgan.rating.make import Request, iter_make
from napari_srgan.rating.originals import find_originals, read_original
from napari_srgan.rating.plan import PLAN, is_made, read_plan, version_path
from napari_srgan.resampling import CONTROLS, enlarge, shrink
from napari_srgan.store.load import load_model

CONTROL_METHODS = ("nearest", "bicubic", "HR")


def pixels_of(folder, version):
    return read_picture(version_path(folder, version)).data


def test_versions_are_what_the_methods_make_of_the_shrunk_original(session, own_model):
    tiny = own_model()
    folder = session(methods=(*CONTROL_METHODS, tiny))
    plan = read_plan(folder)
    upscale = partial(
        upscale_array,
        model=load_model(tiny),
        settings=Settings(device="cpu", precision="float32"),
    )
    assert plan.methods == (*CONTROL_METHODS, tiny)
    assert len(plan.test) == 3 * 4
    for photo in plan.photos:
        high = read_original(Path(photo.path), 4)
        low = shrink(high)
        expected = {
            "HR": high,
            "nearest": enlarge(low, 4, CONTROLS["nearest"]),
            "bicubic": enlarge(low, 4, CONTROLS["bicubic"]),
            tiny: upscale(low, rgb=low.ndim == 3),
        }
        for version in plan.test:
            if version.photo == photo:
                np.testing.assert_array_equal(pixels_of(folder, version), expected[version.method])


def test_raters_are_calibrated_on_nearest_and_hr_of_other_images(session):
    plan = read_plan(session())
    assert {version.method for version in plan.calibration} == {"nearest", "HR"}
    assert {version.anchor for version in plan.calibration} == {1, 5}
    rated, others = ({v.photo.path for v in part} for part in (plan.test, plan.calibration))
    assert len(others) == 2
    assert not rated & others


def test_names_of_files_tell_neither_image_nor_method(session):
    folder = session()
    names = sorted(path.name for path in (folder / "versions").iterdir())
    assert len(names) == len(set(names)) == 3 * 3 + 2 * 2
    known = [*CONTROL_METHODS, "rated", "others"]
    assert not [name for name in names if any(word.lower() in name for word in known)]
    again = session("again")
    assert not set(names) & {path.name for path in (again / "versions").iterdir()}


def test_without_a_folder_for_it_some_images_are_set_apart_for_calibration(tmp_path, originals):
    plan = finish(iter_make(tmp_path / "s", Request(originals("all", 6), CONTROL_METHODS)))
    rated = {version.photo.name for version in plan.test}
    others = {version.photo.name for version in plan.calibration}
    assert (len(rated), len(others)) == (5, 1)
    assert rated | others == {f"all-{place}.png" for place in range(6)}


def test_making_that_was_stopped_goes_on_with_what_is_there(tmp_path, originals):
    folder = tmp_path / "s"
    steps = iter_make(folder, Request(originals("a"), CONTROL_METHODS, originals("b", 1)))
    for progress in steps:
        if progress.done == 4:
            break
    steps.close()
    plan = read_plan(folder)
    assert not is_made(plan, folder)
    made = {path: path.stat().st_mtime_ns for path in (folder / "versions").iterdir()}
    assert len(made) == 4
    seen = [(progress.done, progress.total) for progress in iter_make(folder)]
    assert seen[0] == (4, 11)
    assert seen[-1] == (11, 11)
    assert is_made(plan, folder)
    assert read_plan(folder) == plan
    assert {path: path.stat().st_mtime_ns for path in made} == made


def test_a_version_that_is_lost_is_made_again(session):
    folder = session()
    plan = read_plan(folder)
    lost = plan.test[0]
    before = pixels_of(folder, lost)
    version_path(folder, lost).unlink()
    finish(iter_make(folder))
    np.testing.assert_array_equal(pixels_of(folder, lost), before)


def test_a_model_that_has_changed_meanwhile_is_refused(session, own_model, random_network):
    from napari_srgan.store.checkpoint import save_checkpoint
    from napari_srgan.store.registry import own_file

    tiny = own_model()
    folder = session(methods=("nearest", "HR", tiny))
    plan = read_plan(folder)
    version_path(folder, next(v for v in plan.test if v.method == tiny)).unlink()
    save_checkpoint(own_file(tiny), random_network(seed=5), {"name": tiny})
    with pytest.raises(ValueError, match="another one than when the session was made"):
        finish(iter_make(folder))


def test_a_model_file_is_found_again_by_its_path(tmp_path, session, own_model):
    own_model("filed")
    path = tmp_path / "filed.safetensors"
    folder = session(methods=("nearest", "HR", str(path)))
    assert read_plan(folder).models == {"filed": str(path)}


def test_data_sets_are_folders_or_the_folder(originals, tmp_path):
    first, second = originals("sets/one", 2), originals("sets/two", 1)
    found = find_originals(tmp_path / "sets")
    assert [data_set for data_set, _ in found] == ["one", "one", "two"]
    assert [data_set for data_set, _ in find_originals(second)] == ["two"]
    assert len(find_originals(first)) == 2


def test_of_published_pairs_only_the_originals_are_rated(originals):
    folder = originals("pairs", 2)
    for path, mark in zip(sorted(folder.iterdir()), ("a_HR", "a_LR"), strict=True):
        path.rename(folder / f"{mark}.png")
    assert [path.name for _, path in find_originals(folder)] == ["a_HR.png"]


@pytest.mark.parametrize(
    ("methods", "match"),
    [
        (("HR",), "at least two methods"),
        (("HR", "HR"), "at least two methods"),
        (("HR", "srresnet-x9"), "no model named 'srresnet-x9'"),
    ],
)
def test_methods_that_cannot_be_compared_are_refused(tmp_path, originals, methods, match):
    with pytest.raises(ValueError, match=match):
        finish(iter_make(tmp_path / "s", Request(originals("a"), methods)))
    assert not (tmp_path / "s").exists()


def test_models_of_two_scales_are_refused(tmp_path, originals, own_model):
    methods = (own_model("two", scale=2), own_model("four"))
    with pytest.raises(ValueError, match="two by 2, four by 4"):
        finish(iter_make(tmp_path / "s", Request(originals("a"), methods)))


def test_a_model_called_as_a_control_is_refused(tmp_path, originals, own_model):
    own_model("HR")
    path = str(tmp_path / "HR.safetensors")
    with pytest.raises(ValueError, match="called HR"):
        finish(iter_make(tmp_path / "s", Request(originals("a"), ("nearest", path))))


def test_one_image_alone_leaves_none_to_calibrate_on(tmp_path, originals):
    with pytest.raises(ValueError, match="one image only"):
        finish(iter_make(tmp_path / "s", Request(originals("a", 1), CONTROL_METHODS)))


def test_images_are_not_both_rated_and_calibrated_on(tmp_path, originals):
    folder = originals("a")
    with pytest.raises(ValueError, match=r"not rated, too: a-0.png, a-1.png, a-2.png"):
        finish(iter_make(tmp_path / "s", Request(folder, CONTROL_METHODS, folder)))


def test_a_folder_without_a_session_needs_a_request(tmp_path):
    with pytest.raises(ValueError, match="no session in the folder"):
        finish(iter_make(tmp_path))


@pytest.mark.parametrize(
    ("pixels", "match"),
    [
        (np.zeros((3, 30), np.uint8), "fewer than 4 × 4"),
        (np.zeros((8, 8), np.float32), "float32: convert"),
        (np.zeros((3, 8, 8), np.uint8), "is a stack"),
        (np.zeros((8, 8, 4), np.uint8), "transparent"),
    ],
)
def test_originals_that_do_not_suit_are_refused_by_name(tmp_path, pixels, match):
    import tifffile

    path = tmp_path / "odd.tif"
    colours = pixels.shape[-1] == 4
    tifffile.imwrite(
        path,
        pixels,
        photometric="rgb" if colours else "minisblack",
        extrasamples=["unassalpha"] if colours else None,
    )
    with pytest.raises(ValueError, match=f"odd.tif.*{match}"):
        read_original(path, 4)


def test_opaque_alpha_is_no_fault(tmp_path):
    pixels = np.full((9, 10, 4), 255, np.uint8)
    Image.fromarray(pixels).save(tmp_path / "opaque.png")
    assert read_original(tmp_path / "opaque.png", 4).shape == (8, 8, 3)


def test_sixteen_bits_are_shown_between_the_originals_own_limits(tmp_path, originals):
    folder = tmp_path / "deep"
    folder.mkdir()
    deep = np.random.default_rng(3).integers(100, 4096, (20, 24), dtype=np.uint16)
    for name in ("a.png", "b.png"):
        Image.fromarray(deep).save(folder / name)
    plan = finish(iter_make(tmp_path / "s", Request(folder, CONTROL_METHODS)))
    assert {v.photo.limits for v in plan.versions} == {(float(deep.min()), float(deep.max()))}
    high = next(version for version in plan.test if version.method == "HR")
    np.testing.assert_array_equal(pixels_of(tmp_path / "s", high), deep)


@pytest.mark.parametrize(
    ("text", "match"),
    [("{", "damaged"), ("[1]", "damaged"), ('{"format": 9}', "format 9"), ("{}", "format None")],
)
def test_a_damaged_plan_is_named(session, text, match):
    folder = session()
    (folder / PLAN).write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=match):
        read_plan(folder)


def test_a_session_can_be_taken_to_where_the_originals_are_not(session, tmp_path):
    folder = session()
    moved = tmp_path / "elsewhere"
    shutil.move(folder, moved)
    for name in ("session-rated", "session-others"):
        shutil.rmtree(tmp_path / name)
    assert is_made(finish(iter_make(moved)), moved)
