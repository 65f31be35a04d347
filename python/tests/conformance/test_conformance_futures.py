# SPDX-License-Identifier: BSD-3-Clause
"""What the documentation of ``concurrent.futures.Future``, ``wait`` and ``as_completed`` says, on every
executor.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import operator
import threading
from concurrent.futures import CancelledError, InvalidStateError

import pytest
from held import hold


def test_result_and_exception_of_a_value(executor):
    future = executor.submit(operator.neg, 1)
    assert future.result(timeout=60) == -1
    assert future.exception() is None
    assert future.done()
    assert not future.running()
    assert not future.cancelled()
    assert not future.cancel()


def test_result_and_exception_of_an_error(executor):
    future = executor.submit(operator.truediv, 1, 0)
    error = future.exception(timeout=60)
    assert isinstance(error, ZeroDivisionError)
    with pytest.raises(ZeroDivisionError) as raised:
        future.result()
    assert raised.value is error
    assert future.done()
    assert not future.cancel()


def test_none_and_exceptions_are_values_like_others(executor):
    assert executor.submit(operator.pos, 0).result(timeout=60) == 0
    assert executor.submit(str).result(timeout=60) == ""
    assert executor.submit(ValueError, "returned").result(timeout=60).args == ("returned",)
    assert executor.submit([].clear).result(timeout=60) is None


def test_waiting_times_out(executor, gate):
    future = executor.submit(hold, gate, 1)
    gate.wait_until_reached()
    with pytest.raises(concurrent.futures.TimeoutError):
        future.result(timeout=0.01)
    with pytest.raises(concurrent.futures.TimeoutError):
        future.exception(timeout=0)
    assert not future.done()
    gate.open()
    assert future.result(timeout=60) == 1


def test_cancel_of_a_call_that_waits(executor, gate):
    held = executor.submit(hold, gate)
    gate.wait_until_reached()
    waiting = executor.submit(operator.pos, held)
    called = []
    waiting.add_done_callback(called.append)
    assert waiting.cancel()
    assert waiting.cancel()
    assert waiting.cancelled()
    assert waiting.done()
    assert not waiting.running()
    for ask in (waiting.result, waiting.exception):
        with pytest.raises(CancelledError):
            ask(timeout=0)
    assert concurrent.futures.wait([waiting], timeout=60).done == {waiting}
    assert called == [waiting]
    gate.open()
    held.result(timeout=60)
    assert executor.submit(operator.neg, 3).result(timeout=60) == -3


def test_callbacks_run_in_the_order_they_were_added(executor, gate):
    future = executor.submit(hold, gate, 1)
    called, ready = [], threading.Event()
    future.add_done_callback(lambda done: called.append(("first", done)))
    future.add_done_callback(lambda done: called.append(("second", done)))
    future.add_done_callback(lambda done: ready.set())
    gate.wait_until_reached()
    assert called == []
    gate.open()
    assert ready.wait(60)
    assert called == [("first", future), ("second", future)]
    future.add_done_callback(lambda done: called.append("at once"))
    assert called[-1] == "at once"


def test_a_callback_that_raises_is_logged_and_ignored(executor, caplog):
    future = executor.submit(operator.neg, 1)
    ready = threading.Event()
    future.add_done_callback(lambda done: 1 / 0)
    future.add_done_callback(lambda done: ready.set())
    assert ready.wait(60)
    assert future.result(timeout=60) == -1
    assert "ZeroDivisionError" in caplog.text


def test_wait(executor, gate):
    held = executor.submit(hold, gate)
    good, bad = executor.submit(operator.neg, 1), executor.submit(operator.truediv, 1, 0)
    first = concurrent.futures.wait([held, good], timeout=60, return_when=concurrent.futures.FIRST_COMPLETED)
    assert first.done == {good}
    assert first.not_done == {held}
    error = concurrent.futures.wait([held, bad], timeout=60, return_when=concurrent.futures.FIRST_EXCEPTION)
    assert bad in error.done
    assert held in error.not_done
    late = concurrent.futures.wait([held, good, bad, good], timeout=0.01)
    assert late.not_done == {held}
    gate.wait_until_reached()
    gate.open()
    assert concurrent.futures.wait([held, good, bad], timeout=60).not_done == set()


def test_as_completed(executor, gate):
    held = executor.submit(hold, gate, 0)
    quick = [executor.submit(operator.neg, number) for number in (1, 2)]
    completed = concurrent.futures.as_completed([held, *quick, held], timeout=60)
    assert {next(completed), next(completed)} == set(quick)
    gate.wait_until_reached()
    gate.open()
    assert list(completed) == [held]
    assert list(concurrent.futures.as_completed([held], timeout=0)) == [held]


def test_as_completed_times_out(executor, gate):
    held = executor.submit(hold, gate, 0)
    gate.wait_until_reached()
    with pytest.raises(concurrent.futures.TimeoutError):
        list(concurrent.futures.as_completed([held], timeout=0.01))
    gate.open()
    assert held.result(timeout=60) == 0


def test_the_outcome_of_a_finished_future_cannot_be_set(executor):
    future = executor.submit(operator.neg, 1)
    assert future.result(timeout=60) == -1
    with pytest.raises(InvalidStateError):
        future.set_result(2)
    with pytest.raises(InvalidStateError):
        future.set_exception(ValueError())
    assert future.result() == -1


def test_asyncio(executor):
    async def main():
        first = await asyncio.wrap_future(executor.submit(operator.neg, 1))
        second = await executor.submit(operator.neg, first)
        with pytest.raises(ZeroDivisionError):
            await asyncio.wrap_future(executor.submit(operator.truediv, 1, 0))
        return second

    assert asyncio.run(main()) == 1


def test_a_future_is_hashable_and_itself(executor):
    first, second = executor.submit(operator.neg, 1), executor.submit(operator.neg, 1)
    assert len({first, second, first}) == 2
    assert first == first
    assert first != second
    assert [first.result(timeout=60), second.result(timeout=60)] == [-1, -1]
