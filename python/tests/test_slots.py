# SPDX-License-Identifier: BSD-3-Clause
"""What a call holds is what it gets: cores, threads, GPUs, memory; and what it is told about it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from swiftlet import MemoryLimitError, ResourceError, SingleNodeExecutor, TaskInfo, current_task
from swiftlet._node import this_node

CORES = sorted(os.sched_getaffinity(0))
THREADS = [
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
]


@pytest.fixture(params=[False, True], ids=["fresh", "warm"])
def warm(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def make(warm: bool) -> Iterator[Callable[..., SingleNodeExecutor]]:
    """Makes executors with the given resources."""
    made: list[SingleNodeExecutor] = []

    def make(resource_dict: dict[str, Any] | None = None, **options: Any) -> SingleNodeExecutor:
        kind = {"block_allocation": True, "max_workers": 1} if warm else {"max_cores": 2}
        made.append(SingleNodeExecutor(resource_dict=resource_dict, **{**kind, **options}))
        return made[-1]

    yield make
    for executor in made:
        executor.shutdown(wait=True, cancel_futures=True)


def variables(*names: str) -> list[str | None]:
    return [os.environ.get(name) for name in names]


def threads_in_numpy() -> list[str | None]:
    """Whether the variables were there before numpy was."""
    seen = variables(*THREADS)
    assert "numpy" not in sys.modules
    import numpy  # noqa: F401

    return seen


def affinity() -> list[int]:
    return sorted(os.sched_getaffinity(0))


def affinity_of_child() -> str:
    return subprocess.run(
        [sys.executable, "-c", "import os; print(len(os.sched_getaffinity(0)))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def meet(directory: str, count: int) -> list[int]:
    """Waits until so many calls are here at once."""
    Path(directory, str(os.getpid())).touch()
    while len(os.listdir(directory)) < count:
        time.sleep(0.001)
    return affinity()


# Threads


def test_thread_variables_are_set_before_anything_is_imported(
    make: Callable[..., SingleNodeExecutor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    executor = make({"threads_per_core": 2})
    assert executor.submit(threads_in_numpy).result() == ["2"] * 5


def test_without_a_wish_the_users_thread_variables_stay(
    make: Callable[..., SingleNodeExecutor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert make().submit(variables, *THREADS).result() == ["7", "1", "1", "1", "1"]


# Cores


@pytest.mark.skipif(len(CORES) < 2, reason="two cores are needed")
def test_pinned_calls_have_cores_of_their_own(tmp_path: Path) -> None:
    with SingleNodeExecutor(max_cores=2, resource_dict={"pin": True}) as executor:
        first, second = [executor.submit(meet, str(tmp_path), 2) for _ in range(2)]
        assert len(first.result()) == len(second.result()) == 1
        assert first.result() != second.result()
        assert executor.submit(affinity, resource_dict={"threads_per_core": 2}).result() == CORES[:2]


@pytest.mark.skipif(len(CORES) < 2, reason="two cores are needed")
def test_pinned_workers_have_cores_of_their_own(tmp_path: Path) -> None:
    with SingleNodeExecutor(block_allocation=True, max_workers=2, resource_dict={"pin": True}) as executor:
        first, second = [executor.submit(meet, str(tmp_path), 2) for _ in range(2)]
        assert sorted(first.result() + second.result()) == CORES[:2]
        assert executor.submit(affinity_of_child).result() == "1"


def test_on_a_shared_machine_cores_are_only_counted(make: Callable[..., SingleNodeExecutor]) -> None:
    assert make().submit(affinity).result() == CORES


def test_executors_of_one_user_never_pin_the_same_core() -> None:
    everything = {"pin": True}
    first = SingleNodeExecutor(max_cores=len(CORES), resource_dict=everything)
    with pytest.raises(ResourceError, match="pinned by nobody else"):
        SingleNodeExecutor(max_cores=1, resource_dict=everything)
    source = (
        "import swiftlet\n"
        "try: swiftlet.SingleNodeExecutor(max_cores=1, resource_dict={'pin': True})\n"
        "except swiftlet.ResourceError as error: print('refused')\n"
    )
    other = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert other.stdout == "refused\n"
    first.shutdown()
    with SingleNodeExecutor(max_cores=1, resource_dict=everything) as again:
        assert again.submit(affinity).result() == CORES[:1]


def test_pinning_more_cores_than_there_are_is_refused() -> None:
    with pytest.raises(ResourceError, match=f"may run on {len(CORES)}"):
        SingleNodeExecutor(max_cores=len(CORES) + 1, resource_dict={"pin": True})
    with SingleNodeExecutor(max_cores=1) as executor:
        with pytest.raises(ResourceError, match="belongs into the executor's resource_dict"):
            executor.submit(affinity, resource_dict={"pin": True})


def test_the_default_limit_is_what_is_usable() -> None:
    source = "import swiftlet; print(swiftlet.SingleNodeExecutor().submit(sum, [1, 1]).result())"
    check = f"import os; os.sched_setaffinity(0, [{CORES[0]}]); {source}"
    ran = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert ran.stdout == "2\n"
    limited = check.replace("submit(sum, [1, 1])", "submit(sum, [1], resource_dict={'threads_per_core': 2})")
    refused = subprocess.run([sys.executable, "-c", limited], capture_output=True, text=True, check=False)
    assert "available: 1" in refused.stderr


# GPUs


def test_gpus_are_exclusive_and_visible_by_one_variable(tmp_path: Path) -> None:
    names = ["GPU-8f", "MIG-1"]
    with SingleNodeExecutor(max_cores=4, gpus=names) as executor:
        wanted = {"gpus_per_core": 1}
        both = [executor.submit(visible_and_meet, str(tmp_path), resource_dict=wanted) for _ in range(2)]
        none = executor.submit(variables, "CUDA_VISIBLE_DEVICES")
        assert sorted(future.result() for future in both) == names
        assert none.result() == [""]
        double = executor.submit(variables, "CUDA_VISIBLE_DEVICES", resource_dict={"gpus_per_core": 2})
        assert double.result() == ["GPU-8f,MIG-1"]
        with pytest.raises(TypeError, match="asks for 3 GPUs, this node has 2"):
            executor.submit(sum, [1], resource_dict={"gpus_per_core": 3})


def visible_and_meet(directory: str) -> str:
    meet(directory, 2)
    return os.environ["CUDA_VISIBLE_DEVICES"]


def test_warm_workers_keep_their_gpus(tmp_path: Path) -> None:
    with SingleNodeExecutor(
        block_allocation=True, max_workers=2, gpus=2, resource_dict={"gpus_per_core": 1}
    ) as executor:
        both = [executor.submit(visible_and_meet, str(tmp_path)) for _ in range(2)]
        assert sorted(future.result() for future in both) == ["0", "1"]


@pytest.mark.parametrize(
    ("variable", "value", "gpus"),
    [
        ("CUDA_VISIBLE_DEVICES", "3,GPU-5", "3,GPU-5"),
        ("ROCR_VISIBLE_DEVICES", "1,0", "1,0"),
        ("SWIFTLET_GPUS", "2", "0,1"),
    ],
)
def test_gpus_are_found_or_declared(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, gpus: str
) -> None:
    for name in ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "SWIFTLET_GPUS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, value)
    shown = "CUDA_VISIBLE_DEVICES" if variable == "SWIFTLET_GPUS" else variable
    with SingleNodeExecutor(max_cores=1) as executor:
        assert executor.submit(variables, shown, resource_dict={"gpus_per_core": 2}).result() == [gpus]
        assert executor.submit(variables, shown).result() == [""]


def test_a_node_without_gpus_refuses(make: Callable[..., SingleNodeExecutor], monkeypatch: Any) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(TypeError, match=r"gpus_per_core.*this node has none"):
        make({"gpus_per_core": 1})
    for nonsense in (-1, True, ["a", "a"], ["a b"]):
        with pytest.raises(ResourceError, match="gpus has to be"):
            make(gpus=nonsense)


# Memory


def allocate(megabytes: int, child: bool = False) -> int:
    """Fills memory, here or in a process of its own, and then waits."""
    if child:
        source = f"import time; x = b'x' * ({megabytes} << 20); time.sleep(60)"
        subprocess.run([sys.executable, "-c", source], check=True)
    block = bytearray(megabytes << 20)
    block[::4096] = b"x" * len(block[::4096])
    time.sleep(60 if megabytes > 100 else 0)
    return len(block)


@pytest.mark.parametrize("child", [False, True], ids=["itself", "a child"])
def test_a_call_that_uses_too_much_memory_ends_and_says_so(
    make: Callable[..., SingleNodeExecutor], child: bool
) -> None:
    executor = make({"memory_max": 0.2})
    with pytest.raises(MemoryLimitError, match=r"used \d+ MB of memory, more than the 205 MB") as caught:
        executor.submit(allocate, 400, child).result()
    assert caught.value.limit == int(0.2 * 2**30)
    assert caught.value.used is not None
    assert caught.value.used > caught.value.limit
    assert executor.submit(allocate, 10).result() == 10 << 20


def test_memory_is_counted(tmp_path: Path) -> None:
    there = this_node().memory
    assert there is not None
    half = 0.6 * there / 2**30
    with SingleNodeExecutor(max_cores=2, resource_dict={"memory_max": half}) as executor:
        first = executor.submit(hold, str(tmp_path))
        while not (tmp_path / "held").exists():
            time.sleep(0.001)
        second = executor.submit(sum, [1, 1])
        assert "bytes of memory" in executor.explain(second)
        small = executor.submit(sum, [2, 2], resource_dict={"memory_max": 0.01})
        assert small.result() == 4
        (tmp_path / "go").touch()
        assert first.result() is None
        assert second.result() == 2
        with pytest.raises(ResourceError, match="but this process may use"):
            executor.submit(sum, [1], resource_dict={"memory_max": 2 * half})


def hold(directory: str) -> None:
    Path(directory, "held").touch()
    while not Path(directory, "go").exists():
        time.sleep(0.001)


def test_calls_volunteer_when_memory_runs_out(make: Callable[..., SingleNodeExecutor]) -> None:
    assert make().submit(Path("/proc/self/oom_score_adj").read_text).result() == "500\n"


# Exclusive, priority


def test_exclusive_calls_run_alone(tmp_path: Path) -> None:
    with SingleNodeExecutor(max_cores=2) as executor:
        first = executor.submit(hold, str(tmp_path))
        while not (tmp_path / "held").exists():
            time.sleep(0.001)
        alone = executor.submit(sum, [1, 1], resource_dict={"exclusive": True})
        assert "the whole node: 1 other call is on it" in executor.explain(alone)
        (tmp_path / "go").touch()
        assert alone.result() == 2
        assert first.result() is None


# What a call knows


def told() -> TaskInfo | None:
    return current_task()


def test_a_call_knows_its_number_attempt_slot_and_deadline(make: Callable[..., SingleNodeExecutor]) -> None:
    assert current_task() is None
    executor = make({"run_time_max": 50, "threads_per_core": 2, "memory_max": 1}, gpus=0)
    executor.submit(sum, [1]).result()
    info = executor.submit(told).result()
    assert info is not None
    assert (info.id, info.attempt) == (2, 1)
    assert info.deadline is not None
    assert 0 < info.deadline - time.time() <= 50
    assert info.slot is not None
    assert (info.slot.cores, info.slot.threads_per_core, info.slot.memory) == (2, 2, 2**30)
    assert (info.slot.ranks, info.slot.gpus, info.slot.core_numbers) == (1, (), ())
    assert make().submit(told).result().deadline is None  # type: ignore[union-attr]


def test_a_future_knows_where_its_call_ran(make: Callable[..., SingleNodeExecutor]) -> None:
    executor = make({"threads_per_core": 2})
    before = time.time()
    future = executor.submit(os.getpid)
    info = future.info if future.result() else None
    for _ in range(2):  # also after the value was decoded
        info = future.info
        assert info is not None
        assert (info.host, info.pid, info.attempt) == (socket.gethostname(), future.result(), 1)
        assert before <= info.start <= time.time()
        assert [slot.cores for slot in info.slots] == [2]
