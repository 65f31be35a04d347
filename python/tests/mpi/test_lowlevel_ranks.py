# SPDX-License-Identifier: BSD-3-Clause
"""executorlib's low-level interface with a worker of several ranks: ``interactive_parallel.py``."""

from __future__ import annotations

import operator
import os
import sys
from collections.abc import Iterator

import mpi_functions as on_ranks
import pytest

from swiftlet import ExecutorlibSocketError
from swiftlet.api import MpiExecSpawner, SocketInterface, get_command_path, interface_bootup

COMMAND = [sys.executable, get_command_path("interactive_parallel.py")]


@pytest.fixture
def interface(monkeypatch: pytest.MonkeyPatch) -> Iterator[SocketInterface]:
    """Two ranks, started as a program of executorlib's users starts them."""
    monkeypatch.setenv("PATH", os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"])
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(on_ranks.__file__))
    for name in ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"):
        monkeypatch.setenv(name, "1")
    interface = interface_bootup(list(COMMAND), connections=MpiExecSpawner(cores=2), hostname_localhost=True)
    yield interface
    interface.shutdown(wait=False)


def call(fn, *args, **kwargs):
    return {"fn": fn, "args": args, "kwargs": kwargs}


def test_each_call_runs_on_all_ranks(interface: SocketInterface) -> None:
    assert interface.send_and_receive_dict(call(on_ranks.place, 3)) == {"result": [(3, 2, 0), (3, 2, 1)]}
    assert interface.send_and_receive_dict(call(on_ranks.total, value=5)) == {"result": [15, 15]}
    offset = 7  # a closure travels by value
    answer = interface.send_and_receive_dict(call(lambda value: operator.add(value, offset), 1))
    assert answer == {"result": [8, 8]}
    assert interface.shutdown(wait=True) == {"result": True}


def test_each_rank_prepares(interface: SocketInterface) -> None:
    assert interface.send_and_receive_dict({"init": True, **call(on_ranks.prepare)}) == {"result": True}
    assert interface.send_and_receive_dict(call(on_ranks.prepared_with, 1)) == {"result": [(1, 0), (1, 10)]}


@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_that_raises_is_heard(interface: SocketInterface, rank: int) -> None:
    answer = interface.send_and_receive_dict(call(on_ranks.raises_on, rank, False))
    assert isinstance(answer["error"], ValueError)
    assert str(answer["error"]) == f"rank {rank} is unhappy"
    assert interface.send_and_receive_dict(call(on_ranks.place)) == {"result": [(None, 2, 0), (None, 2, 1)]}


def test_a_rank_that_dies_ends_them_all(interface: SocketInterface) -> None:
    assert interface.send_and_receive_dict(call(on_ranks.total, 1)) == {"result": [3, 3]}
    answer = interface.send_and_receive_dict(call(on_ranks.dies_on, 1, "exit"))
    assert isinstance(answer["error"], ExecutorlibSocketError)
    assert not interface.status
