# SPDX-License-Identifier: BSD-3-Clause
"""Crashes at every step of a write, full disks, read-only directories, races: never a wrong result, never a
lost one that was reported done, never a hang.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from swiftlet import EngineDiedError, SingleNodeExecutor, cache
from swiftlet.api import TestClusterExecutor


def square(x, log):
    with open(log, "a") as file:
        file.write(f"{x}\n")
    return x * x


def make(mode: str, directory: Path) -> SingleNodeExecutor | TestClusterExecutor:
    if mode == "cluster":
        return TestClusterExecutor(cache_directory=str(directory))
    return SingleNodeExecutor(max_workers=2, block_allocation=mode == "warm", cache_directory=str(directory))


@pytest.mark.parametrize("point", ["started", "half", "written", "synced", "named", "claimed", "released"])
@pytest.mark.parametrize("mode", ["cluster", "warm"])
def test_the_engine_is_killed_at_every_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, point: str
) -> None:
    log = str(tmp_path / "log")
    monkeypatch.setenv("SWIFTLET_STORE_FAULT", f"engine:{point}")
    results = []
    try:
        with make(mode, tmp_path / "cache") as executor:
            results = [executor.submit(square, 3, log).result()]
    except EngineDiedError:
        pass
    assert results in ([], [9])
    monkeypatch.delenv("SWIFTLET_STORE_FAULT")
    assert cache.verify(str(tmp_path / "cache")) == []
    with make(mode, tmp_path / "cache") as executor:
        assert executor.submit(square, 3, log).result() == 9
    with make(mode, tmp_path / "cache") as executor:
        assert executor.submit(square, 3, log).result() == 9
    runs = Path(log).read_text().split()
    assert 1 <= len(runs) <= 2
    assert [entry.finished for entry in cache.entries(str(tmp_path / "cache"))] == [True]


@pytest.mark.parametrize("point", ["started", "half", "written", "synced", "named", "released"])
def test_the_job_is_killed_at_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    log = str(tmp_path / "log")
    monkeypatch.setenv("SWIFTLET_STORE_FAULT", f"job:{point}")
    with make("cluster", tmp_path / "cache") as executor:
        future = executor.submit(square, 3, log)
        if point in ("named", "released"):
            assert future.result() == 9
        else:
            with pytest.raises(RuntimeError, match="terminated without producing output"):
                future.result()
    monkeypatch.delenv("SWIFTLET_STORE_FAULT")
    assert cache.verify(str(tmp_path / "cache")) == []
    with make("cluster", tmp_path / "cache") as executor:
        assert executor.submit(square, 3, log).result() == 9
    assert [entry.finished for entry in cache.entries(str(tmp_path / "cache"))] == [True]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "disk"
    path.mkdir()
    mount(["-t", "tmpfs", "-o", "size=256k,mode=0700", "tmpfs"], path)
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def mount(arguments: list[str], path: Path) -> None:
    subprocess.run(["mount", *arguments, str(path)], check=True)


def zeros(count):
    return b"\0" * count


@pytest.mark.parametrize("mode", ["fresh", "warm"])
def test_a_full_disk_keeps_no_result_from_its_caller(
    small_disk: Path, mode: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with make(mode, small_disk) as executor:
        assert len(executor.submit(zeros, 1_000_000).result()) == 1_000_000
        assert executor.submit(sum, [1]).result() == 1
    said = capfd.readouterr().err
    assert "No space left on device; free some space or choose another cache directory" in said
    assert cache.verify(str(small_disk)) == []
    assert [entry.key[:3] for entry in cache.entries(str(small_disk))] == ["sum"]


def test_a_full_disk_ends_the_future_of_a_job(small_disk: Path) -> None:
    with make("cluster", small_disk) as executor:
        with pytest.raises(RuntimeError, match="No space left on device"):
            executor.submit(zeros, 1_000_000).result()
        assert executor.submit(sum, [1]).result() == 1
        with pytest.raises(RuntimeError, match="No space left on device"):
            executor.submit(len, zeros(1_000_000)).result()
    assert cache.verify(str(small_disk)) == []


@pytest.fixture
def read_only(small_disk: Path) -> Path:
    mount(["-o", "remount,ro"], small_disk)
    return small_disk


def test_a_read_only_directory_is_read(small_disk: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with make("fresh", small_disk) as executor:
        assert executor.submit(sum, [1]).result() == 1
    mount(["-o", "remount,ro"], small_disk)
    with make("fresh", small_disk) as executor:
        assert executor.submit(sum, [1]).result() == 1
        assert executor.submit(sum, [2]).result() == 2
    assert "Read-only file system; make the directory writable" in capfd.readouterr().err


def test_a_read_only_directory_ends_a_job_that_would_need_it(read_only: Path) -> None:
    with make("cluster", read_only) as executor:
        with pytest.raises(RuntimeError, match="Read-only file system"):
            executor.submit(sum, [2]).result()


RACER = """
import sys
from swiftlet import SingleNodeExecutor

def work(i, log):
    with open(log, "a") as file:
        file.write(f"{i}\\n")
    return i * i

if __name__ == "__main__":
    directory, log, shift = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with SingleNodeExecutor(max_workers=2, block_allocation=True, cache_directory=directory) as executor:
        print("ready", flush=True)
        sys.stdin.readline()
        futures = [executor.submit(work, i + shift, log) for i in range(1000)]
        assert [future.result() for future in futures] == [(i + shift) ** 2 for i in range(1000)]
"""


@pytest.mark.parametrize("shift", [0, 1000])
def test_two_clients_race_on_a_thousand_keys(tmp_path: Path, shift: int) -> None:
    program = tmp_path / "racer.py"
    program.write_text(RACER)
    racers = [
        subprocess.Popen(
            [sys.executable, str(program), "cache", "log", str(number * shift)],
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    for racer in racers:
        racer.communicate(timeout=100)
        assert racer.returncode == 0
    runs = (tmp_path / "log").read_text().split()
    assert sorted(map(int, runs)) == list(range(1000 + shift))
    assert cache.verify(str(tmp_path / "cache")) == []
    assert len(cache.entries(str(tmp_path / "cache"))) == 1000 + shift
    assert not [name for name in os.listdir(tmp_path / "cache") if not name.endswith(".outcome")]
