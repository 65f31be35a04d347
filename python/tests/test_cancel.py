# SPDX-License-Identifier: BSD-3-Clause
"""Cancelling: contracts 2."""

from __future__ import annotations

import concurrent.futures
import operator
import os
import threading
import time
from concurrent.futures import CancelledError

import pytest


def wait_until_running(future):
    """The engine announces calls that run for more than a few milliseconds."""
    while not future.running() and not future.done():
        os.sched_yield()
    assert future.running()


def test_cancel_stops_a_running_call(executor, tmp_path):
    path = tmp_path / "end"
    future = executor.submit(sleep_then_touch, 60, str(path))
    wait_until_running(future)
    started = time.monotonic()
    assert future.cancel()
    assert future.cancelled()
    assert future.done()
    with pytest.raises(CancelledError):
        future.result()
    assert executor.submit(operator.add, 1, 2).result(30) == 3
    executor.shutdown()
    assert time.monotonic() - started < 30
    assert not path.exists()


def sleep_then_touch(seconds, path):
    time.sleep(seconds)
    open(path, "w").close()


def test_cancel_of_a_finished_call(warm):
    future = warm.submit(operator.add, 1, 2)
    assert future.result(30) == 3
    assert not future.cancel()
    assert future.result() == 3


def test_cancel_tells_waiters_and_callbacks_once(warm):
    future = warm.submit(time.sleep, 60)
    called = []
    future.add_done_callback(called.append)
    waiting = threading.Thread(target=concurrent.futures.wait, args=([future],))
    waiting.start()
    assert future.cancel()
    assert future.cancel()
    waiting.join(30)
    assert not waiting.is_alive()
    assert called == [future]


def test_cancel_ends_calls_that_need_the_value(executor):
    first = executor.submit(time.sleep, 60)
    second = executor.submit(operator.not_, first)
    third = executor.submit(operator.not_, [second])
    first.cancel()
    for future in (second, third):
        with pytest.raises(CancelledError):
            future.result(30)


def test_cancel_of_a_waiting_call_leaves_the_running_one_alone(fresh_one):
    running = fresh_one.submit(sleep_and_return, 0.5, 7)
    waiting = fresh_one.submit(time.sleep, 60)
    assert waiting.cancel()
    assert running.result(30) == 7


def sleep_and_return(seconds, value):
    time.sleep(seconds)
    return value


@pytest.fixture(params=[False, True])
def fresh_one(request):
    from swiftlet import SingleNodeExecutor

    with SingleNodeExecutor(max_workers=1, block_allocation=request.param) as executor:
        yield executor


def test_many_cancels(warm):
    futures = [warm.submit(time.sleep, 60) for _ in range(200)]
    assert all(future.cancel() for future in futures)
    assert warm.submit(operator.add, 1, 2).result(30) == 3


def test_shutdown_cancels_only_what_has_not_started(fresh_one):
    running = fresh_one.submit(sleep_and_return, 0.5, 7)
    wait_until_running(running)
    waiting = [fresh_one.submit(time.sleep, 60) for _ in range(5)]
    fresh_one.shutdown(wait=True, cancel_futures=True)
    assert running.result() == 7
    assert all(future.cancelled() for future in waiting)


def test_map_cancels_what_has_not_started(fresh_one):
    results = fresh_one.map(operator.truediv, [1, 1, 1], [1, 0, 1])
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)
    with pytest.raises(StopIteration):
        next(results)
