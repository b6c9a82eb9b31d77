import builtins
import csv
import logging
import os
import sys
from types import ModuleType
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_srgan.training.watch import log as logs
from napari_srgan.training.watch.log import RunLog, read_rows


class _Events:
    """Stands in for TensorBoard's writer, and remembers what it was told."""

    made: ClassVar[list["_Events"]] = []

    def __init__(self, folder, purge_step):
        self.folder, self.purge_step, self.told, self.closed = folder, purge_step, [], False
        self.made.append(self)

    def add_scalar(self, tag, value, step):
        self.told.append((tag, value, step))

    def add_image(self, tag, image, step, *, dataformats):
        self.told.append((tag, image.shape, step, dataformats))

    def flush(self):
        pass

    def close(self):
        self.closed = True


@pytest.fixture(autouse=True)
def _without_tensorboard(monkeypatch):
    monkeypatch.setattr(logs, "find_spec", lambda name: None)


@pytest.fixture
def events(monkeypatch):
    """TensorBoard as if installed; gives the writers that were made."""
    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = _Events
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    monkeypatch.setattr(logs, "find_spec", lambda name: name)
    monkeypatch.setattr(_Events, "made", [])
    return _Events.made


def _write(folder, steps, start=0):
    with RunLog(folder, start) as log:
        for step in steps:
            log.scalars("train", step, {"loss": 1 / step})


def _steps(path):
    return [int(row["step"]) for row in read_rows(path)]


def test_rows_have_a_header_once_and_the_step_first(tmp_path):
    _write(tmp_path, [10, 20])
    assert (tmp_path / "train.csv").read_text().splitlines() == ["step,loss", "10,0.1", "20,0.05"]


def test_the_folder_is_made(tmp_path):
    _write(tmp_path / "a" / "phase-2", [10])
    assert _steps(tmp_path / "a" / "phase-2" / "train.csv") == [10]


def test_each_kind_of_row_has_its_file(tmp_path):
    with RunLog(tmp_path) as log:
        log.scalars("train", 10, {"loss": 0.5})
        log.scalars("validation", 10, {"psnr": 28.5, "image": "a, b", "lpips": None})
    row = {"step": "10", "psnr": "28.5", "image": "a, b", "lpips": ""}
    assert read_rows(tmp_path / "validation.csv") == [row]
    assert _steps(tmp_path / "train.csv") == [10]


def test_every_row_is_on_disk_before_the_next_one(tmp_path):
    log = RunLog(tmp_path)
    for step in (10, 20):
        log.scalars("train", step, {"loss": 0.5})
        assert _steps(tmp_path / "train.csv")[-1] == step
    log.close()


@settings(max_examples=20)
@given(st.integers(0, 12), st.integers(0, 12))
def test_a_resumed_run_logs_each_step_once(tmp_path_factory, saved, killed):
    folder = tmp_path_factory.mktemp("run")
    saved = min(saved, killed)
    _write(folder, range(1, killed + 1))
    _write(folder, range(saved + 1, 15), start=saved)
    assert _steps(folder / "train.csv") == list(range(1, 15))


def test_kept_rows_are_as_they_were_written(tmp_path):
    with RunLog(tmp_path) as log:
        log.scalars("validation", 10, {"image": 'a, "b"', "psnr": 28.25})
        log.scalars("validation", 20, {"image": "c", "psnr": 29.0})
    RunLog(tmp_path, 10).close()
    assert read_rows(tmp_path / "validation.csv") == [
        {"step": "10", "image": 'a, "b"', "psnr": "28.25"}
    ]


def test_a_run_begun_again_from_nothing_has_an_empty_log(tmp_path):
    _write(tmp_path, [10, 20])
    RunLog(tmp_path).close()
    assert not (tmp_path / "train.csv").exists()


@pytest.mark.parametrize("cut_off", ["3", "30", "30,0.0", "30,\n", "30,0.1,4\n", "\n", "x,0.1\n"])
def test_a_row_that_was_cut_off_is_dropped(tmp_path, cut_off):
    _write(tmp_path, [10, 20])
    with (tmp_path / "train.csv").open("a") as file:
        file.write(cut_off)
    _write(tmp_path, [30], start=20)
    rows = read_rows(tmp_path / "train.csv")
    assert [row["step"] for row in rows] == ["10", "20", "30"]
    assert all(float(row["loss"]) > 0 for row in rows)


