"""One process at a time in a run's folder."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from napari_srgan.training.run.lock import locked

HOLDER = """
import sys, time
from pathlib import Path
from napari_srgan.training.run.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_folder_in_use_is_refused_until_it_is_let_go_of(tmp_path) -> None:
    with locked(tmp_path / "run"):
        with (
            pytest.raises(OSError, match=r"Another process is training in .*run\. Wait"),
            locked(tmp_path / "run"),
        ):
            pass
        with locked(tmp_path / "other"):
            pass
    with locked(tmp_path / "run"):
        pass


def test_the_lock_dies_with_its_process(tmp_path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(OSError, match="Another process"), locked(tmp_path):
        pass
    process.send_signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
    process.wait()
    process.stdout.close()
    with locked(tmp_path):
        pass
