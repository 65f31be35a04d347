# SPDX-License-Identifier: BSD-3-Clause
"""What calls on several ranks give."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import mpi_functions as on_ranks
import numpy as np
import pytest

from swiftlet import SingleNodeExecutor


def test_the_result_is_the_list_by_rank(executor: SingleNodeExecutor) -> None:
    assert executor.submit(on_ranks.place, 3).result() == [(3, 2, 0), (3, 2, 1)]
    assert executor.submit(on_ranks.total, 5).result() == [15, 15]


def calc_mpi(i):
    """As executorlib's documentation writes it."""
    from mpi4py import MPI

    size = MPI.COMM_WORLD.Get_size()
    rank = MPI.COMM_WORLD.Get_rank()
    return i, size, rank


@pytest.mark.parametrize("place", ["submit", "constructor", "workers that stay"])
def test_s02_s03_s14_the_documented_function(place: str) -> None:
    resources: dict[str, Any] = {"cores": 2, "openmpi_oversubscribe": True}
    options: dict[str, Any] = {} if place == "submit" else {"resource_dict": resources}
    if place == "workers that stay":
        options.update(block_allocation=True, max_workers=1)
    with SingleNodeExecutor(
        **({"max_cores": 2} if not options.get("block_allocation") else {}), **options
    ) as exe:
        fs = exe.submit(calc_mpi, 3, **({"resource_dict": resources} if place == "submit" else {}))
        assert fs.result() == [(3, 2, 0), (3, 2, 1)]


def test_w14_a_kept_result_is_of_so_many_ranks(
    make: Callable[..., SingleNodeExecutor], tmp_path: Any
) -> None:
    for _ in range(2):
        with make(False, cache_directory=str(tmp_path / "cache")) as executor:
            assert executor.submit(on_ranks.place, 1).result() == [(1, 2, 0), (1, 2, 1)]
            assert executor.submit(on_ranks.place, 1, resource_dict={"cores": 1}).result() == (1, 1, 0)
            three = {"cores": 3}
            assert executor.submit(on_ranks.place, 1, resource_dict=three).result() == [
                (1, 3, rank) for rank in range(3)
            ]


def test_four_ranks(make: Callable[..., SingleNodeExecutor], warm: bool) -> None:
    with make(warm, resource_dict={"cores": 4}) as executor:
        assert executor.submit(on_ranks.place, "x").result() == [("x", 4, rank) for rank in range(4)]


def test_one_call_of_a_fresh_executor_may_have_other_ranks(make: Callable[..., SingleNodeExecutor]) -> None:
    executor = make(False)
    single = executor.submit(on_ranks.place, 1, resource_dict={"cores": 1})
    double = executor.submit(on_ranks.place, 2)
    assert single.result() == (1, 1, 0)
    assert double.result() == [(2, 2, 0), (2, 2, 1)]


def test_the_value_of_rank_0_alone(make: Callable[..., SingleNodeExecutor], warm: bool) -> None:
    with make(warm, resource_dict={"mpi_result": "root"}) as executor:
        assert executor.submit(on_ranks.place, 3).result() == (3, 2, 0)
        assert executor.submit(on_ranks.scaled, np.ones(100_000)).result().sum() == 100_000
        assert executor.submit(on_ranks.place, 4).result() == (4, 2, 0)


def test_large_arrays_are_whole_and_writable(executor: SingleNodeExecutor) -> None:
    array = np.arange(1_000_000.0)
    first, second = executor.submit(on_ranks.scaled, array).result()
    assert np.array_equal(first, array)
    assert np.array_equal(second, 2 * array)
    first[0] = second[0] = 1.0
    assert first[0] + second[0] == 2.0


def test_lists_by_rank_are_inputs_of_other_calls(executor: SingleNodeExecutor) -> None:
    by_rank = executor.submit(on_ranks.scaled, np.ones(50_000))
    lengths = executor.submit(len, by_rank)
    assert lengths.result() == [2, 2]


def test_map_with_and_without_chunks(executor: SingleNodeExecutor) -> None:
    expected = [[(value, 2, 0), (value, 2, 1)] for value in range(5)]
    assert list(executor.map(on_ranks.place, range(5))) == expected
    assert list(executor.map(on_ranks.place, range(5), chunksize=2)) == expected


def test_functions_of_main_and_lambdas(executor: SingleNodeExecutor) -> None:
    offset = 7
    assert executor.submit(lambda value: value + offset, 1).result() == [8, 8]


def test_each_rank_prepares(make: Callable[..., SingleNodeExecutor]) -> None:
    executor = make(True, init_function=on_ranks.prepare)
    assert executor.submit(on_ranks.prepared_with, 1).result() == [(1, 0), (1, 10)]
    assert executor.submit(on_ranks.prepared_with, 2, prepared=3).result() == [(2, 3), (2, 3)]


def test_w21_a_call_of_one_rank_on_an_executor_of_two_is_honoured(
    make: Callable[..., SingleNodeExecutor],
) -> None:
    executor = make(False)
    assert executor.submit(sum, [1, 1], resource_dict={"cores": 1}).result() == 2


THREADS = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]


def test_threads_of_each_rank(
    make: Callable[..., SingleNodeExecutor], warm: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "9")
    executor = make(warm, resource_dict={"threads_per_core": 2})
    assert executor.submit(on_ranks.variables, THREADS).result() == [["2", "2", "2"]] * 2


def test_directory_and_environment(
    executor: SingleNodeExecutor, make: Callable[..., SingleNodeExecutor], warm: bool, tmp_path: Any
) -> None:
    directory = tmp_path / "made" / "here"
    executor = make(warm, resource_dict={"cwd": str(directory)})
    assert executor.submit(os.getcwd).result() == [str(directory)] * 2


def test_error_log_file(make: Callable[..., SingleNodeExecutor], warm: bool, tmp_path: Any) -> None:
    log = tmp_path / "errors.log"
    executor = make(warm, resource_dict={"error_log_file": str(log)})
    with pytest.raises(ValueError, match="rank 1 is unhappy"):
        executor.submit(on_ranks.raises_on, 1, barrier=False).result()
    assert "raises_on" in log.read_text()
    assert "rank 1 is unhappy" in log.read_text()


def test_groups_side_by_side(make: Callable[..., SingleNodeExecutor]) -> None:
    executor = make(False)
    futures = [executor.submit(on_ranks.place, value) for value in range(6)]
    assert [future.result() for future in futures] == [[(value, 2, 0), (value, 2, 1)] for value in range(6)]


def test_a_group_takes_leave_of_its_launcher(
    make: Callable[..., SingleNodeExecutor], warm: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        with make(warm, resource_dict={"cores": 4}) as executor:
            executor.submit(on_ranks.place).result()
    assert capfd.readouterr() == ("", "")
