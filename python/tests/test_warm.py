# SPDX-License-Identifier: BSD-3-Clause
"""block_allocation=True: workers that stay."""

from __future__ import annotations

import operator
import os
import subprocess
import sys
import threading
import time
import warnings

import pytest

from swiftlet import ExecutorlibSocketError, SingleNodeExecutor, TaskRefusedError


def presets():
    return {"j": 4, "k": 3, "l": 2}


def calculate(i, j, k):
    return i + j + k


def pid():
    return os.getpid()


def remember(key=[]):  # noqa: B006
    key.append(1)
    return len(key)


def worker_id(executorlib_worker_id):
    time.sleep(0.05)
    return executorlib_worker_id


def loaded_modules():
    return set(sys.modules)


def test_workers_stay():
    with SingleNodeExecutor(block_allocation=True, max_workers=1) as executor:
        assert len({executor.submit(pid).result(30) for _ in range(5)}) == 1
        assert [executor.submit(remember).result(30) for _ in range(3)] == [1, 2, 3]


def test_fresh_calls_share_nothing(fresh):
    assert len({fresh.submit(pid).result(30) for _ in range(5)}) == 5
    assert [fresh.submit(remember).result(30) for _ in range(3)] == [1, 1, 1]
    fresh.submit(__import__, "wave").result(30)
    assert "wave" not in fresh.submit(loaded_modules).result(30)


def test_init_function():
    with SingleNodeExecutor(block_allocation=True, max_workers=2, init_function=presets) as executor:
        assert executor.submit(calculate, 2, j=5).result(30) == 10
        assert executor.submit(calculate, 2).result(30) == 9
        with pytest.raises(TypeError, match="multiple values"):
            executor.submit(calculate, 2, 5).result(30)


def test_init_function_runs_once_in_each_worker(tmp_path):
    path = str(tmp_path / "log")

    def init():
        with open(path, "a") as file:
            file.write("x")
        return {}

    with SingleNodeExecutor(block_allocation=True, max_workers=2, init_function=init) as executor:
        assert list(executor.map(operator.neg, range(10))) == [-number for number in range(10)]
    with open(path) as file:
        assert file.read() == "xx"


def test_presets_need_not_be_picklable():
    def init():
        program = [sys.executable, "-u", "-c", "import sys\nfor line in sys.stdin: print(int(line) + 1)"]
        return {
            "process": subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        }

    def ask(number, process):
        process.stdin.write(f"{number}\n")
        process.stdin.flush()
        return int(process.stdout.readline())

    with SingleNodeExecutor(block_allocation=True, max_workers=1, init_function=init) as executor:
        assert [executor.submit(ask, number).result(30) for number in (1, 5)] == [2, 6]


def dies_of_the_licence():
    print("no licence to be had", file=sys.stderr, flush=True)
    os._exit(3)


def test_what_workers_said_that_never_were_ready_is_told():
    with (
        SingleNodeExecutor(
            block_allocation=True, max_workers=1, init_function=dies_of_the_licence
        ) as executor,
        pytest.raises(
            TaskRefusedError, match=r"(?s)exited with status 3; the last it said:\nno licence to be had"
        ),
    ):
        executor.submit(worker_id).result(30)


def test_worker_ids():
    with SingleNodeExecutor(block_allocation=True, max_workers=2) as executor:
        ids = {future.result(30) for future in [executor.submit(worker_id) for _ in range(20)]}
    assert ids == {0, 1}
    with SingleNodeExecutor(max_cores=1) as executor:
        assert executor.submit(worker_id).result(30) == 0


def test_resize():
    with SingleNodeExecutor(block_allocation=True, max_workers=1) as executor:
        assert executor.max_workers == 1
        executor.max_workers = 3
        assert executor.max_workers == 3
        barrier = [executor.submit(time.sleep, 0.3) for _ in range(6)]
        assert [future.result(30) for future in barrier] == [None] * 6
        assert executor.status()["workers"] == 3
        executor.max_workers = 1
        assert [executor.submit(operator.neg, number).result(30) for number in range(5)] == [
            0,
            -1,
            -2,
            -3,
            -4,
        ]
        for bad, kind in ((0, ValueError), ("2", TypeError), (None, TypeError)):
            with pytest.raises(kind):
                executor.max_workers = bad


def test_resize_is_for_workers_that_stay(fresh):
    with pytest.raises(NotImplementedError, match="max_workers setter"):
        fresh.max_workers = 3


def test_the_number_of_workers():
    with SingleNodeExecutor(
        block_allocation=True, max_cores=4, resource_dict={"threads_per_core": 2}
    ) as executor:
        assert executor.max_workers == 2
    with pytest.warns(UserWarning, match="set default based on CPU count to: max_workers=") as told:
        executor = SingleNodeExecutor(block_allocation=True)
    assert told[0].filename == __file__
    assert executor.max_workers is not None
    executor.shutdown()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SingleNodeExecutor(block_allocation=True, max_workers=1).shutdown()


def die_at_first(path):
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return "second time"
    os._exit(9)


def test_restart_limit(tmp_path):
    with SingleNodeExecutor(block_allocation=True, max_workers=1, restart_limit=1) as executor:
        future = executor.submit(die_at_first, str(tmp_path / "first"))
        assert future.result(30) == "second time"
        assert future.info is not None
        assert future.info.attempt == 2


def test_attempts_are_limited(tmp_path):
    def die():
        with open(tmp_path / "log", "a") as file:
            file.write("x")
        os._exit(9)

    with SingleNodeExecutor(block_allocation=True, max_workers=2, restart_limit=2) as executor:
        innocent = [executor.submit(time.sleep, 0.01) for _ in range(20)]
        with pytest.raises(ExecutorlibSocketError) as raised:
            executor.submit(die).result(60)
        assert len(raised.value.attempts) == 3
        assert [future.result(60) for future in innocent] == [None] * 20
    assert (tmp_path / "log").read_text() == "xxx"


def test_no_restart_by_default(tmp_path):
    with SingleNodeExecutor(block_allocation=True, max_workers=1) as executor:
        with pytest.raises(ExecutorlibSocketError):
            executor.submit(die_at_first, str(tmp_path / "first")).result(30)
        assert executor.submit(operator.add, 1, 2).result(30) == 3


def test_threads_of_a_call_end_with_it(fresh):
    def start_thread(path):
        def later():
            time.sleep(0.1)
            open(path, "w").close()

        threading.Thread(target=later).start()

    import tempfile

    path = tempfile.mktemp()
    assert fresh.submit(start_thread, path).result(30) is None
    fresh.shutdown()
    assert os.path.exists(path)
    os.unlink(path)
