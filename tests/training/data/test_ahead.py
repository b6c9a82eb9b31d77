from __future__ import annotations

import threading
import time
from itertools import count

import pytest

from napari_srgan.training.data.crops import iter_ahead

WORKERS = "ahead"


def working_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(WORKERS)]


@pytest.mark.parametrize(("ahead", "workers"), [(0, 1), (1, 1), (3, 1), (4, 3), (50, 2)])
def test_results_come_in_order_whoever_is_faster(ahead, workers):
    def slow_if_even(item: int) -> int:
        time.sleep(0.002 * (item % 2 == 0))
        return item * item

    results = list(iter_ahead(slow_if_even, range(20), ahead=ahead, workers=workers))
    assert results == [item * item for item in range(20)]
    assert working_threads() == []


def test_no_more_is_begun_than_allowed():
    begun: list[int] = []
    results = iter_ahead(begun.append, count(), ahead=3)
    for taken in range(1, 6):
        next(results)
        time.sleep(0.02)
        assert taken <= len(begun) <= taken + 3
    results.close()


def test_nothing_is_begun_before_it_is_asked_for():
    begun: list[int] = []
    iter_ahead(begun.append, range(3), ahead=2).close()
    assert begun == []
    assert working_threads() == []


def test_closing_ends_the_threads():
    results = iter_ahead(lambda item: item, count(), ahead=4, workers=3)
    assert next(results) == 0
    assert working_threads() != []
    results.close()
    assert working_threads() == []


def test_closing_drops_what_has_not_begun():
    begun: list[int] = []

    def slow(item: int) -> None:
        begun.append(item)
        time.sleep(0.02)

    results = iter_ahead(slow, count(), ahead=40)
    next(results)
    results.close()
    assert len(begun) < 10


def test_an_endless_stream_that_is_dropped_ends_its_threads():
    results = iter_ahead(lambda item: item, count(), ahead=2)
    next(results)
    del results
    assert working_threads() == []


@pytest.mark.parametrize("ahead", [0, 2])
def test_an_error_is_raised_where_its_result_would_be(ahead):
    results = iter_ahead(lambda item: 6 // (2 - item), range(9), ahead=ahead)
    assert [next(results), next(results)] == [3, 6]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert working_threads() == []
