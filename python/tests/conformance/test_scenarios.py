# SPDX-License-Identifier: BSD-3-Clause
"""The documented examples of executorlib that need no cluster, MPI or cache: S1-S27, S48-S50, S57-S61."""

from __future__ import annotations

import asyncio
import logging
import re
import subprocess
import sys
import time
from importlib import metadata

import pandas as pd
import pytest
from held import Gate, hold
from scenario_work import (
    calc,
    calc_add,
    calc_with_threads,
    divide_by_zero_once,
    echo,
    get_dict,
    get_tuple,
    init_function,
    interact,
    shutdown,
    sort_parts,
    start_counting,
)

from swiftlet import get_item_from_future, split_future


def test_s01_four_sums(make):
    with make() as exe:
        futures = [exe.submit(sum, [i, i]) for i in range(1, 5)]
        assert [future.result() for future in futures] == [2, 4, 6, 8]


def test_s06_one_call_s13_on_every_executor(make):
    with make() as exe:
        assert exe.submit(sum, [1, 1]).result() == 2


def test_s07_done(make, gate):
    with make() as exe:
        future = exe.submit(hold, gate, 2)
        assert not future.done()
        gate.wait_until_reached()
        gate.open()
        assert future.result() == 2
        assert future.done()


def test_s08_a_loop_of_submits(make):
    with make() as exe:
        assert [f.result() for f in [exe.submit(sum, [i, i]) for i in range(2, 5)]] == [4, 6, 8]


def test_s09_map(make):
    with make() as exe:
        assert list(exe.map(sum, [[5, 5], [6, 6], [7, 7]])) == [10, 12, 14]


def test_s10_map_over_columns_of_a_table(make):
    table = pd.DataFrame({"a": [1, 2, 3], "b": [4, 5, 6]})
    with make() as exe:
        table["c"] = list(exe.map(calc_add, table["a"], table["b"]))
    assert table["c"].tolist() == [5, 7, 9]


@pytest.mark.parametrize("place", ["submit", "constructor"])
def test_s11_s12_threads_that_the_function_sets_itself(kind, make, place):
    threads = {"threads_per_core": 2}
    if place == "submit" and kind.stays:
        return  # the resources of workers that stay are the executor's
    with make(**({"resource_dict": threads} if place == "constructor" else {})) as exe:
        options = {"resource_dict": threads} if place == "submit" else {}
        assert exe.submit(calc_with_threads, 1, b=2, **options).result() == 3


def test_s15_init_function(kind, make):
    if not kind.stays:
        with pytest.raises(ValueError, match="init_function"):
            make(init_function=init_function)
        return
    with make(init_function=init_function) as exe:
        assert exe.submit(calc, 2, j=5).result() == 10


def test_s20_a_chain(make):
    with make() as exe:
        future = 0
        for i in range(1, 4):
            future = exe.submit(calc_add, i, future)
        assert future.result() == 6


def test_s22_batched(make):
    with make() as exe:
        numbers = [exe.submit(sum, [i]) for i in range(10)]
        batches = exe.batched(numbers, n=3)
        sums = [exe.submit(sum, batch) for batch in batches]
        assert len(batches) == 4
        assert sum(future.result() for future in sums) == 45


def test_s23_split_future(make):
    with make() as exe:
        parts = split_future(future=exe.submit(get_tuple), n=3)
        assert [part.result() for part in parts] == ["a", "b", 15]


def test_s24_get_item_from_future(make):
    with make() as exe:
        future = exe.submit(get_dict)
        parts = [get_item_from_future(future=future, key=key) for key in "abc"]
        assert [part.result() for part in parts] == [1, 2, 15]


def test_s25_recursive_quicksort_with_asyncio(make):
    async def quicksort(exe, sequence):
        if len(sequence) <= 1:
            return sequence
        smaller, pivot, larger = await asyncio.wrap_future(exe.submit(sort_parts, sequence))
        return [*await quicksort(exe, smaller), pivot, *await quicksort(exe, larger)]

    with make() as exe:
        assert asyncio.run(quicksort(exe, [5, 3, 8, 2, 7, 9, 0])) == [0, 2, 3, 5, 7, 8, 9]


def test_s26_sizes_are_logged(kind, make, caplog):
    with caplog.at_level(logging.WARNING, logger="executorlib"):
        with make(log_obj_size=True) as exe:
            assert exe.submit(sum, [1, 1]).result() == 2
    lines = [record.getMessage() for record in caplog.records if record.name == "executorlib"]
    assert [line.partition(" ")[0] for line in lines] == ["Send", "Received", "Send", "Received"]
    assert all(re.fullmatch(r"(Send|Received) dictionary of size: [1-9]\d*", line) for line in lines)


def test_s27_error_log_file(make, tmp_path):
    log = tmp_path / "error.out"
    with make(resource_dict={"error_log_file": str(log)}) as exe:
        futures = [
            exe.submit(divide_by_zero_once, i=i, j=j) for i in range(1, 5) for j in range(1, 5) if i != 2
        ]
        bad = exe.submit(divide_by_zero_once, i=2, j=2)
        assert len([future.result() for future in futures]) == 12
        with pytest.raises(ZeroDivisionError):
            bad.result()
    text = log.read_text()
    assert "function: <function divide_by_zero_once" in text
    assert "args: ()" in text
    assert "kwargs: {'i': 2, 'j': 2}" in text
    assert "ZeroDivisionError: division by zero" in text
    assert text.count("Traceback") == 1


