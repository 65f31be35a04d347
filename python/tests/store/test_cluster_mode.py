# SPDX-License-Identifier: BSD-3-Clause
"""Calls as jobs: each through the store in a process of its own."""

from __future__ import annotations

import concurrent.futures
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from swiftlet import (
    SingleNodeExecutor,
    TaskRefusedError,
    TimeLimitError,
    WorkerLostError,
    current_task,
    explain_key,
)
from swiftlet.api import TestClusterExecutor


@pytest.fixture
def executor(tmp_path: Path) -> Iterator[TestClusterExecutor]:
    with TestClusterExecutor(cache_directory=str(tmp_path / "cache")) as executor:
        yield executor


def add(left, right):
    return left + right


def append(path, value):
    with open(path, "a") as file:
        file.write(f"{value}\n")
    return value


def fail(text):
    raise LookupError(text)


def test_one_call(executor: TestClusterExecutor) -> None:  # S28
    assert executor.submit(sum, [1, 1]).result() == 2


def test_map(executor: TestClusterExecutor) -> None:
    assert list(executor.map(sum, [[5, 5], [6, 6], [7, 7]])) == [10, 12, 14]


def test_a_chain_goes_from_entry_to_entry(executor: TestClusterExecutor) -> None:
    value = executor.submit(add, 0, 0)
    for number in range(4, 8):
        value = executor.submit(add, number, value)
    assert value.result() == 22


def test_futures_of_others_and_inside_of_containers(executor: TestClusterExecutor) -> None:
    other: concurrent.futures.Future[int] = concurrent.futures.Future()
    mine = executor.submit(add, 1, 2)
    future = executor.submit(sum, [mine, other])
    later = executor.submit(add, future, 1)
    other.set_result(10)
    assert later.result() == 14


def test_an_error_arrives_and_ends_what_depends_on_it(executor: TestClusterExecutor) -> None:
    failed = executor.submit(fail, "no such thing")
    dependant = executor.submit(add, failed, 1)
    with pytest.raises(LookupError, match="no such thing"):
        failed.result()
    with pytest.raises(LookupError, match="no such thing"):
        dependant.result()


def test_a_job_that_dies_ends_its_future_and_its_dependants(executor: TestClusterExecutor) -> None:  # W5, W8
    lost = executor.submit(os._exit, 3)
    dependant = executor.submit(add, lost, 1)
    with pytest.raises(WorkerLostError, match="status 3"):
        lost.result()
    with pytest.raises(WorkerLostError):
        dependant.result()


@pytest.mark.parametrize("is_held", [True, False])
def test_why_an_input_has_no_value(executor: TestClusterExecutor, is_held: bool) -> None:
    died = [executor.submit(os._exit, 3)]
    dependant = executor.submit(add, died[0], 1)
    if not is_held:
        died.clear()
    with pytest.raises(WorkerLostError, match=r"task 1 .*status 3"):
        dependant.result()


def leave_a_process():
    subprocess.Popen(["sleep", "1000"], start_new_session=True)  # holds standard error open
    return "done"


def test_what_a_call_leaves_behind_is_not_waited_for(executor: TestClusterExecutor) -> None:
    assert executor.submit(leave_a_process).result(timeout=100) == "done"


def own_machine():
    task = current_task()
    with SingleNodeExecutor() as inner, pytest.raises(ValueError, match="threads_per_core"):
        inner.submit(abs, -1, resource_dict={"threads_per_core": task.slot.cores + 1})
    return task.slot.cores, task.deadline


def test_a_call_has_a_slot_and_executors_in_it_stay_there(executor: TestClusterExecutor) -> None:
    before = time.time()
    cores, deadline = executor.submit(own_machine, resource_dict={"run_time_max": 600}).result()
    assert cores == 1
    assert before + 600 <= deadline <= time.time() + 600


def kill_the_job():
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)


def test_a_job_that_is_killed_from_outside(executor: TestClusterExecutor) -> None:
    with pytest.raises(RuntimeError, match="terminated without producing output"):
        executor.submit(kill_the_job).result()


def test_the_same_call_again_right_after_its_result(executor: TestClusterExecutor) -> None:  # W4
    for _ in range(10):
        assert executor.submit(add, 20, 3).result() == 23


def test_equal_calls_run_once(executor: TestClusterExecutor, tmp_path: Path) -> None:
    log = tmp_path / "log"
    futures = [executor.submit(append, str(log), 7) for _ in range(5)]
    assert [future.result() for future in futures] == [7] * 5
    assert log.read_text() == "7\n"


