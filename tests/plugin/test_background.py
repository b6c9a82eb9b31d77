"""What the window asks for is answered, even where torch cannot be loaded."""

import sys
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from napari_srgan.inference.settings import Settings
from napari_srgan.plugin import worker
from napari_srgan.plugin.messages import Choices, Devices, Failed, Source

CHOICES = Choices("srresnet-x4", "auto", Settings(device="cpu"), Path("nowhere"))
SOURCE = Source(np.zeros((3, 4), np.uint8), False, None)


def outcome(steps):
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


@pytest.fixture
def broken(monkeypatch):
    """Have the module that needs torch fail to load, as it does where its libraries are damaged."""
    monkeypatch.delattr("napari_srgan.plugin.job", raising=False)
    monkeypatch.setitem(sys.modules, "napari_srgan.plugin.job", None)


def test_devices_are_found():
    assert isinstance(worker.find_devices(), Devices)


@pytest.mark.parametrize(
    "ask",
    [
        worker.find_devices,
        lambda: worker.try_out(CHOICES, False, np.dtype("u1")),
        lambda: outcome(worker.iter_job(SOURCE, CHOICES, Event())),
    ],
    ids=["devices", "a trial", "a job"],
)
def test_what_cannot_be_loaded_is_an_answer(broken, ask, caplog):
    answer = ask()

    assert isinstance(answer, Failed)
    assert answer.reason.startswith("The work cannot begin: ")
    assert "could not be loaded" in caplog.text
