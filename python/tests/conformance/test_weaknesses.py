# SPDX-License-Identifier: BSD-3-Clause
"""What hangs or goes wrong in executorlib 1.11 (spec 9.1): here every future ends, and with the right value.

Each test is named after its finding. Those that take MPI, a cache or a cluster are with the tests of these.
"""

from __future__ import annotations

import functools
import math
import operator
import os
import subprocess
import sys
import time
from concurrent.futures import CancelledError

import pytest
from held import hold

from swiftlet import ExecutorlibSocketError, ResourceError, SingleNodeExecutor, get_item_from_future


def die():
    os._exit(3)


def test_W01_cancel_at_once(executor):
    for _ in range(20):
        future = executor.submit(operator.neg, 1)
        assert future.cancel() or future.result(timeout=60) == -1
    assert executor.submit(operator.neg, 2).result(timeout=60) == -2


def test_W02_a_cancelled_future_as_input(executor, gate):
    held = executor.submit(hold, gate)
    gate.wait_until_reached()
    waiting = executor.submit(operator.pos, held)
    assert waiting.cancel()
    after = executor.submit(operator.neg, waiting)
    with pytest.raises(CancelledError):
        after.result(timeout=60)
    gate.open()
    assert executor.submit(operator.neg, 2).result(timeout=60) == -2


def test_W02_a_selector_with_a_missing_key_as_input(executor):
    future = executor.submit(dict, a=1)
    with pytest.raises(KeyError, match="b"):
        executor.submit(operator.neg, get_item_from_future(future, "b")).result(timeout=60)
    assert executor.submit(operator.neg, get_item_from_future(future, "a")).result(timeout=60) == -1


@pytest.mark.parametrize(
    "resources", [{"coers": 1}, {"cores": "many"}, {"priority": 0.5}, {"run_time_max": -1}, {"cwd": 1}]
)
def test_W03_resources_that_are_wrong_are_refused_by_name(kind, executor, resources):
    (key,) = resources
    if key == "coers" and kind.detaches:
        with pytest.warns(UserWarning, match="coers") as told:
            assert executor.submit(operator.neg, 1, resource_dict=resources).result(timeout=60) == -1
        assert told[0].filename == __file__
        return
    with pytest.raises(ResourceError, match=key):
        executor.submit(operator.neg, 1, resource_dict=resources)
    assert executor.submit(operator.neg, 2).result(timeout=60) == -2


def test_W06_a_worker_that_dies_is_an_error(executor):
    with pytest.raises(RuntimeError):
        executor.submit(die).result(timeout=60)
    assert executor.submit(operator.neg, 2).result(timeout=60) == -2


def test_W06_workers_that_cannot_start(kind, make):
    if not kind.stays:
        return
    with make(init_function=die) as executor:
        futures = [executor.submit(operator.neg, number) for number in range(3)]
        for future in futures:
            with pytest.raises(ExecutorlibSocketError):
                future.result(timeout=60)


@pytest.mark.parametrize("options", [{}, {"disable_dependencies": True}])
def test_W10_more_cores_than_there_are(options):
    with SingleNodeExecutor(max_cores=2, **options) as executor:
        for resources in ({"threads_per_core": 3}, {"cores": 3}):
            with pytest.raises(ValueError, match="cores"):
                executor.submit(operator.neg, 1, resource_dict=resources)
        before = time.process_time()
        assert executor.submit(operator.neg, 2).result(timeout=60) == -2
        assert time.process_time() - before < 5


@pytest.mark.parametrize("ending", ["", "raise LookupError"])
@pytest.mark.parametrize("options", ["", "block_allocation=True, max_workers=1"])
def test_W11_a_script_without_shutdown_ends(tmp_path, ending, options):
    program = tmp_path / "program.py"
    program.write_text(
        "from swiftlet import SingleNodeExecutor\n"
        f"executor = SingleNodeExecutor({options})\n"
        f"executor.submit(print, 'it ran')\n{ending}\n"
    )
    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == (1 if ending else 0), done.stderr
    assert done.stdout == "it ran\n"


def test_W12_dropping_an_executor_does_not_block(make, gate):
    executor = make()
    future = executor.submit(hold, gate, 5)
    gate.wait_until_reached()
    started = time.monotonic()
    del executor
    assert time.monotonic() - started < 30
    gate.open()
    assert future.result(timeout=60) == 5


def test_W21_what_a_call_asks_for_wins(tmp_path):
    with SingleNodeExecutor(max_cores=2, resource_dict={"cwd": str(tmp_path / "executor")}) as executor:
        assert executor.submit(os.getcwd).result(timeout=60) == str(tmp_path / "executor")
        mine = {"cwd": str(tmp_path / "call")}
        assert executor.submit(os.getcwd, resource_dict=mine).result(timeout=60) == str(tmp_path / "call")


def test_W22_run_time_max_counts_seconds():
    with SingleNodeExecutor(max_workers=2) as executor:
        late = executor.submit(time.sleep, 60, resource_dict={"run_time_max": 0.3})
        in_time = executor.submit(time.sleep, 0.01, resource_dict={"run_time_max": 30})
        with pytest.raises(TimeoutError):
            late.result(timeout=60)
        assert in_time.result(timeout=60) is None


class Adder:
    def __init__(self, number):
        self.number = number

    def __call__(self, other):
        return self.number + other

    def method(self, other):
        return self(other)


@pytest.mark.parametrize(
    ("fn", "args", "expected"),
    [
        (max, (1, 2), 2),
        (min, (1, 2), 1),
        (int, ("3",), 3),
        (str, (4,), "4"),
        (dict, ([("a", 1)],), {"a": 1}),
        (range, (3,), range(3)),
        (getattr, (1, "real"), 1),
        (time.sleep, (0,), None),
        (math.hypot, (3, 4), 5.0),
        ("abc".upper, (), "ABC"),
        (Adder(1), (2,), 3),
        (Adder(1).method, (3,), 4),
        (functools.partial(operator.add, 1), (4,), 5),
        (lambda value: value + 5, (1,), 6),
    ],
)
def test_W23_callables_of_every_kind(executor, fn, args, expected):
    assert executor.submit(fn, *args).result(timeout=60) == expected


def test_W23_numpys_functions(executor):
    import numpy as np

    assert executor.submit(np.sum, np.arange(4)).result(timeout=60) == 6
    assert executor.submit(np.add, 1, 2).result(timeout=60) == 3
