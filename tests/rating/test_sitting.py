"""A rater's way: an order of their own, kept on the disk at every step."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_srgan.rating.plan import Photo, Version, read_plan
from napari_srgan.rating.ratings import read_ratings
from napari_srgan.rating.sitting import Sitting, raters_of, save_ratings, shuffled


def versions(count):
    photo = Photo("", "a", "", (0, 255))
    return tuple(Version(f"{place:04}", photo, "HR") for place in range(count))


def calibrate(sitting):
    while sitting.current.anchor is not None:
        assert sitting.rate(sitting.current.anchor)


def rate_all(sitting, score=lambda version: 3):
    calibrate(sitting)
    while sitting.current is not None:
        assert sitting.rate(score(sitting.current.version))


def path_of(folder):
    (path,) = (folder / "raters").iterdir()
    return path


@given(st.integers(0, 60), st.text(max_size=9))
def test_an_order_has_each_version_once_and_is_the_seeds(count, seed):
    some = versions(count)
    order = shuffled(some, seed)
    assert sorted(order, key=lambda v: v.token) == list(some)
    assert shuffled(tuple(random.Random(1).sample(some, count)), seed) == order


def test_orders_are_uniform_over_places():
    some = versions(6)
    firsts = [shuffled(some, str(seed))[0].token for seed in range(3000)]
    counts = [firsts.count(version.token) for version in some]
    assert all(400 < count < 600 for count in counts)  # 500 ± 20 are expected


def test_a_whole_session_calibrates_and_then_shows_all_versions_once(session):
    folder = session()
    plan = read_plan(folder)
    sitting = Sitting(folder, "Ann")
    shown, anchors = [], []
    while (item := sitting.current) is not None:
        assert item.path.is_file()
        (anchors if item.anchor else shown).append(item)
        sitting.rate(item.anchor or 4)
    assert [item.place for item in anchors] == [1, 2, 3, 4]
    assert [(item.place, item.total) for item in shown] == [(n, 9) for n in range(1, 10)]
    assert {item.version for item in shown} == set(plan.test)
    assert [item.anchor for item in anchors] == [item.version.anchor for item in anchors]


def test_an_example_is_passed_by_its_own_score_only(session):
    sitting = Sitting(session(), "Ann")
    item = sitting.current
    for wrong in {1, 2, 3, 4, 5} - {item.anchor}:
        assert not sitting.rate(wrong)
        assert sitting.current == item
    assert sitting.rate(item.anchor)
    assert sitting.current != item


def test_raters_have_orders_of_their_own(session):
    folder = session()
    orders = []
    for name in ("Ann", "Ben"):
        sitting = Sitting(folder, name)
        rate_all(sitting)
        orders.append([given.token for given in sitting.rater.given])
    assert orders[0] != orders[1]
    assert set(orders[0]) == set(orders[1])


def test_every_rating_is_on_the_disk_at_once_and_is_gone_on_from(session):
    folder = session()
    calibrate(Sitting(folder, "Ann"))
    for place in range(9):
        sitting = Sitting(folder, " ANN ")  # the same rater
        assert sitting.current.place == place + 1
        token = sitting.current.version.token
        sitting.rate(1 + place % 5)
        (rater,) = raters_of(folder)
        assert (rater.name, rater.given[-1].token) == ("Ann", token)
    assert Sitting(folder, "Ann").current is None


def test_the_last_is_taken_back_as_often_as_wanted(session):
    folder = session()
    sitting = Sitting(folder, "Ann")
    assert not sitting.can_undo
    sitting.undo()
    first = sitting.current
    calibrate(sitting)
    for _ in range(3):
        sitting.rate(2)
    assert sitting.current.place == 4
    sitting.undo()
    sitting.undo()
    sitting.undo()
    assert Sitting(folder, "Ann").current.place == 1
    while sitting.can_undo:
        sitting.undo()
    assert sitting.current == first
    assert Sitting(folder, "Ann").current == first


def test_a_rating_that_cannot_be_saved_has_not_been_given(session, monkeypatch):
    sitting = Sitting(session(), "Ann")
    calibrate(sitting)
    item, rater = sitting.current, sitting.rater

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr("napari_srgan.rating.sitting.write_json", full)
    with pytest.raises(OSError, match="No space"):
        sitting.rate(3)
    assert (sitting.current, sitting.rater) == (item, rater)


def test_one_rater_in_two_windows_loses_nothing(session):
    folder = session()
    here, there = Sitting(folder, "Ann"), Sitting(folder, "ann")
    here.rate(here.current.anchor)
    with pytest.raises(ValueError, match="another window"):
        there.rate(there.current.anchor)
    assert raters_of(folder)[0] == here.rater


@pytest.mark.parametrize("score", [0, 6, -1])
def test_what_is_no_score_is_refused(session, score):
    with pytest.raises(ValueError, match=f"got {score}"):
        Sitting(session(), "Ann").rate(score)


def test_nothing_is_rated_after_the_last(session):
    sitting = Sitting(session(), "Ann")
    rate_all(sitting)
    with pytest.raises(ValueError, match="Everything is rated"):
        sitting.rate(3)


@pytest.mark.parametrize("name", ["", "  ", "\n", "a\x00b", "\x1b[2J"])
def test_a_rater_needs_a_name(session, name):
    with pytest.raises(ValueError, match="needs a name"):
        Sitting(session(), name)


@pytest.mark.parametrize("name", ["../../etc/passwd", "CON", "Zoë", "a/b:c*?", "李", "x" * 300])
def test_any_name_makes_a_file_in_the_sessions_folder(session, name):
    folder = session()
    calibrate(Sitting(folder, name))
    assert [rater.name for rater in raters_of(folder)] == [name]
    assert path_of(folder).parent == folder / "raters"


def test_ratings_are_written_as_they_were_given(session):
    folder = session()
    scores = {"nearest": 1, "bicubic": 2, "HR": 5}
    for name in ("Ben", "Ann"):
        rate_all(Sitting(folder, name), lambda version: scores[version.method])
    rows = read_ratings([save_ratings(folder)])
    assert len(rows) == 2 * 9
    assert all(row.rating == scores[row.method] for row in rows)
    assert {row.data_set for row in rows} == {"session-rated"}
    assert [row.place for row in rows if row.rater == "Ann"] == list(range(1, 10))
    assert len({row.version for row in rows}) == 18


def test_ratings_of_a_session_that_goes_on_are_those_so_far(session):
    folder = session()
    sitting = Sitting(folder, "Ann")
    calibrate(sitting)
    sitting.rate(4)
    assert [row.rating for row in read_ratings([save_ratings(folder)])] == [4]


@pytest.mark.parametrize(
    "change",
    [
        {"ratings": [["0", 3, ""]]},
        {"ratings": [[1, 2]]},
        {"ratings": None},
        {"calibrated": 99},
        {"calibrated": "1"},
        {"seed": 3},
        {"ratings": [["0", 9, ""]]},
        {"ratings": [["0", "3", ""]]},
    ],
)
def test_a_raters_file_that_is_damaged_or_of_another_session_is_named(session, change):
    folder = session()
    calibrate(Sitting(folder, "Ann"))
    path = path_of(folder)
    values = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(values | change), encoding="utf-8")
    with pytest.raises(ValueError, match=r"\.json (is damaged|belongs to another session)"):
        Sitting(folder, "Ann")
    with pytest.raises(ValueError, match=r"\.json (is damaged|belongs to another session)"):
        save_ratings(folder)
