# SPDX-License-Identifier: BSD-3-Clause
"""submit, map and batched: spec 1.3, W21 and W23."""

from __future__ import annotations

import concurrent.futures
import functools
import os
import threading
import time

import numpy
import pytest

from swiftlet import SingleNodeExecutor
from swiftlet.api import MpiExecSpawner


def add(a, b=0):
    return a + b


class Callable:
    def __init__(self, value):
        self.value = value

    def __call__(self, other):
        return self.value + other

    def method(self, other):
        return self.value * other


def test_submit(executor):
    assert executor.submit(sum, [1, 2, 3]).result(30) == 6
    assert executor.submit(add, 1, b=2).result(30) == 3


def test_keyword_arguments_of_any_name(warm):
    assert warm.submit(dict, fn=1, self=2, wait=3).result(30) == {"fn": 1, "self": 2, "wait": 3}


@pytest.mark.parametrize(
    ("fn", "args", "expected"),
    [
        (max, (1, 2), 2),
        (int, ("3",), 3),
        (str, (3,), "3"),
        (dict, ([(1, 2)],), {1: 2}),
        (range, (3,), range(3)),
        (getattr, (3, "real"), 3),
        (time.sleep, (0,), None),
        (numpy.sum, ([1, 2],), 3),
        (functools.partial(add, 1), (2,), 3),
        (Callable(1), (2,), 3),
        (Callable(2).method, (2,), 4),
        (lambda value: value + 1, (2,), 3),
    ],
)
def test_w23_callables_of_every_kind(warm, fn, args, expected):
    assert warm.submit(fn, *args).result(30) == expected


def test_closures_are_read_at_each_submit(warm):
    counter = 0

    def read():
        return counter

    results = []
    for counter in range(3):  # noqa: B007
        results.append(warm.submit(read))
    assert [future.result(30) for future in results] == [0, 1, 2]


def test_w21_cores_of_a_call_win(fresh):
    resources = {"cores": 1, "priority": 3}
    assert fresh.submit(add, 1, 2, resource_dict=resources).result(30) == 3
    assert resources == {"cores": 1, "priority": 3}


def test_map(executor):
    assert list(executor.map(sum, [[5, 5], [6, 6], [7, 7]])) == [10, 12, 14]
    assert list(executor.map(add, [1, 2, 3], [4, 5])) == [5, 7]
    assert list(executor.map(add, [])) == []


def test_map_in_chunks(warm):
    assert list(warm.map(add, range(100), range(100), chunksize=7)) == [2 * number for number in range(100)]
    with pytest.raises(ValueError, match="chunksize"):
        warm.map(add, [1], chunksize=0)


def test_map_chunks_are_one_call(warm):
    pids = list(warm.map(pid_of, range(10), chunksize=10))
    assert len(set(pids)) == 1


def pid_of(_):
    return os.getpid()


def test_map_takes_only_as_much_as_the_buffer(warm):
    taken = []

    def numbers():
        for number in range(20):
            taken.append(number)
            yield number

    results = warm.map(add, numbers(), buffersize=3)
    assert taken == [0, 1, 2]
    assert next(results) == 0
    assert taken == [0, 1, 2, 3]
    assert list(results) == list(range(1, 20))


def test_map_timeout(warm):
    started = time.monotonic()
    with pytest.raises(concurrent.futures.TimeoutError):
        list(warm.map(time.sleep, [30], timeout=0.1))
    assert time.monotonic() - started < 20
    warm.shutdown(wait=False)


def test_map_has_no_resource_dict(warm):
    with pytest.raises(TypeError):
        warm.map(add, [1], resource_dict={})


def test_map_over_futures(warm):
    whole = warm.submit(list, range(3))
    assert list(warm.map(add, whole)) == [0, 1, 2]
    items = [warm.submit(add, number) for number in range(3)]
    assert list(warm.map(add, items, items)) == [0, 2, 4]


def test_map_over_lambdas_and_locals(warm):
    factor = 3
    assert list(warm.map(lambda value: value * factor, range(5))) == [0, 3, 6, 9, 12]


