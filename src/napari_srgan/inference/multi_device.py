"""Work spread over several devices, each of which has a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from queue import SimpleQueue
from threading import Event, Lock
from typing import Any, TypeVar

Job = TypeVar("Job")
Step = TypeVar("Step")
Worker = Callable[[Job], Iterator[Step]]


def iter_spread(jobs: Iterable[Job], workers: Sequence[Worker[Job, Step]]) -> Iterator[Step]:
    """Yield the steps of all jobs, each of which is done by the first worker that is free.

    One worker works in this thread, several in one each. Closing the generator stops them at their
    next step, and waits for them.

    Parameters
    ----------
    jobs : iterable
        Anything that a worker takes.
    workers : sequence of callable
        Given a job, return a generator of its steps.

    Raises
    ------
    Exception
        The first that a worker raised, when the others have stopped.
    """
    if len(workers) == 1:
        for job in jobs:
            yield from workers[0](job)
        return
    crew = _Crew(jobs)
    with ThreadPoolExecutor(len(workers), thread_name_prefix="upscale") as pool:
        done = [pool.submit(crew.work, worker) for worker in workers]
        try:
            yield from crew.iter_steps(len(workers))
        finally:
            crew.stopped.set()
    for each in done:
        each.result()


class _Crew:
    """Workers in threads of their own, who tell their steps in one queue."""

    def __init__(self, jobs: Iterable[Any]) -> None:
        self.stopped = Event()
        self._jobs, self._taking = iter(jobs), Lock()
        self._told: SimpleQueue[tuple[Any] | None] = SimpleQueue()

    def iter_steps(self, workers: int) -> Iterator[Any]:
        """Yield steps until so many workers have ended."""
        while workers:
            told = self._told.get()
            if told is None:
                workers -= 1
            else:
                yield told[0]

    def work(self, worker: Callable[[Any], Any]) -> None:
        """Do jobs until there are no more, or all are to stop."""
        try:
            while job := self._next():
                with closing(worker(job[0])) as steps:
                    for step in steps:
                        self._told.put((step,))
                        if self.stopped.is_set():
                            return
        except BaseException:
            self.stopped.set()
            raise
        finally:
            self._told.put(None)

    def _next(self) -> tuple[Any] | None:
        """Return the next job in a tuple, or None if there is none, or none is to be done."""
        with self._taking:
            for job in self._jobs:
                return None if self.stopped.is_set() else (job,)
        return None