def test_s48_an_external_command(make):
    with make() as exe:
        assert exe.submit(echo).result() == "test\n"


def test_s49_s50_an_interactive_program(kind, make):
    if not kind.stays:
        return  # it takes a worker that stays
    with make(init_function=start_counting, **kind.one_worker) as exe:
        future = exe.submit(interact, shell_input="4\n", lines_to_read=5, stop_read_pattern=None)
        assert future.result() == "0\n1\n2\n3\ndone\n"
        future = exe.submit(interact, shell_input="4\n", lines_to_read=None, stop_read_pattern="done")
        assert future.result() == "0\n1\n2\n3\ndone\n"
        assert exe.submit(shutdown).result() is None


def test_s58_coverage_sees_the_lines_of_calls(tmp_path):
    (tmp_path / ".coveragerc").write_text("[run]\npatch = subprocess\nsource = .\nparallel = true\n")
    (tmp_path / "measured.py").write_text(
        "def fresh(x):\n    y = x + 1\n    return y\n\n\ndef warm(x):\n    y = x + 2\n    return y\n"
    )
    (tmp_path / "program.py").write_text(
        "from measured import fresh, warm\n"
        "from swiftlet import SingleNodeExecutor\n"
        "with SingleNodeExecutor(max_workers=1) as executor:\n"
        "    assert executor.submit(fresh, 1).result() == 2\n"
        "with SingleNodeExecutor(max_workers=1, block_allocation=True) as executor:\n"
        "    assert executor.submit(warm, 1).result() == 3\n"
    )
    for command in (["run", "program.py"], ["combine", "-q"], ["report", "--fail-under=100"]):
        done = subprocess.run(
            [sys.executable, "-m", "coverage", *command],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("localhost", [True, False, None])
def test_s57_hostname_localhost(kind, make, localhost):
    if kind.detaches and localhost is not None:
        with pytest.raises(ValueError, match="hostname"):
            make(hostname_localhost=localhost)
        return
    with make(hostname_localhost=localhost) as exe:
        assert exe.submit(sum, [1, 1]).result() == 2


def test_s59_the_package_needs_little():
    needed = [text for text in metadata.requires("swiftlet") or [] if "extra ==" not in text]
    assert needed == ["cloudpickle>=3"]


def test_s59_without_what_is_not_needed_all_but_that_works(tmp_path):
    (tmp_path / "program.py").write_text(
        "import sys\n"
        "for name in 'h5py jinja2 yaml mpi4py numpy pandas pydantic pysqa networkx IPython'.split():\n"
        "    sys.modules[name] = None\n"
        "from swiftlet import SingleNodeExecutor, get_cache_data\n"
        "from swiftlet.api import TestClusterExecutor\n"
        "for options in ({}, {'block_allocation': True, 'max_workers': 1}):\n"
        "    with SingleNodeExecutor(**options) as executor:\n"
        "        assert executor.submit(sum, [1, 1]).result() == 2\n"
        "with TestClusterExecutor(cache_directory='cache') as executor:\n"
        "    assert executor.submit(sum, [1, 1]).result() == 2\n"
        "assert len(get_cache_data('cache')) == 1\n"
        "with SingleNodeExecutor(max_cores=2) as executor:\n"
        "    try:\n"
        "        executor.submit(sum, [1, 1], resource_dict={'cores': 2})\n"
        "    except ImportError as error:\n"
        "        print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "install mpi4py" in done.stdout


def test_s61_resizing_while_calls_run(kind, make, tmp_path):
    if not kind.stays or kind.detaches:
        return
    with make(**kind.one_worker) as exe:
        gates = [Gate(tmp_path / f"gate{number}") for number in range(2)]
        first = [exe.submit(hold, gate, number) for number, gate in enumerate(gates)]
        gates[0].wait_until_reached()
        exe.max_workers = 2
        assert exe.max_workers == 2
        gates[1].wait_until_reached()
        more = [exe.submit(sum, [number, number]) for number in range(6)]
        exe.max_workers = 1
        gates[1].open()
        gates[0].open()
        assert [future.result() for future in [*first, *more]] == [0, 1, 0, 2, 4, 6, 8, 10]


def test_refresh_rate_is_taken_and_nothing_polls(make):
    with make(refresh_rate=100.0) as exe:
        started = time.monotonic()
        assert exe.submit(calc_add, exe.submit(sum, [1]), 1).result() == 2
        assert time.monotonic() - started < 50


def test_disable_dependencies(make):
    with make(disable_dependencies=True) as exe:
        future = exe.submit(sum, [1, 1])
        with pytest.raises(ValueError, match="disable_dependencies"):
            exe.submit(calc_add, future, 1)
        assert exe.submit(calc_add, future.result(), 1).result() == 3
