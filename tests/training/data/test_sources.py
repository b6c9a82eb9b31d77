from __future__ import annotations

import os
from pathlib import Path

import pytest

from napari_srgan.training.data.sources import LeftOut, Source, Sources, find_sources


def touch(folder: Path, *names: str) -> None:
    """Finding files needs their names only."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def names(sources: Sources) -> list[str]:
    return [source.name for source in sources.training]


def test_images_are_found_at_any_depth_in_order(tmp_path):
    touch(tmp_path, "b.png", "a/z.TIFF", "a/b/c/x.JPEG", "a/y.webp", "notes.txt", "v.bmp")
    assert names(find_sources(tmp_path)) == [
        "a/b/c/x.JPEG",
        "a/y.webp",
        "a/z.TIFF",
        "b.png",
        "v.bmp",
    ]
    assert all(source.low is None for source in find_sources(tmp_path).training)


def test_hidden_files_and_folders_are_left_aside(tmp_path):
    touch(tmp_path, "a.png", "._a.png", ".thumbnails/a.png")
    assert names(find_sources(tmp_path)) == ["a.png"]


def test_linked_folders_are_followed_but_not_in_circles(tmp_path):
    touch(tmp_path / "elsewhere", "a.png")
    touch(tmp_path / "images", "b.png")
    link(tmp_path / "images" / "linked", tmp_path / "elsewhere")
    link(tmp_path / "images" / "circle", tmp_path / "images")
    assert names(find_sources(tmp_path / "images")) == ["b.png", "linked/a.png"]


def test_names_that_lead_to_no_file_are_listed(tmp_path):
    touch(tmp_path, "a.png")
    (tmp_path / "folder.png").mkdir()
    link(tmp_path / "gone.png", tmp_path / "nowhere")
    found = find_sources(tmp_path)
    assert names(found) == ["a.png"]
    assert found.left_out == (LeftOut("gone.png", "leads to no file"),)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_listed_and_not_waited_for(tmp_path):
    touch(tmp_path, "a.png")
    os.mkfifo(tmp_path / "pipe.png")
    assert find_sources(tmp_path).left_out == (LeftOut("pipe.png", "leads to no file"),)


def test_folders_that_may_not_be_read_are_listed(tmp_path, monkeypatch):
    touch(tmp_path, "a.png", "lost+found/b.png")
    forbid(monkeypatch, tmp_path / "lost+found")
    found = find_sources(tmp_path)
    assert names(found) == ["a.png"]
    assert found.left_out == (
        LeftOut("lost+found", "the folder cannot be read: Permission denied"),
    )


def test_a_data_folder_that_may_not_be_read_is_an_error(tmp_path, monkeypatch):
    touch(tmp_path, "a.png")
    forbid(monkeypatch, tmp_path)
    with pytest.raises(PermissionError):
        find_sources(tmp_path)


def test_missing_empty_and_mistaken_folders_are_errors_that_name_them(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*absent"):
        find_sources(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match="No image"):
        find_sources(tmp_path)
    touch(tmp_path, "a.png")
    with pytest.raises(NotADirectoryError, match=r"a\.png is a file"):
        find_sources(tmp_path / "a.png")


HIGHS = ["DIV2K_train_HR/0001.png", "DIV2K_train_HR/0002.png"]
LOWS = ["DIV2K_train_LR_bicubic/X4/0001x4.png", "DIV2K_train_LR_bicubic/X4/0002x4.png"]
VALID = ["DIV2K_valid_HR/0801.png", "DIV2K_valid_LR_bicubic/X4/0801x4.png"]


def test_div2k_is_paired_and_its_validation_images_are_set_apart(tmp_path):
    touch(tmp_path, *HIGHS, *LOWS, *VALID)
    found = find_sources(tmp_path)
    assert found.training == tuple(
        Source(high, tmp_path / high, tmp_path / low) for high, low in zip(HIGHS, LOWS, strict=True)
    )
    assert found.validation == (Source(VALID[0], tmp_path / VALID[0], tmp_path / VALID[1]),)


def test_div2k_without_low_images_has_them_made(tmp_path):
    touch(tmp_path, *HIGHS, VALID[0])
    found = find_sources(tmp_path)
    assert found.training == tuple(Source(high, tmp_path / high, None) for high in HIGHS)
    assert found.validation == (Source(VALID[0], tmp_path / VALID[0], None),)


def test_div2k_with_some_low_images_is_an_error_that_names_the_missing(tmp_path):
    touch(tmp_path, *HIGHS, LOWS[0])
    with pytest.raises(FileNotFoundError, match=r"1 of 2 images .*×4.*: 0002\.png"):
        find_sources(tmp_path)


def test_the_low_images_are_those_of_the_scale(tmp_path):
    twice = [low.replace("X4", "X2").replace("x4", "x2") for low in LOWS]
    touch(tmp_path, *HIGHS, *twice)
    assert [s.low for s in find_sources(tmp_path, scale=2).training] == [
        tmp_path / low for low in twice
    ]
    assert [s.low for s in find_sources(tmp_path, scale=4).training] == [None, None]


@pytest.mark.parametrize(
    "folder",
    [
        "DIV2K_train_LR_bicubic_X4/DIV2K_train_LR_bicubic/X4",
        "DIV2K_train_LR_bicubic_X4",
        "div2k_train_lr_bicubic/x4",
        "deeper/DIV2K_train_LR_bicubic/X4",
    ],
)
def test_archives_unpacked_into_folders_of_their_names_are_understood(tmp_path, folder):
    touch(tmp_path, *(f"DIV2K_train_HR/{high}" for high in HIGHS))
    touch(tmp_path, *(f"{folder}/000{i}x4.png" for i in (1, 2)))
    assert [s.low for s in find_sources(tmp_path).training] == [
        tmp_path / folder / f"000{i}x4.png" for i in (1, 2)
    ]


def test_low_images_of_other_degradations_are_no_training_images(tmp_path):
    unknown = "DIV2K_train_LR_unknown/X4/0001x4.png"
    touch(tmp_path, *HIGHS, unknown, "DIV2K_train_LR_mild/0001x4m.png", "other/0001x4.png")
    found = find_sources(tmp_path)
    assert names(found) == [*HIGHS, "other/0001x4.png"]
    assert all(source.low is None for source in found.training)


def test_two_partners_of_one_image_are_an_error(tmp_path):
    touch(tmp_path, *HIGHS, *LOWS, "copy/DIV2K_train_LR_bicubic/X4/0001x4.png")
    with pytest.raises(ValueError, match=r"0001x4\.png and .*0001x4\.png"):
        find_sources(tmp_path)


def test_validation_images_alone_are_an_error_that_says_so(tmp_path):
    touch(tmp_path, *VALID)
    with pytest.raises(FileNotFoundError, match="only validation images"):
        find_sources(tmp_path)


def test_the_high_folder_alone_is_a_folder_of_images(tmp_path):
    touch(tmp_path, *HIGHS, *LOWS)
    assert names(find_sources(tmp_path / "DIV2K_train_HR")) == ["0001.png", "0002.png"]


def link(path: Path, to: Path) -> None:
    try:
        path.symlink_to(to)
    except OSError:
        pytest.skip("links may not be made here")


def forbid(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Answer as the system does of a folder that belongs to another; root may read them all."""
    scan = os.scandir

    def scandir(path: str) -> object:
        if Path(path) == folder:
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)


def test_marked_names_are_pairs_of_whatever_suffix(tmp_path):
    touch(tmp_path, "a_HR.png", "a_LR.tif", "b/a_HR.png", "b/c_LR.png", "d.png", "HR.png")
    found = find_sources(tmp_path)
    pairs = {source.name: source.low for source in found.training}
    assert pairs == {
        "HR.png": None,
        "a_HR.png": tmp_path / "a_LR.tif",
        "b/a_HR.png": None,
        "d.png": None,
    }
    assert found.left_out == (LeftOut("b/c_LR.png", "there is no image c_HR"),)


def test_two_low_images_of_one_are_refused(tmp_path):
    touch(tmp_path, "a_HR.png", "a_LR.tif", "a_LR.png")
    with pytest.raises(ValueError, match=r"a_LR.tif and a_LR.png differ by suffix alone"):
        find_sources(tmp_path)