def test_an_error_is_no_hit(executor: TestClusterExecutor, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    call = (Path.read_text, marker)
    with pytest.raises(FileNotFoundError):
        executor.submit(*call).result()
    marker.write_text("there")
    assert executor.submit(*call).result() == "there"


def test_large_arrays(executor: TestClusterExecutor) -> None:
    array = np.arange(300_000, dtype=float).reshape(300, 1000)
    doubled = executor.submit(np.multiply, array, 2)
    assert np.array_equal(executor.submit(np.add, doubled, 1).result(), array * 2 + 1)


def test_a_time_limit(executor: TestClusterExecutor) -> None:
    with pytest.raises(TimeLimitError, match="run_time_max"):
        executor.submit(time.sleep, 60, resource_dict={"run_time_max": 0.3}).result()


def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.01)


def test_cancel_ends_a_running_job(executor: TestClusterExecutor, tmp_path: Path) -> None:
    started = tmp_path / "started"
    future = executor.submit(start_and_wait, str(started))
    wait_for(started)
    assert future.cancel()
    assert not list((tmp_path / "cache").glob("*.outcome"))
    pid = int(started.read_text())
    deadline = time.monotonic() + 10
    while os.path.exists(f"/proc/{pid}"):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def start_and_wait(path):
    with open(path + "~", "w") as file:
        file.write(str(os.getpid()))
    os.rename(path + "~", path)
    time.sleep(60)


def test_what_is_left_is_one_file_for_each_call(tmp_path: Path) -> None:  # S16, S40
    with TestClusterExecutor(cache_directory=str(tmp_path)) as executor:
        assert [executor.submit(sum, [i, i]).result() for i in range(1, 4)] == [2, 4, 6]
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 3
    assert all(name.startswith("sum") and name.endswith(".outcome") for name in names)


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x89HDF\r\n" * 100])
def test_s66_garbage_in_the_place_of_an_entry_is_overwritten(tmp_path: Path, content: bytes) -> None:
    key = explain_key(sum, [1, 1]).key
    (tmp_path / f"{key}.task").write_bytes(content)
    with TestClusterExecutor(cache_directory=str(tmp_path)) as executor:
        assert executor.submit(sum, [1, 1]).result() == 2
    assert [path.name for path in tmp_path.iterdir()] == [f"{key}.outcome"]


def test_s19_only_the_user_removes_the_directory(tmp_path: Path) -> None:
    directory = tmp_path / "cache"
    for _ in range(2):
        with TestClusterExecutor(cache_directory=str(directory)) as executor:
            assert executor.submit(sum, [1, 1]).result() == 2
            shutil.rmtree(directory)
            assert executor.submit(sum, [2, 2]).result() == 4
        assert len(list(directory.glob("*.outcome"))) == 1
        shutil.rmtree(directory)


def test_a_cache_key_makes_a_folder(executor: TestClusterExecutor, tmp_path: Path) -> None:  # S62
    assert executor.submit(sum, [1, 1], resource_dict={"cache_key": "same/j1"}).result() == 2
    assert (tmp_path / "cache" / "same" / "j1.outcome").exists()
    assert executor.submit(sum, [5, 5], resource_dict={"cache_key": "same/j1"}).result() == 2


def test_a_cache_key_of_the_executor_is_a_prefix(tmp_path: Path) -> None:  # W15
    with TestClusterExecutor(cache_directory=str(tmp_path), resource_dict={"cache_key": "run1_"}) as executor:
        assert executor.submit(sum, [1, 1]).result() == 2
        assert executor.submit(sum, [2, 2]).result() == 4
    assert len(list(tmp_path.glob("run1_sum*.outcome"))) == 2


def test_a_directory_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with TestClusterExecutor(cache_directory=str(tmp_path / "cache")) as executor:
        (tmp_path / "cache" / "a").write_text("a file where a folder should be")
        future = executor.submit(sum, [1], resource_dict={"cache_key": "a/b"})
        with pytest.raises(TaskRefusedError, match="cache/a"):
            future.result()


def test_where_a_call_runs(
    executor: TestClusterExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SET_AFTER_THE_START", "yes")
    assert executor.submit(os.getenv, "SET_AFTER_THE_START").result() == "yes"
    assert executor.submit(os.getcwd).result() == os.getcwd()
    where = str(tmp_path / "made")
    assert executor.submit(os.path.abspath, "x", resource_dict={"cwd": where}).result() == where + "/x"
