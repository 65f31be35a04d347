# SPDX-License-Identifier: BSD-3-Clause
"""Many calls through one instance, a third of which fail, each in its own way."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Union

import flux_work as work
import pytest
from flux_nodes import CORES_PER_NODE, Instance

from swiftlet import FluxClusterExecutor, FluxJobExecutor, WorkerLostError

CHOSEN = os.environ.get("SWIFTLET_TEST_FLUX_CALLS")
"""5,000 take half a minute on shared cores and some ten minutes as jobs, on two cores."""
PATIENCE = 60 + int(CHOSEN or 0)
pytestmark = pytest.mark.timeout(2 * PATIENCE)

Executor = Union[FluxJobExecutor, FluxClusterExecutor]
Failing = tuple[Future[Any], Callable[[BaseException], bool]]
"""A call, and whether it failed as it should."""


def exits(executor: Executor, number: int) -> Failing:
    status = 3 + number % 90
    return executor.submit(work.exits, status), lambda error: has_ended(error, status=status)


def dies(executor: Executor, number: int) -> Failing:
    return executor.submit(work.dies_by, 11), lambda error: has_ended(error, signal=signal.SIGSEGV)


def raises(executor: Executor, number: int) -> Failing:
    return executor.submit(work.raises, f"by {number}"), lambda error: error.args == (f"by {number}",)


def never_fits(executor: Executor, number: int) -> Failing:
    future = executor.submit(work.square, number, resource_dict={"threads_per_core": CORES_PER_NODE + 1})
    return future, lambda error: "unsatisfiable request" in str(error)


def lacks_its_input(executor: Executor, number: int) -> Failing:
    future = executor.submit(work.square, executor.submit(work.raises, f"before {number}"))
    return future, lambda error: error.args == (f"before {number}",)


WAYS = (exits, dies, raises, never_fits, lacks_its_input)


def has_ended(error: BaseException, status: int | None = None, signal: int | None = None) -> bool:
    return isinstance(error, WorkerLostError) and (error.exit_status, error.signal) == (status, signal)


@pytest.mark.parametrize(("kind", "calls"), [("shared", 300), ("jobs", 60)])
def test_each_ends_in_its_own_way_and_nothing_is_left(
    kind: str, calls: int, instance: Instance, tmp_path: Path
) -> None:
    executor: Executor
    if kind == "shared":
        executor = FluxJobExecutor(hostname_localhost=True)
    else:
        executor = FluxClusterExecutor(cache_directory=str(tmp_path / "cache"))
    with executor:
        open_calls: list[tuple[int, Future[Any], Callable[[BaseException], bool] | None]] = []
        for number in range(int(CHOSEN or calls)):
            if number % 3:
                open_calls.append((number, executor.submit(work.square, number), None))
            else:
                open_calls.append((number, *WAYS[number // 3 % len(WAYS)](executor, number)))
        for number, future, is_right in open_calls:
            if is_right is None:
                assert future.result(PATIENCE) == number * number
            else:
                error = future.exception(PATIENCE)
                assert error is not None
                assert is_right(error), f"call {number}: {error!r}"
    assert instance.open_jobs() == []
