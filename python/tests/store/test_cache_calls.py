# SPDX-License-Identifier: BSD-3-Clause
"""What looks into a cache directory, and what leaves and comes back to it."""

from __future__ import annotations

import os
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from programs import Script

import swiftlet
from swiftlet import (
    cache,
    get_cache_data,
    get_cache_data_queue,
    get_future_from_cache,
    terminate_task_in_cache,
    terminate_tasks_in_cache,
)
from swiftlet.api import TestClusterExecutor


def fail(text):
    raise LookupError(text)


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    with TestClusterExecutor(cache_directory=str(tmp_path)) as executor:
        first = executor.submit(sum, [1, 1], resource_dict={"cache_key": "two"})
        executor.submit(pow, first, 3, resource_dict={"cache_key": "sub/eight"})
        executor.submit(fail, "why", resource_dict={"cache_key": "failed"}).exception()
        executor.submit(np.zeros, 3, resource_dict={"cache_key": "array"})
    return tmp_path


def by_key(directory: Path, rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {os.path.relpath(row["filename"], directory).rpartition(".")[0]: row for row in rows}


def test_what_is_known_of_each_call(filled: Path) -> None:  # S18
    rows = by_key(filled, get_cache_data(str(filled)))
    assert sorted(rows) == ["array", "failed", "sub/eight", "two"]
    two = rows["two"]
    assert (two["function"], two["input_args"], two["input_kwargs"], two["output"]) == (sum, ([1, 1],), {}, 2)
    assert two["runtime"] >= 0
    assert two["resource_dict"]["cores"] == 1
    assert rows["sub/eight"]["input_args"] == (2, 3)
    assert isinstance(rows["failed"]["error"], LookupError)
    assert rows["array"]["output"].tolist() == [0, 0, 0]


def test_provenance(filled: Path) -> None:
    provenance = by_key(filled, get_cache_data(str(filled)))["array"]["provenance"]
    wanted = {"host", "user", "start", "end", "duration", "python", "swiftlet", "command", "exit_status"}
    assert wanted <= set(provenance)
    assert provenance["packages"]["numpy"] == np.__version__
    assert provenance["exit_status"] == 0
    assert provenance["start"] <= provenance["end"] <= time.time()


def test_the_state_of_each_call(filled: Path) -> None:  # W19
    with TestClusterExecutor(cache_directory=str(filled)) as executor:
        executor.submit(sum, [], resource_dict={"cache_key": "zero"}).result()
    states = {key: row["status"] for key, row in by_key(filled, get_cache_data_queue(str(filled))).items()}
    assert states.pop("failed") == "error"
    assert states == dict.fromkeys(("array", "sub/eight", "two", "zero"), "finished")


def test_no_directory_is_an_empty_one(tmp_path: Path) -> None:
    assert get_cache_data(str(tmp_path / "nowhere")) == []


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "text"])
def test_one_damaged_file_is_named_and_the_others_are_read(filled: Path, damage: str) -> None:  # W9
    path = filled / "two.outcome"
    data = path.read_bytes()
    flipped = data[:40] + bytes([data[40] ^ 4]) + data[41:]
    path.write_bytes({"empty": b"", "cut": data[:-9], "flipped": flipped, "text": b"x" * 99}[damage])
    with pytest.warns(UserWarning, match=r"two\.outcome is damaged .* remove it"):
        rows = by_key(filled, get_cache_data(str(filled)))
    assert "two" not in rows
    assert len(rows) == 3
    assert [problem.path for problem in cache.verify(str(filled))] == [str(path)]
    with pytest.raises(OSError, match="damaged"):
        get_future_from_cache(str(filled), "two")
    with TestClusterExecutor(cache_directory=str(filled)) as executor:
        assert executor.submit(sum, [1, 1], resource_dict={"cache_key": "two"}).result() == 2
    assert cache.verify(str(filled)) == []


def test_a_future_from_the_cache(filled: Path) -> None:
    assert get_future_from_cache(str(filled), "two").result() == 2
    with pytest.raises(LookupError, match="why"):
        get_future_from_cache(str(filled), "failed")
    with pytest.raises(FileNotFoundError, match="Neither input nor output file for cache key none found"):
        get_future_from_cache(str(filled), "none")


def wait_for_file(path):
    while not os.path.exists(path):
        time.sleep(0.01)
    return "seen"


def test_the_future_of_a_running_call_completes(tmp_path: Path) -> None:
    go = tmp_path / "go"
    with TestClusterExecutor(cache_directory=str(tmp_path / "cache")) as executor:
        future = executor.submit(wait_for_file, str(go), resource_dict={"cache_key": "wait"})
        task = tmp_path / "cache" / "wait.task"
        while not task.exists():
            time.sleep(0.01)
        other = get_future_from_cache(str(tmp_path / "cache"), "wait")
        assert not other.done()
        assert get_cache_data_queue(str(tmp_path / "cache"))[0]["status"] == "running"
        go.touch()
        assert other.result() == future.result() == "seen"


