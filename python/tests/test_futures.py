# SPDX-License-Identifier: BSD-3-Clause
"""The futures contract: contracts 1-3 and 17, and what concurrent.futures and asyncio expect of a future."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import operator
import pickle
import threading
import time
import tracemalloc
from concurrent.futures import CancelledError

import pytest

from swiftlet import Future, SingleNodeExecutor


class Unreadable:
    """Pickles, but cannot be unpickled a second time over."""

    def __reduce__(self):
        return _fail_to_load, ()


def _fail_to_load():
    raise LookupError("not here")


def return_unreadable():
    return Unreadable()


def test_is_a_future_of_the_standard_library(executor):
    future = executor.submit(operator.add, 1, 2)
    assert isinstance(future, concurrent.futures.Future)
    assert future.result(timeout=30) == 3
    assert future.exception() is None
    assert future.done()
    assert not future.cancelled()
    assert not future.running()


def test_as_completed_and_wait(warm):
    futures = [warm.submit(operator.neg, number) for number in range(20)]
    assert {future.result() for future in concurrent.futures.as_completed(futures, timeout=30)} == set(
        range(0, -20, -1)
    )
    done, waiting = concurrent.futures.wait(futures, timeout=30)
    assert done == set(futures)
    assert not waiting


def test_wait_for_the_first_exception(warm):
    slow = warm.submit(time.sleep, 60)
    bad = warm.submit(int, "x")
    done, _ = concurrent.futures.wait([slow, bad], timeout=30, return_when=concurrent.futures.FIRST_EXCEPTION)
    assert bad in done
    assert slow not in done
    slow.cancel()


def test_result_is_one_object(warm):
    future = warm.submit(list, "abc")
    assert future.result(timeout=30) is future.result()


def test_result_is_decoded_once_by_many_threads(warm):
    future = warm.submit(list, "abc")
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(future.result(30))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(value is found[0] for value in found)


def test_what_cannot_be_decoded_is_the_exception_for_both(warm):
    future = warm.submit(return_unreadable)
    error = future.exception(timeout=30)
    assert isinstance(error, LookupError)
    with pytest.raises(LookupError) as raised:
        future.result()
    assert raised.value is error


def test_timeout(warm):
    future = warm.submit(time.sleep, 60)
    with pytest.raises(concurrent.futures.TimeoutError):
        future.result(timeout=0.01)
    with pytest.raises(concurrent.futures.TimeoutError):
        future.exception(timeout=0.01)
    assert future.cancel()


def test_await(executor):
    async def main() -> list[int]:
        one = await executor.submit(operator.add, 1, 2)
        more = await asyncio.gather(*(executor.submit(operator.add, one, number) for number in range(4)))
        return [one, *more]

    assert asyncio.run(main()) == [3, 3, 4, 5, 6]


def test_await_raises(warm):
    async def main() -> None:
        await warm.submit(int, "x")

    with pytest.raises(ValueError, match="invalid literal"):
        asyncio.run(main())


def test_await_what_cannot_be_decoded(warm):
    async def main() -> None:
        await asyncio.wait_for(asyncio.wrap_future(warm.submit(return_unreadable)), 30)

    with pytest.raises(LookupError):
        asyncio.run(main())


def test_cancelling_the_awaiting_task_cancels_the_call(warm):
    future = warm.submit(time.sleep, 60)

    async def main() -> None:
        async def wait() -> None:
            await future

        task = asyncio.ensure_future(wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert future.cancelled()


def test_callbacks_run_once_in_order_and_not_on_the_reading_thread(warm):
    future = warm.submit(time.sleep, 0.05)
    seen: list[tuple[int, str]] = []
    both = threading.Event()
    future.add_done_callback(lambda done: seen.append((1, threading.current_thread().name)))
    future.add_done_callback(lambda done: (seen.append((2, threading.current_thread().name)), both.set()))
    assert both.wait(30)
    assert [number for number, _ in seen] == [1, 2]
    assert all(name == "swiftlet-callbacks" for _, name in seen)
    future.add_done_callback(lambda done: seen.append((3, "")))
    assert [number for number, _ in seen] == [1, 2, 3]


def test_a_callback_that_raises_harms_no_other(warm, caplog):
    future = warm.submit(time.sleep, 0.05)
    ran = threading.Event()
    future.add_done_callback(lambda done: 1 / 0)
    future.add_done_callback(lambda done: ran.set())
    assert ran.wait(30)
    assert "ZeroDivisionError" in caplog.text


def test_a_callback_may_submit_and_cancel(warm):
    first = warm.submit(operator.add, 1, 1)
    other = warm.submit(time.sleep, 60)
    later: list[Future] = []
    ran = threading.Event()

    def callback(done: Future) -> None:
        later.append(warm.submit(operator.add, done.result(), 1))
        other.cancel()
        ran.set()

    first.add_done_callback(callback)
    assert ran.wait(30)
    assert later[0].result(30) == 3
    assert other.cancelled()


def test_info(executor):
    future = executor.submit(operator.add, 1, 2)
    before = time.time()
    future.result(30)
    info = future.info
    assert info is not None
    assert info.attempt == 1
    assert info.pid > 0
    assert abs(info.start - before) < 60
    assert 0 <= info.duration < 60


def test_repr_tells_the_state(warm):
    future = warm.submit(time.sleep, 60)
    assert "sleep" in repr(future)
    future.cancel()
    assert "cancelled" in repr(future)


def test_a_pending_future_takes_at_most_600_bytes(warm):
    blocker = [warm.submit(time.sleep, 60) for _ in range(2)]
    warm.submit(operator.neg, 0)
    count = 20_000
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    futures = [warm.submit(operator.neg, number) for number in range(count)]
    warm.status()  # everything that was gathered has been sent
    gc.collect()
    used = (tracemalloc.get_traced_memory()[0] - before) / count
    tracemalloc.stop()
    assert used < 600
    warm.shutdown(wait=False, cancel_futures=True)
    for future in blocker:
        future.cancel()
    _, open_ones = concurrent.futures.wait(futures, timeout=60)
    assert not open_ones
    assert futures[-1].cancelled()


def test_a_future_can_be_made_without_a_call():
    future: Future[int] = Future()
    future.set_result(3)
    assert future.result() == 3
    with pytest.raises(concurrent.futures.InvalidStateError):
        future.set_exception(ValueError())


def test_a_dropped_future_still_runs_its_callbacks(warm):
    ran = threading.Event()
    warm.submit(time.sleep, 0.05).add_done_callback(lambda done: ran.set())
    gc.collect()
    assert ran.wait(30)


def test_a_future_is_not_pickled_as_a_value(warm):
    future = warm.submit(operator.add, 1, 2)
    with pytest.raises(TypeError):
        pickle.dumps(future)


def test_results_outlive_the_executor():
    with SingleNodeExecutor(block_allocation=True, max_workers=1) as executor:
        future = executor.submit(bytes, 200_000)
        cancelled = executor.submit(time.sleep, 60)
        cancelled.cancel()
    assert future.result() == bytes(200_000)
    with pytest.raises(CancelledError):
        cancelled.result()