def test_batched(warm):
    futures = [warm.submit(add, number) for number in range(10)]
    batches = warm.batched(futures, n=3)
    assert len(batches) == 4
    totals = [warm.submit(sum, batch) for batch in batches]
    assert sum(future.result(30) for future in totals) == 45
    assert sorted(len(batch.result(30)) for batch in batches) == [1, 3, 3, 3]


def test_batched_groups_by_completion(warm):
    gate: concurrent.futures.Future = concurrent.futures.Future()
    held = warm.submit(add, gate)
    quick = [warm.submit(add, number) for number in (1, 2)]
    first, second = warm.batched([held, *quick], n=2)
    assert first.result(30) == [1, 2]
    assert not second.done()
    gate.set_result(5)
    assert second.result(30) == [5]


def test_batched_leaves_failures_to_the_end(warm):
    futures = [warm.submit(int, text) for text in ("x", "1", "2", "y", "3")]
    batches = warm.batched(futures, 2)
    assert sorted(batches[0].result(30) + batches[1].result(30)) == [1, 2, 3]
    with pytest.raises(ValueError, match="'x'"):
        batches[2].result(30)


def test_batched_edges(warm):
    assert warm.batched([], 3) == []
    with pytest.raises(ZeroDivisionError):
        warm.batched([warm.submit(add, 1)], 0)
    with pytest.raises(TypeError):
        warm.batched([])


def test_submit_from_many_threads(warm):
    failures: list[BaseException] = []

    def work(base: int) -> None:
        try:
            futures = [warm.submit(add, base, number) for number in range(200)]
            assert [future.result(30) for future in futures] == [base + number for number in range(200)]
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(base,)) for base in range(0, 8000, 1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_default_limit_is_the_usable_cores():
    cores = len(os.sched_getaffinity(0))
    with SingleNodeExecutor() as executor:
        assert executor.max_workers is None
        assert executor.status()["cores"] <= cores


def test_info_len_bool_and_queue():
    executor = SingleNodeExecutor()
    assert executor.info == {
        "cores": 1,
        "cwd": None,
        "openmpi_oversubscribe": False,
        "cache_directory": None,
        "hostname_localhost": None,
        "log_obj_size": False,
        "spawner": MpiExecSpawner,
        "max_cores": None,
        "max_workers": None,
    }
    assert len(executor) == 0
    assert executor
    assert executor.future_queue is not None
    executor.shutdown()
    assert executor.info is None
    assert executor.future_queue is None
    assert executor.max_workers is None
    assert len(executor) == 0
    assert executor


def test_len_counts_what_waits():
    with SingleNodeExecutor(block_allocation=True, max_workers=1) as executor:
        futures = [executor.submit(time.sleep, 60) for _ in range(5)]
        assert len(executor) >= 4
        for future in futures:
            future.cancel()
        assert len(executor) == 0


def test_sizes_are_logged(caplog):
    with SingleNodeExecutor(block_allocation=True, max_workers=1, log_obj_size=True) as executor:
        assert executor.submit(sum, [1, 1]).result(30) == 2
    messages = [record.getMessage() for record in caplog.records if record.name == "executorlib"]
    assert any(message.startswith("Send dictionary of size: ") for message in messages)
    assert any(message.startswith("Received dictionary of size: ") for message in messages)


def test_status_explain_and_events():
    with SingleNodeExecutor(block_allocation=True, max_workers=1) as executor:
        events = executor.events()
        running = executor.submit(time.sleep, 0.2)
        waiting = executor.submit(add, running and 1)
        assert executor.explain(waiting)
        assert waiting.result(30) == 1
        assert "ended" in executor.explain(waiting)
        assert executor.status()["workers"] == 1
        with pytest.raises(ValueError, match="no future of this executor"):
            executor.explain(concurrent.futures.Future())
    kinds = {event.kind for event in events}
    assert {"submitted", "started", "ended"} <= kinds
