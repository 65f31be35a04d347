# SPDX-License-Identifier: BSD-3-Clause
"""Shutdown, interpreter exit, Ctrl-C, fork: contracts 4, W11, W12, W13."""

from __future__ import annotations

import operator
import os
import signal
import threading
import time
import uuid

import pytest
from marked_processes import MARK, gone_within, processes_with

from swiftlet import SingleNodeExecutor


def sleep_and_return(seconds, value):
    time.sleep(seconds)
    return value


@pytest.mark.parametrize("block_allocation", [False, True])
def test_shutdown_waits(block_allocation):
    executor = SingleNodeExecutor(block_allocation=block_allocation, max_workers=2)
    futures = [executor.submit(sleep_and_return, 0.2, number) for number in range(4)]
    executor.shutdown()
    assert [future.done() for future in futures] == [True] * 4
    assert [future.result() for future in futures] == [0, 1, 2, 3]
    for fn in (lambda: executor.submit(abs, 1), lambda: executor.map(abs, [1])):
        with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
            fn()
    executor.shutdown()
    executor.shutdown(wait=False, cancel_futures=True)


def test_shutdown_without_waiting(executor):
    future = executor.submit(sleep_and_return, 0.3, 7)
    executor.shutdown(wait=False)
    assert not future.done()
    assert future.result(30) == 7


