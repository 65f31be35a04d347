# SPDX-License-Identifier: BSD-3-Clause
"""FluxJobExecutor: what each call on shared cores holds: cores and GPUs of its own, and a limit of memory."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flux_nodes import GPUS_PER_NODE, NODES, Instance

from swiftlet import (
    FluxClusterExecutor,
    FluxJobExecutor,
    MemoryLimitError,
    ResourceUnavailableError,
    current_task,
)

PATIENCE = 60
Place = tuple[list[int], list[int], str, list[str]]


def place(told: str, held: str) -> Place:
    """Cores by the word of the system and of the slot, GPUs by both. Ends when told so."""
    slot = current_task().slot
    assert slot is not None
    with open(told, "w") as file:
        file.write("here\n")
    with open(held) as file:
        file.read()
    shown = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    cores = sorted(os.sched_getaffinity(0))
    return cores, list(slot.core_numbers), shown, list(slot.gpus)


def places_of(executor: FluxJobExecutor, count: int, directory: Path, resources: Any = None) -> list[Place]:
    """What so many calls hold that run at the same time."""
    pipes = [(directory / f"told{number}", directory / f"held{number}") for number in range(count)]
    for pipe in pipes:
        for end in pipe:
            os.mkfifo(end)
    more: dict[str, Any] = {} if resources is None else {"resource_dict": resources}
    futures = [executor.submit(place, str(told), str(held), **more) for told, held in pipes]
    for told, _ in pipes:
        told.read_text()
    for _, held in pipes:
        held.write_text("")
    return [future.result(PATIENCE) for future in futures]


def allocates(megabytes: int, told: str) -> int:
    data = bytearray(megabytes << 20)
    for start in range(0, len(data), 4096):
        data[start] = 1
    with open(told) as file:
        file.read()
    return len(data)


@pytest.fixture
def here(own_instance: tuple[Instance, int]) -> Instance:
    """An instance with the cores that there are."""
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("there is one core")
    return own_instance[0]


@pytest.mark.parametrize("warm", [False, True])
def test_calls_on_one_lease_have_cores_of_their_own(here: Instance, tmp_path: Path, warm: bool) -> None:
    options: dict[str, Any] = {"max_workers": 2, "block_allocation": True} if warm else {}
    with FluxJobExecutor(**options) as executor:
        (first, first_slot, *_), (second, second_slot, *_) = places_of(executor, 2, tmp_path)
    assert first
    assert second
    assert not set(first) & set(second)
    assert set(first_slot) <= set(first)
    assert set(second_slot) <= set(second)
    assert len(first_slot) == len(second_slot) == 1


def test_a_call_with_threads_has_as_many_cores(here: Instance, tmp_path: Path) -> None:
    with FluxJobExecutor() as executor:
        ((cores, slot, *_),) = places_of(executor, 1, tmp_path, {"threads_per_core": 2})
    assert len(slot) == 2
    assert set(slot) <= set(cores)


@pytest.mark.parametrize("warm", [False, True])
def test_calls_on_one_lease_have_gpus_of_their_own(
    make: Callable[..., FluxJobExecutor], tmp_path: Path, warm: bool
) -> None:
    """All GPUs of the instance at once, on as many leases as it takes."""
    wanted: Any = {"gpus_per_core": 1}
    count = NODES * GPUS_PER_NODE
    options: dict[str, Any] = (
        {"max_workers": count, "block_allocation": True, "resource_dict": wanted} if warm else {}
    )
    with make(**options) as executor:
        found = places_of(executor, count, tmp_path, None if warm else wanted)
    assert Counter(shown for *_, shown, _ in found) == {str(gpu): NODES for gpu in range(GPUS_PER_NODE)}
    assert all(slot == [shown] for *_, shown, slot in found)


def test_a_call_without_gpus_sees_none(executor: FluxJobExecutor, tmp_path: Path) -> None:
    ((*_, shown, slot),) = places_of(executor, 1, tmp_path)
    assert (shown, slot) == ("-1", [])


@pytest.mark.parametrize("warm", [False, True])
def test_a_call_that_uses_more_memory_than_it_may_is_ended(
    make: Callable[..., FluxJobExecutor], tmp_path: Path, warm: bool
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    wanted: Any = {"memory_max": 0.1}
    options: dict[str, Any] = (
        {"max_workers": 1, "block_allocation": True, "resource_dict": wanted} if warm else {}
    )
    more: dict[str, Any] = {} if warm else {"resource_dict": wanted}
    with make(**options) as executor:
        future = executor.submit(allocates, 300, str(fifo), **more)
        with pytest.raises(MemoryLimitError, match=r"used \d+ MB of memory, more than the 102 MB"):
            future.result(PATIENCE)
        assert executor.submit(sum, [1, 2], **more).result(PATIENCE) == 3


def test_within_its_limit_a_call_is_left_alone(executor: FluxJobExecutor, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    future = executor.submit(allocates, 10, str(fifo), resource_dict={"memory_max": 1})
    fifo.write_text("")
    assert future.result(PATIENCE) == 10 << 20


def test_a_limit_that_nobody_would_keep_is_refused(
    make: Callable[..., FluxJobExecutor], instance: Instance, tmp_path: Path
) -> None:
    with make() as executor:
        asked: list[Any] = [{"cores": 2}, {"step": True}, {"exclusive": True}]
        for resources in asked:
            with pytest.raises(ResourceUnavailableError, match=r"memory_max.*Flux limits no memory"):
                executor.submit(sum, [1], resource_dict={**resources, "memory_max": 1})
    with make(flux_executor_nesting=True) as executor:
        with pytest.raises(ResourceUnavailableError, match="flux_executor_nesting"):
            executor.submit(sum, [1], resource_dict={"memory_max": 1})
    with FluxClusterExecutor(cache_directory=str(tmp_path)) as cluster:
        with pytest.raises(ResourceUnavailableError, match="memory_max"):
            cluster.submit(sum, [1], resource_dict={"memory_max": 1})
