# SPDX-License-Identifier: BSD-3-Clause
"""What the documentation of ``concurrent.futures.Executor`` says, on every executor."""

from __future__ import annotations

import asyncio
import concurrent.futures
import operator
import time

import pytest
from held import hold, wait_until_known_to_run


def fail(text):
    raise ValueError(text)


def give(*args, **kwargs):
    return args, kwargs


def test_it_is_an_executor_of_the_standard_library(executor):
    assert isinstance(executor, concurrent.futures.Executor)


def test_submit_passes_all_arguments(executor):
    future = executor.submit(give, 1, "two", fn=3, self=4, timeout=5)
    assert isinstance(future, concurrent.futures.Future)
    assert future.result(timeout=60) == ((1, "two"), {"fn": 3, "self": 4, "timeout": 5})


def test_submit_needs_a_callable(executor):
    with pytest.raises(TypeError):
        executor.submit()
    with pytest.raises(TypeError):
        executor.submit("no function")


def test_map_gives_the_results_in_order(executor):
    assert list(executor.map(operator.mul, [1, 2, 3], [4, 5, 6])) == [4, 10, 18]
    assert list(executor.map(operator.mul, [1, 2, 3], [4, 5])) == [4, 10]  # as long as the shortest
    assert list(executor.map(operator.neg, [])) == []


def test_map_takes_the_arguments_at_once(executor):
    taken = []

    def numbers():
        for number in range(3):
            taken.append(number)
            yield number

    results = executor.map(operator.neg, numbers())
    assert taken == [0, 1, 2]
    assert list(results) == [0, -1, -2]


def test_map_in_chunks(executor):
    assert list(executor.map(operator.neg, range(5), chunksize=2)) == [0, -1, -2, -3, -4]
    with pytest.raises(ValueError, match="chunksize"):
        executor.map(operator.neg, [1], chunksize=0)


def test_map_raises_in_turn(executor):
    results = executor.map(operator.truediv, [6, 6, 6], [2, 0, 3])
    assert next(results) == 3
    with pytest.raises(ZeroDivisionError):
        next(results)
    with pytest.raises(StopIteration):
        next(results)


def test_map_times_out(executor, gate):
    results = executor.map(hold, [gate], [5], timeout=0.05)
    gate.wait_until_reached()
    with pytest.raises(concurrent.futures.TimeoutError):
        next(results)
    gate.open()


def test_shutdown_waits(make, gate):
    executor = make()
    future = executor.submit(hold, gate, 1)
    gate.wait_until_reached()
    gate.open()
    executor.shutdown()
    assert future.done()
    assert future.result(timeout=0) == 1


def test_after_shutdown_nothing_is_taken(make):
    executor = make()
    executor.shutdown()
    executor.shutdown()
    for call in (lambda: executor.submit(len, "a"), lambda: executor.map(len, ["a"])):
        with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
            call()


def test_leaving_the_block_waits(make):
    with make() as executor:
        futures = [executor.submit(operator.neg, number) for number in range(5)]
    assert all(future.done() for future in futures)
    assert [future.result() for future in futures] == [0, -1, -2, -3, -4]


def test_an_exception_in_the_block_is_raised(make):
    def block():
        with make() as executor:
            futures.append(executor.submit(operator.neg, 1))
            raise LookupError

    futures = []
    with pytest.raises(LookupError):
        block()
    (future,) = futures
    assert future.result(timeout=0) == -1


def test_shutdown_without_waiting(make, gate):
    executor = make()
    future = executor.submit(hold, gate, 7)
    gate.wait_until_reached()
    started = time.monotonic()
    executor.shutdown(wait=False)
    assert time.monotonic() - started < 30
    assert not future.done()
    gate.open()
    assert future.result(timeout=60) == 7


def test_cancel_futures_spares_what_has_ended(make, gate):
    executor = make()
    ended = executor.submit(operator.neg, 1)
    assert ended.result(timeout=60) == -1
    held = executor.submit(hold, gate, 2)
    gate.wait_until_reached()
    wait_until_known_to_run(held)
    waiting = [executor.submit(give, held) for _ in range(3)]
    executor.shutdown(wait=False, cancel_futures=True)
    assert concurrent.futures.wait(waiting, timeout=60).not_done == set()
    assert all(future.cancelled() for future in waiting)
    gate.open()
    assert held.result(timeout=60) == 2
    assert ended.result(timeout=0) == -1


def test_an_event_loop_runs_calls_in_it(executor):
    async def main():
        loop = asyncio.get_running_loop()
        with pytest.raises(ValueError, match="bad"):
            await loop.run_in_executor(executor, fail, "bad")
        return await asyncio.gather(*(loop.run_in_executor(executor, operator.neg, n) for n in range(3)))

    assert asyncio.run(main()) == [0, -1, -2]


def test_a_call_may_use_an_executor_of_its_own(executor):
    def nested():
        from swiftlet import SingleNodeExecutor

        with SingleNodeExecutor(max_workers=1) as inner:
            return inner.submit(sum, [1, 2]).result(timeout=60)

    assert executor.submit(nested).result(timeout=60) == 3
