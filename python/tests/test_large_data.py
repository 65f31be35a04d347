# SPDX-License-Identifier: BSD-3-Clause
"""Large data: through shared memory, writable, released, and never more than the engine takes."""

from __future__ import annotations

import concurrent.futures
import gc
import operator
import os
import signal
import threading
import time
from pathlib import Path

import numpy
import pytest

from swiftlet import SingleNodeExecutor

MEBIBYTE = 1 << 20
SEGMENT_ELEMENTS = 2 * MEBIBYTE  # floats that fill a segment


def double(array):
    return array * 2


def fill(array, value):
    array[:] = value
    return array


def total(*arrays):
    return float(sum(array.sum() for array in arrays))


def make(count):
    return numpy.ones(count)


def until(condition, seconds=10.0):
    """Waits for what other threads and processes bring about."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        os.sched_yield()
    return condition()


@pytest.mark.parametrize("count", [10, 8_191, 8_192, 8_193, 100_000, 2_097_152, 3_000_000])
def test_arrays_of_all_sizes(warm, count):
    array = numpy.arange(count, dtype=float)
    result = warm.submit(double, array).result(60)
    assert numpy.array_equal(result, array * 2)
    result[0] = 7
    assert result[0] == 7


def engines():
    """The engines of this process."""
    return {
        int(child)
        for thread in Path("/proc/self/task").iterdir()
        for child in (thread / "children").read_text().split()
        if b"engine" in Path("/proc", child, "cmdline").read_bytes().split(b"\0")
    }


def make_several(fifo, count):
    with open(fifo, "w") as line:
        line.write(str(os.getpid()))
    with open(fifo):  # waits until somebody writes to it
        pass
    return [numpy.full(SEGMENT_ELEMENTS, number, dtype=float) for number in range(count)]


def test_results_in_several_segments_outlive_their_process(tmp_path):
    """The engine hears of them only when the process is gone."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    others = engines()
    with SingleNodeExecutor(max_cores=1) as executor:
        future = executor.submit(make_several, str(fifo), 4)
        pid = int(fifo.read_text())
        (engine,) = engines() - others
        os.kill(engine, signal.SIGSTOP)
        try:
            fifo.write_text("")
            assert until(lambda: not Path("/proc", str(pid)).exists())
        finally:
            os.kill(engine, signal.SIGCONT)
        assert [array[-1] for array in future.result(60)] == [0, 1, 2, 3]


def test_fresh_calls_get_them_too(fresh):
    array = numpy.arange(200_000, dtype=float)
    assert numpy.array_equal(fresh.submit(double, array).result(60), array * 2)


def test_arguments_are_writable_and_ours_is_not_touched(warm):
    array = numpy.zeros(100_000)
    assert warm.submit(fill, array, 3).result(60)[5] == 3
    assert array.sum() == 0


def test_large_bytes_and_texts(warm):
    for value in (bytes(300_000), "ä" * 300_000, list(range(100_000))):
        assert warm.submit(operator.getitem, [value], 0).result(60) == value


def mappings():
    return Path("/proc/self/maps").read_text().count("memfd:swiftlet")


def test_results_that_feed_others_do_not_visit_us(warm):
    gc.collect()
    before = mappings()
    arrays = [warm.submit(make, 1_000_000) for _ in range(4)]
    assert warm.submit(total, *arrays).result(60) == 4_000_000
    assert mappings() == before


def test_a_view_outlives_future_and_executor():
    with SingleNodeExecutor(block_allocation=True, max_workers=1) as executor:
        array = executor.submit(make, 1_000_000).result(60)
        part = array[10:20]
        del array
    gc.collect()
    assert part.sum() == 10


def test_memory_is_released(warm):
    def descriptors():
        return len(os.listdir("/proc/self/fd"))

    for _ in range(3):
        warm.submit(double, numpy.ones(500_000)).result(60)
    gc.collect()
    before = descriptors()
    for _ in range(60):
        assert warm.submit(double, numpy.ones(500_000)).result(60).sum() == 1_000_000
    gc.collect()
    assert descriptors() <= before + 8
    assert until(lambda: warm.status()["memory_bytes"] < 64 * MEBIBYTE), warm.status()


def test_results_that_nobody_looks_at_are_released(warm):
    for _ in range(40):
        warm.submit(make, 500_000)
    assert warm.submit(operator.neg, 1).result(60) == -1
    assert until(lambda: warm.status()["running"] == 0)
    gc.collect()
    assert until(lambda: warm.status()["memory_bytes"] < 64 * MEBIBYTE), warm.status()


def test_a_stopped_engine_blocks_submit_and_nothing_else(capfd, monkeypatch):
    from swiftlet import _outgoing

    monkeypatch.setattr(_outgoing, "NOTICE_AFTER", 0.1)
    with SingleNodeExecutor(block_allocation=True, max_workers=1) as executor:
        assert executor.submit(operator.neg, 1).result(60) == -1
        engine = executor._session.connection.engine_pid
        os.kill(engine, signal.SIGSTOP)
        try:
            futures = []
            submitting = threading.Thread(
                target=lambda: futures.extend(executor.submit(len, bytes(10_000)) for _ in range(2_000))
            )
            submitting.start()
            said = []
            assert until(
                lambda: said.append(capfd.readouterr().err) or "takes no more calls" in "".join(said)
            )
            assert submitting.is_alive()
            held = executor._session.connection.outgoing._bytes
            assert held < 4 * MEBIBYTE
            with pytest.raises(concurrent.futures.TimeoutError):
                next(iter(executor._session.connection.tasks.values())).result(timeout=0.1)
            assert next(iter(executor._session.connection.tasks.values())).cancel()
        finally:
            os.kill(engine, signal.SIGCONT)
        submitting.join(60)
        assert not submitting.is_alive()
        assert sum(not future.cancelled() and future.result(60) == 10_000 for future in futures) == 1_999
        assert "".join(said).count("takes no more calls") == 1


def test_many_calls(warm):
    futures = [warm.submit(operator.neg, number) for number in range(20_000)]
    assert [future.result(60) for future in futures] == [-number for number in range(20_000)]
