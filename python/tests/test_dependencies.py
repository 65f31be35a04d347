# SPDX-License-Identifier: BSD-3-Clause
"""Futures as arguments, wherever they are."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import operator
import os
import sys
import threading
import time
from concurrent.futures import CancelledError
from typing import Any

import numpy
import pytest

from swiftlet import (
    SingleNodeExecutor,
    TimeLimitError,
    WorkerLostError,
    get_item_from_future,
    split_future,
)


@dataclasses.dataclass
class Box:
    content: Any


def unpack(box):
    return box.content


def identity(value):
    return value


def fail(message):
    raise LookupError(message)


def pair():
    return {"a": [1, 2], "b": "x"}


def test_chain(executor):
    future = executor.submit(operator.add, 0, 1)
    for _ in range(5):
        future = executor.submit(operator.add, future, 1)
    assert future.result(30) == 6


def test_a_long_chain(warm):
    future = warm.submit(operator.add, 0, 1)
    for _ in range(500):
        future = warm.submit(operator.add, future, 1)
    assert future.result(60) == 501


@pytest.mark.parametrize(
    "wrap",
    [
        lambda future: [future],
        lambda future: (1, (future,)),
        lambda future: {"key": [future]},
        lambda future: [[{"deep": ({"deeper": future},)}]],
        lambda future: Box(future),
        lambda future: [Box({"x": future}), future],
    ],
)
def test_futures_anywhere(warm, wrap):
    future = warm.submit(operator.add, 1, 2)
    assert warm.submit(identity, wrap(future)).result(30) == wrap(3)


def test_futures_in_sets_and_keys(warm):
    future = warm.submit(operator.add, 1, 2)
    assert warm.submit(identity, {future, 7}).result(30) == {3, 7}
    assert warm.submit(identity, {future: "value"}).result(30) == {3: "value"}


def test_future_as_keyword(executor):
    assert executor.submit(unpack, box=executor.submit(Box, 3)).result(30) == 3


def test_one_future_twice(warm):
    future = warm.submit(list, "ab")
    first, second = warm.submit(identity, [future, future]).result(30)
    assert first == second == ["a", "b"]


def test_inputs_that_ended_before(warm):
    future = warm.submit(operator.add, 1, 2)
    assert future.result(30) == 3
    assert warm.submit(operator.add, future, 1).result(30) == 4


def test_selectors(executor):
    whole = executor.submit(pair)
    assert get_item_from_future(whole, "b").result(30) == "x"
    assert executor.submit(sum, get_item_from_future(whole, "a")).result(30) == 3
    first = get_item_from_future(get_item_from_future(whole, "a"), 0)
    assert executor.submit(operator.add, first, 1).result(30) == 2
    one, two = split_future(executor.submit(list, "ab"), 2)
    assert executor.submit(operator.add, one, two).result(30) == "ab"


def test_selectors_are_futures(warm):
    whole = warm.submit(pair)
    view = get_item_from_future(whole, "b")
    assert isinstance(view, concurrent.futures.Future)
    seen = threading.Event()
    view.add_done_callback(lambda done: seen.set() if done is whole else None)
    assert seen.wait(30)
    assert view.done()
    assert not view.cancelled()
    assert view.exception() is None
    assert get_item_from_future(warm.submit(identity, None), "any").result(30) is None
    with pytest.raises(KeyError):
        get_item_from_future(whole, "missing").result()


def test_w2_a_cancelled_future_as_input(executor):
    cancelled = executor.submit(time.sleep, 60)
    assert cancelled.cancel()
    with pytest.raises(CancelledError):
        executor.submit(identity, cancelled).result(30)
    assert executor.submit(operator.add, 1, 2).result(30) == 3


def test_w2_a_selector_with_a_missing_key_as_input(executor):
    whole = executor.submit(pair)
    with pytest.raises(KeyError):
        executor.submit(identity, get_item_from_future(whole, "missing")).result(30)
    with pytest.raises(IndexError):
        executor.submit(identity, get_item_from_future(get_item_from_future(whole, "a"), 9)).result(30)
    assert executor.submit(identity, get_item_from_future(whole, "b")).result(30) == "x"


def test_w1_cancel_at_once(executor):
    future = executor.submit(operator.add, 1, 2)
    future.cancel()
    assert executor.submit(operator.add, 1, 2).result(30) == 3


def test_an_input_that_failed_fails_its_dependants_with_the_same_exception(executor):
    bad = executor.submit(fail, "reason")
    dependants = [executor.submit(identity, [bad]) for _ in range(2)]
    below = executor.submit(identity, dependants[0])
    error = bad.exception(30)
    assert isinstance(error, LookupError)
    for future in (*dependants, below):
        assert future.exception(30) is error


def test_an_input_that_failed_and_is_forgotten(warm):
    dependant = warm.submit(identity, warm.submit(fail, "reason"))
    with pytest.raises(LookupError, match="reason"):
        dependant.result(30)


def die():
    print("the last words", file=sys.stderr, flush=True)
    os._exit(3)


def test_an_input_that_died_and_is_forgotten(executor):
    """Why does not depend on whether somebody holds the input's future."""
    middle = executor.submit(identity, executor.submit(die))
    with pytest.raises(WorkerLostError, match=r"task 1 .*exited with status 3") as lost:
        executor.submit(identity, middle).result(30)
    assert "the last words" in lost.value.stderr


