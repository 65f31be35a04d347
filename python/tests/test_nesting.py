# SPDX-License-Identifier: BSD-3-Clause
"""Executors inside calls: each sees its slot as its node, and nothing is left of any of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from marked_processes import MARK, gone_within

from swiftlet import ResourceError, SingleNodeExecutor, current_task
from swiftlet._node import this_node

CORES = sorted(os.sched_getaffinity(0))


@pytest.fixture(params=[False, True], ids=["fresh", "warm"])
def warm(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def options(warm: bool, **resources: Any) -> dict[str, Any]:
    kind: dict[str, Any] = {"block_allocation": True, "max_workers": 1} if warm else {}
    return {**kind, "resource_dict": resources} if resources else kind


def seen() -> dict[str, Any]:
    """The node as a call sees it."""
    node = this_node()
    return {"cores": node.cores, "gpus": node.gpus, "memory": node.memory, "numbers": node.numbers}


def nested(warm: bool, depth: int) -> list[dict[str, Any]]:
    """What is seen here, and below."""
    if depth == 0:
        return [seen()]
    with SingleNodeExecutor(**options(warm)) as executor:
        return [seen(), *executor.submit(nested, warm, depth - 1).result()]


def test_three_levels(warm: bool) -> None:
    with SingleNodeExecutor(**options(warm)) as executor:
        levels = executor.submit(nested, warm, 2).result()
    assert [level["cores"] for level in levels] == [1, 1, 1]


def test_an_executor_inside_a_call_has_exactly_its_slot(warm: bool) -> None:
    resources = {"threads_per_core": 2, "gpus_per_core": 1, "memory_max": 0.5}
    kind = {"block_allocation": True, "max_workers": 1} if warm else {"max_cores": 2}
    with SingleNodeExecutor(resource_dict=resources, gpus=["GPU-a", "GPU-b"], **kind) as executor:
        node = executor.submit(seen).result()
        assert (node["cores"], node["gpus"], node["memory"]) == (2, ("GPU-a",), 2**29)
        assert executor.submit(use_slot).result() == ["GPU-a", "refused", "refused", "refused"]


def use_slot() -> list[str | None]:
    """Everything the slot has, and everything beyond it."""
    found: list[str | None] = []
    with SingleNodeExecutor() as executor:
        wanted = {"gpus_per_core": 1, "threads_per_core": 2, "memory_max": 0.5}
        found.append(executor.submit(os.environ.get, "CUDA_VISIBLE_DEVICES", resource_dict=wanted).result())
        for beyond in ({"gpus_per_core": 2}, {"threads_per_core": 3}, {"memory_max": 0.6}):
            try:
                executor.submit(sum, [1], resource_dict=beyond)
            except ResourceError:
                found.append("refused")
    return found


@pytest.mark.skipif(len(CORES) < 2, reason="two cores are needed")
def test_the_cores_of_a_pinned_slot_are_handed_on(warm: bool) -> None:
    kind: dict[str, Any] = {"block_allocation": True, "max_workers": 2} if warm else {"max_cores": 2}
    with SingleNodeExecutor(resource_dict={"pin": True}, **kind) as executor:
        outer, inner, slot = executor.submit(inherit).result()
    assert len(outer) == 1
    assert outer == inner == slot


def inherit() -> tuple[list[int], list[int], list[int]]:
    task = current_task()
    assert task is not None
    assert task.slot is not None
    with SingleNodeExecutor() as executor:
        inner = executor.submit(os.sched_getaffinity, 0).result()
    return sorted(os.sched_getaffinity(0)), sorted(inner), list(task.slot.core_numbers)


KILLED = """
    import os, sys, time
    os.environ[{mark!r}] = {name!r}
    from swiftlet import SingleNodeExecutor

    def level(depth, warm, path):
        if depth == 0:
            open(path, "w").close()
            time.sleep(100)
        kind = dict(block_allocation=True, max_workers=1) if warm else {{}}
        with SingleNodeExecutor(**kind) as executor:
            executor.submit(level, depth - 1, warm, path).result()

    if __name__ == "__main__":
        level(3, {warm}, {path!r})
"""


def test_nothing_is_left_when_the_outermost_client_is_killed(script: Any, tmp_path: Path, warm: bool) -> None:
    begun, name = tmp_path / "begun", f"nested {warm}"
    program = script(KILLED.format(mark=MARK, name=name, warm=warm, path=str(begun)))
    while not begun.exists():
        time.sleep(0.01)
    program.process.kill()
    assert gone_within(15, name) == []


def test_a_command_in_a_call_is_no_call_but_has_its_slot(warm: bool) -> None:
    with SingleNodeExecutor(**options(warm)) as executor:
        assert executor.submit(ask_command).result() == "None 1\n"


def ask_command() -> str:
    source = "import swiftlet; print(swiftlet.current_task(), swiftlet.SingleNodeExecutor()._limit)"
    return subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True).stdout
