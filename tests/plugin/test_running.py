"""How long work will take is told from the pace of what is counted."""

from types import SimpleNamespace

import pytest
from magicgui.widgets import Label, ProgressBar

from napari_srgan.inference.settings import Progress
from napari_srgan.plugin import running
from napari_srgan.plugin.running import Running

PLANE = 54.0  # seconds


class Inline:
    """Does a worker's work at once, in this thread."""

    def __init__(self, job, *arguments, **_options):
        self._steps, self._slots = job(*arguments), {}
        self.yielded, self.returned = (
            SimpleNamespace(connect=lambda slot, name=name: self._slots.__setitem__(name, slot))
            for name in ("yielded", "returned")
        )

    def start(self):
        for step in self._steps:
            self._slots["yielded"](step)
        self._slots["returned"](None)


def test_once_a_plane_has_run_the_time_left_is_right_whatever_came_before(qtbot, monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(running, "create_worker", Inline)
    monkeypatch.setattr(running.time, "perf_counter", lambda: clock.now)
    title, bar, left, said = Label(), ProgressBar(max=1000), Label(), []

    def job(_stop):
        clock.now += 90  # a model is loaded
        yield Progress(0, 200, "cpu", "float32")
        for _ in range(10):  # all planes are looked at
            clock.now += 40
            yield Progress(0, 200, "cpu", "float32")
        for done in range(1, 4):
            clock.now += PLANE
            yield Progress(done, 200, "cpu", "float32")
            said.append(left.value)

    Running(title, bar, left, lambda _: None).begin("work", job, lambda _: None)

    assert said[0] == "0 %, 3.0 h left"  # 199 times 54 s
    assert pytest.approx(3.0, abs=0.05) == 197 * PLANE / 3600
    assert said[-1] == "1 %, 3.0 h left"
