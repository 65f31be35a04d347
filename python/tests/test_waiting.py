# SPDX-License-Identifier: BSD-3-Clause
"""Who waits for the only call under way reads the socket itself; everybody else hears of their calls all the
same.
"""

from __future__ import annotations

import concurrent.futures
import operator
import os
import threading
import time
from concurrent.futures import CancelledError

import pytest

from swiftlet import _wire


def read_all(path):
    """Blocks until somebody has written to a named pipe."""
    with open(path) as pipe:
        return pipe.read()


@pytest.fixture
def pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


class Waiting:
    """A thread in ``future.result()`` that reads the socket itself, or has left that off because something
    else arrived.
    """

    def __init__(self, executor, future):
        self.outcome = None
        self._future = future
        self._thread = threading.Thread(target=self._wait)
        self._thread.start()
        incoming = executor._session.connection._incoming
        while incoming._reads_for is not future and not future._watchers:
            os.sched_yield()

    def _wait(self):
        try:
            self.outcome = self._future.result(60)
        except BaseException as error:
            self.outcome = error

    def end(self):
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self.outcome


def begin(executor, pipe):
    """A call that lasts until ``pipe`` is written to, and a thread that waits for it."""
    return Waiting(executor, executor.submit(read_all, str(pipe)))


def test_a_call_submitted_meanwhile_is_heard_of(warm, pipe):
    waiting = begin(warm, pipe)
    assert warm.submit(operator.add, 1, 2).result(60) == 3
    assert list(concurrent.futures.as_completed([warm.submit(operator.add, 1, 2)], 60))
    called = threading.Event()
    warm.submit(operator.add, 1, 2).add_done_callback(lambda future: called.set())
    assert called.wait(60)
    polled = warm.submit(operator.add, 1, 2)
    while not polled.done():
        os.sched_yield()
    pipe.write_text("end")
    assert waiting.end() == "end"


def test_a_future_that_is_read_for_can_be_cancelled_by_others(warm, pipe):
    future = warm.submit(read_all, str(pipe))
    waiting = Waiting(warm, future)
    assert future.cancel()
    assert isinstance(waiting.end(), CancelledError)
    assert warm.submit(operator.add, 1, 2).result(60) == 3


def test_what_a_call_prints_is_seen_while_a_thread_reads_for_it(warm, pipe, capfd):
    waiting = Waiting(warm, warm.submit(print_and_read, str(pipe)))
    seen = ""
    while "first" not in seen:
        seen += capfd.readouterr().out
    pipe.write_text("end")
    assert waiting.end() == "end"


def print_and_read(path):
    print("first")
    return read_all(path)


def test_what_a_call_prints_is_seen_when_nobody_waits_any_more(warm, tmp_path, capfd):
    warm.submit(operator.add, 1, 2).result()
    future = warm.submit(print, "printed")
    seen = ""
    while "printed" not in seen:
        seen += capfd.readouterr().out
    assert future.result() is None


def test_status_is_answered_while_a_thread_reads_for_itself(warm, pipe):
    waiting = begin(warm, pipe)
    assert warm._session.connection.inquire(_wire.STATUS, 0, _wire.STATUS_IS)
    pipe.write_text("end")
    assert waiting.end() == "end"


def test_timeouts_of_a_thread_that_reads_for_itself(warm, pipe):
    future = warm.submit(read_all, str(pipe))
    for timeout in (0, 0.01, 0.05):
        started = time.monotonic()
        with pytest.raises(concurrent.futures.TimeoutError):
            future.result(timeout)
        assert time.monotonic() - started >= timeout
    pipe.write_text("end")
    assert future.result(60) == "end"


def test_a_second_thread_waits_for_the_same_future(warm, pipe):
    future = warm.submit(read_all, str(pipe))
    waiting = Waiting(warm, future)
    late = threading.Thread(target=future.result, args=(60,))
    late.start()
    callback = threading.Event()
    future.add_done_callback(lambda _: callback.set())
    pipe.write_text("end")
    late.join(60)
    assert not late.is_alive()
    assert waiting.end() == "end"
    assert callback.wait(60)


def test_the_engine_dies_while_a_thread_reads_for_itself(warm, pipe):
    waiting = begin(warm, pipe)
    os.kill(warm._session.connection.engine_pid, 9)
    error = waiting.end()
    assert type(error).__name__ == "EngineDiedError"
    assert "SIGKILL" in str(error)


def test_shutdown_while_a_thread_reads_for_itself(warm, pipe):
    waiting = begin(warm, pipe)
    warm.shutdown(wait=False)
    pipe.write_text("end")
    assert waiting.end() == "end"
    warm.shutdown()


def test_many_threads_call_one_after_the_other(warm):
    def work(first):
        for value in range(first, first + 200):
            assert warm.submit(operator.add, value, 1).result(60) == value + 1

    with concurrent.futures.ThreadPoolExecutor(5) as threads:
        for done in [threads.submit(work, 1000 * first) for first in range(5)]:
            done.result()


def test_interruptions_anywhere_lose_nothing(script):
    program = script(
        """
        import operator, random, signal, time
        from swiftlet import SingleNodeExecutor

        class Interruption(BaseException):
            pass

        armed = False

        def interrupt(number, frame):
            if armed:
                raise Interruption

        signal.signal(signal.SIGALRM, interrupt)
        interrupted = 0
        with SingleNodeExecutor(block_allocation=True, max_workers=1) as executor:
            for value in range(3000):
                future = executor.submit(operator.add, value, 1)
                signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-6, 3e-4))
                while True:
                    try:
                        armed = True
                        got = future.result(60)
                        armed = False
                        break
                    except Interruption:
                        interrupted += 1
                armed = False
                assert got == value + 1
        print(interrupted > 100)
        """
    )
    status, out, err = program.end(100)
    assert (status, out, err) == (0, "True\n", "")
