"""Files by which a training is watched and steered."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import psutil
import pytest

from napari_srgan.runs import (
    ASKED,
    STATUS,
    Asked,
    Status,
    ask,
    asked_of,
    read_status,
    this_process,
    write_status,
)


def test_what_is_written_is_read(tmp_path):
    status = Status("training", "", 3, 9, 1.5, ("few",), ("a", "b"), {"psnr": 30.0}, "m", 1, 2.0)
    write_status(tmp_path, status)
    assert read_status(tmp_path) == status
    ask(tmp_path, Asked("pause", 1, 0.25, 0.75))
    assert asked_of(tmp_path) == Asked("pause", 1, 0.25, 0.75)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"text": "no state"}', '"training"'])
def test_what_is_no_status_is_none(tmp_path, text):
    assert read_status(tmp_path) is None
    for name in (STATUS, ASKED):
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_status(tmp_path) is None
    assert asked_of(tmp_path) == Asked()


def test_a_status_of_a_newer_version_is_read_as_far_as_it_is_known(tmp_path):
    (tmp_path / STATUS).write_text('{"state": "done", "mood": "good"}', encoding="utf-8")
    assert read_status(tmp_path) == Status("done")


def test_a_process_is_told_from_a_later_one_of_its_number():
    here = Status("training", **this_process())
    assert here.is_alive
    assert not here.is_lost
    assert replace(here, began=here.began - 100).is_lost
    assert not replace(here, began=0.0, state="paused").is_lost


def test_a_killed_process_is_lost_before_it_is_waited_for():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    began = psutil.Process(child.pid).create_time()
    status = Status("training", process=child.pid, began=began)
    assert status.is_alive
    child.kill()
    psutil.wait_procs([psutil.Process(child.pid)], timeout=10)
    assert status.is_lost
    child.wait()
