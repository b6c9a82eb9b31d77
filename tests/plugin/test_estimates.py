"""Each choice is tried out once, one at a time, and not in the window's thread."""

import gc
import threading
import weakref

import numpy as np
import pytest
import torch

from napari_srgan.inference.runner import Runner
from napari_srgan.inference.settings import Settings
from napari_srgan.models.srresnet import SRResNet
from napari_srgan.plugin import worker
from napari_srgan.plugin.job import Needs, Trial
from napari_srgan.plugin.messages import Choices, Failed, Source
from napari_srgan.plugin.worker import Estimates

CPU = torch.device("cpu")

TRIAL = Trial(Needs(Runner(SRResNet(blocks=1, features=3), CPU, torch.float32), 64), 1e-6)


def source(*shape, dtype=np.uint8, rgb=False):
    return Source(np.zeros(shape, dtype), rgb, None)


def choices(model="tiny", **settings):
    return Choices(model, "auto", Settings(**settings), None)


@pytest.fixture
def threads(monkeypatch):
    """Keep the jobs that would run in threads, to be run when the test wants."""
    kept = []
    monkeypatch.setattr(worker, "in_background", lambda *job: kept.append(job))
    monkeypatch.setattr(worker, "try_out", lambda *_: TRIAL)
    return kept


def finish(threads):
    job, finished = threads.pop()
    finished(job())


def test_nothing_is_known_of_a_choice_until_it_has_been_tried(threads):
    estimates, told = Estimates(), []
    estimates.ask(choices(), source(5, 7), lambda: told.append(1))
    assert estimates.of(choices(), source(5, 7)) is None
    assert not told

    finish(threads)
    assert estimates.of(choices(), source(5, 7)) == TRIAL
    assert told


def test_one_trial_runs_at_a_time(threads):
    estimates = Estimates()
    for model in ("a", "b", "c"):
        estimates.ask(choices(model), source(5, 7), lambda: None)
    assert len(threads) == 1

    finish(threads)
    estimates.ask(choices("b"), source(5, 7), lambda: None)
    assert len(threads) == 1


@pytest.mark.parametrize(
    ("chosen", "pixels", "same"),
    [
        (choices(), source(500, 700), True),
        (choices(nan="fill"), source(5, 7), True),
        (choices("other"), source(5, 7), False),
        (choices(device="cpu"), source(5, 7), False),
        (choices(precision="float32"), source(5, 7), False),
        (choices(tile=32), source(5, 7), False),
        (choices(), source(5, 7, dtype=np.uint16), False),
        (choices(), source(5, 7, 3, rgb=True), False),
    ],
)
def test_a_trial_holds_for_whatever_it_does_not_depend_on(threads, chosen, pixels, same):
    estimates = Estimates()
    estimates.ask(choices(), source(5, 7), lambda: None)
    finish(threads)

    assert (estimates.of(chosen, pixels) is not None) is same


def test_failures_are_forgotten_and_successes_kept(threads, monkeypatch):
    estimates = Estimates()
    estimates.ask(choices(), source(5, 7), lambda: None)
    finish(threads)
    monkeypatch.setattr(worker, "try_out", lambda *_: Failed("no network"))
    estimates.ask(choices("far away"), source(5, 7), lambda: None)
    finish(threads)
    assert estimates.of(choices("far away"), source(5, 7)) == Failed("no network")

    estimates.forget_failures()
    assert estimates.of(choices("far away"), source(5, 7)) is None
    assert estimates.of(choices(), source(5, 7)) == TRIAL


def test_a_trial_keeps_no_pixels(threads):
    class Pixels(np.ndarray):
        """An array that a weak reference can follow, and nothing else refers to."""

    pixels = np.zeros((5, 7), np.uint8).view(Pixels)
    followed = weakref.ref(pixels)
    Estimates().ask(choices(), Source(pixels, False, None), lambda: None)
    del pixels
    gc.collect()

    assert threads
    assert followed() is None


def test_a_trial_runs_in_a_thread_and_is_handed_over_in_the_windows(qtbot, monkeypatch):
    where = []

    def try_out(*_args):
        where.append(threading.current_thread())
        return TRIAL

    monkeypatch.setattr(worker, "try_out", try_out)
    estimates = Estimates()
    estimates.ask(choices(), source(5, 7), lambda: where.append(threading.current_thread()))
    qtbot.waitUntil(lambda: len(where) == 2)

    assert where[0] is not threading.main_thread()
    assert where[1] is threading.main_thread()
