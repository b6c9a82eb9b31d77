"""Several workers do every job once, and stop together."""

import time
from collections import Counter
from threading import Barrier, Event, get_ident

import pytest

from napari_srgan.inference.multi_device import iter_spread


def doing(job):
    for step in range(3):
        yield job, step


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("jobs", [0, 1, 4, 40])
def test_every_job_is_done_once_and_its_steps_come_in_order(workers, jobs):
    steps = list(iter_spread(range(jobs), [doing] * workers))

    assert Counter(job for job, _ in steps) == dict.fromkeys(range(jobs), 3)
    for job in range(jobs):
        assert [step for done, step in steps if done == job] == [0, 1, 2]


def test_one_worker_works_in_the_thread_that_asks():
    def thread(_):
        yield get_ident()

    assert set(iter_spread(range(3), [thread])) == {get_ident()}


def test_workers_work_at_the_same_time():
    both = Barrier(2, timeout=30)

    def meet(job):
        both.wait()
        yield job

    assert sorted(iter_spread(range(2), [meet, meet])) == [0, 1]


def test_a_job_that_is_falsy_is_a_job():
    assert list(iter_spread([None, 0, ()], [doing, doing])) != []


@pytest.mark.parametrize("workers", [1, 3])
def test_closing_stops_all_at_their_next_step(workers):
    closed = []

    def endless(job):
        try:
            while True:
                yield job
        finally:
            closed.append(job)

    steps = iter_spread(range(100), [endless] * workers)
    next(steps)
    steps.close()

    assert 1 <= len(closed) <= workers
    assert len(set(closed)) == len(closed)


def test_the_first_error_stops_the_others_and_is_raised():
    failed, done = Event(), []

    def work(job):
        if job == 0:
            failed.set()
            raise OSError("no device")
        assert failed.wait(30)
        for step in range(1000):
            done.append(step)
            time.sleep(1e-3)
            yield step

    with pytest.raises(OSError, match="no device"):
        list(iter_spread(range(50), [work, work]))
    assert len(done) < 1000


def test_a_job_is_taken_when_a_worker_is_free_for_it():
    taken, go_on = [], Event()

    def jobs():
        for job in range(100):
            taken.append(job)
            yield job

    def work(job):
        yield job
        assert go_on.wait(30)

    steps = iter_spread(jobs(), [work, work])
    next(steps)
    assert len(taken) <= 2
    go_on.set()
    steps.close()