def test_ending_a_running_call(tmp_path: Path) -> None:
    directory = str(tmp_path / "cache")
    with TestClusterExecutor(cache_directory=directory) as executor:
        future = executor.submit(wait_for_file, str(tmp_path / "never"), resource_dict={"cache_key": "wait"})
        while not (tmp_path / "cache" / "wait.task").exists():
            time.sleep(0.01)
        other = get_future_from_cache(directory, "wait")
        terminate_task_in_cache(directory, "wait")
        with pytest.raises(RuntimeError, match="terminated without producing output"):
            future.result()
        with pytest.raises(RuntimeError, match="taken back"):
            other.result()
        with pytest.raises(FileNotFoundError, match="wait"):
            terminate_task_in_cache(directory, "wait")
        terminate_tasks_in_cache(directory)
    assert get_cache_data(directory) == []


LEAVER = """
import os, sys, time
from swiftlet.api import TestClusterExecutor

def work(i, log):
    while not os.path.exists("go"):
        time.sleep(0.01)
    with open(log, "a") as file:
        file.write(f"{i}\\n")
    return i * i

def chain(value, log):
    with open(log, "a") as file:
        file.write("chain\\n")
    return value + 1

if __name__ == "__main__":
    log = os.path.abspath("log")
    executor = TestClusterExecutor(cache_directory="cache")
    futures = [executor.submit(work, i, log) for i in range(3)]
    futures.append(executor.submit(chain, futures[2], log))
    if len(sys.argv) > 1:
        executor.shutdown(wait=False)
    else:
        print([future.result() for future in futures], flush=True)
        executor.shutdown()
"""


@pytest.mark.parametrize("returns_early", [True, False])
def test_leave_and_come_back(tmp_path: Path, script: type[Script], returns_early: bool) -> None:  # S37
    import subprocess
    import sys

    program = tmp_path / "program.py"
    program.write_text(LEAVER)
    subprocess.run([sys.executable, str(program), "leave"], cwd=tmp_path, check=True, timeout=30)
    assert not (tmp_path / "log").exists()
    if not returns_early:
        (tmp_path / "go").touch()
        while len(list((tmp_path / "cache").glob("*.outcome"))) < 4:
            time.sleep(0.02)
    back = subprocess.Popen([sys.executable, str(program)], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    (tmp_path / "go").touch()
    out, _ = back.communicate(timeout=60)
    assert out.strip() == "[0, 1, 4, 5]"
    assert sorted((tmp_path / "log").read_text().split()) == ["0", "1", "2", "chain"]


def test_removing(filled: Path) -> None:
    with pytest.raises(ValueError, match="nothing says what"):
        cache.remove(str(filled))
    assert cache.remove(str(filled), ["two", "no such key"]) == ["two"]
    old = filled / "failed.outcome"
    os.utime(old, (1, 1))
    assert cache.remove(str(filled), older_than=3600) == ["failed"]
    assert {entry.key for entry in cache.entries(str(filled))} == {"array", "sub/eight"}
    largest = max(entry.size for entry in cache.entries(str(filled)))
    assert len(cache.remove(str(filled), max_bytes=largest)) == 1
    assert cache.remove(str(filled), max_bytes=0)
    assert cache.entries(str(filled)) == []


def test_entries_of_strangers_are_not_used(filled: Path) -> None:
    os.chown(filled / "two.outcome", 12345, -1)
    with pytest.warns(UserWarning, match="belongs to user 12345") as told:
        assert "two" not in by_key(filled, get_cache_data(str(filled)))
    assert told[0].filename == __file__
    with pytest.raises(OSError, match="not trusted"):
        get_future_from_cache(str(filled), "two")


def test_a_trusted_owner(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.chown(filled / "two.outcome", 12345, -1)
    monkeypatch.setenv("SWIFTLET_TRUST_OWNERS", "12345, root")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert get_future_from_cache(str(filled), "two").result() == 2
    monkeypatch.setenv("SWIFTLET_TRUST_OWNERS", "nobody-of-that-name")
    with pytest.raises(ValueError, match="nobody-of-that-name"):
        get_cache_data(str(filled))


def test_a_directory_that_everybody_may_write_is_refused(tmp_path: Path) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    with pytest.raises(swiftlet.ResourceError, match="chmod o-w"):
        TestClusterExecutor(cache_directory=str(open_to_all))
    open_to_all.chmod(0o1777)
    with TestClusterExecutor(cache_directory=str(open_to_all)) as executor:
        assert executor.submit(sum, [2]).result() == 2