@pytest.mark.parametrize("torn", ["", "step,lo", "step"])
def test_a_header_that_was_cut_off_is_written_again(tmp_path, torn):
    (tmp_path / "train.csv").write_text(torn)
    _write(tmp_path, [10])
    assert _steps(tmp_path / "train.csv") == [10]
    assert not (tmp_path / "train-2.csv").exists()


def test_lines_that_are_no_rows_are_counted_in_the_log(tmp_path, caplog):
    _write(tmp_path, [10, 20])
    with (tmp_path / "train.csv").open("a") as file:
        file.write("x\n30,0.1\n40")
    _write(tmp_path, [], start=30)
    assert _steps(tmp_path / "train.csv") == [10, 20, 30]
    assert "train.csv: 2 lines are no rows of it" in caplog.text


def test_a_row_is_found_by_its_step_in_whichever_file(tmp_path):
    with RunLog(tmp_path) as log:
        log.scalars("train", 10, {"loss": 0.25})
        log.scalars("train", 20, {"loss": 0.5, "gradient": 1.5})
        assert log.row("train", 10) == {"step": 10, "loss": 0.25}
        assert log.row("train", 20) == {"step": 20, "loss": 0.5, "gradient": 1.5}
        assert log.row("train", 30) is None
        assert log.row("validation", 10) is None


def test_on_a_full_disk_a_log_stays_as_it_was(tmp_path, monkeypatch):
    _write(tmp_path, [10])

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    with RunLog(tmp_path, 10) as log:
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            log.scalars("train", 20, {"loss": 0.5})
    assert _steps(tmp_path / "train.csv") == [10]


def test_rows_with_other_columns_begin_another_file(tmp_path):
    _write(tmp_path, [10])
    with RunLog(tmp_path, 10) as log:
        log.scalars("train", 20, {"loss": 0.05, "gradient": 1.5})
        log.scalars("train", 30, {"loss": 0.04, "gradient": 1.25})
        log.scalars("train", 40, {"loss": 0.03})
    assert _steps(tmp_path / "train.csv") == [10, 40]
    assert _steps(tmp_path / "train-2.csv") == [20, 30]


def test_other_files_in_the_folder_are_left_alone(tmp_path):
    (tmp_path / "results.csv").write_text("image,psnr\na,28\n")
    (tmp_path / "notes.txt").write_text("step")
    _write(tmp_path, [10])
    assert (tmp_path / "results.csv").read_text() == "image,psnr\na,28\n"
    assert (tmp_path / "notes.txt").read_text() == "step"


def test_without_tensorboard_one_line_says_so_and_images_are_no_error(tmp_path, caplog):
    with caplog.at_level(logging.INFO), RunLog(tmp_path) as log:
        log.scalars("train", 10, {"loss": 0.5})
        log.image("panel", 10, np.zeros((20, 31, 3), np.uint8))
    assert len(caplog.messages) == 1
    assert "napari-srgan[training]" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv"]


def test_without_tensorboard_torch_is_not_asked_for_it(tmp_path, monkeypatch):
    real = builtins.__import__

    def refuse(name, *args):
        assert "tensorboard" not in name
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", refuse)
    RunLog(tmp_path).close()


def test_tensorboard_gets_the_numbers_and_the_images(tmp_path, events):
    with RunLog(tmp_path) as log:
        log.scalars("validation", 10, {"psnr": 28.5, "image": "a", "lpips": None})
        log.image("panel", 10, np.zeros((20, 31, 3), np.uint8))
    (writer,) = events
    assert writer.told == [("validation/psnr", 28.5, 10), ("panel", (20, 31, 3), 10, "HWC")]
    assert writer.closed


def test_tensorboard_hides_the_steps_after_the_checkpoint(tmp_path, events):
    RunLog(tmp_path, 500).close()
    assert [writer.purge_step for writer in events] == [501]


def test_the_real_tensorboard_shows_each_step_once(tmp_path, monkeypatch):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.setattr(logs, "find_spec", lambda name: name)
    _write(tmp_path, [10, 20, 30])
    _write(tmp_path, [20, 30], start=10)
    events = EventAccumulator(str(tmp_path / "events"))
    events.Reload()
    assert [event.step for event in events.Scalars("train/loss")] == [10, 20, 30]


def test_a_log_is_plain_csv(tmp_path):
    _write(tmp_path, [10])
    with (tmp_path / "train.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["step", "loss"], ["10", "0.1"]]