def test_an_input_that_took_too_long_and_is_forgotten(fresh):
    with pytest.raises(TimeLimitError, match="task 1"):
        fresh.submit(identity, fresh.submit(time.sleep, 100, resource_dict={"run_time_max": 0.1})).result(30)


def test_an_input_that_failed_before(warm):
    bad = warm.submit(fail, "reason")
    assert bad.exception(30) is not None
    assert warm.submit(identity, bad).exception(30) is bad.exception()


def test_foreign_futures(executor):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        release = threading.Event()
        pending = pool.submit(lambda: release.wait(30) and 20)
        done = pool.submit(lambda: 1)
        total = executor.submit(sum, [pending, done_later(done), 300])
        release.set()
        assert total.result(30) == 321


def done_later(future):
    return future


def test_foreign_futures_that_are_done(warm):
    done: concurrent.futures.Future = concurrent.futures.Future()
    done.set_result({"a": numpy.arange(3)})
    assert warm.submit(sum, get_item_from_future(done, "a")).result(30) == 3


def test_foreign_futures_that_fail(warm):
    bad: concurrent.futures.Future = concurrent.futures.Future()
    dependant = warm.submit(identity, bad)
    error = LookupError("foreign")
    bad.set_exception(error)
    assert dependant.exception(30) is error


def test_foreign_futures_that_are_cancelled(warm):
    cancelled: concurrent.futures.Future = concurrent.futures.Future()
    dependant = warm.submit(identity, cancelled)
    cancelled.cancel()
    cancelled.set_running_or_notify_cancel()
    with pytest.raises(CancelledError):
        dependant.result(30)


def test_foreign_futures_whose_value_cannot_be_sent(warm):
    odd: concurrent.futures.Future = concurrent.futures.Future()
    dependant = warm.submit(identity, odd)
    odd.set_result(threading.Lock())
    with pytest.raises(TypeError, match="lock"):
        dependant.result(30)


def test_futures_of_another_executor(warm):
    with SingleNodeExecutor(block_allocation=True, max_workers=1) as other:
        assert warm.submit(operator.add, other.submit(operator.add, 1, 2), 4).result(30) == 7


def test_dependants_of_a_worker_that_died(executor):
    from swiftlet import ExecutorlibSocketError

    lost = executor.submit(os._exit, 3)
    dependant = executor.submit(identity, lost)
    with pytest.raises(ExecutorlibSocketError):
        dependant.result(30)
