# SPDX-License-Identifier: BSD-3-Clause
"""``cache_directory`` on executors whose calls run in workers."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from swiftlet import SingleNodeExecutor, cache, get_cache_data, get_future_from_cache
from swiftlet.api import TestClusterExecutor


@pytest.fixture(params=["fresh", "warm"])
def mode(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def make(mode: str, directory: Path, **options: object) -> SingleNodeExecutor:
    return SingleNodeExecutor(
        max_workers=2, block_allocation=mode == "warm", cache_directory=str(directory), **options
    )


def note(x, log):
    with open(log, "a") as file:
        file.write(f"{x}\n")
    return x


def twice(x):
    return x + x


def runs(log: Path) -> list[str]:
    return log.read_text().split() if log.exists() else []


def test_the_second_program_computes_nothing(tmp_path: Path, mode: str) -> None:  # S16, S17
    log = tmp_path / "log"
    for _ in range(2):
        with make(mode, tmp_path / "cache") as executor:
            assert [executor.submit(note, i, str(log)).result() for i in range(3)] == [0, 1, 2]
    assert sorted(runs(log)) == ["0", "1", "2"]
    assert len(cache.entries(str(tmp_path / "cache"))) == 3
    assert all(path.suffix == ".outcome" for path in (tmp_path / "cache").iterdir())


def test_s19_only_the_user_removes_the_directory(tmp_path: Path, mode: str) -> None:
    directory, log = tmp_path / "cache", tmp_path / "log"
    for runs_so_far in range(1, 3):
        with make(mode, directory) as executor:
            assert executor.submit(note, 1, str(log)).result() == 1
        assert len(cache.entries(str(directory))) == 1
        assert len(runs(log)) == runs_so_far
        shutil.rmtree(directory)


def test_equal_calls_run_once(tmp_path: Path, mode: str) -> None:
    log = tmp_path / "log"
    with make(mode, tmp_path / "cache") as executor:
        futures = [executor.submit(note, 7, str(log)) for _ in range(20)]
        assert [future.result() for future in futures] == [7] * 20
    assert runs(log) == ["7"]


def test_executors_share_one_cache(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with make("warm", tmp_path / "cache") as executor:
        assert executor.submit(note, 7, str(log)).result() == 7
    with make("fresh", tmp_path / "cache") as executor:
        assert executor.submit(note, 7, str(log)).result() == 7
    with TestClusterExecutor(cache_directory=str(tmp_path / "cache")) as executor:
        assert executor.submit(note, 7, str(log)).result() == 7
        assert executor.submit(note, 8, str(log)).result() == 8
    with make("warm", tmp_path / "cache") as executor:
        assert executor.submit(note, 8, str(log)).result() == 8
    assert runs(log) == ["7", "8"]


def test_an_error_is_stored_and_no_hit(tmp_path: Path, mode: str) -> None:  # W16, W17
    marker = tmp_path / "marker"
    with make(mode, tmp_path / "cache") as executor:
        for _ in range(2):
            with pytest.raises(FileNotFoundError):
                executor.submit(Path.read_text, marker, resource_dict=key_of(mode, "read")).result()
        (row,) = get_cache_data(str(tmp_path / "cache"))
        assert isinstance(row["error"], FileNotFoundError)
        marker.write_text("there")
        assert executor.submit(Path.read_text, marker, resource_dict=key_of(mode, "read")).result() == "there"
    (row,) = get_cache_data(str(tmp_path / "cache"))
    assert row["output"] == "there"


def key_of(mode: str, key: str) -> dict[str, str] | None:
    return {"cache_key": key} if mode == "fresh" else None


def test_chains_are_found_by_the_keys_of_their_inputs(tmp_path: Path, mode: str) -> None:
    log = tmp_path / "log"
    for _ in range(2):
        with make(mode, tmp_path / "cache") as executor:
            first = executor.submit(note, 1, str(log))
            second = executor.submit(note, first, str(log))
            third = executor.submit(twice, [second, second])
            assert third.result() == [1, 1, 1, 1]
    assert runs(log) == ["1", "1"]
    rows = {row["function"].__name__: row for row in get_cache_data(str(tmp_path / "cache"))}
    assert rows["twice"]["input_args"] == ([1, 1],)


def test_a_hit_does_not_wait_for_inputs(tmp_path: Path) -> None:
    with make("fresh", tmp_path / "cache") as executor:
        slow = executor.submit(time.sleep, 0.2)
        assert executor.submit(twice, [slow]).result() == [None, None]
    for path in (tmp_path / "cache").glob("sleep*"):
        path.unlink()
    with make("fresh", tmp_path / "cache") as executor:
        slow = executor.submit(time.sleep, 0.2)
        assert executor.submit(twice, [slow]).result() == [None, None]


def test_large_results(tmp_path: Path, mode: str) -> None:
    array = np.arange(400_000.0)
    for _ in range(2):
        with make(mode, tmp_path / "cache") as executor:
            doubled = executor.submit(np.multiply, array, 2)
            again = executor.submit(np.multiply, array, 2)
            assert np.array_equal(doubled.result(), array * 2)
            assert np.array_equal(again.result(), array * 2)
            doubled.result()[0] = 1
    (row,) = get_cache_data(str(tmp_path / "cache"))
    assert np.array_equal(row["output"], array * 2)
    assert np.array_equal(row["input_args"][0], array)


def test_a_future_of_another_executor(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for _ in range(2):
        other: Future[int] = Future()
        other.set_result(5)
        with make("warm", tmp_path / "cache") as executor:
            assert executor.submit(note, other, str(log)).result() == 5
    assert runs(log) == ["5"]


def test_what_has_no_key_runs_each_time(tmp_path: Path) -> None:
    with make("fresh", tmp_path / "cache") as executor:
        open_future: Future[int] = Future()
        future = executor.submit(twice, open_future)
        open_future.set_result(4)
        assert future.result() == 8
    assert cache.entries(str(tmp_path / "cache")) == []


def test_keys_of_single_calls(tmp_path: Path) -> None:  # W15, S62
    with make("fresh", tmp_path / "cache", resource_dict={"cache_key": "all_"}) as executor:
        assert executor.submit(sum, [1, 1]).result() == 2
        assert executor.submit(sum, [2, 2]).result() == 4
        assert executor.submit(sum, [3, 3], resource_dict={"cache_key": "same/j1"}).result() == 6
    keys = sorted(entry.key for entry in cache.entries(str(tmp_path / "cache")))
    assert len(keys) == 3
    assert keys[0].startswith("all_sum")
    assert keys[1].startswith("all_sum")
    assert get_future_from_cache(str(tmp_path / "cache"), "same/j1").result() == 6


def test_a_directory_of_a_single_call(tmp_path: Path) -> None:
    with SingleNodeExecutor(max_workers=1) as executor:
        assert executor.submit(sum, [1], resource_dict={"cache_directory": str(tmp_path)}).result() == 1
        with pytest.raises(ValueError, match="cache_directory"):
            executor.submit(sum, [1], resource_dict={"cache_key": "k"})
    assert len(cache.entries(str(tmp_path))) == 1


def started(path):
    Path(path).touch()
    time.sleep(60)


def test_a_cancelled_call_lets_the_next_one_run(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with make("fresh", tmp_path / "cache") as executor:
        first = executor.submit(hold, str(tmp_path / "started"), str(log))
        while not (tmp_path / "started").exists():
            time.sleep(0.01)
        second = executor.submit(hold, str(tmp_path / "started"), str(log))
        assert first.cancel()
        assert second.result() == "second"


def hold(path, log):
    if not Path(path).exists():
        Path(path).touch()
        time.sleep(60)
    return "second"


def test_presets_are_part_of_the_key(tmp_path: Path) -> None:
    for value in (1, 2):
        with make("warm", tmp_path / "cache", init_function=preset_of(value)) as executor:
            assert executor.submit(preset, 10).result() == 10 + value
    assert len(cache.entries(str(tmp_path / "cache"))) == 2


def preset_of(value):
    return lambda: {"offset": value}


def preset(x, offset):
    return x + offset


def test_map_and_batched(tmp_path: Path, mode: str) -> None:
    for _ in range(2):
        with make(mode, tmp_path / "cache") as executor:
            assert list(executor.map(twice, range(5), chunksize=2)) == [0, 2, 4, 6, 8]
    assert len(cache.entries(str(tmp_path / "cache"))) == 3
