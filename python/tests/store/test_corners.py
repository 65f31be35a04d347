# SPDX-License-Identifier: BSD-3-Clause
"""What users do to a cache directory, and what executors say about it."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swiftlet import SingleNodeExecutor, get_cache_data
from swiftlet.api import TestClusterExecutor

EXECUTORS: dict[str, Callable[[str], Any]] = {
    "fresh": lambda directory: SingleNodeExecutor(max_workers=1, cache_directory=directory),
    "warm": lambda directory: SingleNodeExecutor(
        max_workers=1, block_allocation=True, cache_directory=directory
    ),
    "cluster": lambda directory: TestClusterExecutor(cache_directory=directory),
}


@pytest.fixture(params=sorted(EXECUTORS))
def make(request: pytest.FixtureRequest) -> Callable[[Path], Any]:
    return lambda directory: EXECUTORS[request.param](str(directory))


def note(x: int, log: str) -> int:
    with open(log, "a") as file:
        file.write(f"{x}\n")
    return x


def hold(started: str, goes_on: str) -> str:
    Path(started).touch()
    while not os.path.exists(goes_on):
        time.sleep(0.01)
    return "held"


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_directory_is_the_users_to_remove(make: Callable[[Path], Any], tmp_path: Path) -> None:  # S19
    cache, log = tmp_path / "cache", tmp_path / "log"
    with make(cache) as executor:
        assert executor.submit(note, 1, str(log)).result() == 1
    assert len(list(cache.glob("note*.outcome"))) == 1
    with make(cache) as executor:
        shutil.rmtree(cache)
        assert executor.submit(note, 1, str(log)).result() == 1
    assert len(list(cache.glob("note*.outcome"))) == 1
    assert log.read_text() == "1\n1\n"


def test_what_a_crash_left_of_a_call_is_written_anew(tmp_path: Path) -> None:  # S66
    log = tmp_path / "log"
    key = {"cache_key": "mine"}
    for name in ("mine.task", "mine.outcome", "mine.claim"):
        cache = tmp_path / name.replace(".", "_")
        cache.mkdir()
        (cache / name).write_bytes(b"garbage")
        with TestClusterExecutor(cache_directory=str(cache)) as executor:
            assert executor.submit(note, 1, str(log), resource_dict=key).result() == 1
        (row,) = get_cache_data(str(cache))
        assert row["output"] == 1
    assert log.read_text() == "1\n1\n1\n"


def test_how_the_process_of_a_call_ended(make: Callable[[Path], Any], tmp_path: Path) -> None:
    with make(tmp_path) as executor:
        assert executor.submit(sum, [1, 2]).result() == 3
        is_warm = executor.info.get("init_function", "none") is None
    (row,) = get_cache_data(str(tmp_path))
    assert row["provenance"]["host"] == socket.gethostname()
    assert row["provenance"].get("exit_status") == (None if is_warm else 0)


def test_large_values_are_found_whole_or_not_at_all(make: Callable[[Path], Any], tmp_path: Path) -> None:
    log, cache = tmp_path / "log", tmp_path / "cache"
    wanted = np.arange(2_000_000.0)
    for _ in range(2):
        with make(cache) as executor:
            first, second = executor.submit(numbers, str(log)), executor.submit(numbers, str(log))
            assert np.array_equal(first.result()[1], wanted)
            first.result()[1][0] = 5  # it is the caller's own
            assert np.array_equal(second.result()[1], wanted)
            assert executor.submit(len, executor.submit(numbers, str(log))).result() == 3
    assert log.read_text() == "1\n"
    (entry,) = cache.glob("numbers*.outcome")
    data = bytearray(entry.read_bytes())
    data[len(data) // 2] ^= 1
    entry.write_bytes(data)
    with make(cache) as executor:
        assert np.array_equal(executor.submit(numbers, str(log)).result()[1], wanted)
    entry.write_bytes(data[: len(data) // 2])
    with make(cache) as executor:
        assert np.array_equal(executor.submit(numbers, str(log)).result()[1], wanted)
    assert log.read_text() == "1\n1\n1\n"


def numbers(log: str) -> tuple[str, Any, bytes]:
    note(1, log)
    return "small", np.arange(2_000_000.0), b"x" * 100_000


def leave_with_a_status() -> str:
    import atexit

    atexit.register(os._exit, 5)
    return "value"


def test_an_exit_after_the_value_is_told(tmp_path: Path) -> None:
    with SingleNodeExecutor(max_workers=1, cache_directory=str(tmp_path)) as executor:
        assert executor.submit(leave_with_a_status).result() == "value"
    (row,) = get_cache_data(str(tmp_path))
    assert (row["output"], row["provenance"]["exit_status"]) == ("value", 5)


def test_the_outcome_of_a_call_is_there_at_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with SingleNodeExecutor(max_workers=1, cache_directory=str(tmp_path / "cache")) as executor:
        for _ in range(20):
            assert executor.submit(note, 7, str(log)).result() == 7
    assert log.read_text() == "7\n"


def test_who_has_the_key_is_said(make: Callable[[Path], Any], tmp_path: Path) -> None:
    started, goes_on = tmp_path / "started", tmp_path / "goes_on"
    call = (hold, str(started), str(goes_on))
    with make(tmp_path / "cache") as first, make(tmp_path / "cache") as second:
        running = first.submit(*call)
        wait_until(started.exists)
        waiting = second.submit(*call)
        wait_until(lambda: "another client" in second.explain(waiting))
        words = second.explain(waiting)
        assert f" on {socket.gethostname()}" in words
        assert "process " in words
        goes_on.touch()
        assert running.result() == waiting.result() == "held"
