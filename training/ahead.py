"""Work done in threads, a little ahead of who asks for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def iter_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], *, ahead: int, workers: int = 1
) -> Generator[Result, None, None]:
    """Yield ``function(item)`` for every item, in order, up to ``ahead`` of them beforehand.

    What the function raises is raised where its result would be yielded. Closing the generator
    waits for the calls that run, drops the others, and ends the threads. With ``ahead`` 0 there
    are no threads.
    """
    if ahead < 1:
        yield from map(function, items)
        return
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="ahead") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