def test_shutdown_by_many_threads(warm):
    future = warm.submit(sleep_and_return, 0.2, 7)
    threads = [threading.Thread(target=warm.shutdown) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert future.done()


def test_shutdown_in_a_callback(warm):
    done = threading.Event()
    warm.submit(operator.neg, 1).add_done_callback(lambda future: (warm.shutdown(), done.set()))
    assert done.wait(30)


def test_shutdown_runs_callbacks_first(warm):
    called = []
    for number in range(20):
        warm.submit(operator.neg, number).add_done_callback(lambda future: called.append(future.result()))
    warm.shutdown()
    assert sorted(called) == list(range(-19, 1))


def test_an_exception_in_the_block_waits_for_the_calls():
    def program() -> None:
        with SingleNodeExecutor(max_cores=1) as executor:
            futures.append(executor.submit(sleep_and_return, 0.2, 7))
            raise LookupError

    futures = []
    with pytest.raises(LookupError):
        program()
    assert futures[0].done()
    assert futures[0].result() == 7


def test_no_process_is_left(monkeypatch):
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    with SingleNodeExecutor(block_allocation=True, max_workers=2) as executor:
        executor.submit(abs, 1).result(30)
        assert processes_with(mark)
    assert gone_within(1.0, mark) == []


def test_w12_del_does_not_block(executor_kind):
    executor = SingleNodeExecutor(max_workers=1, block_allocation=executor_kind)
    futures = [executor.submit(sleep_and_return, 0.3, number) for number in range(3)]
    started = time.monotonic()
    del executor
    assert time.monotonic() - started < 0.2
    assert [future.result(30) for future in futures] == [0, 1, 2]


@pytest.fixture(params=[False, True], ids=["fresh", "warm"])
def executor_kind(request):
    return request.param


def test_a_dropped_executor_ends(monkeypatch):
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    executor = SingleNodeExecutor(block_allocation=True, max_workers=1)
    future = executor.submit(abs, -3)
    del executor
    assert future.result(30) == 3
    assert gone_within(10.0, mark) == []


@pytest.mark.parametrize("options", ["max_workers=1", "block_allocation=True, max_workers=1"])
@pytest.mark.parametrize("end", ["", "raise SystemError('uncaught')", "import sys; sys.exit(3)"])
def test_w11_a_script_without_shutdown_ends(script, tmp_path, options, end):
    program = script(
        f"""
        import time
        from swiftlet import SingleNodeExecutor
        def work(path):
            time.sleep(0.2)
            open(path, "w").close()
        executor = SingleNodeExecutor({options})
        futures = [executor.submit(work, {str(tmp_path)!r} + f"/done{{number}}") for number in range(2)]
        {end}
        """
    )
    status, _, err = program.end()
    assert status == {"": 0, "r": 1, "i": 3}[end[:1]]
    assert ("uncaught" in err) == (end[:1] == "r")
    assert (tmp_path / "done0").exists()
    assert (tmp_path / "done1").exists()


def test_an_exit_that_takes_long_says_so(script):
    program = script(
        """
        import time
        from swiftlet import SingleNodeExecutor
        executor = SingleNodeExecutor(max_workers=2)
        future = executor.submit(time.sleep, 3)
        """
    )
    status, _, err = program.end()
    assert status == 0
    assert err.count("\n") == 1
    assert "waiting for 1 submitted call to finish" in err


def test_ctrl_c_while_exiting_abandons_the_calls(script):
    program = script(
        """
        import time
        from swiftlet import SingleNodeExecutor
        executor = SingleNodeExecutor(max_workers=2)
        future = executor.submit(time.sleep, 600)
        """
    )
    assert "waiting for 1 submitted call" in program.process.stderr.readline()
    program.process.send_signal(signal.SIGINT)
    _, _, err = program.end()
    assert "abandoned" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("options", ["max_workers=1", "block_allocation=True, max_workers=1"])
@pytest.mark.parametrize(
    "block", ["with SingleNodeExecutor({}) as executor:", "if executor := SingleNodeExecutor({}):"]
)
def test_ctrl_c_in_result(script, options, block):
    program = script(
        f"""
        import time
        from swiftlet import SingleNodeExecutor
        {block.format(options)}
            future = executor.submit(time.sleep, 600)
            while not future.running():
                pass
            print("waiting", flush=True)
            future.result()
        """
    )
    assert program.line() == "waiting"
    started = time.monotonic()
    program.process.send_signal(signal.SIGINT)
    status, _, err = program.end()
    assert status == -signal.SIGINT
    assert err.rstrip().endswith(("KeyboardInterrupt", "1 submitted call abandoned"))
    assert time.monotonic() - started < 15


def test_ctrl_c_while_submitting_much(script):
    program = script(
        """
        from swiftlet import SingleNodeExecutor
        with SingleNodeExecutor(block_allocation=True, max_workers=1) as executor:
            executor.submit(abs, 1).result()
            futures = []
            try:
                print("submitting", flush=True)
                while True:
                    futures.append(executor.submit(abs, -len(futures)))
            except KeyboardInterrupt:
                print("stopped", flush=True)
            assert [future.result() for future in futures] == list(range(len(futures)))
            print(executor.submit(abs, -5).result())
        """
    )
    assert program.line() == "submitting"
    assert processes_with(os.environ[MARK])
    program.process.send_signal(signal.SIGINT)
    status, out, err = program.end(60)
    assert (status, out, err) == (0, "stopped\n5\n", "")


def test_a_killed_client_leaves_nothing(script, monkeypatch):
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    program = script(
        """
        import subprocess, time
        from swiftlet import SingleNodeExecutor
        def work():
            subprocess.Popen(["sleep", "600"])
            print("started", flush=True)
            time.sleep(600)
        executor = SingleNodeExecutor(max_workers=2)
        executor.submit(work).result()
        """
    )
    assert program.line() == "started"
    program.process.kill()
    assert gone_within(5.0, mark) == []


def test_w13_a_killed_engine_does_not_block_the_exit(script):
    program = script(
        """
        import os, signal, time
        from swiftlet import SingleNodeExecutor
        executor = SingleNodeExecutor(max_workers=2)
        future = executor.submit(time.sleep, 600)
        os.kill(executor._session.connection.engine_pid, signal.SIGKILL)
        print(type(future.exception()).__name__)
        """
    )
    status, out, _ = program.end()
    assert (status, out) == (0, "EngineDiedError\n")


def test_fork(script):
    program = script(
        """
        import os
        from swiftlet import SingleNodeExecutor
        executor = SingleNodeExecutor(block_allocation=True, max_workers=1)
        pending = executor.submit(__import__("time").sleep, 600)
        pid = os.fork()
        if pid == 0:
            for use in (lambda: executor.submit(abs, 1), lambda: pending.result()):
                try:
                    use()
                except RuntimeError as error:
                    print("belongs to process" in str(error), flush=True)
            executor.shutdown()
            with SingleNodeExecutor(max_workers=1) as own:
                print(own.submit(abs, -7).result(), flush=True)
            raise SystemExit
        print(os.waitpid(pid, 0)[1])
        pending.cancel()
        print(executor.submit(abs, -3).result())
        """
    )
    assert program.end()[:2] == (0, "True\nTrue\n7\n0\n3\n")


def test_multiprocessing_beside_it(script):
    program = script(
        """
        import multiprocessing
        from swiftlet import SingleNodeExecutor
        if __name__ == "__main__":
            with SingleNodeExecutor(block_allocation=True, max_workers=1) as executor:
                future = executor.submit(sum, [1, 2])
                with multiprocessing.get_context("fork").Pool(2) as pool:
                    print(pool.map(abs, [-1, -2]))
                print(future.result(), executor.submit(sum, [3, 4]).result())
        """
    )
    assert program.end()[:2] == (0, "[1, 2]\n3 7\n")


def test_a_forked_child_does_not_keep_the_engine_alive(script, monkeypatch):
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    program = script(
        """
        import os, sys, time
        from swiftlet import SingleNodeExecutor
        executor = SingleNodeExecutor(block_allocation=True, max_workers=1)
        executor.submit(abs, 1).result()
        if os.fork() == 0:
            sys.stdin.readline()
            os._exit(0)
        print("forked", flush=True)
        time.sleep(600)
        """
    )
    assert program.line() == "forked"
    program.process.kill()
    deadline = time.monotonic() + 5
    while len(left := processes_with(mark)) > 1 and time.monotonic() < deadline:
        os.sched_yield()
    assert len(left) == 1  # the forked child itself, which reads its stdin
    program.process.stdin.write("\n")
    program.process.stdin.flush()
    assert gone_within(5.0, mark) == []
