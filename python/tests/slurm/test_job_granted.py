# SPDX-License-Identifier: BSD-3-Clause
"""Each key of ``resource_dict`` on SlurmJobExecutor, by what Slurm says that it granted."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from slurm_cluster import Cluster, fields

from swiftlet import SlurmJobExecutor


def step_of_mine() -> dict[str, str]:
    """The environment of a call, and as `scontrol` what Slurm says of its step."""
    step = f"{os.environ['SLURM_JOB_ID']}.{os.environ['SLURM_STEP_ID']}"
    command = ["scontrol", "show", "step", "--oneliner", step]
    words = subprocess.run(command, capture_output=True, text=True)
    return {**os.environ, "scontrol": words.stdout, "cwd": os.getcwd()}


def job_of_mine() -> dict[str, str]:
    command = ["scontrol", "show", "job", "--oneliner", os.environ["SLURM_JOB_ID"]]
    words = subprocess.run(command, capture_output=True, text=True)
    return {**os.environ, "scontrol": words.stdout}


def where(seconds: float) -> tuple[str, float, float]:
    begin = time.time()
    time.sleep(seconds)
    return os.environ["SLURMD_NODENAME"], begin, time.time()


@pytest.fixture
def executor(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlurmJobExecutor]:
    with cluster.salloc("-N2", "--ntasks-per-node=4", "--gres=gpu:2") as variables:
        for key, value in variables.items():
            monkeypatch.setenv(key, value)
        with SlurmJobExecutor(pmi_mode="pmi2") as executor:
            yield executor


def granted(seen: dict[str, str]) -> dict[str, str]:
    """The fields of what Slurm said, and the parts of TRES among them."""
    found = fields(seen["scontrol"])
    parts = [part.split("=", 1) for part in found.get("TRES", "").split(",") if "=" in part]
    return {**found, **dict(parts)}


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({"step": True}, {"Tasks": "1", "Nodes": "1", "cpu": "1"}),
        ({"step": True, "threads_per_core": 3}, {"Tasks": "1", "cpu": "3"}),
        ({"step": True, "gpus_per_core": 2}, {"gres/gpu": "2", "Nodes": "1"}),
        ({"memory_max": 0.5}, {"mem": "512M", "Tasks": "1"}),
        ({"step": True, "run_time_max": 61}, {"TimeLimit": "00:03:00"}),
        ({"slurm_cmd_args": ["--job-name=of mine"]}, {"Name": "of mine"}),
        ({"cores": 2}, {"Tasks": "2", "Nodes": "1", "cpu": "2"}),
        ({"cores": 2, "threads_per_core": 2}, {"Tasks": "2", "cpu": "4"}),
        ({"cores": 2, "num_nodes": 2}, {"Tasks": "2", "Nodes": "2", "NodeList": "n[1-2]"}),
        ({"cores": 2, "gpus_per_core": 1, "num_nodes": 2}, {"gres/gpu": "2", "Nodes": "2"}),
        ({"cores": 2, "memory_max": 1}, {"mem": "1G", "Tasks": "2"}),
    ],
)
def test_a_step_has_what_was_asked_for(
    executor: SlurmJobExecutor, resources: dict[str, Any], expected: dict[str, str]
) -> None:
    seen = executor.submit(step_of_mine, resource_dict=resources).result(60)
    ranks = seen if isinstance(seen, list) else [seen]
    assert len(ranks) == resources.get("cores", 1)
    known = granted(ranks[0])
    assert {key: known.get(key) for key in expected} == expected
    for rank in ranks:
        assert rank["OMP_NUM_THREADS"] == str(resources.get("threads_per_core", 1))
        gpus = [gpu for gpu in rank.get("CUDA_VISIBLE_DEVICES", "").split(",") if gpu]
        assert len(gpus) == resources.get("gpus_per_core", 0)


def test_nothing_else_is_on_the_nodes_of_an_exclusive_call(
    executor: SlurmJobExecutor, tmp_path: Path
) -> None:
    resources = {"exclusive": True, "step": True, "cwd": str(tmp_path / "made here")}
    alone = executor.submit(where, 0.5, resource_dict=resources)
    others = [executor.submit(where, 0.2) for _ in range(12)]
    node, begin, end = alone.result(60)
    for other, other_begin, other_end in (future.result(60) for future in others):
        assert other != node or other_end <= begin or end <= other_begin
    assert executor.submit(step_of_mine, resource_dict=resources).result()["cwd"] == resources["cwd"]


def test_an_allocation_of_its_own_has_what_was_asked_for(cluster: Cluster) -> None:
    resources = {
        "cores": 2, "num_nodes": 2, "threads_per_core": 2, "gpus_per_core": 1, "memory_max": 0.5,
        "run_time_max": 61, "slurm_cmd_args": ["--comment=of mine", "--partition=debug"],
    }  # fmt: skip
    with SlurmJobExecutor(pmi_mode="pmi2") as executor:
        ranks = executor.submit(job_of_mine, resource_dict=resources).result(60)
    assert len(ranks) == 2
    job = granted(ranks[0])
    expected = {
        "NumTasks": "2", "NumNodes": "2", "CPUs/Task": "2", "gres/gpu": "2", "MinMemoryNode": "512M",
        "TimeLimit": "00:03:00", "Comment": "of mine", "Partition": "debug",
    }  # fmt: skip
    assert {key: job.get(key) for key in expected} == expected
