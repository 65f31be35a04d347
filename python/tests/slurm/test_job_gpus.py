# SPDX-License-Identifier: BSD-3-Clause
"""GPUs in an allocation: no two calls get the same one, be they agents' or steps, whose GPUs Slurm picks."""

from __future__ import annotations

import os
import time

import pytest
from slurm_cluster import Cluster

from swiftlet import SlurmJobExecutor

TIMEOUT = 90


def use_gpus(seconds: float) -> tuple[str, set[str], float, float]:
    """On which node, with which GPUs, from when until when."""
    begin = time.time()
    time.sleep(seconds)
    gpus = set(os.environ["CUDA_VISIBLE_DEVICES"].split(","))
    return os.environ["SLURMD_NODENAME"], gpus, begin, time.time()


def test_no_gpu_is_given_twice(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    with cluster.salloc("-N2", "--ntasks-per-node=4", "--gres=gpu:2") as variables:
        for key, value in variables.items():
            monkeypatch.setenv(key, value)
        with SlurmJobExecutor(pmi_mode="pmi2") as executor:
            kinds = [
                {"gpus_per_core": 1},
                {"gpus_per_core": 1, "step": True},
                {"gpus_per_core": 2, "step": True},
            ]
            futures = [executor.submit(use_gpus, 0.2, resource_dict=kinds[n % 3]) for n in range(18)]
            beside = executor.submit(os.getpid)  # needs no GPU
            used = [future.result(TIMEOUT) for future in futures]
            assert beside.done()
    assert [len(gpus) for _, gpus, _, _ in used] == [1, 1, 2] * 6
    assert {node for node, _, _, _ in used} == {"n1", "n2"}
    for index, (node, gpus, begin, end) in enumerate(used):
        for other_node, other_gpus, other_begin, other_end in used[:index]:
            if node == other_node and begin < other_end and other_begin < end:
                assert not gpus & other_gpus, (node, gpus, other_gpus)
