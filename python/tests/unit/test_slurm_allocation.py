# SPDX-License-Identifier: BSD-3-Clause
"""What is read of an allocation, from lines that Slurm has printed."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from swiftlet import AllocationError, _addresses
from swiftlet._slurm_allocation import AllocatedNode, current, numbers, parsed

LINE = (
    "JobId=3 JobName=interactive UserId=root(0) JobState=RUNNING Reason=None RunTime=00:00:00 "
    "TimeLimit=00:10:00 StartTime=2026-11-25T04:15:58 EndTime=2026-11-25T04:25:58 NodeList=n[1-2] NumNodes=3 "
    "NumCPUs=9 ReqB:S:C:T=0:0:*:* TRES=cpu=8,mem=8G,node=2 JOB_GRES=gpu:4   "
    "Nodes=n[1-2] CPU_IDs=0-2,5 Mem=4096 GRES=gpu:a100:2(IDX:0,3)   "
    "Nodes=n7 CPU_IDs=0 Mem=0 GRES= MinCPUsNode=1 "
)


def hostnames(command: Sequence[str]) -> str:
    assert list(command[:3]) == ["scontrol", "show", "hostnames"]
    return {"n[1-2]": "n1\nn2\n", "n7": "n7\n"}[command[3]]


def test_nodes_and_time() -> None:
    allocation = parsed("3", LINE, hostnames)
    shared = {"cores": 4, "gpus": ("0", "3"), "memory": 4 << 30}
    assert allocation.nodes == (
        AllocatedNode("n1", **shared),  # type: ignore[arg-type]
        AllocatedNode("n2", **shared),  # type: ignore[arg-type]
        AllocatedNode("n7", 1),
    )
    assert allocation.cores == 9
    assert allocation.has_gpus
    assert allocation.ends == time.mktime((2026, 11, 25, 4, 25, 58, 0, 0, -1))
    assert allocation.nodes[0].words(up=False) == "name=n1 cores=4 gpus=0,3 memory=4294967296 up=0"


def test_no_end() -> None:
    assert parsed("3", LINE.replace("2026-11-25T04:25:58", "Unknown"), hostnames).time_left() is None


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (LINE.replace("RUNNING", "COMPLETING"), "its state is COMPLETING"),
        ("", "its state is not known"),
        (LINE.partition("Nodes=n[")[0], "does not say which nodes"),
    ],
)
def test_what_is_no_allocation(line: str, words: str) -> None:
    with pytest.raises(AllocationError, match=words):
        parsed("3", line, hostnames)


def test_none() -> None:
    assert current({}) is None


def test_slurm_does_not_answer() -> None:
    def fails(command: Sequence[str]) -> str:
        raise AllocationError("scontrol show job failed: Unable to contact slurm controller")

    with pytest.raises(
        AllocationError, match=r"in job 9, but scontrol .* Unable to contact .* unset SLURM_JOB_ID"
    ):
        current({"SLURM_JOB_ID": "9"}, fails)


def test_numbers() -> None:
    assert numbers("0-2,7,9-9") == [0, 1, 2, 7, 9]


def test_the_address_towards_a_peer() -> None:
    assert _addresses.listening_address(["127.0.0.1"], None) == "127.0.0.1"
    assert _addresses.listening_address(["10.0.0.1"], True) == "127.0.0.1"
    assert _addresses.listening_address(["no such host", "127.0.0.1"], None) == "127.0.0.1"


def test_the_address_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWIFTLET_ADDRESS", "10.1.2.3")
    assert _addresses.listening_address(["127.0.0.1"], None) == "10.1.2.3"
    for wrong in ("0.0.0.0", "::", "host", ""):
        monkeypatch.setenv("SWIFTLET_ADDRESS", wrong or "x")
        with pytest.raises(AllocationError, match="numeric address of one interface"):
            _addresses.listening_address([], None)
