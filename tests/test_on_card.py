"""What is done on a card that is lent for minutes keeps to its time, and leaves what it found."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parent.parent / "tools"


@pytest.fixture(scope="module")
def on_card():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(TOOLS)
        yield importlib.import_module("on_card")


def test_each_part_leaves_its_output_and_what_came_of_it(on_card, tmp_path) -> None:
    session = on_card.Session(tmp_path / "out", minutes=5)

    assert session.run("good", sys.executable, "-c", "print('found 7')", limit=60)
    assert not session.run("bad", sys.executable, "-c", "raise SystemExit(3)", limit=60)
    slow = "import time; print('begun', flush=True); time.sleep(300)"
    assert not session.run("slow", sys.executable, "-c", slow, limit=2)

    assert (session.out / "good.log").read_text() == "found 7\n"
    assert (session.out / "slow.log").read_text().startswith("begun")
    summary = json.loads((session.out / "summary.json").read_text())
    assert [(part["name"], part["status"]) for part in summary] == [
        ("good", 0), ("bad", 3), ("slow", None),
    ]  # fmt: skip


def test_when_the_time_is_up_nothing_runs_any_more(on_card, tmp_path) -> None:
    session = on_card.Session(tmp_path / "out", minutes=0)

    assert not session.run("late", sys.executable, "-c", "import time; time.sleep(300)", limit=60)
    assert session.left() == 0


def test_the_pace_is_that_of_the_last_report(on_card, tmp_path) -> None:
    folder = tmp_path / "pretrain"
    folder.mkdir()
    (folder / "training.csv").write_text("step,steps_per_second\n50,1.5\n100,2.5\n")

    assert on_card._pace(tmp_path) == 2.5


def test_a_run_that_has_not_reported_has_no_pace(on_card, tmp_path) -> None:
    assert on_card._pace(tmp_path) is None
    (tmp_path / "pretrain").mkdir()
    (tmp_path / "pretrain" / "training.csv").write_text("step,steps_per_second\n")
    assert on_card._pace(tmp_path) is None


def test_a_training_that_has_to_be_stopped_leaves_time_for_its_export(
    on_card, tmp_path, monkeypatch
) -> None:
    now, limits = [0.0], {}

    def run(session, name: str, *command: object, limit: float) -> bool:
        limits[name] = limit
        now[0] += limit + on_card.STOP_SECONDS
        return False

    monkeypatch.setattr(on_card.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(on_card.Session, "run", run)
    monkeypatch.setattr(on_card, "_pace", lambda _: 0.3)
    monkeypatch.setattr(sys, "argv", ["on_card", str(tmp_path / "out"), "images"])

    on_card.main()

    assert list(limits) == ["tests", "card", "step", "probe", "train", "export"]
    assert limits["export"] >= on_card.STOP_SECONDS
