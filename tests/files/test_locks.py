"""Locks that end with their process, on files that may be removed meanwhile."""

import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from napari_srgan.files import locks
from napari_srgan.files.locks import remove_locked, take_lock


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "lock"
    file.touch()
    return file


def test_one_has_a_lock_until_it_is_closed(file):
    with take_lock(file) as lock:
        assert not lock.closed
        assert take_lock(file) is None
    with take_lock(file):
        pass


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing"):
        take_lock(tmp_path / "missing")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows removes no open file")
@pytest.mark.parametrize("again", [False, True])
def test_the_lock_of_a_file_removed_before_it_was_taken_is_nobodys(file, monkeypatch, again):
    is_taken = locks._is_taken
    opened = []

    def removed_meanwhile(stream):
        opened.append(stream)
        file.unlink()
        if again:
            file.touch()
        return is_taken(stream)

    monkeypatch.setattr(locks, "_is_taken", removed_meanwhile)
    with pytest.raises(FileNotFoundError, match="lock"):
        take_lock(file)
    assert opened[0].closed

    monkeypatch.undo()
    file.touch()
    take_lock(file).close()


def test_a_folder_goes_with_its_lock(tmp_path):
    folder = tmp_path / "folder"
    (folder / "within").mkdir(parents=True)
    for name in "lock", "file", ".hidden", "within/file":
        (folder / name).touch()
    lock = take_lock(folder / "lock")

    remove_locked(folder, lock)

    assert not folder.exists()
    assert lock.closed


def test_what_cannot_be_removed_stays_and_is_no_error(tmp_path, monkeypatch):
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in "lock", "file", "kept":
        (folder / name).touch()
    lock = take_lock(folder / "lock")
    unlink = Path.unlink

    def refuse(path):
        if path.name == "kept":
            raise PermissionError(13, "Permission denied")
        unlink(path)

    with monkeypatch.context() as refusing:
        refusing.setattr(Path, "unlink", refuse)
        remove_locked(folder, lock)

    assert [file.name for file in folder.iterdir()] == ["kept"]


def test_a_folder_that_is_gone_is_no_error(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "lock").touch()
    lock = take_lock(folder / "lock")
    if sys.platform != "win32":
        shutil.rmtree(folder)

    remove_locked(folder, lock)

    assert not folder.exists()


def test_who_takes_a_lock_first_has_the_folder_to_itself(tmp_path):
    """Many make, use and remove one folder at once; nobody sees another's file in it."""
    folder = tmp_path / "folder"

    def use(number):
        try:
            folder.mkdir(exist_ok=True)
            (folder / "lock").touch()
            lock = take_lock(folder / "lock")
        except FileNotFoundError:  # removed between two steps
            return False
        if lock is None:
            return False
        assert [file.name for file in folder.iterdir()] == ["lock"]
        (folder / str(number)).touch()
        assert {file.name for file in folder.iterdir()} == {"lock", str(number)}
        remove_locked(folder, lock)
        return True

    with ThreadPoolExecutor(8) as pool:
        assert any(pool.map(use, range(2000)))
